"""Turns the answers of T passes over one set of images into its findings, for classification and for regression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from archsim.metrics.calibration import ReliabilityBin, reliability
from archsim.metrics.intervals import Estimate, Floats, mean
from archsim.metrics.ood import PercentileRule, detections, share_of, uncertainty_scores
from archsim.metrics.quality import Prediction, evaluate_quality, predict
from archsim.metrics.regression import evaluate_regression, predict_values
from archsim.metrics.selective import RiskCoverage, risk_coverage
from archsim.uncertainty.findings import SetFindings
from archsim.workload.data import ImageSet

Logits = npt.NDArray[np.float32]
RESAMPLES = 200  # of each calibration error; there may be sixty sets
RESAMPLING_STREAM = 1  # of the seed


class Judge(Protocol):
    """Judges the answers to one set."""

    def scores(self, outputs: Logits) -> Mapping[str, Floats]:
        """Return scores of each image that are larger for the less known, by name."""

    def figures(self, outputs: Logits, data: ImageSet) -> Mapping[str, Estimate]:
        """Return the figures of the set, each with its interval."""

    def flagged(self, outputs: Logits) -> Estimate | None:
        """Return the share of the images that the percentile rule calls unknown."""


@dataclass(frozen=True)
class ClassJudge:
    """Judges class scores."""

    rule: PercentileRule
    seed: int

    def scores(self, outputs: Logits) -> Mapping[str, Floats]:
        """Return the scores of `uncertainty_scores`."""
        return uncertainty_scores(outputs, self.rule)

    def figures(self, outputs: Logits, data: ImageSet) -> Mapping[str, Estimate]:
        """Return the figures of `Quality`, or the mean uncertainties where there are no labels."""
        if data.labelled:
            rng = np.random.default_rng([self.seed, RESAMPLING_STREAM])
            return dict(evaluate_quality(outputs, data.labels, rng, resamples=RESAMPLES).estimates())
        return _uncertainties(predict(outputs))

    def flagged(self, outputs: Logits) -> Estimate | None:
        """Return the share of the images that the percentile rule calls unknown; None with one pass."""
        return share_of(self.rule.flags(outputs)) if len(outputs) > 1 else None


@dataclass(frozen=True)
class ValueJudge:
    """Judges the numbers that a regression answers; `noise_std`: the noise it states, in the target's unit."""

    noise_std: float

    def scores(self, outputs: Logits) -> Mapping[str, Floats]:
        """Return the variance between passes; nothing with one pass."""
        return {"model_variance": predict_values(outputs).model_variance} if len(outputs) > 1 else {}

    def figures(self, outputs: Logits, data: ImageSet) -> Mapping[str, Estimate]:
        """Return the figures of `RegressionQuality`, or the mean predictive deviation where there are no targets."""
        if data.labelled:
            return dict(evaluate_regression(outputs, data.labels, self.noise_std).estimates())
        return {"deviation": mean(predict_values(outputs, self.noise_std).deviation, lowest=0.0)}

    def flagged(self, outputs: Logits) -> None:
        """Return nothing: the percentile rule is about classes."""
        del outputs


@dataclass(frozen=True, eq=False)
class Reference:
    """The answers to the test set, which all other sets are compared with."""

    judge: Judge
    data: ImageSet
    outputs: Logits

    @cached_property
    def scores(self) -> Mapping[str, Floats]:
        """The scores of the known images."""
        return self.judge.scores(self.outputs)

    def findings(self) -> SetFindings:
        """Return what the test set itself shows."""
        figures, flagged = self.judge.figures(self.outputs, self.data), self.judge.flagged(self.outputs)
        return SetFindings("test", None, len(self.data), figures, {}, flagged)

    def compare(self, name: str, severity: float | None, data: ImageSet, outputs: Logits) -> SetFindings:
        """Return what another set shows, and how well it is told from the known images."""
        found = detections(self.scores, self.judge.scores(outputs))
        figures = self.judge.figures(outputs, data)
        return SetFindings(name, severity, len(data), figures, found, self.judge.flagged(outputs))

    def selective(self) -> Mapping[str, RiskCoverage]:
        """Return the risk-coverage curves of the test set by score."""
        correct = predict(self.outputs).label == self.data.labels
        return {name: risk_coverage(score, correct) for name, score in self.scores.items()}

    def reliability(self, *, equal_mass: bool) -> tuple[ReliabilityBin, ...]:
        """Return the bars of the test set's reliability diagram."""
        prediction = predict(self.outputs)
        return reliability(prediction.confidence, prediction.label == self.data.labels, equal_mass=equal_mass)


def _uncertainties(prediction: Prediction) -> dict[str, Estimate]:
    top = float(np.log(prediction.probabilities.shape[1]))
    means: dict[str, Any] = {
        "entropy": prediction.entropy,
        "expected_entropy": prediction.expected_entropy,
        "mutual_information": prediction.mutual_information,
    }
    return {name: mean(values, 0.0, top) for name, values in means.items()} | {
        "confidence": mean(prediction.confidence, 0.0, 1.0)
    }
