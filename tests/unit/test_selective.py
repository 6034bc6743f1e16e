"""Risk-coverage curves against direct sums, random orders and the definitions."""

import math

import numpy as np
import pytest

from archsim.errors import DataError
from archsim.metrics.selective import risk_coverage


def direct(uncertainty: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """Sort, refuse, count: the definition, for scores without ties."""
    wrong = ~correct[np.argsort(uncertainty)]
    return np.array([wrong[:k].mean() for k in range(1, len(wrong) + 1)])


@pytest.mark.parametrize("seed", range(3))
def test_curve_and_area_are_those_of_the_definition(seed):
    r = np.random.default_rng(seed)
    uncertainty, correct = r.random(80), r.random(80) < 0.8
    found = risk_coverage(uncertainty, correct)
    assert found.risk == pytest.approx(direct(uncertainty, correct))
    assert found.coverage == pytest.approx(np.arange(1, 81) / 80)
    assert found.aurc.value == pytest.approx(direct(uncertainty, correct).mean())


def test_ties_are_the_mean_over_random_orders():
    r = np.random.default_rng(1)
    uncertainty, correct = np.round(r.random(40) * 4), r.random(40) < 0.7
    found = risk_coverage(uncertainty, correct)
    orders = [direct(uncertainty + 1e-3 * r.random(40), correct) for _ in range(4000)]
    assert found.risk == pytest.approx(np.mean(orders, axis=0), abs=0.03)
    assert found.aurc.value == pytest.approx(np.mean(orders), abs=0.005)


def test_a_perfect_score_has_no_excess_and_a_reversed_one_the_most():
    correct = np.array([True] * 90 + [False] * 10)
    perfect, reversed_ = risk_coverage(np.arange(100.0), correct), risk_coverage(-np.arange(100.0), correct)
    assert perfect.excess == pytest.approx(0.0, abs=1e-15)
    # Geifman et al. 2019: the optimal area is about e + (1 - e) ln(1 - e)
    assert perfect.aurc.value == pytest.approx(0.1 + 0.9 * math.log(0.9), abs=1e-3)
    # the worst: e (1 - ln e)
    assert reversed_.aurc.value == pytest.approx(0.1 * (1 - math.log(0.1)), abs=0.02)
    assert reversed_.excess == pytest.approx(reversed_.aurc.value - perfect.aurc.value)


def test_a_blind_score_has_the_error_rate_everywhere():
    correct = np.random.default_rng(2).random(500) < 0.9
    found = risk_coverage(np.zeros(500), correct)
    assert found.risk == pytest.approx(np.full(500, 1 - correct.mean()))
    assert found.aurc.value == pytest.approx(1 - correct.mean())


def test_risk_at_a_coverage_is_that_of_so_many_images():
    correct = np.array([True, True, False, True, False])
    found = risk_coverage(np.arange(5.0), correct)
    assert [found.at(c).value for c in (0.2, 0.4, 0.6, 0.8, 1.0)] == pytest.approx([0, 0, 1 / 3, 1 / 4, 2 / 5])
    assert found.at(0.5).value == pytest.approx(1 / 3)  # 2.5 images: three
    assert found.at(0.0).value == 0.0  # the most certain image
    assert found.at(1.0).method == "Wilson"


def test_without_an_error_the_area_has_an_upper_end():
    found = risk_coverage(np.arange(100.0), np.ones(100, dtype=bool))
    assert found.aurc.value == found.aurc.low == 0.0
    rate = 1.959964**2 / (100 + 1.959964**2)  # Wilson's upper limit of 0 in 100
    assert found.aurc.high == pytest.approx(rate * (1 - math.log(rate)), rel=1e-6)


@pytest.mark.parametrize(
    ("uncertainty", "correct", "message"),
    [
        (np.zeros(3), np.ones(2, dtype=bool), "one for each"),
        (np.zeros(0), np.ones(0, dtype=bool), "one for each"),
        (np.array([0.0, math.nan]), np.ones(2, dtype=bool), "image 1 is NaN"),
    ],
)
def test_bad_input_is_one_clear_error(uncertainty, correct, message):
    with pytest.raises(DataError, match=message):
        risk_coverage(uncertainty, correct)
