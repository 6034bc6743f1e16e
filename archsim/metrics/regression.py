"""How good a Bayesian network's numbers are, where it answers with one instead of a class.

The predictive distribution of an image is normal: its mean is the mean of the passes, its variance that of the passes
(what the model does not know) plus that of the stated noise (what the data do not say); Gal & Ghahramani 2016.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.errors import DataError
from archsim.metrics.intervals import Estimate, Floats, mean, proportion


@dataclass(frozen=True, eq=False)
class RegressionPrediction:
    """What T passes say about each of N inputs: mean and variance of the answer, shape (N,).

    `model_variance`: between the passes, divided by T. `noise_variance`: of the data about the true mean, one number.
    """

    mean: Floats
    model_variance: Floats
    noise_variance: float
    passes: int

    @property
    def deviation(self) -> Floats:
        """Standard deviation of the predictive distribution, shape (N,)."""
        deviation: Floats = np.sqrt(self.model_variance + self.noise_variance)
        return deviation


@dataclass(frozen=True, eq=False)
class RegressionQuality:
    """Figures over a set of inputs with known targets, each with its interval, and the prediction behind them.

    `rmse`: root of the mean squared error of the predictive mean. `nll`: mean of -ln p(target), in nats. `crps`: mean
    continuous ranked probability score (Gneiting & Raftery 2007), in the target's unit; the absolute error is its limit
    for a certain answer. `coverage_50`, `coverage_90`: share of the targets inside the central intervals that should
    hold so many. `deviation`, `model_deviation`: root of the mean predictive variance, and of the passes' part of it.
    """

    rmse: Estimate
    nll: Estimate
    crps: Estimate
    coverage_50: Estimate
    coverage_90: Estimate
    deviation: Estimate
    model_deviation: Estimate
    prediction: RegressionPrediction

    def estimates(self) -> Iterator[tuple[str, Estimate]]:
        """Yield name and figure, in the order of the fields."""
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Estimate):
                yield f.name, value


def predict_values(outputs: npt.NDArray[Any], noise_std: float = 0.0) -> RegressionPrediction:
    """Average the passes of a network that answers with one number.

    `outputs`: shape (T, N) or (T, N, 1). `noise_std`: standard deviation of the data's noise, in the target's unit.
    Raises `DataError` for other shapes, for what is not a finite number, and for a noise that is none.
    """
    if outputs.ndim == 3 and outputs.shape[2] == 1:
        outputs = outputs[:, :, 0]
    if outputs.ndim != 2 or outputs.dtype.kind not in "fiu" or 0 in outputs.shape:
        raise DataError(
            f"outputs: got {outputs.dtype} of shape {outputs.shape}; need real numbers of shape (passes, inputs, 1)"
        )
    if not np.isfinite(outputs).all():
        run, image = np.argwhere(~np.isfinite(outputs))[0]
        raise DataError(f"outputs: NaN or infinite; the first at pass {run}, input {image}")
    if not (math.isfinite(noise_std) and noise_std >= 0):
        raise DataError(f"noise: a standard deviation is finite and not negative, got {noise_std}")
    values = outputs.astype(np.float64)
    return RegressionPrediction(values.mean(axis=0), values.var(axis=0), noise_std**2, len(values))


def evaluate_regression(outputs: npt.NDArray[Any], targets: npt.NDArray[Any], noise_std: float) -> RegressionQuality:
    """Judge T passes over N inputs against their targets; see `RegressionQuality` for the figures.

    `outputs`: shape (T, N) or (T, N, 1). `targets`: real numbers, shape (N,). `noise_std`: as in `predict_values`.

    Raises `DataError` for arrays that do not fit, and where an answer has no variance at all: a certain answer that is
    wrong has an infinite NLL.
    """
    prediction = predict_values(outputs, noise_std)
    if targets.shape != prediction.mean.shape or targets.dtype.kind not in "fiu" or not np.isfinite(targets).all():
        raise DataError(
            f"targets: got {targets.dtype} of shape {targets.shape}; need a finite number for each of"
            f" {len(prediction.mean)} inputs"
        )
    deviation = prediction.deviation
    if not deviation.all():
        image = int((deviation == 0).argmax())
        raise DataError(
            f"all passes give the same number for input {image} and the stated noise is 0: its likelihood is not"
            " defined; state a noise, or compute several passes of a stochastic network"
        )
    from scipy.special import ndtr, ndtri  # loads slowly

    error = targets.astype(np.float64) - prediction.mean
    z = error / deviation
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    crps = deviation * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / math.sqrt(math.pi))
    inside = {share: int((np.abs(z) <= ndtri((1 + share) / 2)).sum()) for share in (0.5, 0.9)}
    return RegressionQuality(
        rmse=_root(mean(error**2, lowest=0.0)),
        nll=mean(0.5 * (math.log(2 * math.pi) + z**2) + np.log(deviation)),
        crps=mean(crps, lowest=0.0),
        coverage_50=proportion(inside[0.5], len(error)),
        coverage_90=proportion(inside[0.9], len(error)),
        deviation=_root(mean(deviation**2, lowest=0.0)),
        model_deviation=_root(mean(prediction.model_variance, lowest=0.0)),
        prediction=prediction,
    )


def noise_of(outputs: npt.NDArray[Any], targets: npt.NDArray[Any]) -> float:
    """Return the standard deviation of the data's noise that explains the errors which the passes do not.

    Its square is the mean squared error of the predictive mean less the mean variance between passes, and at least 1 %
    of that error (a floor, ASSUMED, so that a likelihood exists). `outputs`, `targets`: of labelled inputs on which
    the network is not judged afterwards; shapes as in `evaluate_regression`.
    """
    prediction = predict_values(outputs)
    squared = float(np.mean((targets - prediction.mean) ** 2))
    return math.sqrt(max(squared - float(prediction.model_variance.mean()), 0.01 * squared))


def _root(squares: Estimate) -> Estimate:
    """Return the root of a mean of squares: its ends are the roots of the ends."""
    return Estimate(math.sqrt(squares.value), math.sqrt(squares.low), math.sqrt(squares.high), squares.method)
