"""The best compromises: fronts of two objectives, or of three in pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from archsim.report.plots.data import Plot
from archsim.report.plots.marks import dot, label_points
from archsim.report.plots.study.colours import MARKS, colour_bar, norm_of
from archsim.report.plots.study.rulers import Ruler
from archsim.report.plots.style import COLOURS, DASHES, INK, MARKERS, SOFT, key, panels
from archsim.report.study.columns import Column
from archsim.report.study.findings import Findings

if TYPE_CHECKING:
    from pandas import DataFrame

MANY = 2_000  # marks from which on they are drawn as one picture
NAMED = 6  # points of a front that are named
WHISKERS = 40  # points of a front that may have them
KIND = "archsim/study"
BETTER = {"min": "less is better", "max": "more is better"}


def fronts(found: Findings) -> Iterator[Plot]:
    """Show all points and the front, of two objectives, or of the first three in pairs."""
    if len(found.targets) < 2 or found.front.empty:
        return
    yield _pair(found) if len(found.targets) == 2 else _pairs(found, _three(found.targets))


def _pair(found: Findings) -> Plot:
    figure, (axes,) = panels(4.2)
    x, y = found.targets
    _cloud(axes, found, x, y)
    drawn = [*found.fronts()][: len(COLOURS)]
    for k, (_, rows) in enumerate(drawn):
        _steps(axes, found, rows, (COLOURS[k], MARKERS[k]))
    _limits(axes, found, x, y)
    names = [(text, dot(COLOURS[k], MARKERS[k], style="-")) for k, (text, _) in enumerate(drawn)]
    _key(figure, found, [("front", dot(COLOURS[0], style="-"))] if not found.by else names)
    if not found.by:
        _name_ends(axes, found, x, y)
    caption = (
        f"Every point of the study by {_small(x)} ({BETTER[found.objectives[x.name]]}) and {_small(y)}"
        f" ({BETTER[found.objectives[y.name]]}), and the front: no point is better than those on it in both. Numbers"
        " are those of the points in the tables."
    )
    if any(_has_ends(found, c) for c in (x, y)):
        caption += " Whiskers: 95 % intervals of what images and passes leave open."
    if found.by:
        left = len([*found.fronts()]) - len(drawn)
        caption += f" A front for each {' and '.join(found.column(a).words for a in found.by)}"
        caption += f"; {left} more are left out." if left else "."
    return Plot("front", "Best compromises", f"{caption} {found.averaged}".strip(), figure, KIND)


def _three(targets: Sequence[Column]) -> Sequence[Column]:
    """Return the first three objectives, with one of quality among them where there is one."""
    quality = [t for t in targets if t.is_quality]
    if len(targets) > 3 and quality and not any(t.is_quality for t in targets[:3]):
        return (*targets[:2], quality[0])
    return targets[:3]


def _pairs(found: Findings, targets: Sequence[Column]) -> Plot:
    """Draw a panel for each pair of three objectives; the colour is the third."""
    figure, axes = panels(7.6, 2, 2)
    axes[3].set_axis_off()
    bars = axes[3].inset_axes
    for k, (each, (x, y)) in enumerate(zip(axes, combinations(targets, 2), strict=False)):
        (third,) = (t for t in targets if t not in (x, y))
        _cloud(each, found, x, y)
        ruler = Ruler.of(third, found.front[third.name])
        marks = each.scatter(
            _places(found, found.front, x), _places(found, found.front, y), c=ruler.at(found.front[third.name]),
            norm=norm_of(ruler), cmap=MARKS, s=26, edgecolor=INK, linewidth=0.5, zorder=3,
            rasterized=len(found.front) > MANY,
        )  # fmt: skip
        _limits(each, found, x, y)
        colour_bar(figure, marks, ruler, cax=bars((0.05, 0.78 - 0.36 * k, 0.9, 0.06)))
    _key(figure, found, [("front", dot(SOFT))])
    ways = ", ".join(f"{_small(t)} ({BETTER[found.objectives[t.name]]})" for t in targets)
    more = f" Of {len(found.targets)} objectives, three are drawn." if len(found.targets) > 3 else ""
    caption = (
        f"The front of {ways}, in pairs: points on it are beaten by no other in all objectives, so they may be beaten"
        f" in the two of a panel. The colour is the one that a panel leaves out.{more} {found.averaged}"
    )
    return Plot("front", "Best compromises", caption.strip(), figure, KIND)


def _cloud(axes: Axes, found: Findings, x: Column, y: Column) -> None:
    """Draw all points faintly, and set up the axes for them."""
    for column, which in ((x, "x"), (y, "y")):
        Ruler.of(column, found.frame[column.name]).draw(axes, which)
    axes.scatter(
        _places(found, found.frame, x), _places(found, found.frame, y), s=9, color=SOFT, linewidth=0,
        alpha=0.55 if len(found.frame) < MANY else 0.25, rasterized=len(found.frame) > MANY,
    )  # fmt: skip


def _places(found: Findings, rows: DataFrame, column: Column) -> Sequence[float]:
    return [*Ruler.of(column, found.frame[column.name]).at(rows[column.name])]


def _steps(axes: Axes, found: Findings, rows: DataFrame, look: tuple[str, str]) -> None:
    """Draw a front as the border of what it beats."""
    x, y = found.targets
    rows = rows.sort_values(x.name)
    xs, ys = _places(found, rows, x), _places(found, rows, y)
    where = "steps-post" if found.objectives[x.name] == "min" else "steps-pre"
    axes.plot(xs, ys, drawstyle=where, color=look[0], linewidth=1.2)
    axes.plot(xs, ys, look[1], color=look[0], markersize=5, rasterized=len(rows) > MANY)
    for column, ends in ((x, "xerr"), (y, "yerr")):
        if _has_ends(found, column) and len(rows) <= WHISKERS:
            low, high = (np.array(_places(found, rows.assign(**{column.name: rows[f"{column.name}_{end}"]}), column))
                         for end in ("low", "high"))  # fmt: skip
            middle = np.array(xs if ends == "xerr" else ys)
            axes.errorbar(
                xs, ys, **{ends: np.clip([middle - low, high - middle], 0, None)}, fmt="none", ecolor=look[0],
                elinewidth=0.8, capsize=1.8, capthick=0.8,
            )  # fmt: skip


def _has_ends(found: Findings, column: Column) -> bool:
    """Tell whether a figure has an interval of its own; ranges of components move all points together."""
    return column.is_quality and {f"{column.name}_low", f"{column.name}_high"} <= {*found.frame.columns}


def _limits(axes: Axes, found: Findings, x: Column, y: Column) -> None:
    for column, draw in ((x, axes.axvline), (y, axes.axhline)):
        limit = found.limits.get(column.name)
        scale = Ruler.of(column, found.frame[column.name]).scale
        for end in (limit.at_least, limit.at_most) if limit else ():
            if end is not None:
                draw(end * scale.factor, color=SOFT, linestyle=DASHES, linewidth=1.0)


def _key(figure: Figure, found: Findings, first: list[tuple[str, Line2D]]) -> None:
    points = dot(SOFT)
    points.set_markersize(3)
    limited = any(t.name in found.limits for t in found.targets)
    lines = [("limit", Line2D([], [], color=SOFT, linestyle=DASHES, linewidth=1.0))] if limited else []
    key(figure, [*first, (f"all {len(found.frame):,} points".replace(",", " "), points), *lines])


def _name_ends(axes: Axes, found: Findings, x: Column, y: Column) -> None:
    """Write the numbers of some points of the front: its ends first, then others along it."""
    rows = found.front.sort_values(x.name)
    chosen = dict.fromkeys(int(i) for i in np.linspace(0, len(rows) - 1, min(NAMED, len(rows))).round())
    order = sorted(chosen, key=lambda i: i not in (0, len(rows) - 1))
    xs, ys = _places(found, rows, x), _places(found, rows, y)
    named = [(xs[i], ys[i], f"#{rows.index[i]}") for i in order]
    others = [(xs[i], ys[i]) for i in range(len(rows)) if i not in chosen]
    label_points(axes, named, others[:MANY])


def _small(column: Column) -> str:
    return column.words if column.words[:2].isupper() else column.words[0].lower() + column.words[1:]
