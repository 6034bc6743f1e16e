"""Estimates with 95 % intervals: of a proportion, a mean, a difference, an area under a curve, a calibration error.

The intervals say how far a figure may move with another sample of images from the same source. They say nothing
about another chip, another training run or another data set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
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


def proportion(successes: float, trials: int, z: float = _Z) -> Estimate:
    """Return a proportion with its Wilson score interval (Wilson 1927), which holds for few trials and near 0 and 1.

    `successes`: a fraction where some are expected values. `z`: standard normal quantile of the interval, 95 % by
    default. Raises `ValueError` unless 0 <= `successes` <= `trials` and `trials` > 0.
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"{successes} successes in {trials} trials")
    share, shrink = successes / trials, 1 + z**2 / trials
    centre = (share + z**2 / (2 * trials)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    # At a share of 0 or 1 an end of the interval is exactly the share; rounding may put it one digit inside.
    return Estimate(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)), "Wilson")


def paired_difference(better: int, worse: int, trials: int) -> Estimate:
    """Return the difference of two proportions over the same images, with the interval of Agresti & Min 2005.

    `better`: images that only the first gets right; `worse`: that only the second does. Half an image is added to each
    of the four cells, so that the interval has a width where the two never differ. Raises `ValueError` for counts that
    cannot be.
    """
    if min(better, worse) < 0 or better + worse > trials or trials == 0:
        raise ValueError(f"{better} and {worse} of {trials} images")
    n, b, c = trials + 2, better + 0.5, worse + 0.5
    centre = (b - c) / n
    half = _Z * math.sqrt((b + c) - (b - c) ** 2 / n) / n
    value = (better - worse) / trials
    return Estimate(value, max(-1.0, min(value, centre - half)), min(1.0, max(value, centre + half)), "Agresti-Min")


def roc_area(area: float, deviation: float, positives: int, negatives: int) -> Estimate:
    """Return the area under a ROC curve with its interval: at each end the wider of two.

    One is the normal interval of `deviation`, the standard error of DeLong et al. 1988, which holds for any shape of
    the scores but has no width where the area is 1. The other is method 5 of Newcombe 2006 (Stat. Med. 25:559), which
    has one: it inverts the variance of Hanley & McNeil 1982 with the mean of both sample sizes in its covariance
    terms; its ends are where |area - x| = z sqrt(V(x)).
    """
    mean_size = (positives + negatives) / 2

    def beyond(x: float) -> float:
        spread = 1 + (mean_size - 1) * ((1 - x) / (2 - x) + x / (1 + x))
        return (area - x) ** 2 - _Z**2 * x * (1 - x) / (positives * negatives) * spread

    low = min(_root(beyond, 0.0, area), area - _Z * deviation)
    high = max(_root(beyond, 1.0, area), area + _Z * deviation)
    return Estimate(area, max(0.0, low), min(1.0, high), "DeLong and Newcombe")


def _root(function: Callable[[float], float], outside: float, inside: float) -> float:
    """Return where a function turns from positive (`outside`) to not positive (`inside`), by bisection."""
    if function(outside) <= 0:
        return outside
    for _ in range(60):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if function(middle) > 0 else (outside, middle)
    return inside


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
