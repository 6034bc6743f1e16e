"""`archsim pareto`, and `archsim report` of a study: what a study found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import typer

from archsim import units
from archsim.cli.console import print_all, print_json
from archsim.errors import ConfigError, UnitError, nearest
from archsim.report.export import OutputFile, OutputFolder
from archsim.report.study.columns import Column, figure_column
from archsim.report.study.findings import Findings, findings
from archsim.report.study.output import save_plots, save_study, study_page
from archsim.report.study.terminal import commands_report, pareto_data, pareto_report
from archsim.study.spec import Goal, Limit
from archsim.study.tables import read_study

GOALS: Mapping[str, Goal] = {"min": "min", "max": "max"}
_LIMIT = re.compile(r"\s*(\S+?)\s*(<=|>=)\s*(.+?)\s*")


def pareto(
    folder: Path, objectives: Sequence[str], limits: Sequence[str], by: Sequence[str], *, top: int, as_json: bool,
    out: Path | None,
) -> None:  # fmt: skip
    """Print the best points of a study, and keep them with their plots if a folder is given.

    Raises `ConfigError` for objectives, limits and axes that are written wrongly or that the study does not have.
    """
    goals, kept = dict(map(_objective, objectives)), _limits(limits)
    found = findings(read_study(folder), goals or None, kept or None, by)
    if out:
        with OutputFolder(out) as kept_in:
            save_study(found, kept_in)
    if as_json:
        print_json(pareto_data(found))
    else:
        print_all(pareto_report(found, top))
        for line in commands_report(found):
            typer.echo(line)


def report(folder: Path, out: Path, plots: Path | None) -> None:
    """Write the page of a study, and its plots as files if a folder is given."""
    found = findings(read_study(folder))
    page, drawn = study_page(found)
    with OutputFile(out) as file:
        file.text(page)
    if plots:
        with OutputFolder(plots) as kept_in:
            save_plots(drawn, kept_in)
    for line in _said(found, out, plots):
        typer.echo(line)


def is_study(folder: Path) -> bool:
    """Tell whether a folder holds a study rather than a result."""
    return folder.is_dir() and any(folder.glob("*.sqlite"))


def _said(found: Findings, out: Path, plots: Path | None) -> Iterator[str]:
    yield str(out)
    yield f"  {found.data.config.name}: {found.progress}"
    if plots:
        yield f"{plots}: each plot as PNG and SVG"


def _objective(text: str) -> tuple[str, Goal]:
    """Read `nll=min`."""
    name, equals, goal = text.rpartition("=")
    if not equals or not name:
        raise ConfigError(f"--objective '{text}': write NAME=min or NAME=max")
    if goal not in GOALS:
        raise ConfigError(f"--objective '{text}': '{goal}' is neither min nor max{nearest(goal, GOALS)}")
    return name.strip(), GOALS[goal]


def _limits(texts: Sequence[str]) -> dict[str, Limit]:
    """Read `latency_s_per_image <= 50 us`; two limits of one figure are its ends."""
    found: dict[str, Limit] = {}
    for text in texts:
        parts = _LIMIT.fullmatch(text)
        if parts is None:
            raise ConfigError(f"--limit '{text}': write NAME<=VALUE or NAME>=VALUE")
        name, sign, value = parts.groups()
        end = "at_most" if sign == "<=" else "at_least"
        given = found.get(name, Limit())
        if getattr(given, end) is not None:
            raise ConfigError(f"--limit '{text}': '{name}' has such a limit already")
        found[name] = given.model_copy(update={end: _value(value, figure_column(name), text)})
    return found


def _value(text: str, column: Column, whole: str) -> float:
    """Return a value in SI: a plain number, or a quantity of the figure's unit."""
    try:
        quantity = units.read(text)
        if quantity.powers != units.PURE and quantity.powers != units.read(f"1 {column.unit}").powers:
            raise UnitError(f"'{column.name}' is in {column.unit or 'plain numbers'}")
    except UnitError as error:
        raise ConfigError(f"--limit '{whole}': {error}") from None
    return quantity.value
