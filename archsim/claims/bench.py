"""Runs what the claims need: each design point once, on one seed, with the data that are here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

import archsim
from archsim.config import content_hash
from archsim.errors import DataError
from archsim.hardware.arch import load_arch
from archsim.hardware.chip import Chip, build_chip
from archsim.mapping.plan import Mapping, map_trace
from archsim.metrics.result import Result
from archsim.pipeline import Deployment, deploy, evaluate
from archsim.workload.cache import trace_of
from archsim.workload.data import ImageSet
from archsim.workload.shifts import shifted
from archsim.workload.spec import Workload, load_workload
from archsim.workload.trace import Trace

PASSES = 10  # of the energy comparison: recalled of the papers
IMAGES = 100  # whose activity the energies are measured on; the energy of an image hardly varies
TRUSTED_PASSES = 20  # of the quality claims: the papers evaluate with 10 to 20 (RECALLED)
SHIFT_STREAM = 2  # the seed's stream for shifted images; 0 is the hardware's, 1 that of confidence intervals
SHIPPED = Path(archsim.__file__).resolve().parents[1]
Say = Callable[[str], None]
Made = TypeVar("Made")


@dataclass(frozen=True)
class Method:
    """A way of being uncertain: its published name, the chip that was designed for it, and how workloads call it."""

    title: str
    chip: str
    suffix: str


METHODS = {
    "spindrop": Method("SpinDrop", "spindrop_stt", "spindrop"),
    "spatial": Method("Spatial-SpinDrop", "spatial_spindrop_stt", "spatial"),
    "scale": Method("SpinScaleDropout", "scale_dropout_sot", "scale"),
    "affine": Method("Inverted Norm + Affine", "inverted_norm_sot", "affine"),
    "subset": Method("Bayesian sub-set inference", "subset_vi_sot", "subset"),
    "spinbayes": Method("SpinBayes", "spinbayes_sot", "spinbayes"),
}
COMMON_CHIP = "neuspin_sot"  # one chip that runs every method
LARGE_COMMON_CHIP = "neuspin_sot_large"  # the same for networks of millions of weights


@dataclass
class Bench:
    """Chips, workloads and results, each made when it is first asked for and kept.

    `images`: how many test images quality is measured on. `say`: hears what is being run.
    """

    images: int = 1000
    seed: int = 0
    say: Say = print
    _kept: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, Any]:
        """What decides the findings, beside what ships."""
        return {"images": self.images, "passes": TRUSTED_PASSES, "energy_passes": PASSES, "archsim": version("archsim")}

    @property
    def config_hash(self) -> str:
        """A hash of `config` and the seed."""
        return content_hash({**self.config, "seed": self.seed})

    def chip(self, name: str, *settings: str) -> Chip:
        """Return a chip that ships with archsim, some of its values overridden."""
        return self._once(
            ("chip", name, settings),
            lambda: build_chip(load_arch(SHIPPED / "arch_configs" / f"{name}.yaml", settings)),
        )

    def workload(self, name: str) -> Workload:
        """Return a workload that ships with archsim."""
        path = SHIPPED / "workloads" / f"{name}.yaml"
        return self._once(("workload", name), lambda: load_workload(path))

    def trace(self, name: str) -> Trace:
        """Return the trace of a workload."""
        return self._once(("trace", name), lambda: trace_of(self.workload(name)))

    def mapping(self, chip: str, workload: str) -> Mapping:
        """Return a workload placed on a chip."""
        return self._once(("mapping", chip, workload), lambda: map_trace(self.trace(workload), self.chip(chip)))

    def costs(self, chip: str, workload: str, passes: int = PASSES, *settings: str) -> Result:
        """Return what a workload costs on a chip: with measured activity, or expected where its data are not here."""
        return self._once(
            ("costs", chip, workload, passes, settings), lambda: self._costs(chip, workload, passes, settings)
        )

    def deployment(self, chip: str, workload: str, passes: int = TRUSTED_PASSES, *settings: str) -> Deployment:
        """Return a workload on a chip, ready to answer."""
        return self._once(
            ("deployment", chip, workload, passes, settings),
            lambda: deploy(
                self.chip(chip, *settings), self.workload(workload), passes=passes, images=self.images, seed=self.seed
            ),
        )

    def inputs(self, workload: str, shift: str | None = None, severity: float | None = None) -> ImageSet:
        """Return the test inputs of a workload, as they are or shifted."""
        data = self._once(
            ("inputs", repr(self.workload(workload).config.dataset)),
            lambda: self.workload(workload).data(self.images, exact=False),
        )
        if shift is None:
            return data
        rng = np.random.default_rng([self.seed, SHIFT_STREAM])
        return shifted(shift, data, rng, severity)

    def logits(
        self, on: Deployment, shift: str | None = None, severity: float | None = None, sample: int = 0
    ) -> npt.NDArray[np.float32]:
        """Return what a deployed network answers to its test inputs, or to shifted ones: (passes, images, outputs)."""

        def answer() -> npt.NDArray[np.float32]:
            what = "" if shift is None else f", {shift}" + ("" if severity is None else f" {severity:g}")
            self.say(f"{on.trace.name} on {on.chip.arch.name}{what}")
            images = self.inputs(on.trace.name, shift, severity).images
            return on.on_chip(sample).answers(images).logits

        return self._once(("logits", on, shift, severity, sample), answer)

    def _costs(self, chip: str, workload: str, passes: int, settings: tuple[str, ...]) -> Result:
        self.say(f"{workload} on {chip}")
        where, what = self.chip(chip, *settings), self.workload(workload)
        if what.is_trained:
            try:
                return evaluate(where, what, passes=passes, images=IMAGES, seed=self.seed)
            except DataError:
                pass  # the data set is not here: costs do not need it
        return evaluate(where, what, passes=passes, images=IMAGES, seed=self.seed, function=False)

    def _once(self, key: tuple[Any, ...], make: Callable[[], Made]) -> Made:
        if key not in self._kept:
            self._kept[key] = make()
        found: Made = self._kept[key]
        return found


def largest_parts(result: Result, count: int = 4) -> Iterator[str]:
    """Yield the parts that take most of an image's energy, with their shares."""
    whole = result.energy_j_per_image.value
    parts = sorted(result.energy_by("part").items(), key=lambda item: -item[1].value)
    for name, energy in parts[:count]:
        yield f"{name.replace('_', ' ')} {energy.value / whole:.0%}"
    yield f"leakage {result.leakage_j_per_image.value / whole:.0%} of all"
