"""What a data set is once it has been read: inputs, answers, and what the training inputs were like."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64] | npt.NDArray[np.float32]
Task = Literal["classification", "regression"]

UNLABELLED = -1  # the label of an input that belongs to none of the classes
UNIFORM_SIGMA = 1 / math.sqrt(12)  # standard deviation of the uniform distribution on [0, 1]


@dataclass(frozen=True)
class InputStatistics:
    """The range that a network's first quantiser spans, and what the training inputs are like inside it.

    No input lies outside [`low`, `high`]. `mean`, `sigma`: of each channel, or one for all; the defaults are those of
    a uniform distribution.
    """

    low: float = 0.0
    high: float = 1.0
    mean: tuple[float, ...] = (0.5,)
    sigma: tuple[float, ...] = (UNIFORM_SIGMA,)

    @property
    def span(self) -> float:
        """The width of the range."""
        return self.high - self.low

    def rescaled(self, low: float, high: float) -> InputStatistics:
        """Return the same statistics after the range has been stretched linearly to [`low`, `high`]."""
        gain = (high - low) / self.span
        mean = tuple(low + gain * (m - self.low) for m in self.mean)
        return InputStatistics(low, high, mean, tuple(gain * s for s in self.sigma))


@dataclass(frozen=True)
class TargetScale:
    """How a regression target was standardised: (raw - `mean`) / `sigma`, both of the training split, in raw units.

    `noise`: standard deviation of the noise in the raw targets; None where nobody knows it, as in measured data.
    """

    mean: float
    sigma: float
    noise: float | None = None


@dataclass(frozen=True)
class ImageSet:
    """Inputs (N, ...), float32, and what a network should answer to each.

    Inputs are images (C, H, W), signals (C, L) or features (F,). `labels`: in [0, `classes`) for classification, -1 for
    an input that belongs to no class. Where `classes` is 0 the task is regression and the labels are float32
    targets, standardised as `target` says; NaN where there is none. `rate_hz`: between which rates a signal was
    sampled, where that is known.
    """

    name: str
    images: Images
    labels: Labels
    classes: int
    inputs: InputStatistics = InputStatistics()
    target: TargetScale | None = None
    rate_hz: tuple[float, float] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return self.images.shape[1:]

    @property
    def task(self) -> Task:
        """What the network does with an input."""
        return "classification" if self.classes else "regression"

    @property
    def labelled(self) -> bool:
        """Whether each input has a right answer; those of another data set, or of pure noise, have none."""
        return bool(np.all(self.labels != UNLABELLED) if self.classes else np.all(np.isfinite(self.labels)))


@dataclass(frozen=True)
class Raw:
    """What a reader finds: inputs (N, ...) and answers (N,), not scaled yet, and how targets are to be standardised."""

    inputs: npt.NDArray[Any]
    answers: npt.NDArray[Any]
    target: TargetScale | None = None


@dataclass(frozen=True)
class Source:
    """How one data set is read, and what its inputs are.

    `read(split, count)` returns at least `count` samples, in a fixed order, where there are so many. Raw inputs from
    `low` to `high` become [0, 1], and what lies beyond is clipped. `mean`, `sigma`: of the training inputs after that,
    one for each channel or one for all.
    """

    shape: tuple[int, ...]
    classes: int
    low: float
    high: float
    mean: tuple[float, ...]
    sigma: tuple[float, ...]
    read: Callable[[str, int | None], Raw]
    rate_hz: tuple[float, float] | None = None

    @property
    def task(self) -> Task:
        """What a network does with an input of this set."""
        return "classification" if self.classes else "regression"
