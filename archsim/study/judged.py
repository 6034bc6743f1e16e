"""How good the answers of one functional run are, as the columns of a study: all passes, or until a rule stops them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from archsim.errors import ConfigError
from archsim.functional import FunctionalRun
from archsim.metrics.adaptive import StoppingRule, passes_taken, predict_stopped
from archsim.metrics.intervals import Floats, mean
from archsim.metrics.ood import DIGITS, auroc
from archsim.metrics.quality import Prediction, judge, predict
from archsim.metrics.regression import predict_values
from archsim.pipeline import Deployment, SampledChip
from archsim.pipeline.deployment import RESAMPLING_STREAM
from archsim.study.figures import Figures, with_ends
from archsim.uncertainty.adaptive import check_rules

Logits = npt.NDArray[np.float32]


def judged(
    at_work: Deployment, chip: SampledChip, run: FunctionalRun, unknown: Mapping[str, Logits], rule: StoppingRule | None
) -> tuple[Figures, dict[int, float]]:
    """Return the quality of answers, and the share of images by the passes that they took, empty without a rule.

    `unknown`: by name, the logits of images that are to be told from those of the test: by the entropy of the mean of
    the passes (the variance between passes in regression).
    """
    if rule is None:
        quality = at_work.quality(chip, run)
        figures = with_ends(quality.estimates()) if quality else {}
        return figures | _told_apart(run.logits, unknown, at_work.data.task == "regression"), {}
    taken = passes_taken(run.logits, rule)
    prediction = predict_stopped(run.logits, taken)
    figures = with_ends([("mean_passes", mean(taken.astype(np.float64), float(rule.least), float(at_work.passes)))])
    if at_work.data.labelled:
        rng = np.random.default_rng([at_work.seed, RESAMPLING_STREAM])
        figures |= with_ends(judge(prediction, at_work.data.labels, rng).estimates())
    known = _entropy(prediction)
    for name, logits in unknown.items():
        figures |= with_ends(
            [(f"auroc.{name}", auroc(known, _entropy(predict_stopped(logits, passes_taken(logits, rule)))))]
        )
    values, counts = np.unique(taken, return_counts=True)
    return figures, {int(v): float(c) / len(taken) for v, c in zip(values, counts, strict=True)}


def check_rule(at_work: Deployment, rule: StoppingRule) -> None:
    """Raise `ConfigError` where a rule can stop nothing."""
    if at_work.data.task == "regression":
        raise ConfigError("adaptive Monte-Carlo stops when a class leads; a regression has no classes")
    check_rules(at_work.mapping, at_work.passes, (rule,))


def _told_apart(logits: Logits, unknown: Mapping[str, Logits], regression: bool) -> Figures:
    if regression and len(logits) < 2:
        return {}  # one pass tells nothing about how passes differ
    score = _variance if regression else _entropy_of
    return with_ends((f"auroc.{name}", auroc(score(logits), score(other))) for name, other in unknown.items())


def _variance(logits: Logits) -> Floats:
    return predict_values(logits).model_variance


def _entropy_of(logits: Logits) -> Floats:
    return _entropy(predict(logits))


def _entropy(prediction: Prediction) -> Floats:
    return np.round(prediction.entropy, DIGITS)
