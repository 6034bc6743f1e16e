"""The best points of a study on a terminal, and the same as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text

from archsim.report.layout import Cell, count, heading, table
from archsim.report.study.findings import Findings
from archsim.report.study.moving import moving
from archsim.report.study.reasons import reasons

if TYPE_CHECKING:
    from pandas import DataFrame, Series

COLUMNS = 6  # axes that have one of their own; of more, a point lists what it sets
COMMANDS = 3
REASONS = 3
GOALS = {"min": "least", "max": "most"}


def pareto_report(found: Findings, top: int) -> Iterator[RenderableType]:
    """Yield what a terminal shows: what was asked, the front, the best of each objective.

    `top`: how many points of each front are listed.
    """
    config = found.data.config
    yield Text(config.name, style="bold")
    if config.description:
        yield config.description
    yield heading("What was found")
    yield table(["", ""], _asked(found))
    yield from moving(found)
    if found.is_compromise:
        for name, rows in found.fronts():
            yield heading(_title(name, rows, top))
            yield from _points(found, rows.head(top))
    best = dict(found.best())
    yield heading("Best of each objective")
    yield table(["", "", "point", ""], _best(found, best), right=[1, 2])


def commands_report(found: Findings) -> Iterator[str]:
    """Yield lines with the commands of some points, to be printed unbroken: the best, then others of the front."""
    best = dict(found.best())
    numbers = list(dict.fromkeys([*best.values(), *found.front.index]))
    commands, missing = found.commands(numbers[: COMMANDS if found.is_compromise else 1])
    yield ""
    yield "To run a point alone" if not missing else f"How to run a point alone is not known: {missing}"
    if found.averaged and commands:
        yield "  (of means: their first point)"
    yield from (f"  #{number}: {command}" for number, command in commands.items())
    if commands and len(numbers) > len(commands):
        yield "  The others: --json has the commands of all."


def pareto_data(found: Findings) -> dict[str, Any]:
    """Return all of it in SI units: each point of the front with its settings and figures; NaN is null.

    `command`: what runs the point alone; null where the files of the study are gone.
    """
    best = dict(found.best())
    numbers = list(dict.fromkeys([*found.front.index, *best.values()]))
    commands, _ = found.commands(numbers)
    counts = found.data.counts
    return {
        "study": found.data.config.name,
        "folder": str(found.data.folder),
        "points": counts.points,
        "done": counts.done,
        "failed": counts.failed,
        "objectives": dict(found.objectives),
        "limits": {name: limit.model_dump(exclude_none=True) for name, limit in found.limits.items()},
        "by": list(found.by),
        "averaged_over": list(found.data.config.average),
        "front": [_point(found, number, commands) for number in found.front.index],
        "best": {name: _point(found, number, commands) for name, number in best.items()},
    }


def _asked(found: Findings) -> Iterator[list[Cell]]:
    yield ["points", found.progress]
    for reason in reasons(found.data.errors)[:REASONS]:
        yield ["", Text(f"{reason.count} x {reason.text}", "yellow")]
    if found.averaged:
        yield ["averaged", found.averaged]
    for target in found.targets:
        yield [GOALS[found.objectives[target.name]], target.words[0].lower() + target.words[1:]
               if not target.words[:2].isupper() else target.words]  # fmt: skip
    for name, limit in found.limits.items():
        column = found.column(name)
        ends = ((">=", limit.at_least), ("<=", limit.at_most))
        yield ["limit", f"{name} {', '.join(f'{op} {column.say(end)}' for op, end in ends if end is not None)}"]
    if not len(found.front):
        yield ["front", Text("empty: no point keeps all limits and has all objectives", "yellow")]


def _title(name: str, rows: DataFrame, top: int) -> str:
    size = f"{count(len(rows))} points" if len(rows) != 1 else "1 point"
    shown = f", the first {top}" if len(rows) > top else ""
    return f"Front{f' of {name}' if name else ''}: {size}{shown}"


def _points(found: Findings, rows: DataFrame) -> Iterator[RenderableType]:
    """Yield a table of points: objectives, then the axes in which points differ."""
    axes = found.varied
    single = len(axes) <= COLUMNS
    head = ["point", *(t.words for t in found.targets), *((found.short(a) for a in axes) if single else ["settings"])]
    body: list[list[Cell]] = []
    for number, row in rows.iterrows():
        values = [t.say(row[t.name]) for t in found.targets]
        settings = [a.say(row[a.name]) for a in axes] if single else [found.apart(row)]
        body.append([f"#{number}", *values, *settings])
    yield table(head, body, right=range(1, 1 + len(found.targets)))


def _best(found: Findings, best: Mapping[str, Any]) -> Iterator[list[Cell]]:
    for name, number in best.items():
        column, row = found.column(name), found.frame.loc[number]
        yield [column.words, Text(column.say(row[name]), "bold"), f"#{number}", found.apart(row)]


def _point(found: Findings, number: Any, commands: Mapping[int, str]) -> dict[str, Any]:
    row: Series[Any] = found.frame.loc[number]
    known = {"point": int(number), **{str(name): _plain(value) for name, value in row.items()}}
    return known | {"command": commands.get(int(number))}


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
