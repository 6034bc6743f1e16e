"""Stopping rules: when images stop, against an obvious twin and by hand, and what it does to the answers."""

import math

import numpy as np
import pytest

from archsim.errors import ConfigError, DataError
from archsim.metrics.adaptive import (
    RULES,
    Comparison,
    StoppingRule,
    evaluate_adaptive,
    fewest_passes,
    passes_taken,
    predict_stopped,
)
from archsim.metrics.intervals import Estimate, mean, paired_difference
from archsim.metrics.quality import evaluate_quality, predict

CURTAILED = StoppingRule("curtailed")


def case(seed: int, passes: int = 20, images: int = 300, classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    r = np.random.default_rng(seed)
    labels = r.integers(classes, size=images)
    logits = r.normal(0, 2, (passes, images, classes))
    logits[:, np.arange(images), labels] += r.choice([0.5, 6.0], images)
    return logits, labels


def twin(logits: np.ndarray, rule: StoppingRule) -> list[int]:
    """The definition, one image at a time."""
    passes = len(logits)
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    taken = []
    for image in range(logits.shape[1]):
        for t in range(1, passes + 1):
            second, first = np.sort(p[:t, image].mean(axis=0))[-2:]
            mean_lead = first - second
            certain = {
                "margin": lambda m=mean_lead: m > rule.bound,
                "hoeffding": lambda m=mean_lead, t=t: math.exp(-t * m**2 / 2) < rule.bound,
                "curtailed": lambda m=mean_lead, t=t: m * t > passes - t,
            }
            if t >= rule.least and certain[rule.kind]():
                break
        taken.append(t)
    return taken


@pytest.mark.parametrize("rule", [*RULES, StoppingRule("margin", 0.3, least=5)], ids=lambda rule: rule.name)
def test_images_stop_where_the_definition_says(rule):
    logits, _ = case(0)
    taken = passes_taken(logits, rule)
    assert taken.tolist() == twin(logits, rule)
    assert len(set(taken.tolist())) > 3  # the case asks something of the rule


def test_by_hand():
    # passes of (0.9, 0.1): a lead of 0.8 each. 0.8 t > 10 - t from t = 6 on; sqrt(2 t ln 20) < 0.8 t from t = 10 on.
    logits = np.log(np.full((10, 1, 2), [0.9, 0.1]))
    assert passes_taken(logits, CURTAILED).tolist() == [6]
    assert passes_taken(logits, StoppingRule("hoeffding", 0.05)).tolist() == [10]
    assert passes_taken(logits, StoppingRule("margin", 0.79)).tolist() == [2]
    assert passes_taken(logits, StoppingRule("margin", 0.79, least=4)).tolist() == [4]
    assert passes_taken(logits, StoppingRule("margin", 0.8)).tolist() == [10]  # not more than the bound


def test_what_comes_after_a_stop_is_not_looked_at():
    logits, _ = case(1)
    rule = StoppingRule("margin", 0.8)
    taken = passes_taken(logits, rule)
    changed = logits.copy()
    later = np.arange(len(logits))[:, None] >= taken
    changed[later] += np.random.default_rng(0).normal(0, 50, changed[later].shape)
    assert np.array_equal(passes_taken(changed, rule), taken)


@pytest.mark.parametrize("seed", range(5))
def test_the_curtailed_rule_never_changes_a_class(seed):
    found = evaluate_adaptive(*case(seed), CURTAILED)
    assert found.to_full.same_class.value == 1.0
    assert found.to_full.accuracy.value == 0.0
    assert found.mean_passes.value < 20


def test_the_curtailed_rule_stops_as_early_as_one_that_never_errs_can():
    logits, _ = case(0)
    taken = passes_taken(logits, CURTAILED)
    for image in np.flatnonzero(taken > 2)[:50]:
        hostile = logits[:, image : image + 1].copy()
        until = taken[image] - 1  # had it stopped one pass earlier, and all passes left voted for the second class:
        second = predict(hostile[:until]).probabilities[0].argsort()[-2]
        hostile[until:] = np.where(np.arange(5) == second, 1000.0, 0.0)
        assert predict(hostile).probabilities[0].argsort()[-1] == second


def test_stopped_answers_are_those_of_the_first_passes():
    logits, _ = case(2)
    taken = passes_taken(logits, StoppingRule("margin", 0.8))
    stopped = predict_stopped(logits, taken)
    for image in (0, 7, 100, 299):
        alone = predict(logits[: taken[image], image : image + 1])
        assert stopped.probabilities[image] == pytest.approx(alone.probabilities[0], rel=1e-12)
        assert stopped.entropy[image] == pytest.approx(alone.entropy[0], rel=1e-12)
        assert stopped.mutual_information[image] == pytest.approx(alone.mutual_information[0], abs=1e-12)


def test_a_rule_that_never_stops_is_all_passes():
    logits, labels = case(3)
    found = evaluate_adaptive(logits, labels, StoppingRule("margin", 0.999999))
    full = evaluate_quality(logits, labels, np.random.default_rng(0), resamples=1)
    assert found.histogram() == {20: 1.0}
    assert found.nll == full.nll
    assert found.accuracy == full.accuracy
    assert (found.to_full.nll.value, found.to_fixed.nll.value) == (0.0, 0.0)
    assert found.to_fixed.passes == 20


def test_comparisons_are_paired_and_signed():
    logits, labels = case(4)
    found = evaluate_adaptive(logits, labels, StoppingRule("margin", 0.5))
    fixed = math.ceil(found.mean_passes.value)
    assert found.to_fixed.passes == fixed
    for comparison, passes in ((found.to_full, 20), (found.to_fixed, fixed)):
        other = evaluate_quality(logits[:passes], labels, np.random.default_rng(0), resamples=1)
        assert comparison.nll.value == pytest.approx(found.nll.value - other.nll.value)
        assert comparison.accuracy.value == pytest.approx(found.accuracy.value - other.accuracy.value)
        # pairing helps: the interval of the difference is narrower than that of either figure
        assert comparison.nll.high - comparison.nll.low < other.nll.high - other.nll.low
    assert sum(found.histogram().values()) == pytest.approx(1.0)
    assert sum(t * share for t, share in found.histogram().items()) == pytest.approx(found.mean_passes.value)


def test_the_fewest_passes_are_the_first_that_are_not_worse():
    logits, labels = case(4)
    fewest = fewest_passes(logits, labels)
    full = predict(logits)
    truth = np.arange(300), labels

    def worse(t: int) -> bool:
        part = predict(logits[:t])
        more = part.log_probabilities[truth] - full.log_probabilities[truth]
        shift = mean(-more)
        right, all_right = part.label == labels, full.label == labels
        lost = paired_difference(int((right & ~all_right).sum()), int((all_right & ~right).sum()), 300)
        return shift.low > 0 or lost.high < 0

    assert 1 < fewest < 20
    assert all(worse(t) for t in range(1, fewest))
    assert not worse(fewest)
    certain = np.repeat(logits[:1], 5, axis=0)
    assert fewest_passes(certain, labels) == 1


def test_worse_means_an_interval_on_the_bad_side():
    def comparison(accuracy: tuple[float, float], nll: tuple[float, float]) -> Comparison:
        def estimate(ends: tuple[float, float]) -> Estimate:
            return Estimate(sum(ends) / 2, *ends, "")

        return Comparison(20, estimate(accuracy), estimate(nll), estimate((1, 1)))

    assert not comparison((-0.1, 0.1), (-0.1, 0.1)).is_worse
    assert not comparison((0.1, 0.2), (-0.3, -0.1)).is_worse
    assert comparison((-0.2, -0.1), (-0.1, 0.1)).is_worse
    assert comparison((-0.1, 0.1), (0.01, 0.1)).is_worse


def test_one_class_needs_the_least():
    assert passes_taken(np.zeros((5, 3, 1)), StoppingRule("margin", 0.5, least=3)).tolist() == [3, 3, 3]


def test_a_tie_of_two_classes_never_stops():
    assert passes_taken(np.zeros((6, 2, 4)), StoppingRule("margin", 0.001)).tolist() == [6, 6]


def test_paired_difference_of_a_known_case():
    # Agresti & Min 2005, with 1/2 added to each cell: (b - c) / n +- z sqrt(b + c - (b - c)^2 / n) / n
    e = paired_difference(20, 8, 198)
    half = 1.959964 * math.sqrt(29 - 144 / 200) / 200
    assert (e.value, e.low, e.high) == pytest.approx((12 / 198, 0.06 - half, 0.06 + half), rel=1e-6)
    nothing = paired_difference(0, 0, 98)
    assert nothing.low == -nothing.high
    assert nothing.high == pytest.approx(1.959964 * 0.01)


@pytest.mark.parametrize("counts", [(1, 1, 1), (0, 0, 0), (-1, 0, 5)])
def test_impossible_pairs_are_refused(counts):
    with pytest.raises(ValueError, match="images"):
        paired_difference(*counts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("certain", 0.5), "'certain' is not one of"),
        (("margin",), "needs a bound between 0 and 1, got None"),
        (("hoeffding", 1.0), "got 1.0"),
        (("curtailed", 0.5), "takes no bound"),
        (("margin", 0.5, 0), "at least 1 pass"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        StoppingRule(*arguments)


def test_too_few_passes_and_bad_arrays_are_refused():
    logits, labels = case(0, passes=2)
    with pytest.raises(ConfigError, match="2 passes leave nothing to stop"):
        evaluate_adaptive(logits, labels, CURTAILED)
    with pytest.raises(DataError, match="labels"):
        evaluate_adaptive(np.repeat(logits, 3, axis=0), labels[:5], CURTAILED)
