"""Marks that several plots share: grouped bars, points and curves with whiskers, names beside points."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import Bbox
from matplotlib.typing import LineStyleType

from archsim.report.plots.data import Interval, Shown
from archsim.report.plots.style import HATCH, INK, SMALL, SOFT, TINY, Scale, factor

SIDES = (  # of a point where its name may stand: offset in points, and which end of the text is there
    (5, 5, "left", "bottom"), (5, -5, "left", "top"), (-5, 5, "right", "bottom"), (-5, -5, "right", "top"),
    (7, 0, "left", "center"), (-7, 0, "right", "center"), (0, 7, "center", "bottom"), (0, -7, "center", "top"),
)  # fmt: skip
GROUP = 0.78  # of the room of a row that its bars take
LONGEST = 2.5  # times the longest bar: where the axis ends at the latest
ROW, BAR, FRAME = 0.17, 0.1, 0.75  # inches: a row, each bar in it, what surrounds the axes


@dataclass(frozen=True)
class Bars:
    """One bar a row; None leaves a row empty.

    For each row, where given: `hatched`, what of its value is hatched rather than filled; `beside`, a short text right
    of the axes; `outlined`, how far an outline around the bar goes, such as a limit.
    """

    colour: str
    values: Sequence[Interval | None]
    hatched: Sequence[float] = ()
    beside: Sequence[str] = ()
    outlined: Sequence[float] = ()


def height_of(rows: int, bars: int) -> float:
    """Return the height in inches of a figure with so many rows of so many bars each."""
    return FRAME + rows * (ROW + BAR * bars)


def grouped_bars(axes: Axes, rows: Sequence[str], groups: Sequence[Bars], scale: Scale) -> None:
    """Draw horizontal bars from the top down, those of a row below each other, with whiskers for their ranges.

    Where ranges would make all bars small, the axis ends early, and a whisker that leaves it says where it ends.
    """
    axes.set_xlim(0, _end(groups) * scale.factor or 1.0)
    thick = GROUP / len(groups) * 0.92
    for k, bars in enumerate(groups):
        for row, value in enumerate(bars.values):
            if value is None:
                continue
            place, shown = place_of(row, k, len(groups)), value.times(scale.factor)
            hatched = bars.hatched[row] * scale.factor if bars.hatched else 0.0
            _bar(axes, place, thick, max(0.0, shown.value - hatched), hatched, bars.colour)
            if bars.outlined and bars.outlined[row]:
                axes.barh(
                    place, bars.outlined[row] * scale.factor, thick, facecolor="none", edgecolor=SOFT, linewidth=0.8
                )
            if shown.low < shown.high:
                whisker(axes, shown, place, vertical=False)
                _mark_end(axes, shown.high, place)
            if bars.beside:
                beside(axes, row, bars.beside[row])
    name_rows(axes, rows)


def _end(groups: Sequence[Bars]) -> float:
    """Return where the axis of some bars ends, before it is scaled."""
    values = [v for bars in groups for v in bars.values if v is not None]
    end = max((v.high for v in values), default=0.0)
    ends = [
        min(end, LONGEST * max((v.value for v in values), default=0.0)),
        *(o for bars in groups for o in bars.outlined),
    ]
    return 1.03 * max(ends)


def place_of(row: int, k: int, groups: int) -> float:
    """Return where the bar of group `k` lies in a row."""
    return row + ((k + 0.5) / groups - 0.5) * GROUP


def _mark_end(axes: Axes, high: float, place: float) -> None:
    """Where a whisker leaves the axes, say where it ends."""
    edge = axes.get_xlim()[1]
    if high > edge:
        axes.plot([edge], [place], ">", color=INK, markersize=3, clip_on=False)
        axes.annotate(
            f"to {factor(high)}", (edge, place), xytext=(-4, 1.5), textcoords="offset points",
            ha="right", va="bottom", fontsize=TINY, color=INK,
        )  # fmt: skip


def _bar(axes: Axes, place: float, thick: float, filled: float, hatched: float, colour: str) -> None:
    if filled or not hatched:
        axes.barh(place, filled, thick, color=colour, linewidth=0)
    if hatched:
        axes.barh(place, hatched, thick, left=filled, facecolor="none", edgecolor=colour, hatch=HATCH, linewidth=0.8)


def name_rows(axes: Axes, rows: Sequence[str]) -> None:
    """Write what each row is, the first on top."""
    axes.set_yticks(range(len(rows)), [shorten(row) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def beside(axes: Axes, row: float, text: str, below: str = "") -> None:
    """Write a text right of the axes, at the height of a row; `below`: a second line, smaller."""
    lines = [(text, SMALL, INK, 4.5 if below else 0.0), (below, TINY, SOFT, -5.0)]
    for line, size, colour, rise in lines[: 2 if below else 1]:
        axes.annotate(
            line, (1, row), xycoords=("axes fraction", "data"), xytext=(7, rise), textcoords="offset points",
            va="center", fontsize=size, color=colour, annotation_clip=False,
        )  # fmt: skip


def aside(axes: Axes, row: float, text: str) -> None:
    """Write a remark into a row, at the left end of the axes."""
    axes.text(
        0.01, row, text, transform=axes.get_yaxis_transform(), va="center", fontsize=SMALL, style="italic", color=SOFT
    )


def whisker(
    axes: Axes, value: Interval, place: float, *, vertical: bool = True, colour: str = INK, width: float = 0.9
) -> None:
    """Draw the range of a value with caps, at `place` of the other axis; what is unchanged has none."""
    ends = [[value.value - value.low], [value.high - value.value]]
    x, y = ([place], [value.value]) if vertical else ([value.value], [place])
    axes.errorbar(
        x, y, yerr=ends if vertical else None, xerr=None if vertical else ends,
        fmt="none", ecolor=colour, elinewidth=width, capsize=2.0, capthick=width,
    )  # fmt: skip


def point(
    axes: Axes, value: Interval, place: float, colour: str, marker: str, *, vertical: bool = True, hollow: bool = False
) -> None:
    """Draw a marker with the whisker of its range."""
    if value.low < value.high:
        whisker(axes, value, place, vertical=vertical, colour=colour)
    x, y = (place, value.value) if vertical else (value.value, place)
    axes.plot([x], [y], marker, color=colour, markerfacecolor="none" if hollow else colour)


def curve(
    axes: Axes, xs: Sequence[float], values: Sequence[Interval], colour: str, marker: str, style: str = "-"
) -> Line2D:
    """Draw a line through values, with a marker and a whisker for each."""
    ends = [[v.value - v.low for v in values], [v.high - v.value for v in values]]
    drawn = axes.errorbar(
        xs, [v.value for v in values], yerr=ends, fmt=marker, linestyle=style, color=colour,
        elinewidth=0.8, capsize=1.8, capthick=0.8, markersize=4,
    )  # fmt: skip
    line = drawn.lines[0]
    assert isinstance(line, Line2D)
    return line


def patch(colour: str, hatch: str = "", *, outlined: bool = False) -> Patch:
    """Return a swatch for a legend: filled with a white hatch, or outlined with a hatch of its colour."""
    if outlined:
        return Patch(facecolor="none", edgecolor=colour, hatch=hatch, linewidth=0.8)
    return Patch(facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0)


def dot(colour: str, marker: str = "o", *, hollow: bool = False, style: LineStyleType = "") -> Line2D:
    """Return a marker, with a line of some style or none, for a legend."""
    face = "none" if hollow else colour
    return Line2D([], [], color=colour, marker=marker, markerfacecolor=face, markeredgecolor=colour, linestyle=style)


def swatches(results: Sequence[Shown]) -> list[tuple[str, Patch | Line2D]]:
    """Return the legend of bars; a single result needs none."""
    return [(r.label, patch(r.colour)) for r in results] if len(results) > 1 else []


def dots(results: Sequence[Shown], style: LineStyleType = "") -> list[tuple[str, Patch | Line2D]]:
    """Return the legend of points or curves; a single result needs none."""
    return [(r.label, dot(r.colour, r.marker, style=style)) for r in results] if len(results) > 1 else []


def shorten(text: str, most: int = 44) -> str:
    """Return a text that fits: first without brackets, then without its middle, as ends tell layers apart."""
    if len(text) > most:
        text = re.sub(r" \([^)]*\)", "", text)
    if len(text) <= most:
        return text
    kept = most - 1
    return f"{text[: kept // 2]}…{text[len(text) - (kept - kept // 2) :]}"


def in_short(sentence: str) -> str:
    """Return the beginning of a sentence, without what follows a semicolon."""
    return textwrap.shorten(sentence.partition(";")[0], 60, placeholder=" …")


def label_points(
    axes: Axes, points: Sequence[tuple[float, float, str]], obstacles: Sequence[tuple[float, float]] = ()
) -> None:
    """Write a name at each point, on the side where it meets neither a name nor a point; or none, if no side is free.

    The axes must have their final limits. The first points choose first. `obstacles`: further points, without names.
    """
    figure = axes.figure.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    dot = 4 * figure.dpi / 72
    places = axes.transData.transform([*((x, y) for x, y, _ in points), *obstacles])
    taken = [Bbox.from_extents(px - dot, py - dot, px + dot, py + dot) for px, py in places]
    frame = axes.get_window_extent().padded(dot)
    for x, y, text in points:
        for dx, dy, ha, va in SIDES:
            written = axes.annotate(
                text, (x, y), xytext=(dx, dy), textcoords="offset points", ha=ha, va=va, fontsize=SMALL, color=INK
            )
            box = written.get_window_extent()
            inside = frame.contains(box.x0, box.y0) and frame.contains(box.x1, box.y1)
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            written.remove()
