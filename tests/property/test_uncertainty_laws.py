"""Laws of the uncertainty figures that hold for any scores and logits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from archsim.metrics.adaptive import RULES, StoppingRule, evaluate_adaptive, passes_taken
from archsim.metrics.calibration import equal_mass_bins
from archsim.metrics.ood import calibrated_threshold, detection, percentile_score, uncertainty_scores
from archsim.metrics.regression import evaluate_regression
from archsim.metrics.selective import risk_coverage

numbers = st.integers(-6, 6).map(lambda n: n / 2)  # few values, so that ties abound
scores = st.integers(2, 25).flatmap(lambda n: hnp.arrays(np.float64, n, elements=numbers))
logits_of_any_shape = st.tuples(st.integers(3, 7), st.integers(1, 6), st.integers(2, 5)).flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=st.floats(-30, 30, allow_subnormal=False))
)
FIGURES = ("auroc", "aupr_out", "aupr_in", "fpr95", "detected", "false_alarms")


@given(scores, scores)
def test_figures_lie_in_their_intervals_and_these_between_0_and_1(known, unknown):
    found = detection(known, unknown)
    for name in FIGURES:
        e = getattr(found, name)
        assert 0 <= e.low <= e.value + 1e-12, name
        assert e.value - 1e-12 <= e.high <= 1, name


@given(scores, scores)
def test_only_the_order_of_scores_counts(known, unknown):
    a, b = detection(known, unknown), detection(np.exp(known) - 7, np.exp(unknown) - 7)
    for name in FIGURES:
        assert getattr(a, name) == getattr(b, name), name


@given(scores, scores)
def test_swapping_known_and_unknown_mirrors_the_area(known, unknown):
    a, b = detection(known, unknown), detection(-unknown, -known)
    assert a.auroc.value == pytest.approx(b.auroc.value)
    assert detection(unknown, known).auroc.value == pytest.approx(1 - a.auroc.value)
    assert a.aupr_in.value == pytest.approx(b.aupr_out.value)


@given(scores, scores, st.integers(2, 4))
def test_repeating_both_sets_changes_no_area(known, unknown, times):
    a, b = detection(known, unknown), detection(np.repeat(known, times), np.repeat(unknown, times))
    for name in ("auroc", "aupr_out", "aupr_in"):
        assert getattr(a, name).value == pytest.approx(getattr(b, name).value), name
    assert b.auroc.high - b.auroc.low <= a.auroc.high - a.auroc.low + 1e-9


@given(hnp.arrays(np.float64, st.integers(1, 200), elements=numbers), st.sampled_from([0.01, 0.05, 0.2]))
def test_a_calibrated_threshold_is_exceeded_by_no_more_known_images_than_allowed(known, rate):
    threshold = calibrated_threshold(known, rate)
    assert (known > threshold).mean() <= rate
    assert threshold == math.inf or threshold in known


@given(logits_of_any_shape, st.randoms(use_true_random=False))
def test_scores_are_bounded_and_blind_to_the_order_of_passes(logits, random):
    passes, _, classes = logits.shape
    order = random.sample(range(passes), passes)
    a, b = uncertainty_scores(logits), uncertainty_scores(logits[order])
    tops = {"entropy": math.log(classes), "mutual_information": math.log(min(passes, classes))}
    for name, score in a.items():
        assert np.all(score >= 0), name
        assert np.all(score <= tops.get(name, 1.0) + 1e-9), name
        assert score == pytest.approx(b[name], abs=1e-9), name


@given(logits_of_any_shape, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_percentile_is_a_higher_score(logits, a, b):
    low, high = sorted((a, b))
    assert np.all(percentile_score(logits, low) <= percentile_score(logits, high) + 1e-12)


@given(st.data())
def test_risk_coverage_laws(data):
    n = data.draw(st.integers(1, 40))
    uncertainty = data.draw(hnp.arrays(np.float64, n, elements=numbers))
    correct = data.draw(hnp.arrays(np.bool_, n))
    order = data.draw(st.permutations(range(n)))
    found, shuffled = risk_coverage(uncertainty, correct), risk_coverage(uncertainty[order], correct[order])
    assert found.risk == pytest.approx(shuffled.risk)
    assert found.risk[-1] == pytest.approx(1 - correct.mean())
    assert found.excess >= -1e-12
    assert found.aurc.low <= found.aurc.value + 1e-12
    assert found.aurc.value <= found.aurc.high + 1e-12
    best = risk_coverage((~correct).astype(float), correct)
    assert found.aurc.value >= best.aurc.value - 1e-12
    worst = risk_coverage(correct.astype(float), correct)
    assert found.aurc.value <= worst.aurc.value + 1e-12


@given(
    hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(0.125, 1, width=16)), st.integers(1, 20), st.randoms()
)
def test_equal_mass_bins_follow_the_order_of_confidence(confidence, bins, random):
    bin_of = equal_mass_bins(confidence, bins)
    assert np.all((bin_of >= 0) & (bin_of < bins))
    assert np.all(np.diff(bin_of[np.argsort(confidence)]) >= 0)
    order = random.sample(range(len(confidence)), len(confidence))
    assert np.array_equal(equal_mass_bins(confidence[order], bins), bin_of[order])


@given(logits_of_any_shape, st.sampled_from(RULES))
def test_stopping_laws(logits, rule):
    passes, images, _ = logits.shape
    taken = passes_taken(logits, rule)
    assert np.all((taken >= rule.least) & (taken <= passes))
    alone = [passes_taken(logits[:, [i]], rule)[0] for i in range(images)]
    assert taken.tolist() == alone  # an image does not depend on the others


@given(logits_of_any_shape, st.floats(0.05, 0.9), st.floats(0.05, 0.9))
def test_a_higher_bound_never_stops_earlier(logits, a, b):
    low, high = sorted((a, b))
    assert np.all(
        passes_taken(logits, StoppingRule("margin", low)) <= passes_taken(logits, StoppingRule("margin", high))
    )
    # a smaller chance of error asks for more
    less, more = StoppingRule("hoeffding", low), StoppingRule("hoeffding", high)
    assert np.all(passes_taken(logits, less) >= passes_taken(logits, more))


@settings(deadline=None)
@given(logits_of_any_shape, st.data())
def test_the_curtailed_class_is_that_of_all_passes(logits, data):
    labels = data.draw(hnp.arrays(np.int64, logits.shape[1], elements=st.integers(0, logits.shape[2] - 1)))
    assert evaluate_adaptive(logits, labels, StoppingRule("curtailed")).to_full.same_class.value == 1.0


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 8)), elements=st.floats(-50, 50)),
    st.floats(0.01, 10),
    st.floats(0.1, 10),
    st.floats(-100, 100),
)
def test_regression_figures_scale_with_the_unit_of_the_target(outputs, noise, scale, shift):
    targets = np.linspace(-3, 3, outputs.shape[1])
    a = evaluate_regression(outputs, targets, noise)
    b = evaluate_regression(outputs * scale + shift, targets * scale + shift, noise * scale)
    for name in ("rmse", "crps", "deviation", "model_deviation"):
        assert getattr(b, name).value == pytest.approx(scale * getattr(a, name).value, rel=1e-6, abs=1e-9), name
    assert b.nll.value == pytest.approx(a.nll.value + math.log(scale), rel=1e-6, abs=1e-6)
    mean_error = np.abs(targets - a.prediction.mean).mean()
    assert a.crps.value <= mean_error + a.prediction.deviation.mean()
