"""Small pieces that reports on the terminal are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from archsim.metrics.intervals import Estimate
from archsim.units import show

Cell = str | Text
Say = Callable[[float], str]
INDENT = (0, 0, 0, 2)
GAP = "\N{NO-BREAK SPACE}"


def heading(text: str) -> Text:
    """Return a section title with an empty line above."""
    return Text(f"\n{text}", style="bold")


def table(columns: Sequence[str], rows: Iterable[Iterable[Cell]], right: Iterable[int] = ()) -> Padding:
    """Return a plain indented table; `right` says which columns are right-aligned. No titles, no head.

    The first column and the right-aligned ones are never broken into lines.
    """
    made = Table(box=None, show_header=any(columns), header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    numbers = set(right)
    whole = {0, *numbers}
    for i, title in enumerate(columns):
        made.add_column(title, justify="right" if i in numbers else "left", overflow="fold", no_wrap=i in whole)
    for row in rows:
        made.add_row(*row)
    return Padding(made, INDENT)


def joules(value: float) -> str:
    """Return an energy with a fitting prefix."""
    return show(value, "J")


def square_millimetres(value: float) -> str:
    """Return an area given in square metres; always in mm^2, as papers state it."""
    return f"{value * 1e6:.3g} mm^2"


def span(estimate: Estimate, say: Say) -> str:
    """Return an interval in the words of `say`, such as `131 nJ to 2.75 uJ`."""
    return f"{say(estimate.low)} to {say(estimate.high)}"


def added(estimates: Iterable[Estimate]) -> Estimate:
    """Return the sum of some estimates; the ends of their ranges add."""
    parts = list(estimates)
    ends = sum(e.value for e in parts), sum(e.low for e in parts), sum(e.high for e in parts)
    return Estimate(*ends, "sum of ranges")


def percent(share: float, digits: int = 1) -> str:
    """Return a share in percent."""
    return f"{100 * share:.{digits}f} %"


def count(number: float) -> str:
    """Return a rounded number with its thousands apart."""
    return f"{number:,.0f}".replace(",", " ")


def typeset(text: str) -> str:
    """Return a quantity such as `show` writes it as print has it: micro sign, raised powers, no break in it."""
    text = re.sub(r"(?<=[\s/])u(?=[A-Za-z])", "\N{MICRO SIGN}", text)
    text = re.sub(r"(?<=\d) x$", " \N{MULTIPLICATION SIGN}", text)
    text = text.replace("^2", "\N{SUPERSCRIPT TWO}").replace("ohm", "\N{GREEK CAPITAL LETTER OMEGA}")
    return re.sub(r"(?<=\d) (?=\S)", GAP, text)


def bar(share: float, width: int = 12) -> Text:
    """Return a bar for a share between 0 and 1."""
    filled = max(0, min(width, round(share * width)))
    return Text("█" * filled + "·" * (width - filled), style="cyan")
