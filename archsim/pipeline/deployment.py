"""A network placed on a chip, with everything that is needed to compute its answers and to judge them."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Table
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np

from archsim.config import dump
from archsim.errors import DataError
from archsim.functional import FunctionalRun
from archsim.hardware.chip import Chip
from archsim.mapping.plan import Mapping, map_trace
from archsim.metrics.quality import Quality, evaluate_quality
from archsim.metrics.regression import RegressionQuality, evaluate_regression, noise_of
from archsim.pipeline.inputs import ChipLike, Inputs, NetworkLike, Overrides, images_of, passes_of
from archsim.pipeline.sampled import SampledChip, sample_chip
from archsim.workload.data import ImageSet
from archsim.workload.spec import Workload
from archsim.workload.trace import Trace

RESAMPLING_STREAM = 1  # the seed's stream for confidence intervals; stream 0 is the hardware's


@dataclass(frozen=True, eq=False)
class Deployment:
    """A network on a design of chip. `wanted`: images to evaluate; `exact`: whether fewer will not do.

    `inputs`: reads the images.
    """

    mapping: Mapping
    source: Workload | Trace
    passes: int
    wanted: int
    exact: bool
    seed: int
    inputs: Inputs = field(default_factory=Inputs)

    @property
    def chip(self) -> Chip:
        """The chip."""
        return self.mapping.chip

    @property
    def trace(self) -> Trace:
        """The network as data."""
        return self.mapping.trace

    @cached_property
    def data(self) -> ImageSet:
        """The images to evaluate, read when they are first needed."""
        return self.inputs.images(self.source, self.wanted, exact=self.exact)

    @cached_property
    def training_data(self) -> ImageSet:
        """At most as many images that the network was trained on."""
        return self.inputs.images(self.source, len(self.data), exact=False, split="train")

    def on_chip(self, number: int = 0) -> SampledChip:
        """Return the network on sampled chip `number` of this design."""
        return sample_chip(self.mapping, self.passes, self.seed, number)

    def quality(self, chip: SampledChip, run: FunctionalRun) -> Quality | RegressionQuality | None:
        """Judge the answers of a chip to `data`; None without labels."""
        if not self.data.labelled:
            return None
        if self.data.task == "regression":
            return evaluate_regression(run.logits, self.data.labels, self.stated_noise(chip))
        rng = np.random.default_rng([self.seed, RESAMPLING_STREAM])
        return evaluate_quality(run.logits, self.data.labels, rng)

    def judged(self, chip: SampledChip, run: FunctionalRun) -> Quality | RegressionQuality:
        """As `quality`; `DataError` where there are no labels to judge by."""
        quality = self.quality(chip, run)
        if quality is None:
            raise DataError(f"data set '{self.data.name}' has no labels to judge the chips by")
        return quality

    def stated_noise(self, chip: SampledChip) -> float:
        """Return the standard deviation of the noise that a regression states, in units of the standardised target.

        That of the data set where it is known, else what the answers to training inputs show of it.
        """
        target = self.data.target
        if target is not None and target.noise is not None:
            return target.noise / target.sigma
        training = self.training_data
        return noise_of(chip.answers(training.images).logits, training.labels)

    def config(self, **more: Any) -> Table[str, Any]:
        """Return everything that affects an answer or a cost, as plain data; `more`: what else does."""
        return {
            "archsim": version("archsim"),
            "arch": dump(self.chip.arch),
            "library": self.chip.library.name,
            "costs": {
                name: {
                    "actions": {k: {**asdict(a.energy), "latency_ps": a.latency_ps} for k, a in part.actions.items()},
                    "area_m2": asdict(part.area),
                    "leakage_w": asdict(part.leakage),
                }
                for name, part in self.chip.components.items()
            },
            "imperfections": {e.path: asdict(e.figure) for e in self.chip.effects.on},
            "trace": self.trace.content_hash(),
            "workload": dump(self.source.config) if isinstance(self.source, Workload) else dict(self.trace.meta),
            "passes": self.passes,
            "seed": self.seed,
            **more,
        }


def deploy(
    arch: ChipLike,
    workload: NetworkLike,
    *,
    passes: int | None = None,
    images: int | None = None,
    seed: int = 0,
    overrides: Iterable[str] = (),
    inputs: Inputs | None = None,
) -> Deployment:
    """Place a network on a chip; the arguments are those of `evaluate`.

    `inputs`: reads the files, each once for all that is deployed with it; by default they are read for this alone.

    Raises an `ArchsimError` for whatever does not fit together. Images are read later, when they are needed.
    """
    inputs, settings = inputs or Inputs(), Overrides.of(overrides)
    chip = inputs.chip(arch, settings)
    source = inputs.source(workload, settings)
    trace = inputs.trace(source)
    passes, wanted = passes_of(source, passes), images_of(source, images)
    return Deployment(
        map_trace(trace, chip, inputs.graph(trace)), source, passes, wanted, images is not None, seed, inputs
    )
