"""Plots on their way into a page: each is shown once, where a section asks for it, or at the end of its section."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from archsim.report.html.blocks import Block, Figure, Folded, Table
from archsim.report.html.columns import Column

if TYPE_CHECKING:
    from archsim.report.plots import Plot


def plots(columns: Sequence[Column]) -> list[Plot]:
    """Return all plots of some columns."""
    from archsim.report.plots import plots_of  # matplotlib, which reading results can do without

    return list(plots_of([(column.label, dict(data)) for column in columns for data in column.data()]))


class Pictures:
    """Plots by name, handed out once each."""

    def __init__(self, drawn: Sequence[Plot]) -> None:
        self._plots = {plot.name: plot for plot in drawn}

    def take(self, name: str, numbers: Table | None = None) -> Iterator[Block]:
        """Yield the plot of a name with the numbers folded below it; without such a plot, the numbers alone."""
        plot = self._plots.pop(name, None)
        if plot:
            yield figure_of(plot)
        if numbers and numbers.rows:
            yield (
                Folded(f"The numbers: {numbers.caption[0].lower()}{numbers.caption[1:]}", [numbers])
                if plot
                else numbers
            )

    def rest(self, kind: str) -> Iterator[Figure]:
        """Yield the plots of one kind of data that no section has asked for."""
        for name in [n for n, plot in self._plots.items() if plot.kind == kind]:
            yield figure_of(self._plots.pop(name))


def figure_of(plot: Plot) -> Figure:
    """Return a plot as a figure of a page."""
    from archsim.report.plots import to_svg

    return Figure(plot.name, plot.title, plot.caption, Markup(to_svg(plot.figure, plot.title)))
