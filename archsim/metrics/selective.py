"""Selective prediction: how wrong the answers are that a network keeps if it may refuse those it is uncertain of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.errors import DataError
from archsim.metrics.intervals import Estimate, Floats, mean, proportion

POINTS = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)  # coverages in a table


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """The risk-coverage curve of one score (El-Yaniv & Wiener 2010).

    `coverage`: share of the images that are answered, the least uncertain first, shape (N,): 1/N to 1. `risk`: share
    of the answered that is wrong, shape (N,). `aurc`: area under the curve, the mean of `risk` (Geifman et al. 2019).
    `excess`: how much of it a score that puts all wrong answers last would not have.
    """

    coverage: Floats
    risk: Floats
    aurc: Estimate
    excess: float

    def at(self, coverage: float) -> Estimate:
        """Return the risk when so large a share of the images is answered (rounded up to whole images)."""
        answered = max(1, math.ceil(coverage * len(self.risk) - 1e-9))
        return proportion(float(self.risk[answered - 1]) * answered, answered)


def risk_coverage(uncertainty: Floats, correct: npt.NDArray[np.bool_]) -> RiskCoverage:
    """Return the curve of images with these scores, larger for the less certain, and whether they are right.

    Images that tie are answered in random order: the curve is the mean over all orders, so that it does not depend on
    the one they come in. Both: shape (N,). Raises `DataError` for other shapes, no images, or scores that are NaN.
    """
    if uncertainty.ndim != 1 or uncertainty.shape != correct.shape or not len(correct):
        raise DataError(f"risk-coverage: {uncertainty.shape} scores for {correct.shape} answers; need one for each")
    if np.isnan(uncertainty).any():
        raise DataError(f"risk-coverage: the score of image {int(np.isnan(uncertainty).argmax())} is NaN")
    errors = _mean_over_ties(uncertainty, ~correct.astype(np.bool_))
    answered = np.arange(1, len(errors) + 1)
    risk = np.minimum(1.0, np.cumsum(errors) / answered)
    wrong = round(float(errors.sum()))
    best = np.maximum(0, answered - (len(errors) - wrong)) / answered
    return RiskCoverage(answered / len(errors), risk, _area(errors, risk), float(risk.mean() - best.mean()))


def _mean_over_ties(uncertainty: Floats, wrong: npt.NDArray[np.bool_]) -> Floats:
    """Return the chance of an error of each image in the order of its score, shared out among those that tie."""
    _, group = np.unique(uncertainty, return_inverse=True)
    sizes = np.bincount(group)
    return np.repeat(np.bincount(group, weights=wrong) / sizes, sizes)


def _area(errors: Floats, risk: Floats) -> Estimate:
    """Return the area under the curve with its interval.

    In the limit the area is the mean of error x -ln(rank / N); an image moves it by its own term and by the ranks that
    it shifts for all images after it. These influences have the area as their mean and its spread as theirs. Without
    any error they have none: then the end is what the upper limit of the error rate, e, gives in the worst order,
    e (1 - ln e).
    """
    n = len(errors)
    weight = np.cumsum((1 / np.arange(1, n + 1))[::-1])[::-1]  # sum over k >= rank of 1/k: -ln(rank / N) in the limit
    own = errors * weight
    after = np.cumsum((errors / np.arange(1, n + 1))[::-1])[::-1]
    estimate = mean(own - after + errors.mean(), 0.0, 1.0)
    value = float(risk.mean())
    if not errors.any():
        limit = proportion(0, n).high
        return Estimate(value, 0.0, limit * (1 - math.log(limit)), "worst order of the errors not seen")
    shift = value - estimate.value
    return Estimate(value, max(0.0, estimate.low + shift), min(1.0, estimate.high + shift), "influence function")
