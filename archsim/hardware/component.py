"""What a part costs: named actions with energy and latency, area and leakage, each figure with range and source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

GRADES = ("READ", "RERUN", "DERIVED", "RECALLED", "ASSUMED")  # from the most to the least trustworthy


@dataclass(frozen=True)
class Figure:
    """A number in SI units with its plausible range, its grade and the keys of its sources.

    The range is the published spread, for sweeps and intervals; it is not a standard deviation.
    """

    value: float
    low: float
    high: float
    grade: str = "DERIVED"
    sources: tuple[str, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"value {self.value} outside its range [{self.low}, {self.high}]")
        if self.grade not in GRADES:
            raise ValueError(f"grade '{self.grade}' is not one of {GRADES}")

    def __mul__(self, factor: float) -> Figure:
        """Return the figure scaled by a factor >= 0; grade and sources stay."""
        return Figure(self.value * factor, self.low * factor, self.high * factor, self.grade, self.sources, self.note)

    __rmul__ = __mul__

    def __add__(self, other: Figure) -> Figure:
        """Return the sum: ranges add (as if all ends met), the weaker grade wins, sources join."""
        return Figure(
            self.value + other.value,
            self.low + other.low,
            self.high + other.high,
            weakest((self.grade, other.grade)),
            tuple(dict.fromkeys(self.sources + other.sources)),
        )


ZERO = Figure(0.0, 0.0, 0.0, "READ")


def weakest(grades: Iterable[str]) -> str:
    """Return the least trustworthy of some grades."""
    return max(grades, key=GRADES.index)


@dataclass(frozen=True)
class ActionCost:
    """The cost of one action: energy in joules, and how long the part is busy, in picoseconds.

    `latency` is that time as a figure in seconds, where its range and source are known.
    """

    energy: Figure
    latency_ps: int
    latency: Figure | None = None


@dataclass(frozen=True)
class Component:
    """One instance of a part: what it can do and what that costs, its area in m^2, its leakage in W."""

    name: str
    actions: Mapping[str, ActionCost]
    area: Figure
    leakage: Figure
