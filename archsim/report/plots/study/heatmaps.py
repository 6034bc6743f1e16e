"""A figure over two axes of a study, as a map of colours; over a third one, as several maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from archsim.report.plots.data import Plot
from archsim.report.plots.marks import patch
from archsim.report.plots.study.colours import MAP, colour_bar, ink_on, norm_of
from archsim.report.plots.study.fronts import BETTER, KIND
from archsim.report.plots.study.rulers import Ruler
from archsim.report.plots.style import CROSSES, SOFT, TINY, key, panels, tidy
from archsim.report.study.columns import Column
from archsim.report.study.findings import Findings
from archsim.report.study.influence import influence

if TYPE_CHECKING:
    from pandas import DataFrame

MOST = 16  # values of an axis of a map
MAPS = 6  # values of a third axis
ANNOTATED = 9  # columns of a map in one line of maps, up to which its cells hold their numbers
TITLE = 24  # letters
FILLED = 0.3  # of the cells, at least


def heat_maps(found: Findings) -> Iterator[Plot]:
    """Yield a plot for each objective: over the two axes that move it most, a map for each value of the third.

    None for a study whose axes have too many values for maps, as sampled ranges have.
    """
    for target in found.targets:
        if plot := _heat_map(found, target):
            yield plot


def _heat_map(found: Findings, target: Column) -> Plot | None:
    ranked = [a for a in influence(found, target.name) if len(Ruler.of(a, found.frame[a.name]).known) <= MOST]
    if len(ranked) < 2:
        return None
    x, y = sorted(ranked[:2], key=lambda a: -_length(found, a))
    third = next((a for a in ranked[2:] if len(Ruler.of(a, found.frame[a.name]).known) <= MAPS), None)
    rulers = [Ruler.of(a, _all(found, a)) for a in (x, y)]
    maps = [*_maps(found, target, rulers, third)]
    grids = [values for _, values, _ in maps]
    if np.mean([np.isfinite(g).mean() for g in grids]) < FILLED:
        return None
    ruler = Ruler.of(target, pd.Series(np.concatenate([g.ravel() for g in grids])))
    columns = min(len(maps), 3 if len(rulers[0].known) <= 6 else 2)
    rows = -(-len(maps) // columns)
    height = 1.3 + rows * (0.45 + max(0.9, 0.24 * len(rulers[1].known)))
    words = not rulers[0].numeric
    figure, axes = panels(height + 0.7 * words, rows, columns, sharex=True, sharey=True)
    drawn: Any = None
    for each, (title, values, failed) in zip(axes, maps, strict=False):
        drawn = _draw(each, rulers, values, failed, ruler, small=columns * len(rulers[0].known) > 2 * ANNOTATED)
        each.set_title(title)
    tidy(axes, len(maps))
    colour_bar(figure, drawn, ruler, ax=axes[: len(maps)], shrink=0.5, aspect=40, pad=0.02)
    some = any(failed.any() for _, _, failed in maps)
    key(figure, [("no point could be computed", patch(SOFT, CROSSES, outlined=True))] if some else [])
    rest = [a.words for a in found.varied if a not in (x, y, third)]
    goal = found.objectives[target.name]
    best = f" Each cell is the best over {', '.join(rest)}." if rest else ""
    caption = (
        f"{target.words} ({BETTER[goal]}) over the two axes that move it most"
        f"{f', for each {third.words}' if third else ''}.{best} {found.averaged}"
    )
    return Plot(f"map_{_file(target)}", f"{target.words} by {x.words} and {y.words}", caption.strip(), figure, KIND)


def _maps(
    found: Findings, target: Column, rulers: Sequence[Ruler], third: Column | None
) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.bool_]]]:
    """Yield title, values and whether all points failed, by row and column of the cells."""
    best = "min" if found.objectives[target.name] == "min" else "max"
    if third is None:
        yield "", _grid(found.frame, rulers, target, best), _failed(found.data.failed, rulers, found.frame)
        return
    title = Ruler.of(third, found.frame[third.name])
    for value in title.known:
        rows, lost = found.frame, found.data.failed
        rows = rows[rows[third.name] == value]
        lost = lost[lost[third.name] == value] if third.name in lost else lost
        yield (
            _title(found, third, value), _grid(rows, rulers, target, best), _failed(lost, rulers, rows)
        )  # fmt: skip


def _title(found: Findings, third: Column, value: Any) -> str:
    """Return which value of the third axis a map is of; where its name is long, the value alone."""
    title = f"{found.short(third)} {third.say(value)}"
    return title if len(title) <= TITLE else third.say(value)


def _grid(rows: DataFrame, rulers: Sequence[Ruler], target: Column, best: str) -> NDArray[np.float64]:
    x, y = rulers
    cells = rows.groupby([y.column.name, x.column.name], sort=False)[target.name].agg(best)
    values = np.full((len(y.known), len(x.known)), np.nan)
    for place, value in cells.items():
        down, across = cast("tuple[Any, Any]", place)
        values[y.known.index(down), x.known.index(across)] = value
    return values


def _failed(lost: DataFrame, rulers: Sequence[Ruler], rows: DataFrame) -> NDArray[np.bool_]:
    """Return the cells with points of which all failed."""
    x, y = rulers
    cells = np.zeros((len(y.known), len(x.known)), bool)
    if {x.column.name, y.column.name} <= {*lost.columns}:
        for down, across in zip(lost[y.column.name], lost[x.column.name], strict=True):
            cells[y.known.index(down), x.known.index(across)] = True
    for down, across in zip(rows[y.column.name], rows[x.column.name], strict=True):
        cells[y.known.index(down), x.known.index(across)] = False
    return cells


def _draw(
    axes: Axes, rulers: Sequence[Ruler], values: NDArray[np.float64], failed: NDArray[np.bool_], of: Ruler, *,
    small: bool,
) -> Any:  # fmt: skip
    """Draw one map, with a number in each cell where there is room."""
    x, y = rulers
    norm = norm_of(of)
    scaled = values * of.scale.factor
    mesh = axes.pcolormesh(np.ma.masked_invalid(scaled), norm=norm, cmap=MAP, edgecolor="none", linewidth=0)
    for which, ruler, ticks in (("x", x, axes.set_xticks), ("y", y, axes.set_yticks)):
        axes.set_xlabel(ruler.words) if which == "x" else axes.set_ylabel(ruler.words)
        turned: dict[str, Any] = {"rotation": 45, "ha": "right"} if which == "x" and not ruler.numeric else {}
        ticks(np.arange(len(ruler.known)) + 0.5, [ruler.name(v) for v in ruler.known], **turned)
    if not y.numeric:
        axes.set_ylim(len(y.known), 0)  # words are read from the top
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for row, column in np.argwhere(failed):
        axes.add_patch(
            Rectangle((column, row), 1, 1, facecolor="none", edgecolor=SOFT, hatch=CROSSES, linewidth=0, alpha=0.7)
        )
    for (row, column), value in np.ndenumerate(scaled):
        if np.isfinite(value) and not small:
            axes.text(
                column + 0.5, row + 0.5, _short(value), ha="center", va="center", fontsize=TINY,
                color=ink_on(MAP(float(norm(value)))),
            )  # fmt: skip
    return mesh


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _all(found: Findings, axis: Column) -> Any:
    """Return the values of an axis of all points, failed ones included."""
    lost = found.data.failed
    parts = [found.frame[axis.name], *([lost[axis.name]] if axis.name in lost and len(lost) else [])]
    return pd.concat(parts)


def _length(found: Findings, axis: Column) -> int:
    return len(Ruler.of(axis, _all(found, axis)).known)


def _file(target: Column) -> str:
    return target.name.replace(".", "_")
