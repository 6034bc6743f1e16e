"""Stored results as one HTML page, and as a page with its plots in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from archsim.report.export import OutputFile, OutputFolder
from archsim.report.html.cards import summary
from archsim.report.html.columns import Column, columns_of
from archsim.report.html.compared import compared
from archsim.report.html.cost import cost
from archsim.report.html.doubts import doubts
from archsim.report.html.made import day, made
from archsim.report.html.pictures import Pictures, plots
from archsim.report.html.quality import quality
from archsim.report.html.rendering import render
from archsim.report.html.sources import sources
from archsim.report.html.stored import Stored, read_stored


class Report:
    """Some stored results, read and drawn. `columns`: one for each network on a chip (see `columns_of`).

    Raises `ConfigError` for no results, or one that is named twice.
    """

    def __init__(self, stored: Sequence[Stored]) -> None:
        self.columns = columns_of(stored)
        self._plots = plots(self.columns)

    def page(self) -> str:
        """Return the report as one HTML page that needs nothing but itself."""
        pictures = Pictures(self._plots)
        sections = [
            summary(self.columns),
            *compared(self.columns, pictures),
            *cost(self.columns, pictures),
            *quality(self.columns, pictures),
            *doubts(self.columns),
            *made(self.columns),
            *sources(self.columns),
        ]
        return render(_title(self.columns), _lead(self.columns), sections)

    def save_plots(self, folder: OutputFolder) -> None:
        """Write each plot as NAME.png and NAME.svg."""
        from archsim.report.plots import to_png, to_svg

        for plot in self._plots:
            folder.bytes(f"{plot.name}.png", to_png(plot.figure, plot.title))
            folder.text(f"{plot.name}.svg", to_svg(plot.figure, plot.title, themed=False))


def html_report(stored: Sequence[Stored]) -> str:
    """Return one page about some stored results, several of them side by side, that needs nothing but itself.

    A run, an evaluation and a comparison share a column if all settings that two of them both state are the same.
    Raises `ConfigError` for no results, or one that is named twice.
    """
    return Report(stored).page()


def write_report(path: Path, *, plots: bool = False) -> None:
    """Write report.html about a stored result into its folder.

    `plots`: also each plot as plots/NAME.png and .svg, which takes as long again. The folder must be complete before:
    so that whatever happens here, no result is lost. Raises `DataError` as `read_stored` does, `ConfigError` where
    there is a report already.
    """
    report = Report([read_stored(path)])
    with OutputFile(path / "report.html") as page:
        page.text(report.page())
    if plots:
        with OutputFolder(path / "plots") as folder:
            report.save_plots(folder)


def _title(columns: Sequence[Column]) -> str:
    if len(columns) == 1:
        return f"{columns[0].workload} on {columns[0].arch}"
    workloads, chips = {c.workload for c in columns}, {c.arch for c in columns}
    if len(workloads) == 1:
        return f"{columns[0].workload} on {len(columns)} chips" if len(chips) == len(columns) else _many(columns)
    return f"{len(columns)} networks on {columns[0].arch}" if len(chips) == 1 else _many(columns)


def _many(columns: Sequence[Column]) -> str:
    return f"{len(columns)} results side by side"


def _lead(columns: Sequence[Column]) -> list[str]:
    """Return what ran, when and where, a line a column."""
    lines = []
    for column in columns:
        manifest = column.first.manifest
        found = column.result or column.uncertainty
        assert found is not None, "a column has a result or an evaluation"
        name = f"{column.workload} on {column.arch}"
        who = f"{column.label}: " if len(columns) > 1 else ""
        who += f"{name}, " if len(columns) > 1 and column.label != name else ""
        lines.append(
            f"{who}{found.images} images, {found.passes} Monte-Carlo passes each, seed {found.seed};"
            f" archsim {manifest.versions.get('archsim', 'of unknown version')}, {day(column.first)}"
        )
    return lines
