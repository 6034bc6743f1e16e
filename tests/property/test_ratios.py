"""The algebra of ratios with intervals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.comparison import quotient
from archsim.metrics.intervals import Estimate

POSITIVE = st.floats(1e-12, 1e12)


@st.composite
def estimates(draw: st.DrawFn) -> Estimate:
    low, value, high = sorted(draw(st.tuples(POSITIVE, POSITIVE, POSITIVE)))
    return Estimate(value, low, high, "")


@given(estimates(), estimates())
def test_the_value_lies_in_the_interval(other: Estimate, chip: Estimate) -> None:
    ratio = quotient(other, chip)
    assert ratio.low <= ratio.value <= ratio.high


@given(estimates(), estimates())
def test_turned_around_it_is_the_reciprocal(other: Estimate, chip: Estimate) -> None:
    ratio, turned = quotient(other, chip), quotient(chip, other)
    assert turned.value == pytest.approx(1 / ratio.value)
    assert turned.low == pytest.approx(1 / ratio.high)
    assert turned.high == pytest.approx(1 / ratio.low)


@given(estimates(), estimates(), st.floats(0, 1), st.floats(0, 1))
def test_it_holds_whatever_both_sides_really_are(other: Estimate, chip: Estimate, here: float, there: float) -> None:
    def inside(e: Estimate, share: float) -> float:
        return min(e.high, max(e.low, e.low + share * (e.high - e.low)))

    ratio = quotient(other, chip)
    assert ratio.low <= inside(other, here) / inside(chip, there) <= ratio.high


@given(estimates())
def test_beside_itself_a_platform_gains_nothing(same: Estimate) -> None:
    assert quotient(same, same).value == 1


@given(estimates(), estimates(), st.floats(1e-3, 1e3))
def test_units_do_not_matter(other: Estimate, chip: Estimate, factor: float) -> None:
    def scaled(e: Estimate) -> Estimate:
        return Estimate(e.value * factor, e.low * factor, e.high * factor, e.method)

    plain, converted = quotient(other, chip), quotient(scaled(other), scaled(chip))
    for end in ("value", "low", "high"):
        assert getattr(converted, end) == pytest.approx(getattr(plain, end))
