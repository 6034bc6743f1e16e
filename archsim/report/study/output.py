"""What a study found, as files: its page, its front as tables, every plot as PNG and SVG."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from archsim.report.export import OutputFolder
from archsim.report.study.findings import Findings

if TYPE_CHECKING:
    from archsim.report.plots import Plot


def save_study(found: Findings, folder: OutputFolder) -> None:
    """Write `front.csv` and `front.parquet`, and each plot as NAME.png and NAME.svg."""
    from archsim.report.plots.study import plots_of_study

    front = found.front.reset_index().rename(columns={"index": "point"})
    folder.table("front", [{str(k): v for k, v in row.items()} for row in front.to_dict("records")])
    save_plots(plots_of_study(found), folder)


def save_plots(plots: Iterable[Plot], folder: OutputFolder) -> None:
    """Write each plot as NAME.png and NAME.svg."""
    from archsim.report.plots import to_png, to_svg

    for plot in plots:
        folder.bytes(f"{plot.name}.png", to_png(plot.figure, plot.title))
        folder.text(f"{plot.name}.svg", to_svg(plot.figure, plot.title, themed=False))


def study_page(found: Findings) -> tuple[str, list[Plot]]:
    """Return the page of a study, which needs nothing but itself, and the plots in it."""
    from archsim.report.plots.study import plots_of_study
    from archsim.report.study.page import page_of

    drawn = [*plots_of_study(found)]
    return page_of(found, drawn), drawn
