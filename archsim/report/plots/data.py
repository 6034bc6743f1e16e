"""What plots read: plain data of stored results, each with its label and colour; and the numbers in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from archsim.report.plots.style import COLOURS, MARKERS

Data = Mapping[str, Any]
OTHERS = "others"
LARGEST = 8  # rows of a ranking; the rest is one row


@dataclass(frozen=True, eq=False)
class Plot:
    """A figure with what a page needs beside it.

    `name`: for files and anchors, unique among the plots of a call. `title`: a few words. `caption`: what is seen and
    what the marks mean, as whole sentences. `kind`: of the data that it shows, such as "archsim/result".
    """

    name: str
    title: str
    caption: str
    figure: Figure
    kind: str = ""


@dataclass(frozen=True, eq=False)
class Shown:
    """A stored result under the label, colour and marker that it has in all plots."""

    label: str
    data: Data
    index: int = 0

    @property
    def kind(self) -> str:
        """What it is, without the version: "archsim/result", "archsim/uncertainty", "archsim/comparison"."""
        return str(self.data.get("schema", "")).partition("@")[0]

    @property
    def colour(self) -> str:
        """Its colour; after six results they come again."""
        return COLOURS[self.index % len(COLOURS)]

    @property
    def marker(self) -> str:
        """Its marker; where a colour comes again, it comes with another one."""
        return MARKERS[(self.index + self.index // len(COLOURS)) % len(MARKERS)]


class Interval(NamedTuple):
    """A number and the ends of its range."""

    value: float
    low: float
    high: float

    def __add__(self, other: object) -> Interval:
        """Return the sum; the ends of the ranges add."""
        if not isinstance(other, Interval):
            return NotImplemented
        return Interval(self.value + other.value, self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> Interval:
        """Return the interval in another unit."""
        return Interval(self.value * factor, self.low * factor, self.high * factor)


ZERO = Interval(0.0, 0.0, 0.0)


def interval(data: Data | None) -> Interval | None:
    """Return {"value", "low", "high"} as an interval, without range where that is null; None without a value."""
    if data is None or data.get("value") is None:
        return None
    value = float(data["value"])
    low, high = data.get("low"), data.get("high")
    return Interval(value, value if low is None else float(low), value if high is None else float(high))


def intervals(data: Mapping[str, Data]) -> dict[str, Interval]:
    """Return those that have a value, by name."""
    found = {name: interval(each) for name, each in data.items()}
    return {name: each for name, each in found.items() if each is not None}


def largest(tables: Sequence[Mapping[str, float]], most: int = LARGEST) -> list[str]:
    """Return the names of the largest values in any of the tables, the largest first.

    One more than `most` are all shown, as the row of the others would take the same room.
    """
    top: dict[str, float] = {}
    for table in tables:
        for name, value in table.items():
            top[name] = max(value, top.get(name, 0.0))
    names = sorted((n for n in top if top[n] > 0), key=lambda n: -top[n])
    return names if len(names) <= most + 1 else names[:most]


def ranking(
    tables: Sequence[Mapping[str, Interval]], most: int = LARGEST
) -> tuple[list[str], list[list[Interval | None]]]:
    """Return the names of the largest values, and for each table their values.

    The last row is the sum of all others, where there are any.
    """
    names = largest([{n: v.value for n, v in table.items()} for table in tables], most)
    rest = [[v for n, v in table.items() if n not in names and v.value] for table in tables]
    columns: list[list[Interval | None]] = [[table.get(name) for name in names] for table in tables]
    if not any(rest):
        return names, columns
    for column, others in zip(columns, rest, strict=True):
        column.append(sum(others, start=ZERO) if others else None)
    return [*names, OTHERS], columns
