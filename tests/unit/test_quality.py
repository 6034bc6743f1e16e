"""Quality figures against closed forms, hand-computed values and torchmetrics."""

import math

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError
from torchmetrics.regression import MeanSquaredError
from torchmetrics.text import Perplexity

from archsim.errors import DataError
from archsim.metrics.calibration import equal_width_bins
from archsim.metrics.intervals import Estimate, calibration_error, mean, proportion
from archsim.metrics.quality import evaluate_quality, predict


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def random_case(seed: int, passes: int = 7, images: int = 400, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    r = rng(seed)
    labels = r.integers(classes, size=images)
    logits = r.normal(0, 1.5, (passes, images, classes)).astype(np.float32)
    logits[:, np.arange(images), labels] += 2.0
    return logits, labels


# --- closed forms -----------------------------------------------------------------------------------------------------


def test_two_passes_that_disagree_totally_have_mutual_information_ln_2():
    logits = np.array([[[1000.0, 0.0]], [[0.0, 1000.0]]])
    p = predict(logits)
    assert p.mutual_information == pytest.approx([math.log(2)], abs=1e-12)
    assert p.entropy == pytest.approx([math.log(2)], abs=1e-12)
    assert p.expected_entropy == pytest.approx([0.0], abs=1e-12)


def test_passes_that_agree_have_no_mutual_information():
    one = rng().normal(size=(1, 50, 6))
    p = predict(np.repeat(one, 9, axis=0))
    assert p.mutual_information == pytest.approx(np.zeros(50), abs=1e-12)
    assert np.all(p.entropy > 0.1)


@pytest.mark.parametrize("classes", [1, 2, 10, 100])
def test_uniform_answers_have_entropy_ln_c(classes):
    p = predict(np.full((3, 4, classes), 17.0))
    assert p.entropy == pytest.approx(np.full(4, math.log(classes)), rel=1e-14)
    assert np.all(p.entropy <= math.log(classes))


def test_hand_computed_figures():
    # Passes say (0.8, 0.2) and (0.6, 0.4): mean (0.7, 0.3). Labels 0 and 1: one right, one wrong.
    logits = np.log([[[0.8, 0.2]] * 2, [[0.6, 0.4]] * 2])
    q = evaluate_quality(logits, np.array([0, 1]), rng())
    assert q.accuracy.value == 0.5
    assert q.nll.value == pytest.approx(-(math.log(0.7) + math.log(0.3)) / 2)
    assert q.brier.value == pytest.approx((2 * 0.3**2 + 2 * 0.7**2) / 2)
    assert q.ece.value == pytest.approx(abs(0.5 - 0.7))

    def entropy(p: float) -> float:
        return -p * math.log(p) - (1 - p) * math.log(1 - p)

    assert q.entropy.value == pytest.approx(entropy(0.7))
    assert q.expected_entropy.value == pytest.approx((entropy(0.8) + entropy(0.6)) / 2)
    assert q.mutual_information.value == pytest.approx(q.entropy.value - q.expected_entropy.value)
    assert q.prediction.passes == 2


def test_ece_is_zero_when_each_bin_is_as_right_as_it_is_confident():
    # 10 images at confidence 0.7 of which 7 are right, 10 at 0.9 of which 9 are right.
    p = np.repeat([[0.7, 0.3], [0.9, 0.1]], 10, axis=0)
    labels = np.array([0] * 7 + [1] * 3 + [0] * 9 + [1])
    q = evaluate_quality(np.log(p)[None], labels, rng())
    assert q.ece.value == pytest.approx(0.0, abs=1e-12)
    # one more error among the confident ones: half of the images, one tenth of them
    labels[10] = 1
    q = evaluate_quality(np.log(p)[None], labels, rng())
    assert q.ece.value == pytest.approx(0.05, abs=1e-12)


def test_gaps_of_opposite_sign_cancel_inside_a_bin_and_not_across_bins():
    gaps = np.array([0.3, -0.3, 0.2, -0.4])
    assert calibration_error(gaps, np.array([0, 0, 0, 0]), 15, rng()).value == pytest.approx(0.2 / 4)
    assert calibration_error(gaps, np.array([0, 1, 0, 1]), 15, rng()).value == pytest.approx(1.2 / 4)


def test_bins_are_closed_on_the_right_and_rounding_does_not_choose_them():
    edges = np.arange(1, 16) / 15
    assert equal_width_bins(edges, 15).tolist() == list(range(15))
    assert equal_width_bins(np.nextafter(edges, 2), 15).tolist() == list(range(15))
    assert equal_width_bins(edges[:-1] + 1e-6, 15).tolist() == list(range(1, 15))
    assert equal_width_bins(np.array([0.0, 1.0]), 15).tolist() == [0, 14]


def test_the_mean_of_softmax_is_not_the_softmax_of_the_mean():
    logits = np.array([[[0.0, 10.0]], [[3.0, 0.0]]])
    expected = (1 / (1 + math.exp(10.0)) + 1 / (1 + math.exp(-3.0))) / 2
    assert predict(logits).probabilities[0, 0] == pytest.approx(expected)


# --- independent oracle -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("passes", "classes"), [(1, 2), (7, 10), (20, 37)])
def test_agrees_with_torchmetrics(seed, passes, classes):
    logits, labels = random_case(seed, passes=passes, classes=classes)
    q = evaluate_quality(logits, labels, rng(), resamples=10)
    p = torch.softmax(torch.tensor(logits, dtype=torch.float64), dim=-1).mean(dim=0)
    target = torch.tensor(labels)

    accuracy = MulticlassAccuracy(num_classes=classes, average="micro")(p, target)
    assert q.accuracy.value == pytest.approx(accuracy.item(), abs=1e-6)
    ece = MulticlassCalibrationError(num_classes=classes, n_bins=15, norm="l1")(p, target)
    assert q.ece.value == pytest.approx(ece.item(), abs=1e-6)
    one_hot = torch.nn.functional.one_hot(target, classes).double()
    brier = classes * MeanSquaredError()(p.flatten(), one_hot.flatten())
    assert q.brier.value == pytest.approx(brier.item(), rel=1e-6)
    perplexity = Perplexity()(torch.log(p)[None], target[None])
    assert q.nll.value == pytest.approx(math.log(perplexity.item()), rel=1e-5)
    entropy = torch.distributions.Categorical(probs=p).entropy()
    assert q.prediction.entropy == pytest.approx(entropy.numpy(), rel=1e-9)


# --- numbers that break naive code ------------------------------------------------------------------------------------


def test_tiny_probabilities_give_exact_finite_figures():
    # p(label) = exp(-2000) underflows; its logarithm does not
    logits = np.array([[[0.0, 2000.0]], [[0.0, 2000.0]]])
    q = evaluate_quality(logits, np.array([0]), rng())
    assert q.nll.value == pytest.approx(2000.0)
    assert str(q.entropy.value) == "0.0"  # and not -0.0
    assert q.brier.value == pytest.approx(2.0)
    assert q.ece.value == pytest.approx(1.0)


def test_one_pass_of_many_carries_a_tiny_probability():
    # three passes give the label e^-1000, one gives 1/2: the mean is 1/8
    logits = np.array([[[0.0, 1000.0]]] * 3 + [[[0.0, 0.0]]])
    assert evaluate_quality(logits, np.array([0]), rng()).nll.value == pytest.approx(math.log(8))


def test_a_constant_added_to_the_scores_of_an_image_changes_nothing():
    logits, labels = random_case(3)
    a = evaluate_quality(logits.astype(np.float64), labels, rng())
    b = evaluate_quality(logits.astype(np.float64) + 1e6, labels, rng())
    for (name, x), (_, y) in zip(a.estimates(), b.estimates(), strict=True):
        assert x.value == pytest.approx(y.value, rel=1e-6), name


def test_certain_answers_never_have_negative_loss():
    q = evaluate_quality(np.full((20, 3, 1), 5.0), np.zeros(3, dtype=int), rng())
    assert (q.nll.value, q.nll.low, q.nll.high) == (0.0, 0.0, 0.0)
    assert (q.accuracy.value, q.ece.value, q.entropy.value) == (1.0, 0.0, 0.0)


def test_one_image_has_intervals_as_wide_as_the_figures_can_be():
    q = evaluate_quality(np.zeros((1, 1, 4)), np.array([2]), rng())
    assert (q.nll.low, q.nll.high) == (0.0, math.inf)
    assert (q.entropy.low, q.entropy.high) == (0.0, math.log(4))
    assert q.mutual_information.value == 0.0
    assert q.nll.method == "whole range"


def test_integer_scores_and_any_integer_labels_are_taken():
    logits = np.array([[[3, 1], [0, 2]]], dtype=np.int32)
    q = evaluate_quality(logits, np.array([0, 1], dtype=np.uint8), rng())
    assert q.accuracy.value == 1.0


# --- bad input --------------------------------------------------------------------------------------------------------

GOOD, LABELS = np.zeros((2, 3, 4)), np.array([0, 1, 3])


def with_value(value: float) -> np.ndarray:
    logits = GOOD.copy()
    logits[1, 2, 3] = value
    return logits


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (with_value(math.nan), LABELS, "1 are NaN or infinite; the first at pass 1, image 2"),
        (with_value(math.inf), LABELS, "NaN or infinite"),
        (with_value(-math.inf), LABELS, "NaN or infinite"),
        (np.array([[[1e308, -1e308]]]), LABELS[:1], "differ by more than"),
        (np.zeros((3, 4)), LABELS, r"shape \(3, 4\); need .*passes, images, classes"),
        (np.zeros((2, 3, 4), dtype=complex), LABELS, "complex"),
        (np.zeros((2, 0, 4)), LABELS[:0], "0 images"),
        (np.zeros((0, 3, 4)), LABELS, "0 passes"),
        (np.zeros((2, 3, 0)), LABELS, "0 classes"),
        (GOOD, np.array([0, 4, 1]), r"outside 0 to 3 .* the first is 4, image 1"),
        (GOOD, np.array([0, 1, -1]), "the first is -1, image 2"),
        (GOOD, LABELS[:2], r"shape \(2,\); need integers, one for each of 3 images"),
        (GOOD, LABELS.astype(float), "float64"),
        (GOOD, LABELS[:, None], "one for each of 3"),
    ],
)
def test_bad_input_is_one_clear_error(logits, labels, message):
    with pytest.raises(DataError, match=message):
        evaluate_quality(logits, labels, rng())


