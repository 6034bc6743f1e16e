"""What a study found, as one HTML page that needs no network."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.report.html.blocks import (
    Block,
    Card,
    Cards,
    Cell,
    Code,
    Figure,
    Folded,
    Points,
    Row,
    Section,
    Table,
    Text,
    after,
)
from archsim.report.html.pictures import figure_of
from archsim.report.html.rendering import render
from archsim.report.layout import count, typeset
from archsim.report.study.asked import asked
from archsim.report.study.columns import Column
from archsim.report.study.findings import MANY, Findings
from archsim.report.study.reasons import reasons

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from archsim.report.plots import Plot

LISTED = 200  # points of the table
COMMANDS = 20
BEST = ("front", "convergence")
SHAPES = ("sensitivity", "curves", "map", "parallel")
FRONT = 40  # rows of a front that are shown without being asked for
FIGURES = ("energy_j_per_image", "latency_s_per_image", "area_m2", "power_w", "accuracy", "nll", "rmse", "ece")


def page_of(found: Findings, plots: Sequence[Plot]) -> str:
    """Return the page of a study; `plots`: of it, in the order in which they are shown."""
    config = found.data.config
    drawn = [figure_of(plot) for plot in plots]
    lead = [config.description] if config.description else []
    lead.append(f"{found.progress}; archsim {version('archsim')}")
    sections = [
        Section("summary", "Summary", [*_summary(found)]),
        Section("best", "Best points", [*_best(found, _take(drawn, *BEST))] if found.is_compromise else []),
        Section("shapes", "What moves what", [*_shapes(found, _take(drawn, *SHAPES))]),
        *_failures(found, _take(drawn, "failures")),
        Section("points", "All points", [*_points(found)]),
        Section("asked", "What was asked", [*asked(found)]),
        Section("made", "How it was made", [*_made(found)]),
    ]
    return render(f"Study: {config.name}", lead, [s for s in sections if s.blocks])


def _take(drawn: Sequence[Figure], *names: str) -> list[Figure]:
    return [f for f in drawn if f.name.startswith(names)]


def _summary(found: Findings) -> Iterator[Block]:
    counts = found.data.counts
    doubts = []
    if counts.failed:
        doubts.append(f"{count(counts.failed)} of {count(counts.points)} points failed; why is said below.")
    if counts.done < counts.points:
        doubts.append(f"{count(counts.points - counts.done)} points are still to be computed: this is a part.")
    doubts += [f"What moves {names} cannot be told: {why}." for names, why in found.untold]
    if not len(found.front):
        doubts.append("No point keeps all limits and has all objectives, so there is no front.")
    if doubts:
        yield Points(doubts, warning=True, title="Before you believe this")
    passes = f"{count(counts.functions)} functional passes computed" if counts.functions else "costs alone"
    shared = f"; {count(counts.shared)} points took the answers of another" if counts.shared else ""
    cards = [
        Card("Points", count(counts.done - counts.failed), f"of {count(counts.points)}", passes + shared),
    ]
    if found.is_compromise:
        cards.append(Card("Front", count(len(found.front)), "", "points that no other beats in all objectives"))
    for name, number in found.best():
        column = found.column(name)
        value = typeset(column.say(found.frame.at[number, name]))
        which = "Least" if found.objectives[name] == "min" else "Most"
        cards.append(Card(f"{which}: {column.words}", value, "", f"point #{number}"))
    yield Cards(cards)
    if found.averaged:
        yield Text(f"{found.averaged} Points and commands are those of the first of each mean.")


def _best(found: Findings, figures: Sequence[Figure]) -> Iterator[Block]:
    yield from figures
    for name, rows in found.fronts():
        if len(rows):
            caption = f"Front{f' of {name}' if name else ''}: {count(len(rows))} points"
            shown = _table(f"{caption}{_cut(len(rows))}", found, rows.head(LISTED), found.targets)
            yield shown if len(rows) <= FRONT else Folded(caption, [shown])
    best = dict(found.best())
    numbers = list(dict.fromkeys([*best.values(), *found.front.index]))
    commands, missing = found.commands(numbers[:COMMANDS])
    if missing:
        yield Text(f"The commands that run single points are not known: {missing}", "dim")
    for number, command in list(commands.items())[: len(set(best.values()))]:
        which = " and ".join(found.column(n).words for n, b in best.items() if b == number)
        yield Code(f"Runs point #{number} alone, the best in: {which}", command)
    others = list(commands.items())[len(set(best.values())) :]
    if others:
        more = f" (the first {len(others)} of {count(len(numbers) - len(set(best.values())))})"
        title = f"Commands of the other points of the front{more if len(numbers) > COMMANDS else ''}"
        yield Folded(title, [Code(f"Runs point #{n} alone", command) for n, command in others])
        if len(numbers) > COMMANDS:
            yield Text(f"All of them: archsim pareto {shlex.quote(str(found.data.folder))} --json", "dim")


def _shapes(found: Findings, figures: Sequence[Figure]) -> Iterator[Block]:
    for figure in figures:
        yield figure
        name = figure.name.removeprefix("sensitivity_")
        told = {n.replace(".", "_"): t for n, t in found.sensitivities.items() if not isinstance(t, str)}.get(name)
        if told:
            rows = told.table().reset_index()
            yield Folded("The numbers", [_plain_table(figure.title, rows)])


def _failures(found: Findings, figures: Sequence[Figure]) -> Iterator[Section]:
    grouped = reasons(found.data.errors)
    if not grouped:
        return
    rows: list[Row] = [[Cell(r.text), count(r.count), f"#{r.first}"] for r in grouped[:LISTED]]
    head = ["reason", "points", "the first"]
    table = Table("Why points have no result; numbers and names are those of the first", head, rows, after(1, head))
    yield Section("failures", "Points that failed", [*figures, table])


def _points(found: Findings) -> Iterator[Block]:
    more = [found.column(n) for n in FIGURES if n in found.frame and n not in found.objectives]
    shown = [c for c in (*found.targets, *more) if found.frame[c.name].notna().any()]
    caption = f"{count(len(found.frame))} {'means' if found.averaged else 'points'}{_cut(len(found.frame))}"
    yield _table(caption, found, found.frame.head(LISTED), shown)
    where = shlex.quote(str(found.data.folder))
    yield Text(f"All columns of all points: {where}/points.parquet and points.csv, or in Python:", "dim")
    yield Code("A pandas DataFrame with units in the names", f"archsim.load_study({str(found.data.folder)!r})")


def _table(caption: str, found: Findings, rows: DataFrame, figures: Sequence[Column]) -> Table:
    """Return points with figures and settings, of many those that set a point apart; ends of ranges in small type."""
    axes = found.varied if len(found.varied) <= MANY else ()
    head = ["point", *(f.words for f in figures), *([a.words for a in axes] or ["what sets it apart"])]
    body: list[Row] = []
    chosen = set(found.front.index)
    for number, row in rows.iterrows():
        name = Cell(f"#{number}", tone="strong" if number in chosen else "")
        settings = [Cell(typeset(a.say(row[a.name]))) for a in axes] or [Cell(typeset(found.apart(row)))]
        body.append([name, *(_figure(f, row) for f in figures), *settings])
    bold = "; bold: on the front" if found.is_compromise and not set(rows.index) <= chosen else ""
    first = 1 + len(figures)
    numeric = {first + i for i, a in enumerate(axes) if isinstance(rows[a.name].iloc[0], float | int | np.number)}
    return Table(caption + bold, head, body, after(1, head[:first]) | numeric)


def _figure(column: Column, row: Series[Any]) -> Cell:
    low, high = (row.get(f"{column.name}_{end}") for end in ("low", "high"))
    known = low is not None and high is not None and low < high
    span = f"{typeset(column.say(low))} to {typeset(column.say(high))}" if known else ""
    return Cell(typeset(column.say(row[column.name])), span)


def _plain_table(caption: str, rows: DataFrame) -> Table:
    head = [str(c).replace("_", " ") for c in rows.columns]
    body: list[Row] = [
        [f"{v:.4g}" if isinstance(v, float) else str(v) for v in r] for r in rows.itertuples(index=False)
    ]
    return Table(caption, head, body, after(1, head))


def _cut(rows: int) -> str:
    return f", the first {LISTED}" if rows > LISTED else ""


def _made(found: Findings) -> Iterator[Block]:
    data = found.data
    verb = "search" if found.search else "sweep"
    yield Code(
        "Goes on where it stopped, or says that all is done",
        shlex.join(["archsim", verb, str(data.file), "--out", str(data.folder)]),
    )
    yield Code("This page", f"archsim report {shlex.quote(str(data.folder))}")
    rows: list[Row] = [
        ["archsim", version("archsim")],
        ["time of one core", typeset(f"{data.seconds:.3g} s")],
        ["distinct functional passes", count(data.counts.functions)],
        ["points that took the answers of another", count(data.counts.shared)],
    ]
    yield Table("Version and effort", ["", ""], rows)
    yield Text(
        "Every number of a component has a source, a grade and a range; `archsim check` of the architecture lists them,"
        " and the report of a single point shows them.", "dim",
    )  # fmt: skip
    text = json.dumps(data.config.model_dump(mode="json", by_alias=True, exclude_defaults=True), indent=1)
    yield Folded("The whole study file", [Code("As it was read, bases merged", text, long=True)])
