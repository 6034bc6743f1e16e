"""Which sets of images a network is judged on, besides its test set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from archsim.errors import ConfigError, DataError, nearest
from archsim.workload.data import DATASETS, ImageSet
from archsim.workload.shifts import SEVERITIES, SHIFTS, shifted, shifts_for

Role = Literal["ood", "rotation", "corruption"]

NONE = "none"  # what a user writes for no sets of a kind
HALF_TURN = 180.0  # degrees
ROTATION = "rotation"
SHIFT_STREAM = 2  # the seed's stream for noise in images; 0 is the hardware's and 1 that of confidence intervals


@dataclass(frozen=True)
class EvaluationSet:
    """A set by name: `severity` is a level from 1 to 5, degrees for a rotation, or None where there is none to choose.

    `role`: whether its images are to be told from known ones ("ood"), or to be answered as well as can be.
    """

    role: Role
    name: str
    severity: float | None = None

    @property
    def label(self) -> str:
        """The set in a few letters, such as `blur 3`."""
        return self.name if self.severity is None else f"{self.name} {self.severity:g}"

    def images(self, data: ImageSet, seed: int) -> ImageSet:
        """Return the set made from the network's test images; the noise in image i depends on `seed` and i alone."""
        return shifted(self.name, data, np.random.default_rng([seed, SHIFT_STREAM]), self.severity)


def choose_sets(
    data: ImageSet,
    ood: Sequence[str] | None = None,
    corruptions: Sequence[str] | None = None,
    rotation_step: float | None = None,
) -> tuple[tuple[EvaluationSet, ...], tuple[str, ...]]:
    """Return the sets that fit a network whose test images are `data`, and notes about what was left out.

    `ood`: names of data sets or shifts, a shift with its severity as in "rotation:90"; by default pure noise and every
    other data set that is at hand. `corruptions`: names of corruptions, each at five severities; by default all.
    `rotation_step`: degrees from one rotation to the next, from 0 to 180; by default 15, and 0 for no rotations.
    ["none"] for either of the others leaves it out.

    Raises `DataError` for an unknown set, or one that does not fit; `ConfigError` for a step that makes no curve.
    """
    fitting = shifts_for(data.shape)
    notes: list[str] = []
    wanted = [*_given_ood(ood)] if ood is not None else [*_default_ood(data, fitting, notes)]
    wanted += _rotations(rotation_step, ROTATION in fitting)
    names = [n for n in fitting if SHIFTS[n].scale == "level"] if corruptions is None else _without_none(corruptions)
    wanted += [EvaluationSet("corruption", name, level) for name in names for level in _levels(name)]
    first = replace(data, images=data.images[:1], labels=data.labels[:1])
    for chosen in wanted:
        chosen.images(first, 0)  # one image tells that a set is known, at hand, and fits
    return tuple(dict.fromkeys(wanted)), tuple(notes)


def _given_ood(names: Iterable[str]) -> Iterator[EvaluationSet]:
    for text in _without_none(names):
        name, _, severity = text.partition(":")
        try:
            yield EvaluationSet("ood", name, float(severity) if severity else None)
        except ValueError:
            raise DataError(f"OOD set '{text}': what follows the colon is a severity, a number") from None


def _default_ood(data: ImageSet, fitting: Sequence[str], notes: list[str]) -> Iterator[EvaluationSet]:
    yield from (EvaluationSet("ood", name) for name in fitting if SHIFTS[name].scale == "none")
    for name, source in DATASETS.items():
        if name == data.name or len(source.shape) != 3 or len(data.shape) != 3:
            continue
        other = EvaluationSet("ood", name)
        try:
            other.images(replace(data, images=data.images[:1], labels=data.labels[:1]), 0)
        except DataError as error:
            notes.append(f"OOD set left out: {error}")
        else:
            yield other


def _rotations(step: float | None, fits: bool) -> list[EvaluationSet]:
    if step is None:
        step = 15.0 if fits else 0.0
    if not 0 <= step <= HALF_TURN:
        raise ConfigError(f"rotation: a step is 0 (none) to {HALF_TURN:g} degrees, got {step:g}")
    if step == 0:
        return []
    steps = int(HALF_TURN / step + 1e-9)
    return [EvaluationSet("rotation", ROTATION, k * step) for k in range(1, steps + 1)]


def _levels(name: str) -> Sequence[float]:
    if name not in SHIFTS:
        corruptions = [n for n, shift in SHIFTS.items() if shift.scale == "level"]
        raise DataError(f"unknown corruption '{name}'{nearest(name, corruptions)}")
    if SHIFTS[name].scale != "level":
        raise DataError(f"'{name}' is no corruption of five severities; it may be an OOD set")
    return SEVERITIES


def _without_none(names: Iterable[str]) -> list[str]:
    return [name for name in names if name != NONE]
