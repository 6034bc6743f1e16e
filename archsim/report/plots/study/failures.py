"""How many points failed for which reason."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from matplotlib.ticker import MaxNLocator

from archsim.report.plots.data import Plot
from archsim.report.plots.marks import beside
from archsim.report.plots.study.fronts import KIND
from archsim.report.plots.style import COLOURS, COUNT, name_axis, panels
from archsim.report.study.findings import Findings
from archsim.report.study.reasons import reasons

MOST, LETTERS, LINES = 8, 52, 3


def failures(found: Findings) -> Iterator[Plot]:
    """Show the commonest reasons; nothing where no point failed."""
    grouped = reasons(found.data.errors)
    if not grouped:
        return
    shown = grouped[:MOST]
    texts = ["\n".join(textwrap.wrap(r.text, LETTERS, max_lines=LINES, placeholder=" …")) for r in shown]
    figure, (axes,) = panels(0.6 + sum(0.2 + 0.15 * (t.count("\n") + 1) for t in texts))
    axes.barh(range(len(shown)), [r.count for r in shown], 0.5, color=COLOURS[5], linewidth=0)
    axes.set_yticks(range(len(shown)), texts)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for row, reason in enumerate(shown):
        beside(axes, row, f"{reason.count}, first #{reason.first}")
    name_axis(axes, "x", "Points that failed", COUNT)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(0, 1.05 * shown[0].count)
    left = f" {len(grouped) - MOST} rarer reasons are left out." if len(grouped) > MOST else ""
    caption = (
        f"Why {sum(r.count for r in grouped)} of {found.data.counts.points} points have no result. Messages that differ"
        f" in numbers and names alone are counted together.{left}"
    )
    yield Plot("failures", "Points that failed", caption, figure, KIND)
