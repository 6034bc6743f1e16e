"""A design point as work to be done, what is shared among points, and what came of it: plain data, sent anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Task:
    """One design point, ready to be evaluated by any process that sees the same files.

    `number`: among the points of the study. `key`: a hash of everything that affects the outcome. `arch`, `workload`:
    absolute paths. `overrides`: "path=value" of the architecture, of the workload ("workload.path=value") and of the
    component library ("library.path=value"). `passes`, `images`, `schedule`, `grain`: None where the files decide.
    `quality`: whether answers are computed. `stopping`: the rule by which images stop early, "" for none. `baseline`:
    what the chip is compared with, "" for nothing. `ood`: sets of images to be told from known ones.
    """

    number: int
    key: str
    arch: str
    workload: str
    overrides: tuple[str, ...] = ()
    passes: int | None = None
    images: int | None = None
    seed: int = 0
    chip: int = 0
    schedule: str | None = None
    grain: str | None = None
    quality: bool = True
    stopping: str = ""
    baseline: str = ""
    ood: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answers:
    """What the functional half found for every point that shares it.

    `images`: computed. `figures`: quality, with intervals: `nll`, `nll_low`, `nll_high`, ... `activity`: by layer, the
    counts of `LayerActivity`. `histogram`: by number of passes, the share of images that stopped after so many; empty
    without a stopping rule. `tiers`: by layer, how it was computed.
    """

    images: int
    figures: Mapping[str, float]
    activity: Mapping[str, Mapping[str, int]]
    histogram: Mapping[int, float] = field(default_factory=dict)
    tiers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "images": self.images,
            "figures": dict(self.figures),
            "activity": {name: dict(counts) for name, counts in self.activity.items()},
            "histogram": {str(passes): share for passes, share in self.histogram.items()},
            "tiers": dict(self.tiers),
            "seconds": self.seconds,
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Answers:
        """Return what `to_dict` was made of."""
        histogram = {int(passes): share for passes, share in data["histogram"].items()}
        return Answers(
            data["images"], data["figures"], data["activity"], histogram, data["tiers"], data["seconds"]
        )  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What came of one task: figures, or the reason why there are none.

    `figures`: by name with its SI unit (`energy_j_per_image`); NaN where there is no such figure. `texts`: such as the
    bottleneck. `function`: key of the answers it was made with, "" for costs alone. `error`: one sentence, "" if fine.
    `trace`: the traceback of an error in archsim itself. `seconds`: of one core, without the functional pass.
    """

    number: int
    key: str
    figures: Mapping[str, float] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    function: str = ""
    error: str = ""
    trace: str = ""
    seconds: float = 0.0
