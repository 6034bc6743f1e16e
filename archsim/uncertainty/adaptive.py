"""Stopping rules on a chip: what they do to the answers, to the detection of unknown images, and to the cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.errors import ConfigError
from archsim.mapping.plan import Mapping as Placement
from archsim.metrics.adaptive import (
    RULES,
    StoppingRule,
    evaluate_adaptive,
    fewest_passes,
    passes_taken,
    predict_stopped,
)
from archsim.metrics.intervals import Estimate, Floats
from archsim.metrics.ood import DIGITS, auroc
from archsim.metrics.quality import Prediction, predict
from archsim.uncertainty.costs import Simulator, passes_in_flight
from archsim.uncertainty.findings import Adaptive, Effort

Logits = npt.NDArray[np.float32]


def check_rules(mapping: Placement, passes: int, rules: Sequence[StoppingRule] = RULES) -> None:
    """Raise `ConfigError` where a rule can stop nothing: too few passes, or a network that is computed in rounds.

    All passes of a round come before the next round is programmed.
    """
    least = max(rule.least for rule in rules)
    if passes <= least:
        raise ConfigError(f"adaptive Monte-Carlo: {passes} passes leave nothing to stop after the least of {least}")
    if mapping.reprogrammed:
        raise ConfigError(
            "adaptive Monte-Carlo: the network does not fit the chip at once; all passes of its first layers are done"
            " before its last ones are programmed, so no image can stop early. Use a larger chip"
        )


def judge_rules(
    logits: Logits,
    labels: npt.NDArray[Any],
    unknown: Mapping[str, Logits],
    simulator: Simulator,
    rules: Sequence[StoppingRule] = RULES,
) -> tuple[Adaptive, ...]:
    """Return what each rule does, beside fixed numbers of passes; see `check_rules` for the errors.

    `logits`, `labels`: of the test set, shapes (T, N, C) and (N,). `unknown`: logits of images that are to be told from
    it, by name of the set.
    """
    passes = len(logits)
    check_rules(simulator.mapping, passes, rules)

    def fixed(count: int) -> Effort:
        scores = _entropy(predict(logits[:count]))
        areas = {name: auroc(scores, _entropy(predict(other[:count]))) for name, other in unknown.items()}
        return Effort(count, simulator.latency_s(count), simulator.energy_j(count), areas)

    full, enough = fixed(passes), fixed(fewest_passes(logits, labels))
    found = []
    for rule in rules:
        quality = evaluate_adaptive(logits, labels, rule)
        latency, energy = simulator.stopped(quality.histogram(), passes)
        adaptive = Adaptive(
            quality=quality,
            effort=Effort(quality.mean_passes.value, latency, energy, _areas(logits, unknown, rule)),
            full=full,
            fixed=fixed(quality.to_fixed.passes),
            enough=enough,
            in_flight=passes_in_flight(simulator.log(passes)),
        )
        found.append(adaptive)
    return tuple(found)


def _areas(logits: Logits, unknown: Mapping[str, Logits], rule: StoppingRule) -> dict[str, Estimate]:
    """Return how well the entropy of answers that were stopped tells unknown images, which stop by the same rule."""
    scores = _stopped(logits, rule)
    return {name: auroc(scores, _stopped(other, rule)) for name, other in unknown.items()}


def _stopped(logits: Logits, rule: StoppingRule) -> Floats:
    return _entropy(predict_stopped(logits, passes_taken(logits, rule)))


def _entropy(prediction: Prediction) -> Floats:
    return np.round(prediction.entropy, DIGITS)
