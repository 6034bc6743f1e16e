"""Which axes move a figure: one at a time as a tornado, or by their shares of its variance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes

from archsim.report.layout import count, typeset
from archsim.report.plots.data import Interval, Plot
from archsim.report.plots.marks import beside, dot, name_rows, patch, point
from archsim.report.plots.study.fronts import KIND
from archsim.report.plots.style import COLOURS, HATCH, INK, MARKERS, ONE, Scale, key, name_axis, panels
from archsim.report.study.columns import Column
from archsim.report.study.findings import Findings
from archsim.study.sensitivity import Index, SobolIndices, Swing, Tornado

MOST = 15  # axes of a plot
LEAST = 1e-3  # share of the variance that is worth a row
ROW = 0.26  # inches
CHANGE = Scale(100.0, "%")
LIBRARY = "library."


def sensitivities(found: Findings) -> Iterator[Plot]:
    """Yield a plot for each objective of a study that was sampled for this, and that something moves."""
    for target in found.targets:
        told = found.sensitivities.get(target.name)
        if isinstance(told, Tornado):
            yield from _tornado(found, target, told)
        elif isinstance(told, SobolIndices):
            yield from _sobol(target, told)


def _tornado(found: Findings, target: Column, told: Tornado) -> Iterator[Plot]:
    moving = [s for s in told.swings if s.reach(told.base) > 0 or s.error]
    shown = moving[:MOST]
    if not shown:
        return
    figure, (axes,) = panels(1.1 + ROW * len(shown))
    for row, swing in enumerate(shown):
        _swing(axes, row, swing, told.base)
        beside(axes, row, *_ends(found.axis(swing.axis), swing))
    axes.axvline(0, color=INK, linewidth=0.8)
    name_rows(axes, [_row(s.axis) for s in shown])
    name_axis(axes, "x", f"{target.words}: change from {typeset(target.say(told.base))}", CHANGE)
    axes.margins(x=0.04)
    key(figure, [("axis at its first value", patch(COLOURS[0])), ("at its last value", patch(COLOURS[1], HATCH))])
    left = _left(len(moving) - len(shown), "move it less")
    left += _left(len(told.swings) - len(moving), "do not move it")
    caption = (
        f"What each axis does to {target.words} alone, with all others at the base; right: its first and last"
        f" value.{left}"
    )
    yield Plot(f"sensitivity_{target.name.replace('.', '_')}", f"What moves {target.words}", caption, figure, KIND)


def _swing(axes: Axes, row: int, swing: Swing, base: float) -> None:
    for end, colour, hatch, up in ((swing.low, COLOURS[0], "", -0.17), (swing.high, COLOURS[1], HATCH, 0.17)):
        if math.isfinite(end) and base:
            axes.barh(row + up, 100 * (end / base - 1), 0.32, color=colour, hatch=hatch, edgecolor="white", linewidth=0)


def _ends(column: Column | None, swing: Swing) -> tuple[str, str]:
    """Return the values of an axis at its ends, none of several axes that go together; and which end failed."""
    lost = [which for which, end in (("first", swing.low), ("last", swing.high)) if math.isnan(end)]
    ends = " … ".join(typeset(column.say(v)) for v in (swing.at_low, swing.at_high)) if column else ""
    return ends, f"{' and '.join(lost)} failed" if lost else ""


def _sobol(target: Column, told: SobolIndices) -> Iterator[Plot]:
    shown = [i for i in told.indices if i.total >= LEAST][:MOST]
    if not shown:
        return
    figure, (axes,) = panels(1.1 + ROW * len(shown))
    for row, index in enumerate(shown):
        for value, up, look in _both(index):
            point(axes, value, row + up, *look, vertical=False, hollow=look[1] == MARKERS[1])
    axes.axvline(0, color=INK, linewidth=0.8)
    name_rows(axes, [_row(i.axis) for i in shown])
    name_axis(axes, "x", f"Share of the variance of {target.words}", ONE)
    ways: Sequence[tuple[str, object]] = (
        ("alone (first order)", dot(COLOURS[0])),
        ("with all others (total)", dot(COLOURS[1], MARKERS[1], hollow=True)),
    )
    key(figure, ways)  # type: ignore[arg-type]
    caption = (
        f"Sobol indices with 95 % bootstrap intervals, from {count(told.rows)} pairs of samples: the share of the"
        f" variance of {target.words} that an axis explains alone, and that which is left when all others are known."
        f" Mean {typeset(target.say(told.mean))}, standard deviation {typeset(target.say(told.deviation))}."
        f"{_left(len(told.indices) - len(shown), 'explain less')}"
    )
    yield Plot(f"sensitivity_{target.name.replace('.', '_')}", f"What moves {target.words}", caption, figure, KIND)


def _both(index: Index) -> Iterator[tuple[Interval, float, tuple[str, str]]]:
    yield Interval(index.first, index.first_low, index.first_high), -0.17, (COLOURS[0], MARKERS[0])
    yield Interval(index.total, index.total_low, index.total_high), 0.17, (COLOURS[1], MARKERS[1])


def _row(axis: str) -> str:
    return axis.replace(LIBRARY, "")


def _left(number: int, less: str) -> str:
    return f" {number} more {less}." if number else ""
