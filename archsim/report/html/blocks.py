"""What a page is made of. Text here is plain text: the templates escape it; only the SVG of a figure is markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from markupsafe import Markup

Tone = Literal["", "strong", "dim", "good", "bad"]


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, smaller text below it, a share drawn as a bar, links to anchors of the page."""

    text: str
    small: str = ""
    tone: Tone = ""
    share: float | None = None
    links: Sequence[tuple[str, str]] = ()


Row = list[Cell | str]
ABSENT = Cell("\N{EN DASH}", tone="dim")


@dataclass(frozen=True)
class Table:
    """A table. `numbers`: the columns that are right-aligned; the first one heads its row."""

    KIND: ClassVar[str] = "table"
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    numbers: frozenset[int] = frozenset()

    def cells(self) -> list[list[Cell]]:
        """Return the rows with all their cells as `Cell`."""
        return [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in self.rows]


@dataclass(frozen=True)
class Figure:
    """A plot. `title` is read to those who cannot see it; `numbers`: a table of what it shows, folded away."""

    KIND: ClassVar[str] = "figure"
    name: str
    title: str
    caption: str
    svg: Markup
    numbers: Table | None = None


@dataclass(frozen=True)
class Card:
    """One figure of a summary: what, how much, between what ends, in plain words.

    `value`: with its unit after a no-break space; the unit is written smaller.
    """

    what: str
    value: str
    span: str = ""
    words: str = ""
    tone: Tone = ""

    @property
    def number_and_unit(self) -> tuple[str, str]:
        """Return the value in two."""
        number, _, unit = self.value.rpartition("\N{NO-BREAK SPACE}")
        return (number, unit) if number else (unit, "")


@dataclass(frozen=True)
class Cards:
    """Cards in a row."""

    KIND: ClassVar[str] = "cards"
    cards: Sequence[Card]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    KIND: ClassVar[str] = "text"
    text: str
    tone: Tone = ""


@dataclass(frozen=True)
class Points:
    """A list of sentences, in a frame where they are warnings."""

    KIND: ClassVar[str] = "points"
    points: Sequence[str]
    warning: bool = False
    title: str = ""


@dataclass(frozen=True)
class Code:
    """Text to be copied as it is. `label`: what it is. `long`: its lines matter, so they are not broken."""

    KIND: ClassVar[str] = "code"
    label: str
    text: str
    long: bool = False


@dataclass(frozen=True)
class Notes:
    """Numbered notes that tables refer to: by anchor, mark and text."""

    KIND: ClassVar[str] = "notes"
    notes: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Heading:
    """A title within a section."""

    KIND: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Folded:
    """Blocks that are shown when asked for, or from the start (`shown`). Printed if shown."""

    KIND: ClassVar[str] = "folded"
    title: str
    blocks: Sequence[Block]
    shown: bool = False


Block = Table | Figure | Cards | Text | Points | Code | Notes | Heading | Folded


@dataclass(frozen=True)
class Section:
    """A part of the page with a place in its table of contents."""

    anchor: str
    title: str
    blocks: Sequence[Block]


def after(first: int, head: Sequence[str]) -> frozenset[int]:
    """Return the numbers of the columns from `first` on."""
    return frozenset(range(first, len(head)))


def beside(
    caption: str,
    what: str,
    labels: Sequence[str],
    columns: Sequence[Mapping[str, Cell | str]],
    only: Iterable[str] | None = None,
    meanings: Mapping[str, str] | None = None,
    *,
    words: bool = False,
) -> Table:
    """Return a table with a row for each name of any of some columns, or for those of `only`.

    `what`: the names are. `labels`: of the columns, left out where there is one. `meanings`: of names, in small type.
    `words`: the cells are no numbers, so they are left-aligned.
    """
    names = list(dict.fromkeys(name for column in columns for name in column)) if only is None else list(only)
    rows: list[Row] = [
        [Cell(name, (meanings or {}).get(name, "")), *(column.get(name, ABSENT) for column in columns)]
        for name in names
    ]
    heads = list(labels) if len(labels) > 1 else [""]
    return Table(caption, [what, *heads], rows, frozenset() if words else after(1, ["", *labels]))
