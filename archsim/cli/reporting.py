"""`archsim report`: stored results as one page, several of them side by side; or a study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import typer

from archsim.cli import studying
from archsim.errors import ArchsimError, ConfigError, DataError
from archsim.report.export import OutputFile, OutputFolder
from archsim.report.html import Report, Stored, read_stored


def report(results: Sequence[Path], out: Path, plots: Path | None) -> None:
    """Write the page, and the plots as files if a folder is given; say which results share a column.

    Raises `ConfigError` for a study beside anything else: it has a page of its own.
    """
    studies = [path for path in results if studying.is_study(path)]
    if studies and len(results) > 1:
        raise ConfigError(f"report: '{studies[0]}' is a study, which has a page of its own; name it alone")
    if studies:
        studying.report(studies[0], out, plots)
        return
    stored = _read(results)
    with ExitStack() as stack:
        file = stack.enter_context(OutputFile(out))
        folder = stack.enter_context(OutputFolder(plots)) if plots else None
        made = Report(stored)
        file.text(made.page())
        if folder:
            made.save_plots(folder)
    for line in _said(made, out, plots):
        typer.echo(line)


def _read(results: Sequence[Path]) -> list[Stored]:
    """Return all results; raise one error with what is wrong with any of them."""
    stored, problems = [], []
    for path in results:
        try:
            stored.append(read_stored(path))
        except ArchsimError as error:
            problems.append(str(error))
    if problems:
        raise DataError("\n".join(problems))
    return stored


def _said(made: Report, out: Path, plots: Path | None) -> Iterator[str]:
    yield str(out)
    for column in made.columns:
        parts = (f"{one.word} {one.name}" for one in column.stored.values())
        yield f"  {column.label}: {', '.join(parts)}"
    if plots:
        yield f"{plots}: each plot as PNG and SVG"
