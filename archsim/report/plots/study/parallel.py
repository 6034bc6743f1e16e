"""All points at once: a line for each, through its settings and what was found."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from archsim.report.plots.data import Plot
from archsim.report.plots.marks import dot, shorten
from archsim.report.plots.study.colours import MARKS, norm_of
from archsim.report.plots.study.fronts import BETTER, KIND
from archsim.report.plots.study.rulers import FEW, Ruler
from archsim.report.plots.style import INK, SOFT, TINY, key, panels
from archsim.report.study.findings import Findings
from archsim.report.study.influence import influence

if TYPE_CHECKING:
    from pandas import DataFrame

AXES = 6  # settings that are drawn
OTHERS, BEST = 400, 150  # lines
NAME = 14  # letters of a line of a name


def parallel(found: Findings) -> Iterator[Plot]:
    """Show the front among all points, through their settings and objectives; nothing of a single one."""
    if len(found.varied) < 2 or found.front.empty:
        return
    first = found.targets[0]
    chosen = {a.name for a in influence(found, first.name)[:AXES]}
    settings = [a for a in found.varied if a.name in chosen]
    rulers = [Ruler.of(c, found.frame[c.name]) for c in (*settings, *found.targets)]
    figure, (axes,) = panels(4.4)
    others = found.frame.drop(found.front.index)
    faint, bright = _thinned(others, OTHERS), _thinned(found.front, BEST)
    if len(faint):
        axes.add_collection(_lines(rulers, faint, colors=SOFT, linewidths=0.5, alpha=0.25, rasterized=True))
    norm = norm_of(Ruler.of(first, found.front[first.name]))
    found_first = rulers[len(settings)].at(bright[first.name])
    axes.add_collection(_lines(rulers, bright, colors=MARKS(norm(found_first)), linewidths=1.3))
    for i, ruler in enumerate(rulers):
        if i < len(settings):
            _axis(axes, i, ruler, found.short(ruler.column), "")
        else:
            _axis(axes, i, ruler, ruler.column.words, BETTER[found.objectives[ruler.column.name]])
    axes.set(xlim=(-0.25, len(rulers) - 0.35), ylim=(-0.04, 1.04))
    axes.set_axis_off()
    grey = [(_of(faint, others, "other points"), dot(SOFT, "", style="-"))] if len(faint) else []
    front = (_of(bright, found.front, "points of the front"), dot(to_hex(MARKS(0.5)), "", style="-"))
    key(figure, [front, *grey])
    left = [a.words for a in found.varied if a.name not in chosen]
    caption = (
        "Each line is a point, from its settings to what was found; those of the front are in colour, which is that of"
        f" {first.words}. No point beats them in all objectives."
    )
    if left:
        caption += f" Of {len(found.varied)} settings, the {len(settings)} that move {first.words} most are drawn."
    yield Plot("parallel", "Settings and what comes of them", f"{caption} {found.averaged}".strip(), figure, KIND)


def _lines(rulers: list[Ruler], rows: DataFrame, **look: object) -> LineCollection:
    heights = np.column_stack([r.share(rows[r.column.name]) for r in rulers])
    across = np.broadcast_to(np.arange(len(rulers), dtype=float), heights.shape)
    return LineCollection([*np.stack([across, heights], axis=2)], **look)  # type: ignore[arg-type]


def _axis(axes: Axes, place: int, ruler: Ruler, name: str, goal: str) -> None:
    """Draw an upright axis with its name above it and values beside it."""
    axes.plot([place, place], [0, 1], color=INK, linewidth=0.8)
    unit = f"({ruler.scale.unit})" if ruler.scale.unit else ""
    lines = "\n".join(filter(None, [*textwrap.wrap(name, NAME, max_lines=3, placeholder="…"), unit, goal]))
    axes.annotate(
        lines, (place, 1), xytext=(0, 8), textcoords="offset points", ha="center", va="bottom", fontsize=TINY,
        fontweight="bold" if goal else "normal", annotation_clip=False,
    )  # fmt: skip
    for share, text in _ticks(ruler, found=bool(goal)):
        axes.plot([place - 0.02, place], [share, share], color=INK, linewidth=0.8)
        axes.annotate(
            text, (place, share), xytext=(-4, 0), textcoords="offset points", ha="right", va="center", fontsize=TINY,
            annotation_clip=False,
        )  # fmt: skip


def _ticks(ruler: Ruler, *, found: bool) -> list[tuple[float, str]]:
    """Return all of a few settings; of many, and of what was found, the ends and what lies midway."""
    known = ruler.known
    if ruler.numeric and (found or len(known) > FEW) and ruler.ends[0] < ruler.ends[1]:
        low, high = known[0], known[-1]
        middle = (low * high) ** 0.5 if ruler.log else (low + high) / 2
        return [(0.0, ruler.name(low)), (0.5, ruler.name(middle)), (1.0, ruler.name(high))]
    import pandas as pd

    shares: NDArray[np.float64] = ruler.share(pd.Series(known))
    return [(float(s), shorten(ruler.name(v), 18)) for s, v in zip(shares, known, strict=True)]


def _thinned(rows: DataFrame, most: int) -> DataFrame:
    """Return so many rows, evenly taken."""
    if len(rows) <= most:
        return rows
    return rows.iloc[np.linspace(0, len(rows) - 1, most).round().astype(int)]


def _of(drawn: DataFrame, all_: DataFrame, what: str) -> str:
    if len(drawn) == len(all_):
        return f"{len(all_)} {what}"
    return f"{len(drawn)} of {len(all_):,} {what}".replace(",", " ")
