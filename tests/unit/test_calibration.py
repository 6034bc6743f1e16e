"""Bins, reliability diagrams and the adaptive ECE against torchmetrics, an independent twin and closed forms."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification.calibration_error import _binning_bucketize

from archsim.metrics.calibration import equal_mass_bins, equal_width_bins, reliability
from archsim.metrics.quality import evaluate_quality


def case(seed: int, images: int = 600) -> tuple[np.ndarray, np.ndarray]:
    r = np.random.default_rng(seed)
    confidence = 0.3 + 0.7 * r.beta(4, 1, images)
    return confidence, r.random(images) < confidence - 0.05


def adaptive_ece(p: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    logits = np.log(p)[None]
    return evaluate_quality(logits, labels, np.random.default_rng(0), bins=bins, resamples=1).adaptive_ece.value


@pytest.mark.parametrize("seed", range(3))
def test_bars_agree_with_torchmetrics(seed):
    confidence, correct = case(seed)
    accuracy, mean_confidence, share = _binning_bucketize(
        torch.tensor(confidence),
        torch.tensor(correct, dtype=torch.float64),
        torch.linspace(0, 1, 16, dtype=torch.float64),
    )
    bars = reliability(confidence, correct)
    full = np.flatnonzero(share[:15].numpy() > 0)
    assert [round(bar.low * 15) for bar in bars] == full.tolist()
    assert [bar.accuracy.value for bar in bars] == pytest.approx(accuracy.numpy()[full])
    assert [bar.confidence for bar in bars] == pytest.approx(mean_confidence.numpy()[full])
    assert [bar.images / len(correct) for bar in bars] == pytest.approx(share.numpy()[full])


@pytest.mark.parametrize("equal_mass", [False, True])
def test_either_error_is_the_weighted_sum_of_the_gaps_of_its_bars(equal_mass):
    r = np.random.default_rng(3)
    p = r.dirichlet(np.ones(4) * 0.5, 500)
    labels = r.integers(4, size=500)
    q = evaluate_quality(np.log(p)[None], labels, r, resamples=1)
    bars = reliability(q.prediction.confidence, q.prediction.label == labels, equal_mass=equal_mass)
    error = sum(bar.images * abs(bar.confidence - bar.accuracy.value) for bar in bars) / 500
    assert error == pytest.approx((q.adaptive_ece if equal_mass else q.ece).value, rel=1e-9)
    assert sum(bar.images for bar in bars) == 500


@pytest.mark.parametrize("bins", [1, 4, 15])
def test_equal_mass_bins_are_the_parts_of_the_sorted_images(bins):
    confidence, _ = case(1)
    parts = np.array_split(np.argsort(confidence), bins)
    bin_of = equal_mass_bins(confidence, bins)
    for m, part in enumerate(parts):
        assert np.all(bin_of[part] == m)


def test_with_one_bin_the_error_is_confidence_minus_accuracy():
    p = np.random.default_rng(5).dirichlet(np.ones(3), 200)
    labels = np.zeros(200, dtype=int)
    gap = p.max(axis=1).mean() - (p.argmax(axis=1) == 0).mean()
    assert adaptive_ece(p, labels, bins=1) == pytest.approx(abs(gap))


def test_adaptive_ece_sees_what_wide_bins_hide():
    # Confidences 0.935 and 0.965, equally many, right in 0.99 and 0.91 of the cases: one wide bin cancels the gaps.
    p = np.repeat([[0.935, 0.065], [0.965, 0.035]], 200, axis=0)
    labels = np.concatenate([np.zeros(198), np.ones(2), np.zeros(182), np.ones(18)]).astype(int)
    q = evaluate_quality(np.log(p)[None], labels, np.random.default_rng(0), resamples=1)
    assert q.ece.value == pytest.approx(0.0, abs=1e-12)
    assert q.adaptive_ece.value == pytest.approx((0.99 - 0.935 + 0.965 - 0.91) / 2)


def test_equal_confidences_share_a_bin_whatever_their_order_or_rounding():
    confidence = np.array([0.5] * 30 + [0.9] * 70) + np.random.default_rng(0).normal(0, 1e-13, 100)
    assert np.unique(equal_mass_bins(confidence, 10)[:30]).tolist() == [0]
    assert np.unique(equal_mass_bins(confidence, 10)[30:]).tolist() == [3]
    assert equal_mass_bins(np.ones(7), 15).tolist() == [0] * 7


def test_empty_bars_are_left_out_and_edges_are_those_of_the_bins():
    bars = reliability(np.array([0.2, 0.2, 0.95]), np.array([True, False, True]), bins=10)
    assert [(round(b.low, 9), round(b.high, 9), b.images) for b in bars] == [(0.1, 0.2, 2), (0.9, 1.0, 1)]
    assert bars[0].accuracy.value == 0.5
    assert equal_width_bins(np.array([0.95]), 10).tolist() == [9]
    mass = reliability(np.array([0.2, 0.3, 0.95, 0.96]), np.ones(4, dtype=bool), bins=2, equal_mass=True)
    assert [(b.low, b.high) for b in mass] == [(0.2, 0.3), (0.95, 0.96)]
