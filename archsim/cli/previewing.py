"""What a study would do, and about how long it would take, without doing it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
TRIED = 3  # points that are evaluated, after one for reading files and compiling
SHOWN = 60  # characters of a value
MANY = 8  # settings of a point


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
        for i, task in enumerate(tasks if quality else ()):
            note("identifying points", i, len(tasks))
            try:
                functions.add(evaluator.function_key(task))
            except ArchsimError as problem:
                error = error or str(problem)
        chosen = [*dict.fromkeys(tasks[i * (len(tasks) - 1) // TRIED] for i in range(TRIED + 1))]
        tried = []
        for i, task in enumerate(chosen):
            note("evaluating points", i, len(chosen))
            tried.append(_tried(evaluator, task))
    fine = [trial for trial in tried if not trial.error]
    rest = fine[1:] or fine  # the first one reads files and compiles
    return Estimate(
        points,
        len(tasks),
        len(functions),
        max((trial.pass_s for trial in (rest if len({t.function for t in fine}) > 1 else fine)), default=0.0),
        sum(trial.point_s for trial in rest) / max(1, len(rest)),
        error or next((trial.error for trial in tried if trial.error), ""),
    )


@dataclass(frozen=True)
class _Trial:
    """Seconds of a point's functional pass (little if an earlier point had the same) and of its costs; or an error."""

    function: str = ""
    pass_s: float = 0.0
    point_s: float = 0.0
    error: str = ""


def _tried(evaluator: Evaluator, task: Task) -> _Trial:
    start = time.perf_counter()
    try:
        answers = evaluator.answers(task) if task.quality else None
    except ArchsimError as problem:
        return _Trial(error=str(problem))
    middle = time.perf_counter()
    outcome = evaluator.outcome(task, answers)
    return _Trial(outcome.function, middle - start, time.perf_counter() - middle, outcome.error)


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
    """Yield the points that are shown; where settings are many, all but the first point say what is different."""
    shown: Iterable[DesignPoint] = (*ends.first, *ends.last)
    skipped = points - len(ends.first) - len(ends.last)
    base = ends.first[0]
    for point in shown:
        if skipped and ends.last and point is ends.last[0]:
            yield "...", f"{count(skipped)} more"
        changed = {path: value for path, value in point.settings.items() if base.settings.get(path, base) != value}
        if len(point.settings) <= MANY or point is base:
            yield str(point.number), _said(point.settings) or "the base"
        else:
            yield str(point.number), f"as {base.number}, but {_said(changed)}"


def _said(settings: Mapping[str, Any]) -> str:
    told = [f"{path}={str(value)[:SHOWN]}" for path, value in settings.items()]
    more = [f"and {len(told) - MANY} more (--json has all)"] if len(told) > MANY else []
    return ", ".join(told[:MANY] + more)


def _between(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"
