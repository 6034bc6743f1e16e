"""Estimates with 95 % intervals: of a proportion, of a mean, of a calibration error.

The intervals say how far a figure may move with another sample of images from the same source. They say nothing
about another chip, another training run or another data set.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.signedinteger[Any]]

LEVEL = 0.95
_Z = 1.959963984540054  # standard normal quantile at (1 + LEVEL) / 2
_BLOCK = 2_000_000  # resampled images held at a time


@dataclass(frozen=True)
class Estimate:
    """A figure estimated from a sample, its 95 % interval, and the method that made the interval.

    An end is infinite where the sample does not bound the figure (the mean of one unbounded value).
    """

    value: float
    low: float
    high: float
    method: str

    def __contains__(self, other: float) -> bool:
        return self.low <= other <= self.high


def proportion(successes: int, trials: int) -> Estimate:
    """Return a proportion with its Wilson score interval (Wilson 1927), which holds for few trials and near 0 and 1.

    Raises `ValueError` unless 0 <= `successes` <= `trials` and `trials` > 0.
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"{successes} successes in {trials} trials")
    share, shrink = successes / trials, 1 + _Z**2 / trials
    centre = (share + _Z**2 / (2 * trials)) / shrink
    half = _Z / shrink * math.sqrt(share * (1 - share) / trials + (_Z / (2 * trials)) ** 2)
    # At a share of 0 or 1 an end of the interval is exactly the share; rounding may put it one digit inside.
    return Estimate(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)), "Wilson")


def mean(values: Floats, lowest: float = -math.inf, highest: float = math.inf) -> Estimate:
    """Return the mean of independent values with Student's t interval, cut to the range that the figure can have.

    `values`: shape (N,), N >= 1. One value alone has no spread to learn from: its interval is the whole range.
    """
    from scipy.special import stdtrit  # 0.2 s of CPU that a run without labels need not pay

    value = float(values.mean())
    if values.size == 1:
        return Estimate(value, lowest, highest, "whole range")
    quantile = float(stdtrit(values.size - 1, (1 + LEVEL) / 2))
    half = quantile * float(values.std(ddof=1)) / math.sqrt(values.size)
    return Estimate(value, max(lowest, value - half), min(highest, value + half), "Student t")


def calibration_error(
    gaps: Floats, bin_of: Integers, bins: int, rng: np.random.Generator, resamples: int = 1000
) -> Estimate:
    """Return sum over bins of |sum of the gaps in the bin| / N, with a bootstrap interval over images.

    With gap = confidence - correctness this is the expected calibration error for any way of binning.

    A sum of absolute values is biased upwards, and resampling adds the same bias again, so that the plain percentile
    interval never covers the truth of a well-calibrated network (0 of 200 trials at N = 100 to 2000; Bröcker 2012 and
    Kumar et al. 2019 discuss the bias). So only the upper end is the percentile of the resampled error. The lower end
    takes from the estimate the 97.5 % percentile of sum |resampled - observed| / N over the bins, which bounds the
    error of the estimate by the triangle inequality. Measured cover on calibrated and miscalibrated confidences:
    95 to 100 % for N >= 400; a few tens of images that are all right can give less.

    `gaps`: shape (N,). `bin_of`: shape (N,), the bin of each image, 0 to `bins` - 1.
    """
    observed = np.bincount(bin_of, weights=gaps, minlength=bins)
    sums = np.concatenate(list(_resampled_sums(gaps, bin_of, bins, rng, resamples)))
    value = float(np.abs(observed).sum()) / gaps.size
    upper, slack = (1 + LEVEL) / 2, np.abs(sums - observed).sum(axis=1) / gaps.size
    high = float(np.quantile(np.abs(sums).sum(axis=1) / gaps.size, upper))
    low = value - float(np.quantile(slack, upper))
    return Estimate(value, max(0.0, low), min(1.0, max(value, high)), f"bootstrap ({resamples} resamples)")


def _resampled_sums(
    gaps: Floats, bin_of: Integers, bins: int, rng: np.random.Generator, resamples: int
) -> Iterator[Floats]:
    """Yield blocks of shape (resamples in the block, bins): the sum of gaps in each bin of each resampled set."""
    block = max(1, _BLOCK // gaps.size)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = rng.integers(gaps.size, size=(rows, gaps.size))
        cell = bin_of[drawn] + bins * np.arange(rows)[:, None]
        sums = np.bincount(cell.ravel(), weights=gaps[drawn].ravel(), minlength=rows * bins)
        yield np.asarray(sums, dtype=np.float64).reshape(rows, bins)