# --- intervals --------------------------------------------------------------------------------------------------------


def test_wilson_interval_of_a_known_case():
    # Newcombe 1998, Stat. Med. 17:857, table I, method 3: 81 of 263 -> 0.2553 to 0.3662; 0 of 20 -> 0 to 0.1611
    e = proportion(81, 263)
    assert (e.low, e.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    e = proportion(0, 20)
    assert (e.low, e.high) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert proportion(20, 20).high == 1.0


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (0, 0), (-1, 3), (4, 3)])
def test_impossible_counts_are_refused(successes, trials):
    with pytest.raises(ValueError, match="trials"):
        proportion(successes, trials)


def test_student_interval_of_a_known_case():
    # mean 3, s = sqrt(2.5), t(0.975; 4) = 2.776445
    e = mean(np.array([1.0, 2, 3, 4, 5]))
    half = 2.776445 * math.sqrt(2.5 / 5)
    assert (e.value, e.low, e.high) == pytest.approx((3.0, 3.0 - half, 3.0 + half), rel=1e-6)
    assert mean(np.array([0.0, 1.0]), 0.0, 1.0) == Estimate(0.5, 0.0, 1.0, "Student t")


def test_bootstrap_depends_on_the_generator_alone():
    logits, labels = random_case(1)
    a, b, c = (evaluate_quality(logits, labels, rng(seed)).ece for seed in (5, 5, 6))
    assert a == b
    assert a.value == c.value
    assert (a.low, a.high) != (c.low, c.high)


def test_resampling_in_blocks_equals_resampling_at_once(monkeypatch):
    r = rng(2)
    gaps, bin_of = r.normal(size=100), r.integers(15, size=100)
    at_once = calibration_error(gaps, bin_of, 15, rng(9))
    monkeypatch.setattr("archsim.metrics.intervals._BLOCK", 700)
    assert calibration_error(gaps, bin_of, 15, rng(9)) == at_once


def test_every_estimate_lies_in_its_interval_and_names_its_method():
    for seed in range(10):
        for name, e in evaluate_quality(*random_case(seed, images=30), rng(seed)).estimates():
            assert e.value in e, name
            assert e.method
