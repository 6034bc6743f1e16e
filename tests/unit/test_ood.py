"""Detection figures against torchmetrics, scikit-learn, closed forms and hand-computed values."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from torchmetrics.classification import BinaryAUROC, BinaryAveragePrecision

from archsim.errors import DataError
from archsim.metrics.intervals import roc_area
from archsim.metrics.ood import (
    PercentileRule,
    accepted_share,
    auroc,
    average_precision,
    calibrated_threshold,
    detection,
    detections,
    percentile_score,
    share_of,
    uncertainty_scores,
)


def case(seed: int, known: int = 300, unknown: int = 200, *, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    r = np.random.default_rng(seed)
    a, b = r.normal(0, 1, known), r.normal(1.5, 1.3, unknown)
    return (np.round(a), np.round(b)) if ties else (a, b)


# --- independent oracles ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_areas_agree_with_scikit_learn_and_torchmetrics(seed, ties):
    known, unknown = case(seed, ties=ties)
    scores = np.concatenate([known, unknown])
    out = np.repeat([0, 1], [len(known), len(unknown)])
    found = detection(known, unknown)
    assert found.auroc.value == pytest.approx(roc_auc_score(out, scores), abs=1e-12)
    assert found.aupr_out.value == pytest.approx(average_precision_score(out, scores), abs=1e-12)
    assert found.aupr_in.value == pytest.approx(average_precision_score(1 - out, -scores), abs=1e-12)
    squeezed, target = torch.sigmoid(torch.tensor(scores)), torch.tensor(out)
    assert found.auroc.value == pytest.approx(BinaryAUROC()(squeezed, target).item(), abs=1e-6)
    assert found.aupr_out.value == pytest.approx(BinaryAveragePrecision()(squeezed, target).item(), abs=1e-6)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_fpr95_is_the_point_of_scikit_learns_curve(seed, ties):
    known, unknown = case(seed, ties=ties)
    known_first = np.repeat([1, 0], [len(known), len(unknown)])
    fpr, tpr, _ = roc_curve(known_first, -np.concatenate([known, unknown]), drop_intermediate=False)
    assert accepted_share(known, unknown).value == pytest.approx(fpr[np.argmax(tpr >= 0.95)], abs=1e-12)


def test_normal_scores_have_the_areas_of_theory():
    # AUROC of N(0, 1) against N(d, s): Phi(d / sqrt(1 + s^2)); FPR95: Phi((1.6449 - d) / s)
    known, unknown = case(0, 20_000, 20_000)
    found = detection(known, unknown)
    assert norm.cdf(1.5 / math.hypot(1, 1.3)) in found.auroc
    assert norm.cdf((norm.ppf(0.95) - 1.5) / 1.3) in found.fpr95
    assert found.auroc.high - found.auroc.low < 0.01
    assert found.fpr95.high - found.fpr95.low < 0.05


def test_delong_and_newcombe_are_both_in_the_interval():
    # Two heaps of unknown images, one below and one above all known ones: the area is 1/2 and its variance 1/4 / M,
    # three times that of Hanley & McNeil, whose formula supposes one heap.
    known, unknown = np.linspace(0, 1, 2000), np.repeat([-1.0, 2.0], 100)
    found = auroc(known, unknown)
    assert found.value == 0.5
    assert found.high - found.value == pytest.approx(1.96 * 0.5 / math.sqrt(199), rel=1e-3)


def test_a_perfect_area_still_has_an_interval():
    found = auroc(np.arange(50.0), 100 + np.arange(40.0))
    assert found.value == found.high == 1.0
    assert 0.9 < found.low < 0.99
    # method 5 of Newcombe for area 1: (1 - x) = z^2 x [1 + (N* - 1)((1 - x) / (2 - x) + x / (1 + x))] / (m n)
    x = found.low
    spread = 1 + 44 * ((1 - x) / (2 - x) + x / (1 + x))
    assert 1 - x == pytest.approx(1.959964**2 * x * spread / 2000, rel=1e-6)


def test_the_interval_of_an_area_is_symmetric_about_which_set_is_unknown():
    low, high = roc_area(0.8, 0.0, 30, 70), roc_area(0.2, 0.0, 30, 70)
    assert (low.low, low.high) == pytest.approx((1 - high.high, 1 - high.low), abs=1e-12)


# --- hand-computed ----------------------------------------------------------------------------------------------------


def test_four_against_four_by_hand():
    known, unknown = np.array([1.0, 2, 3, 4]), np.array([2.5, 4, 5, 6])
    # pairs won: 2.5 beats 2 of 4; 4 beats 3 and ties one; 5 and 6 beat 4
    assert auroc(known, unknown).value == (2 + 3.5 + 4 + 4) / 16
    # at 6: 1/1; at 5: 2/2; at 4: 3 of 4 (one known ties); at 2.5: 4 of 6
    assert average_precision(unknown, known).value == pytest.approx((1 + 1 + 3 / 4 + 4 / 6) / 4)
    assert accepted_share(known, unknown).value == 2 / 4  # the threshold is 4, the highest known


def test_a_blind_score_has_the_areas_of_chance():
    same = np.zeros(80), np.zeros(20)
    found = detection(*same)
    assert found.auroc.value == 0.5
    assert (found.aupr_out.value, found.aupr_in.value) == pytest.approx((0.2, 0.8), rel=1e-12)
    assert found.fpr95.value == 1.0
    assert found.detected.value == found.false_alarms.value == 0.0


def test_the_threshold_keeps_its_promise_at_the_least_number_of_images():
    assert calibrated_threshold(np.arange(18.0)) == math.inf
    assert calibrated_threshold(np.arange(19.0)) == 18.0
    assert calibrated_threshold(np.arange(39.0)) == 37.0  # rank 38 of 39
    assert calibrated_threshold(np.arange(9.0), 0.2) == 7.0


def test_detection_counts_false_alarms_on_images_that_did_not_choose_the_threshold():
    known = np.zeros(100)
    known[1::2] = np.arange(50)  # even ones are all 0, so the threshold is 0 and 49 of 50 odd ones exceed it
    found = detection(known, np.array([-1.0, 1.0]))
    assert found.threshold == 0.0
    assert found.false_alarms.value == 0.98
    assert found.detected.value == 0.5


# --- scores -----------------------------------------------------------------------------------------------------------


def test_percentile_rule_by_hand():
    # Two classes over 11 passes: p(class 0) = 0.90, 0.91, ..., 1.00: the 10th percentile is the second, 0.91.
    p = np.linspace(0.90, 1.0, 11)
    with np.errstate(divide="ignore"):
        logits = np.maximum(np.log(np.stack([p, 1 - p], axis=-1)), -800)[:, None, :]
    assert percentile_score(logits) == pytest.approx([0.91], abs=1e-12)
    assert PercentileRule().flags(logits).tolist() == [True]
    assert PercentileRule(threshold=0.9).flags(logits).tolist() == [False]
    assert PercentileRule(level=0.6).flags(logits).tolist() == [False]  # the score is 0.96
    assert percentile_score(logits, 0.15) == pytest.approx([0.915], abs=1e-12)  # between two passes


def test_the_rule_takes_the_percentile_before_the_maximum():
    # Each pass is certain, of another class: every class has percentile 0 although every pass has a maximum of 1.
    logits = (np.eye(10) * 50)[:, None, :]
    assert percentile_score(logits) == pytest.approx([0.0], abs=1e-9)
    assert uncertainty_scores(logits)["percentile"] == pytest.approx([1.0])


def test_percentiles_in_blocks_equal_those_at_once(monkeypatch):
    logits = np.random.default_rng(1).normal(size=(9, 40, 3))
    at_once = percentile_score(logits)
    monkeypatch.setattr("archsim.metrics.ood.BLOCK", 100)
    assert np.array_equal(percentile_score(logits), at_once)


def test_scores_of_a_certain_and_a_torn_network():
    certain = np.zeros((5, 1, 2))
    certain[..., 0] = 1000
    torn = certain.copy()
    torn[::2] = torn[::2, :, ::-1]
    a, b = uncertainty_scores(certain), uncertainty_scores(torn)
    assert all(score == pytest.approx([0.0]) for score in a.values())
    assert b["entropy"] == pytest.approx([-0.6 * math.log(0.6) - 0.4 * math.log(0.4)])
    assert b["mutual_information"] == pytest.approx(b["entropy"])
    assert b["max_probability"] == pytest.approx([0.4])
    assert b["percentile"] == pytest.approx([1.0])


def test_one_pass_has_no_scores_of_disagreement():
    assert set(uncertainty_scores(np.zeros((1, 3, 4)))) == {"entropy", "max_probability"}
    one, many = uncertainty_scores(np.zeros((1, 3, 4))), uncertainty_scores(np.zeros((2, 3, 4)))
    assert set(detections(one, many)) == {"entropy", "max_probability"}


def test_rounding_noise_does_not_rank_images():
    logits = np.random.default_rng(2).normal(size=(7, 30, 5))
    moved = logits + np.random.default_rng(3).normal(size=(7, 30, 1))  # the same probabilities, rounded differently
    for name, score in uncertainty_scores(logits).items():
        assert auroc(score, uncertainty_scores(moved)[name]).value == pytest.approx(0.5, abs=1e-12)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "unknown", "message"),
    [
        (np.zeros(1), np.zeros(3), "known images: need at least 2"),
        (np.zeros(3), np.zeros(0), "unknown images: need at least 1"),
        (np.array([0.0, math.nan]), np.zeros(3), "known images: .* finite"),
        (np.zeros(3), np.zeros((3, 2)), r"shape \(3, 2\)"),
    ],
)
def test_scores_that_are_none_are_refused(known, unknown, message):
    with pytest.raises(DataError, match=message):
        detection(known, unknown)


@pytest.mark.parametrize("wrong", [{"level": 10.0}, {"threshold": 1.5}, {"level": -0.1}])
def test_a_rule_that_cannot_be_is_refused(wrong):
    with pytest.raises(DataError, match=next(iter(wrong))):
        PercentileRule(**wrong)


def test_share_of_flags():
    found = share_of(np.array([True, False, True, True]))
    assert found.value == 0.75
    assert found.method == "Wilson"
