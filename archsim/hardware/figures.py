"""Arithmetic on figures: a result keeps range, weakest grade and all sources of what it was made from."""

from __future__ import annotations

from archsim.hardware.component import Figure, weakest


def constant(value: float, grade: str = "DERIVED", sources: tuple[str, ...] = (), note: str = "") -> Figure:
    """Return a figure without spread."""
    return Figure(value, value, value, grade, sources, note)


def product(*factors: Figure) -> Figure:
    """Return the product of figures that are not negative; ranges multiply as if all ends met."""
    value = low = high = 1.0
    for f in factors:
        value, low, high = value * f.value, low * f.low, high * f.high
    return _combined(value, low, high, factors)


def inverse(figure: Figure) -> Figure:
    """Return 1 / figure, which must be positive."""
    return Figure(1 / figure.value, 1 / figure.high, 1 / figure.low, figure.grade, figure.sources, figure.note)


def spread_like(value: float, pattern: Figure) -> Figure:
    """Return a value with the relative range, grade and sources of another figure of the same origin."""
    ratio = value / pattern.value
    return pattern * ratio


def _combined(value: float, low: float, high: float, parts: tuple[Figure, ...]) -> Figure:
    sources = tuple(dict.fromkeys(s for f in parts for s in f.sources))
    return Figure(value, low, high, weakest(f.grade for f in parts), sources)
