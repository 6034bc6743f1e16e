"""The look of all plots: colours, markers, type, axes. Colours tell results apart the same way in every plot.

Colours: Okabe and Ito, "Color Universal Design" (2008), without its black (text) and its yellow (too light on paper);
they can be told apart with any colour blindness. Markers and hatches say the same again for print in grey.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullFormatter

from archsim.units import read, show

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
MARKERS = ("o", "s", "^", "D", "v", "P")
INK = "#222222"  # text, axes, whiskers: `to_svg` lets a page choose it
SOFT = "#808080"  # what may stand back, readable on white and on black
HATCH, CROSSES = "/////", "xxxxx"
DASHES, DOTS = (0, (4, 3)), (0, (1, 2))
TIMES = "\N{MULTIPLICATION SIGN}"
WIDTH = 7.2  # inches; 691 px on a page
SMALL, TINY = 8.0, 6.5  # points
LINE = 110  # letters in a line of a legend

_STYLE: Mapping[Any, Any] = MappingProxyType(
    {
        "font.family": "DejaVu Sans",  # comes with matplotlib, so that text has the same size everywhere
        "font.size": 9.0,
        "axes.labelsize": 9.0,
        "axes.titlesize": 9.0,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "legend.fontsize": SMALL,
        "legend.frameon": False,
        "text.color": INK,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "axes.titlecolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.linewidth": 0.7,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "xtick.minor.width": 0.5,
        "ytick.minor.width": 0.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "grid.color": SOFT,
        "grid.alpha": 0.3,
        "grid.linewidth": 0.5,
        "lines.linewidth": 1.4,
        "lines.markersize": 5.0,
        "hatch.linewidth": 0.8,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
        "text.parse_math": False,  # a name may hold dollar signs
        "svg.fonttype": "none",
        "svg.hashsalt": "archsim",
        "path.simplify": False,
    }
)


@contextmanager
def styled() -> Iterator[None]:
    """Give matplotlib this look inside a `with` block, for making a figure and again for drawing it."""
    with rc_context():
        import matplotlib

        matplotlib.rcdefaults()  # whatever a user's matplotlibrc says
        matplotlib.rcParams.update(_STYLE)
        yield


def panels(
    height: float, rows: int = 1, columns: int = 1, *, ratios: Sequence[float] | None = None, **share: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure of the usual width and `height` inches, and its axes row by row.

    `ratios`: heights of the rows; `share`: `sharex`, `sharey` as matplotlib has them.
    """
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)  # what measures text
    axes = figure.subplots(rows, columns, squeeze=False, height_ratios=ratios, **share)
    return figure, list(axes.flat)


def tidy(axes: Sequence[Axes], used: int) -> None:
    """Of a grid of axes that share theirs, remove those that are not used, and label the outer ones alone."""
    for empty in axes[used:]:
        empty.remove()
    for each in axes[:used]:
        place = each.get_subplotspec()
        assert place is not None, "made by `panels`"
        below = axes.index(each) + place.get_gridspec().ncols
        each.xaxis.label.set_visible(below >= used)
        each.tick_params(labelbottom=below >= used)
        each.yaxis.label.set_visible(place.is_first_col())


@dataclass(frozen=True)
class Scale:
    """A unit with an SI prefix: what to multiply SI values with, and how to write it."""

    factor: float
    unit: str


PERCENT = Scale(100.0, "%")
SQUARE_MILLIMETRES = Scale(1e6, "mm²")
PERCENT_POINTS = Scale(100.0, "% points")
ONE = Scale(1.0, "")
SHARE = Scale(1.0, "share")
COUNT = Scale(1.0, "count")
NATS = Scale(1.0, "nat")
DEVIATIONS = Scale(1.0, "target sd")


def scale_for(largest: float, unit: str) -> Scale:
    """Return the scale in which `largest`, in SI `unit`, reads well."""
    shown = show(largest, unit).rpartition(" ")[2] if largest else unit
    return Scale(1 / read(f"1 {shown}").value, typeset(shown))


def typeset(text: str) -> str:
    """Return text with the prefix micro as print has it: `uJ` becomes `µJ`."""
    return text if not text.startswith("u") else "µ" + text[1:]


def quantity(value: float, unit: str) -> str:
    """Return a value with unit for a label, such as `131 nJ`."""
    number, _, shown = show(value, unit).rpartition(" ")
    return f"{number} {typeset(shown)}"


def name_axis(axes: Axes, which: str, what: str, scale: Scale) -> None:
    """Label the "x" or "y" axis with what it is and its unit, and rule thin lines across it."""
    label = f"{what} ({scale.unit})" if scale.unit else what
    axes.set_xlabel(label) if which == "x" else axes.set_ylabel(label)
    axes.grid(axis="x" if which == "x" else "y")


def factor(value: float) -> str:
    """Return a ratio in three digits, without an exponent: `4 190`."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}".replace(",", " ") if abs(rounded) >= 1000 else f"{rounded:g}"


def log_axis(axes: Axes, which: str, what: str, unit: str) -> None:
    """Make an axis logarithmic, with ticks such as `10 µJ`; its values are in SI `unit`, or factors (TIMES)."""
    axes.set_xscale("log") if which == "x" else axes.set_yscale("log")
    name_axis(axes, which, what, Scale(1.0, f"{unit}, log scale"))
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogTicks())
    axis.set_major_formatter(EngFormatter(unit, sep=" ") if unit != TIMES else FuncFormatter(_factor_tick))
    axis.set_minor_formatter(NullFormatter())


def _factor_tick(value: float, _: int | None = None) -> str:
    """Return `0.01`, `10`, `100k`."""
    return f"{value:g}" if value < 1000 else str(EngFormatter(sep="")(value))


class LogTicks(LogLocator):
    """Ticks at powers of ten, and between them where there would be less than three."""

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        """Return the ticks between two ends."""
        decades = math.log10(vmax / vmin)
        self.set_params(subs=(1.0,) if decades > 3 else (1.0, 3.0) if decades > 1.5 else (1.0, 2.0, 5.0), numticks=9)
        return super().tick_values(vmin, vmax)


def key(figure: Figure, entries: Sequence[tuple[str, Patch | Line2D]]) -> None:
    """Put a legend above the axes, in as few lines as fit; none for no entries."""
    if not entries:
        return
    widths = [len(text) + 7 for text, _ in entries]
    columns = len(entries) if sum(widths) <= LINE else max(1, LINE // max(widths))
    figure.legend(
        [handle for _, handle in entries], [text for text, _ in entries], loc="outside upper left", ncols=columns
    )
