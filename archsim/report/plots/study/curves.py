"""Figures along one axis of a study, for each value of a second one where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from archsim.report.plots.data import Interval, Plot
from archsim.report.plots.marks import curve, dot, name_rows, place_of, point
from archsim.report.plots.study.fronts import KIND
from archsim.report.plots.study.rulers import Ruler
from archsim.report.plots.style import COLOURS, MARKERS, key, panels
from archsim.report.study.columns import Column
from archsim.report.study.findings import Findings

if TYPE_CHECKING:
    from pandas import DataFrame

MOST = 6  # curves, and panels
MARKED = 60  # values up to which each is marked
EXTRA = ("accuracy", "ece", "mean_passes")  # shown beside the objectives


def curves(found: Findings) -> Iterator[Plot]:
    """Show figures along the only axis; of two axes, along the one of numbers with more values, a curve for each other.

    Nothing of a study of more axes, or where the second axis has too many values for curves.
    """
    chosen = _choose(found)
    if chosen is None:
        return
    along, family = chosen
    shown = _figures(found)
    ruler = Ruler.of(along, found.frame[along.name])
    groups = Ruler.of(family, found.frame[family.name]).known if family else (None,)
    if ruler.numeric:
        figure, axes = panels(0.7 + 1.7 * len(shown), len(shown), sharex=True)
    else:
        figure, axes = panels(0.8 + len(shown) * (0.55 + 0.16 * len(ruler.known) * (1 + 0.6 * len(groups))), len(shown))
    for each, target in zip(axes, shown, strict=True):
        for k, group in enumerate(groups):
            rows = found.frame if family is None else found.frame[found.frame[family.name] == group]
            _draw(each, found, ruler, target, rows.dropna(subset=[target.name]), (k, len(groups)))
        Ruler.of(target, found.frame[target.name]).draw(each, "y" if ruler.numeric else "x")
    if ruler.numeric:
        ruler.mark(axes[-1], "x")
        for each in axes[:-1]:
            ruler.mark(each, "x")
            each.set_xlabel("")
    if family:
        names = [f"{family.words} {family.say(g)}" for g in groups]
        key(figure, [(n, dot(COLOURS[k], MARKERS[k], style="-")) for k, n in enumerate(names)])
    ends = any(_ends(t.name, found.frame) and t.is_quality for t in shown)
    caption = f"What is found along {along.words}{f', for each {family.words}' if family else ''}."
    caption += " Whiskers: 95 % intervals of what images and passes leave open." if ends else ""
    costs = [t for t in shown if not t.is_quality and _ends(t.name, found.frame)]
    caption += " The ranges of the components would move all costs together, and are not drawn." if costs else ""
    title = f"Along {along.words}"
    yield Plot("curves", title, f"{caption} {found.averaged}".strip(), figure, KIND)


def _choose(found: Findings) -> tuple[Column, Column | None] | None:
    """Return the axis to draw along, and that which makes a family."""
    if len(found.varied) == 1:
        return found.varied[0], None
    if len(found.varied) != 2:
        return None
    rulers = {a: Ruler.of(a, found.frame[a.name]) for a in found.varied}
    numbers = [a for a in found.varied if rulers[a].numeric] or [*found.varied]
    along = max(numbers, key=lambda a: len(rulers[a].known))
    (family,) = (a for a in found.varied if a is not along)
    return (along, family) if len(rulers[family].known) <= MOST else None


def _figures(found: Findings) -> list[Column]:
    extra = [n for n in EXTRA if n in found.frame and found.frame[n].notna().any() and n not in found.objectives]
    return [*found.targets, *map(found.column, extra)][:MOST]


def _draw(
    axes: Axes, found: Findings, along: Ruler, target: Column, rows: DataFrame, place: tuple[int, int]
) -> None:  # fmt: skip
    """Draw one curve, or, along words, a mark in each row."""
    k, groups = place
    ruler = Ruler.of(target, found.frame[target.name])
    xs = along.at(rows[along.column.name])
    order = np.argsort(xs, kind="stable")
    values = [v for _, v in zip(xs, _intervals(rows, target, ruler), strict=True)]
    if not along.numeric:
        for x, value in zip(xs, values, strict=True):
            spot = place_of(int(x), k, groups)
            point(axes, value, spot, COLOURS[k], MARKERS[k], vertical=False)
        name_rows(axes, [along.name(v) for v in along.known])
        return
    if len(rows) <= MARKED:
        curve(axes, [xs[i] for i in order], [values[i] for i in order], COLOURS[k], MARKERS[k])
    else:
        axes.plot(xs[order], [values[i].value for i in order], color=COLOURS[k])


def _intervals(rows: DataFrame, target: Column, ruler: Ruler) -> list[Interval]:
    middle = ruler.at(rows[target.name])
    if not target.is_quality or not _ends(target.name, rows):
        return [Interval(v, v, v) for v in middle]
    low, high = (ruler.scale.factor * rows[f"{target.name}_{end}"].to_numpy(float) for end in ("low", "high"))
    low, high = (np.where(np.isfinite(end), end, middle) for end in (low, high))
    return [
        Interval(v, lo, hi) for v, lo, hi in zip(middle, np.minimum(low, middle), np.maximum(high, middle), strict=True)
    ]


def _ends(name: str, frame: DataFrame) -> bool:
    return {f"{name}_low", f"{name}_high"} <= {*frame.columns}
