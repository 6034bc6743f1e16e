"""What a study would do, and about how long it would take, without doing it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from archsim.cli.campaigning import Shard
from archsim.cli.console import print_all, print_json, progress_bar
from archsim.cli.following import duration
from archsim.errors import ArchsimError
from archsim.report.layout import count, heading, table
from archsim.study import DesignPoint, StudyConfig, Task, design_points
from archsim.study.evaluator import Evaluator
from archsim.study.keys import tasks_of

ENDS = 3  # points that are shown from the beginning, and from the end
IDENTIFIED = 48  # points, evenly spread, whose functions are looked up
TRIED = 3  # points that are evaluated
SHOWN = 60  # characters of a value


@dataclass(frozen=True)
class Estimate:
    """How long points take, from a few of them.

    `functions`: distinct functional passes among `identified` points. `pass_s`, `point_s`: seconds of one core for one
    functional pass, and for the costs of one point. `error`: of a point that could not be evaluated, "" if all could.
    """

    points: int
    identified: int
    functions: int
    pass_s: float
    point_s: float
    error: str

    @property
    def passes(self) -> tuple[int, int]:
        """The fewest and the most functional passes that all points may need."""
        if self.identified >= self.points:
            return self.functions, self.functions
        return self.functions, round(self.points * self.functions / max(1, self.identified))

    def seconds(self, workers: int) -> tuple[float, float]:
        """Return how long all points take at least and at most, as far as a few points tell."""
        costs = self.points * self.point_s
        low, high = (costs + passes * self.pass_s for passes in self.passes)
        return low / workers, high / workers


def preview(config: StudyConfig, where: str, shard: Shard, workers: int, *, as_json: bool) -> None:
    """Print the first and the last points of a study, and an estimate of the time from evaluating some."""
    total, ends = 0, _Ends()
    for point in _points(config, where, shard):
        total += 1
        ends.add(point)
    step = -(-total // IDENTIFIED) if total else 1
    some = (point for i, point in enumerate(_points(config, where, shard)) if i % step == 0)
    estimate = estimated([*tasks_of(config, where, some)], total, config.quality)
    if as_json:
        print_json(_data(config, ends, estimate, workers))
    else:
        print_all(_report(config, ends, estimate, workers))


def _points(config: StudyConfig, where: str, shard: Shard) -> Iterator[DesignPoint]:
    return (point for point in design_points(config, where) if shard.has(point.number))


class _Ends:
    """The first and the last of some points."""

    def __init__(self) -> None:
        self.first: list[DesignPoint] = []
        self.last: deque[DesignPoint] = deque(maxlen=ENDS)

    def add(self, point: DesignPoint) -> None:
        if len(self.first) < ENDS:
            self.first.append(point)
        else:
            self.last.append(point)


def estimated(tasks: Sequence[Task], points: int, quality: bool) -> Estimate:
    """Return how long so many points take, from evaluating a few of some tasks among them."""
    evaluator = Evaluator()
    functions, error = set[str](), ""
    with progress_bar() as note:
        if quality:
            for i, task in enumerate(tasks):
                note("identifying points", i, len(tasks))
                try:
                    functions.add(evaluator.function_key(task))
                except ArchsimError as problem:
                    error = error or str(problem)
        passes, costs = [0.0], [0.0]
        chosen = [tasks[i * (len(tasks) - 1) // (TRIED - 1)] for i in range(TRIED)]
        for i, task in enumerate([chosen[0], *dict.fromkeys(chosen)]):  # once more than needed: the first one compiles
            note("evaluating points", i, len(chosen) + 1)
            try:
                pass_s, point_s, problem_of_it = _timed(evaluator, task)
            except ArchsimError as problem:
                error = error or str(problem)
                continue
            error = error or problem_of_it
            if i:
                passes.append(pass_s)
                costs.append(point_s)
    return Estimate(points, len(tasks), len(functions), max(passes), _mean(costs[1:]), error)


def _timed(evaluator: Evaluator, task: Task) -> tuple[float, float, str]:
    """Return the seconds of a point's functional pass, those of its costs, and why it failed, if it did."""
    start = time.perf_counter()
    answers = evaluator.answers(task) if task.quality else None
    middle = time.perf_counter()
    outcome = evaluator.outcome(task, answers)
    return middle - start, time.perf_counter() - middle, outcome.error


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _data(config: StudyConfig, ends: _Ends, estimate: Estimate, workers: int) -> dict[str, Any]:
    low, high = estimate.seconds(workers)
    return {
        "study": config.name,
        "points": estimate.points,
        "workers": workers,
        "first": [{"point": p.number, "values": dict(p.values), "settings": dict(p.settings)} for p in ends.first],
        "last": [{"point": p.number, "values": dict(p.values), "settings": dict(p.settings)} for p in ends.last],
        "functions": dict(zip(("at_least", "at_most"), estimate.passes, strict=True)),
        "seconds": {"at_least": low, "at_most": high, "of_a_pass": estimate.pass_s, "of_a_point": estimate.point_s},
        "error": estimate.error,
    }


def _report(config: StudyConfig, ends: _Ends, estimate: Estimate, workers: int) -> Iterator[RenderableType]:
    yield Text(f"Study {config.name}: {count(estimate.points)} points", style="bold")
    yield table(["point", "settings"], _rows(ends, estimate.points), right=(0,))
    yield heading("About")
    low, high = estimate.seconds(workers)
    rows = []
    if config.quality:
        least, most = estimate.passes
        rows.append(("functional passes", f"{_between(count(least), count(most))}, {duration(estimate.pass_s)} each"))
    rows.append(("costs", f"{duration(estimate.point_s)} a point"))
    rows.append(("time", f"{_between(duration(low), duration(high))} with {workers} worker{'s' * (workers > 1)}"))
    yield table(["", ""], rows)
    if estimate.error:
        yield Text(f"  a point that was tried fails: {estimate.error}", style="yellow")


def _rows(ends: _Ends, points: int) -> Iterator[tuple[str, str]]:
    shown: Iterable[DesignPoint] = (*ends.first, *ends.last)
    skipped = points - len(ends.first) - len(ends.last)
    for point in shown:
        if skipped and ends.last and point is ends.last[0]:
            yield "...", f"{count(skipped)} more"
        settings = ", ".join(f"{path}={str(value)[:SHOWN]}" for path, value in point.settings.items())
        yield str(point.number), settings or "the base"


def _between(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"
