"""How good a Bayesian network's answers are, and how much its uncertainty can be trusted.

Definitions: the predictive distribution is the mean over passes of softmax (Gal & Ghahramani 2016); entropies are in
nats; mutual information is the entropy of that mean minus the mean entropy of the passes (Houlsby et al. 2011), the
part of the uncertainty that the passes disagree about.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.errors import DataError
from archsim.metrics.calibration import ECE_BINS, equal_mass_bins, equal_width_bins
from archsim.metrics.intervals import Estimate, Floats, Integers, calibration_error, mean, proportion


@dataclass(frozen=True, eq=False)
class Prediction:
    """What T passes say about each of N images; it needs no labels, so it serves unknown images as well.

    `probabilities`, `log_probabilities`: the predictive distribution, shape (N, C); the logarithm stays exact where
    the probability underflows. `entropy`: of that distribution, shape (N,), 0 to ln C. `expected_entropy`: mean
    entropy of the single passes, shape (N,), 0 to `entropy`.
    """

    probabilities: Floats
    log_probabilities: Floats
    entropy: Floats
    expected_entropy: Floats
    passes: int

    @property
    def mutual_information(self) -> Floats:
        """Epistemic uncertainty of each image in nats, shape (N,), 0 to `entropy`."""
        return self.entropy - self.expected_entropy

    @property
    def label(self) -> npt.NDArray[np.intp]:
        """The most probable class of each image, shape (N,); the lowest one of several that tie."""
        label: npt.NDArray[np.intp] = self.probabilities.argmax(axis=1)
        return label

    @property
    def confidence(self) -> Floats:
        """The probability of that class, shape (N,)."""
        confidence: Floats = self.probabilities.max(axis=1)
        return confidence


@dataclass(frozen=True, eq=False)
class Quality:
    """Figures over a set of labelled images, each with its interval, and the per-image prediction behind them."""

    accuracy: Estimate
    nll: Estimate
    brier: Estimate
    ece: Estimate
    adaptive_ece: Estimate
    entropy: Estimate
    expected_entropy: Estimate
    mutual_information: Estimate
    prediction: Prediction

    def estimates(self) -> Iterator[tuple[str, Estimate]]:
        """Yield name and figure, in the order of the fields."""
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Estimate):
                yield f.name, value


def predict(logits: npt.NDArray[Any]) -> Prediction:
    """Average the passes of a network.

    `logits`: class scores before softmax, shape (T, N, C). Raises `DataError` if they are not numbers, empty, not
    finite, or of another number of axes.
    """
    check_logits(logits)
    passes, images, classes = logits.shape
    log_mean = np.full((images, classes), -np.inf)
    expected = np.zeros(images)
    for scores in logits:  # one pass at a time: the work space is that of one pass
        log_p = log_softmax(scores)
        expected += _entropy(log_p)
        np.logaddexp(log_mean, log_p, out=log_mean)
    # The laws p <= 1 and 0 <= expected entropy <= entropy <= ln C hold but for rounding; here they hold exactly.
    log_mean = np.minimum(0.0, log_mean - math.log(passes))
    entropy = np.clip(_entropy(log_mean), 0.0, math.log(classes))
    expected = np.clip(expected / passes, 0.0, entropy)
    return Prediction(np.exp(log_mean), log_mean, entropy, expected, passes)


def evaluate_quality(
    logits: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    rng: np.random.Generator,
    bins: int = ECE_BINS,
    resamples: int = 1000,
) -> Quality:
    """Judge T passes over N images against their labels.

    * `accuracy`: share of images whose most probable class is the label.
    * `nll`: mean of -ln p(label), in nats; proper score.
    * `brier`: mean of the sum over classes of (p - one-hot)^2, 0 to 2 (Brier 1950); proper score.
    * `ece`: expected calibration error over equal-width bins of confidence (Guo et al. 2017), 0 to 1.
    * `adaptive_ece`: the same over bins that hold equally many images (Nguyen & O'Connor 2015), 0 to 1.
    * `entropy`, `expected_entropy`, `mutual_information`: means over images, in nats.

    `logits`: shape (T, N, C). `labels`: integers from 0 to C - 1, shape (N,). `rng` draws the bootstrap resamples of
    the calibration errors and nothing else. Raises `DataError` for bad logits (see `predict`) or labels that do not fit
    them.
    """
    return judge(predict(logits), labels, rng, bins, resamples)


def judge(
    prediction: Prediction,
    labels: npt.NDArray[Any],
    rng: np.random.Generator,
    bins: int = ECE_BINS,
    resamples: int = 1000,
) -> Quality:
    """Judge what is predicted for N images against their labels; see `evaluate_quality`."""
    images, classes = prediction.probabilities.shape
    truth = check_labels(labels, images, classes)
    correct = prediction.label == truth
    confidence = prediction.confidence
    gaps = confidence - correct
    top = math.log(classes)
    return Quality(
        accuracy=proportion(int(correct.sum()), images),
        nll=mean(negative_log_likelihood(prediction, truth), lowest=0.0),
        brier=mean(brier_score(prediction, truth), 0.0, 2.0),
        ece=calibration_error(gaps, equal_width_bins(confidence, bins), bins, rng, resamples),
        adaptive_ece=calibration_error(gaps, equal_mass_bins(confidence, bins), bins, rng, resamples),
        entropy=mean(prediction.entropy, 0.0, top),
        expected_entropy=mean(prediction.expected_entropy, 0.0, top),
        mutual_information=mean(prediction.mutual_information, 0.0, top),
        prediction=prediction,
    )


def negative_log_likelihood(prediction: Prediction, labels: Integers) -> Floats:
    """Return -ln p(label) of each image in nats, shape (N,)."""
    chosen = np.take_along_axis(prediction.log_probabilities, labels[:, None], axis=1)
    return 0.0 - chosen[:, 0]  # not -0.0, which would be printed


def brier_score(prediction: Prediction, labels: Integers) -> Floats:
    """Return the multi-class Brier score of each image, shape (N,), 0 to 2."""
    error = prediction.probabilities.copy()
    error[np.arange(len(labels)), labels] -= 1.0
    score: Floats = np.einsum("nc,nc->n", error, error)
    return score


def log_softmax(scores: npt.NDArray[Any]) -> Floats:
    """Return the logarithm of the softmax over the last axis, in float64."""
    shifted = scores.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def _entropy(log_p: Floats) -> Floats:
    """Return -sum p ln p for each row; a probability that underflows to zero adds nothing, as in the limit."""
    negative: Floats = np.einsum("nc,nc->n", np.exp(log_p), log_p)
    return 0.0 - negative  # not -0.0, which would be printed


def check_logits(logits: npt.NDArray[Any]) -> None:
    """Raise `DataError` unless these are finite numbers of shape (passes, images, classes), one of each at least."""
    if logits.ndim != 3 or logits.dtype.kind not in "fiu":
        raise DataError(
            f"logits: got {logits.dtype} of shape {logits.shape}; need real numbers of shape (passes, images, classes)"
        )
    if 0 in logits.shape:
        passes, images, classes = logits.shape
        raise DataError(f"logits: {passes} passes over {images} images with {classes} classes; need one of each")
    with np.errstate(over="ignore", invalid="ignore"):
        spread = np.float64(logits.max()) - np.float64(logits.min())
    if not np.isfinite(spread):
        bad = np.argwhere(~np.isfinite(logits))
        if len(bad):
            run, image, _ = bad[0]
            raise DataError(f"logits: {len(bad)} are NaN or infinite; the first at pass {run}, image {image}")
        raise DataError("logits: the largest and the smallest differ by more than a float64 can hold")


def check_labels(labels: npt.NDArray[Any], images: int, classes: int) -> Integers:
    """Return the labels as indices; `DataError` unless there is one of the classes for each image."""
    if labels.shape != (images,) or labels.dtype.kind not in "iu":
        raise DataError(
            f"labels: got {labels.dtype} of shape {labels.shape}; need integers, one for each of {images} images"
        )
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if outside.size:
        first = outside[0]
        raise DataError(
            f"labels: {outside.size} outside 0 to {classes - 1} (the network has {classes} classes);"
            f" the first is {labels[first]}, image {first}"
        )
    return labels.astype(np.intp)
