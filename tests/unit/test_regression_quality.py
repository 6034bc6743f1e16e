"""Figures of a regression against torch, torchmetrics and closed forms."""

import math

import numpy as np
import pytest
import torch
from torchmetrics.regression import ContinuousRankedProbabilityScore, MeanSquaredError

from archsim.errors import DataError
from archsim.metrics.regression import evaluate_regression, noise_of, predict_values


def case(seed: int, passes: int = 30, inputs: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """A network whose passes scatter by 0.3 about the truth, which is measured with a noise of 0.4."""
    r = np.random.default_rng(seed)
    truth = np.sin(np.linspace(0, 6, inputs))
    outputs = truth + 0.3 * r.normal(size=(passes, inputs))
    return outputs.astype(np.float32)[:, :, None], truth + 0.4 * r.normal(size=inputs)


def test_figures_agree_with_torch():
    outputs, targets = case(0)
    q = evaluate_regression(outputs, targets, 0.4)
    values = torch.tensor(outputs[:, :, 0], dtype=torch.float64)
    y, mu = torch.tensor(targets), values.mean(dim=0)
    variance = values.var(dim=0, unbiased=False) + 0.16
    assert q.rmse.value == pytest.approx(MeanSquaredError(squared=False)(mu, y).item(), rel=1e-6)
    nll = torch.nn.functional.gaussian_nll_loss(mu, y, variance, full=True)
    assert q.nll.value == pytest.approx(nll.item(), rel=1e-9)
    normal = torch.distributions.Normal(mu, variance.sqrt())
    for share, found in ((0.5, q.coverage_50), (0.9, q.coverage_90)):
        level = normal.cdf(y)
        inside = ((level >= (1 - share) / 2) & (level <= (1 + share) / 2)).double().mean()
        assert found.value == pytest.approx(inside.item())
    assert q.deviation.value == pytest.approx(variance.mean().sqrt().item())


def test_crps_agrees_with_torchmetrics_for_an_ensemble_that_stands_for_the_normal():
    outputs, targets = case(1, inputs=8)  # torchmetrics compares all pairs of 2000 members
    q = evaluate_regression(outputs, targets, 0.4)
    p = q.prediction
    levels = torch.linspace(0, 1, 2001, dtype=torch.float64)[:-1] + 0.5 / 2000
    normal = torch.distributions.Normal(torch.tensor(p.mean)[:, None], torch.tensor(p.deviation)[:, None])
    members = normal.icdf(levels[None])
    expected = ContinuousRankedProbabilityScore()(members, torch.tensor(targets))
    assert q.crps.value == pytest.approx(expected.item(), rel=2e-3)


def test_one_input_by_hand():
    # passes 1 and 3: mean 2, variance 1; noise variance 3: the deviation is 2, and the target is one of them away
    q = evaluate_regression(np.array([[1.0], [3.0]]), np.array([4.0]), math.sqrt(3))
    assert q.rmse.value == 2.0
    assert q.nll.value == pytest.approx(0.5 * math.log(2 * math.pi * 4) + 0.5)
    assert (q.coverage_50.value, q.coverage_90.value) == (0.0, 1.0)
    assert q.deviation.value == pytest.approx(2.0)
    assert q.model_deviation.value == 1.0
    # Gneiting & Raftery 2007, equation 21, at z = 1
    phi, cdf = math.exp(-0.5) / math.sqrt(2 * math.pi), 0.8413447460685429
    assert q.crps.value == pytest.approx(2 * ((2 * cdf - 1) + 2 * phi - 1 / math.sqrt(math.pi)))


def test_true_noise_covers_as_often_as_it_says_and_no_noise_does_not():
    outputs, targets = case(2, passes=200, inputs=4000)
    outputs = outputs.mean(axis=0, keepdims=True) + 0.01 * (outputs - outputs.mean(axis=0))
    honest, brash = evaluate_regression(outputs, targets, 0.4), evaluate_regression(outputs, targets, 0.1)
    assert 0.5 in honest.coverage_50
    assert 0.9 in honest.coverage_90
    assert brash.coverage_90.high < 0.9
    assert honest.nll.value < brash.nll.value
    assert honest.crps.value < brash.crps.value


def test_an_almost_certain_answer_has_its_absolute_error_as_crps():
    q = evaluate_regression(np.array([[1.0, 2.0]]), np.array([4.0, 2.5]), 1e-9)
    assert q.crps.value == pytest.approx((3 + 0.5) / 2, rel=1e-6)


def test_noise_is_what_the_passes_do_not_explain():
    # errors of 0.4 (noise) about a mean whose own error is 0.3 / sqrt(T); the passes scatter by 0.3
    outputs, targets = case(3, passes=100, inputs=20_000)
    assert noise_of(outputs, targets) == pytest.approx(math.sqrt(0.16 + 0.0009 - 0.09), rel=0.03)
    centred = outputs.mean(axis=0, keepdims=True)
    assert noise_of(centred, targets) == pytest.approx(0.4, rel=0.02)
    wide = outputs + 10 * (outputs - centred)
    assert noise_of(wide, targets) == pytest.approx(0.1 * math.sqrt(0.16 + 0.0009), rel=0.02)  # the floor


def test_shapes_with_and_without_the_axis_of_one_answer_are_the_same():
    outputs, targets = case(4)
    with_axis, without = evaluate_regression(outputs, targets, 0.1), evaluate_regression(outputs[:, :, 0], targets, 0.1)
    assert dict(with_axis.estimates()) == dict(without.estimates())


@pytest.mark.parametrize(
    ("outputs", "targets", "noise", "message"),
    [
        (np.zeros((2, 3, 2)), np.zeros(3), 1.0, r"shape \(2, 3, 2\); need"),
        (np.zeros((2, 0)), np.zeros(0), 1.0, "need real numbers"),
        (np.array([[0.0, math.nan]]), np.zeros(2), 1.0, "first at pass 0, input 1"),
        (np.zeros((2, 3)), np.zeros(4), 1.0, "each of 3 inputs"),
        (np.zeros((2, 3)), np.array([0, math.inf, 0]), 1.0, "finite"),
        (np.zeros((2, 3)), np.zeros(3), -1.0, "standard deviation"),
        (np.zeros((2, 3)), np.zeros(3), 0.0, "stated noise is 0"),
    ],
)
def test_bad_input_is_one_clear_error(outputs, targets, noise, message):
    with pytest.raises(DataError, match=message):
        evaluate_regression(outputs, targets, noise)


def test_a_prediction_needs_no_targets():
    p = predict_values(np.array([[1.0, 5.0], [3.0, 5.0]]), 2.0)
    assert (p.mean.tolist(), p.model_variance.tolist()) == ([2.0, 5.0], [1.0, 0.0])
    assert p.deviation == pytest.approx([math.sqrt(5), 2.0])
