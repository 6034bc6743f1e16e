"""Adaptive Monte-Carlo: an image takes no more passes once it is certain which class leads.

The statistic is the *lead*: the sum over the passes so far of the probability of the first class minus that of the
second, both by the running mean. An image stops after the first t passes whose lead exceeds the rule's boundary at t.
Sums and one comparison are all that hardware needs for it; a rule is a table of T numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from archsim.errors import ConfigError, nearest
from archsim.metrics.intervals import Estimate, Floats, Integers, mean, paired_difference, proportion
from archsim.metrics.quality import (
    Prediction,
    check_labels,
    check_logits,
    log_softmax,
    negative_log_likelihood,
    predict,
)

Kind = Literal["margin", "hoeffding", "curtailed"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LEAST = 2  # passes that tell anything about how passes differ
ROUNDING = 1e-12  # of sums of probabilities and of logarithms


@dataclass(frozen=True)
class StoppingRule:
    """When an image has had passes enough.

    `kind` and `bound` give the boundary of the lead after t of T passes:

    * margin: `bound` x t, so that the mean lead exceeds `bound`, 0 to 1.
    * hoeffding: sqrt(2 t ln(1 / `bound`)). If the two classes were equally probable in truth, the mean of t independent
      passes, whose leads lie between -1 and 1, would exceed it with a chance of at most `bound` (Hoeffding 1963). The
      chance is that of one look; an image is looked at up to T times.
    * curtailed: T - t, which the passes left cannot make up, so that the class is always that of all T passes.

    `least`: passes that every image takes. Raises `ConfigError` for values that make no rule.
    """

    kind: Kind
    bound: float | None = None
    least: int = LEAST

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"stopping rule: '{self.kind}' is not one of margin, hoeffding, curtailed")
        if self.kind == "curtailed" and self.bound is not None:
            raise ConfigError("stopping rule: 'curtailed' takes no bound")
        if self.kind != "curtailed" and (self.bound is None or not 0 < self.bound < 1):
            raise ConfigError(f"stopping rule: '{self.kind}' needs a bound between 0 and 1, got {self.bound}")
        if self.least < 1:
            raise ConfigError(f"stopping rule: an image takes at least 1 pass, got {self.least}")

    @staticmethod
    def parse(text: str) -> StoppingRule:
        """Return the rule of a name such as `margin 0.9` or `curtailed`; `ConfigError` where it names none."""
        kind, *bound = text.split()
        if kind not in KINDS:
            raise ConfigError(f"stopping rule '{text}': unknown kind '{kind}'{nearest(kind, KINDS)}")
        try:
            (number,) = map(float, bound) if bound else (None,)
        except ValueError:
            raise ConfigError(f"stopping rule '{text}': expected a kind and a number, such as '{kind} 0.9'") from None
        return StoppingRule(kind, number)

    @property
    def name(self) -> str:
        """The rule in a few letters, such as `margin 0.9`."""
        return self.kind if self.bound is None else f"{self.kind} {self.bound:g}"

    def boundary(self, passes: int) -> Floats:
        """Return the lead to exceed after 1, 2, ... T passes, shape (T,); infinite before `least`."""
        t = np.arange(1, passes + 1, dtype=np.float64)
        if self.kind == "curtailed":
            limit = passes - t
        elif self.kind == "margin":
            limit = (self.bound or 0.0) * t
        else:
            limit = np.sqrt(-2 * t * math.log(self.bound or 1.0))
        limit[: self.least - 1] = math.inf
        return limit


RULES = (
    StoppingRule("curtailed"),
    StoppingRule("hoeffding", 0.05),
    StoppingRule("margin", 0.95),
    StoppingRule("margin", 0.8),
    StoppingRule("margin", 0.5),
)


@dataclass(frozen=True)
class Comparison:
    """Adaptive answers beside those of a fixed number of passes, image by image (differences: adaptive minus fixed)."""

    passes: int
    accuracy: Estimate
    nll: Estimate
    same_class: Estimate

    @property
    def is_worse(self) -> bool:
        """Whether the adaptive answers are shown to be worse: an interval lies on the bad side of zero."""
        return self.accuracy.high < 0 or self.nll.low > ROUNDING


@dataclass(frozen=True, eq=False)
class AdaptiveQuality:
    """What a rule does to labelled images.

    `taken`: passes of each image, shape (N,). `to_full`: beside all T passes. `to_fixed`: beside as many passes for
    every image as the rule takes on average, rounded up.
    """

    rule: StoppingRule
    taken: npt.NDArray[np.intp]
    mean_passes: Estimate
    accuracy: Estimate
    nll: Estimate
    entropy: Estimate
    to_full: Comparison
    to_fixed: Comparison

    def histogram(self) -> dict[int, float]:
        """Return the share of the images that takes each number of passes."""
        values, counts = np.unique(self.taken, return_counts=True)
        return {int(v): float(c) / len(self.taken) for v, c in zip(values, counts, strict=True)}


def passes_taken(logits: npt.NDArray[Any], rule: StoppingRule) -> npt.NDArray[np.intp]:
    """Return after how many passes each image stops, shape (N,): all T where it never is certain.

    `logits`: of all T passes in the order in which they are computed, shape (T, N, C). Raises `DataError` for logits
    that are none (see `predict`).
    """
    check_logits(logits)
    passes, images, classes = logits.shape
    taken = np.full(images, passes)
    if classes == 1:
        taken[:] = min(rule.least, passes)
        return taken
    boundary = rule.boundary(passes)
    running = np.arange(images)
    sums = np.zeros((images, classes))
    for t in range(passes):
        sums += np.exp(log_softmax(logits[t, running]))
        first_two = np.partition(sums, classes - 2, axis=1)[:, -2:]
        certain = first_two[:, 1] - first_two[:, 0] > boundary[t] + ROUNDING
        taken[running[certain]] = t + 1
        running, sums = running[~certain], sums[~certain]
    return taken


def predict_stopped(logits: npt.NDArray[Any], taken: npt.NDArray[np.intp]) -> Prediction:
    """Average the first `taken` passes of each image; shapes (T, N, C) and (N,)."""
    images, classes = logits.shape[1:]
    log_p, entropy, expected = np.empty((images, classes)), np.empty(images), np.empty(images)
    for t in np.unique(taken):
        these = np.flatnonzero(taken == t)
        part = predict(logits[:t, these])
        log_p[these], entropy[these], expected[these] = part.log_probabilities, part.entropy, part.expected_entropy
    return Prediction(np.exp(log_p), log_p, entropy, expected, int(taken.max()))


def evaluate_adaptive(logits: npt.NDArray[Any], labels: npt.NDArray[Any], rule: StoppingRule) -> AdaptiveQuality:
    """Stop each image by a rule and judge its answers, beside those of fixed numbers of passes.

    `logits`: shape (T, N, C). `labels`: integers, shape (N,). Raises `ConfigError` where T is not more than the rule's
    least number of passes, `DataError` for arrays that do not fit.
    """
    check_logits(logits)
    passes, images, classes = logits.shape
    if passes <= rule.least:
        raise ConfigError(
            f"adaptive Monte-Carlo: {passes} passes leave nothing to stop after the rule's least of {rule.least}"
        )
    truth = check_labels(labels, images, classes)
    taken = passes_taken(logits, rule)
    stopped = predict_stopped(logits, taken)
    fixed = math.ceil(float(taken.mean()) - 1e-9)
    right = stopped.label == truth
    return AdaptiveQuality(
        rule=rule,
        taken=taken,
        mean_passes=mean(taken.astype(np.float64), float(rule.least), float(passes)),
        accuracy=proportion(int(right.sum()), images),
        nll=mean(negative_log_likelihood(stopped, truth), lowest=0.0),
        entropy=mean(stopped.entropy, 0.0, math.log(classes)),
        to_full=_compare(stopped, predict(logits), truth),
        to_fixed=_compare(stopped, predict(logits[:fixed]), truth),
    )


def fewest_passes(logits: npt.NDArray[Any], labels: npt.NDArray[Any]) -> int:
    """Return the fewest passes for every image whose answers are not shown to be worse than those of all T.

    This is what a stopping rule competes with. Shapes and errors as in `evaluate_adaptive`.
    """
    full = predict(logits)
    truth = check_labels(labels, *full.probabilities.shape)
    better = (t for t in range(1, len(logits)) if not _compare(predict(logits[:t]), full, truth).is_worse)
    return next(better, len(logits))


def _compare(adaptive: Prediction, fixed: Prediction, truth: Integers) -> Comparison:
    ours, theirs = adaptive.label == truth, fixed.label == truth
    n = len(truth)
    return Comparison(
        passes=fixed.passes,
        accuracy=paired_difference(int((ours & ~theirs).sum()), int((theirs & ~ours).sum()), n),
        nll=mean(negative_log_likelihood(adaptive, truth) - negative_log_likelihood(fixed, truth)),
        same_class=proportion(int((adaptive.label == fixed.label).sum()), n),
    )
