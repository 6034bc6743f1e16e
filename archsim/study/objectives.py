"""What a study is after: its objectives and limits, by the names of figures that points can have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

from archsim.errors import nearest
from archsim.metrics.quality import Quality
from archsim.metrics.regression import RegressionQuality
from archsim.study.spec import Goal, StudyConfig

ALONE = (
    "latency_s_per_image", "first_pass_s", "pass_interval_s", "image_interval_s", "throughput_images_per_s",
    "programming_s", "leakage_j_per_image", "energy_on_chip_j_per_image", "power_w", "memory_bits", "crossbars",
    "bottleneck_utilisation", "events", "baseline_latency_s", "baseline_energy_j",
)  # fmt: skip
WITH_ENDS = ("energy_j_per_image", "area_m2", "latency_gain", "throughput_gain", "energy_gain")
OF_PARTS = ("energy_j_per_image.", "area_m2.")
OF_ANSWERS = ("mean_passes", "auroc.")
WANTED = ("energy_j_per_image", "latency_s_per_image", "area_m2", "nll")


def default_objectives(figures: Iterable[str]) -> dict[str, Goal]:
    """Return what a study that names no objectives is after: energy, latency, area and, where it is known, the NLL."""
    known = frozenset(figures)
    return {name: "min" for name in WANTED if name in known}


def objectives_of(config: StudyConfig) -> dict[str, Goal]:
    """Return the objectives of a study, or what one that names none is after."""
    return dict(config.objectives) or default_objectives(known_figures(config))


def known_figures(config: StudyConfig) -> list[str]:
    """Return the names of all figures that points may have, but those of single parts and sets of images."""
    both = (*WITH_ENDS, *(_of_answers() if config.quality else ()))
    return [*ALONE, *(f"{name}{end}" for name in both for end in ("", "_low", "_high"))]


def wrong_names(config: StudyConfig, where: str) -> Iterator[str]:
    """Yield what is wrong with the names of objectives and limits, each with the nearest that is right."""
    known = known_figures(config)
    prefixes = OF_PARTS + (OF_ANSWERS if config.quality else ())
    for section, names in (("objectives", config.objectives), ("limits", config.limits)):
        for name in names:
            if name not in known and not name.startswith(prefixes):
                left_out = not config.quality and name in _of_answers()
                why = "; `quality: false` leaves it out" if left_out else nearest(name, known)
                yield f"{where}: {section}: '{name}' is no figure of a point{why}"


def _of_answers() -> list[str]:
    kinds = (Quality, RegressionQuality)
    return [*dict.fromkeys(f.name for kind in kinds for f in fields(kind) if f.name != "prediction")]
