"""What a study found, ready to be shown: its points, averaged where it says so, and the best of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from archsim.errors import ArchsimError, ConfigError, nearest
from archsim.report.layout import count
from archsim.report.study.columns import Column, axis_column, figure_column
from archsim.study.spec import Goal, Limit, OneAtATime, Saltelli, Search

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from archsim.study.sensitivity import SobolIndices, Tornado
    from archsim.study.tables import StudyData

ALL: tuple[()] = ()
MANY, SOME = 8, 3  # settings of a point that are all named; those of more


@dataclass(frozen=True, eq=False)
class Findings:
    """A study and what is best in it.

    `frame`: the points, or, where the study averages over some axes, their means; the index is the number of a point,
    of means that of their first. `front`: the rows of it that no other beats in all objectives, sorted by the first of
    them. `by`: axes for each of whose values there is a front of its own.
    """

    data: StudyData
    frame: DataFrame
    front: DataFrame
    objectives: Mapping[str, Goal]
    limits: Mapping[str, Limit]
    by: tuple[str, ...] = ()

    @cached_property
    def axes(self) -> tuple[Column, ...]:
        """The axes that still differ between rows, in the order of the study's file."""
        return tuple(self.column(a) for a in self.data.axes if a in self.frame and self.frame[a].nunique() > 1)

    def column(self, name: str) -> Column:
        """Return what a column is."""
        return axis_column(name, self.data.labels[name]) if name in self.data.labels else figure_column(name)

    @cached_property
    def varied(self) -> tuple[Column, ...]:
        """The axes without those that follow from others: by a formula, or because they go together value by value."""
        config = self.data.config
        followers = {*config.derive, *(path for group in config.zipped for path in [*group][1:])}
        return tuple(axis for axis in self.axes if axis.words not in followers)

    @property
    def search(self) -> Search | None:
        """The search that chose the points; None where they were swept, though the file may describe a search."""
        wanted = self.data.config.search
        return wanted if wanted and self.data.counts.points <= wanted.trials else None

    @property
    def is_compromise(self) -> bool:
        """Tell whether a front is worth showing: not for points that were chosen to tell axes apart."""
        return not isinstance(self.data.config.sampling, OneAtATime | Saltelli)

    @cached_property
    def sensitivities(self) -> Mapping[str, Tornado | SobolIndices | str]:
        """Which axes move each objective, by its name, or why that cannot be told; of studies sampled for this."""
        from archsim.study.sensitivity import sensitivity

        if self.is_compromise:
            return {}
        told: dict[str, Tornado | SobolIndices | str] = {}
        for name in self.objectives:
            try:
                told[name] = sensitivity(self.data, name)
            except ConfigError as error:
                told[name] = str(error)
        return told

    @property
    def untold(self) -> Iterator[tuple[str, str]]:
        """Yield each reason why it cannot be told which axes move some objectives, after these objectives in words."""
        why: dict[str, list[str]] = {}
        for name, told in self.sensitivities.items():
            if isinstance(told, str):
                why.setdefault(told, []).append(self.column(name).words)
        yield from ((" and ".join(names), reason) for reason, names in why.items())

    def axis(self, path: str) -> Column | None:
        """Return the column of an axis by its path; None for several that go together."""
        return next((self.column(c) for c, p in self.data.labels.items() if p == path), None)

    def short(self, axis: Column) -> str:
        """Return the end of an axis' path, where no other axis ends so; else the whole of it. Words, not a name."""
        end = axis.words.rpartition(".")[2]
        alone = sum(a.words.rpartition(".")[2] == end for a in self.axes) == 1
        return (end if alone else axis.words.replace(".", " ")).replace("_", " ")

    @cached_property
    def targets(self) -> tuple[Column, ...]:
        """The columns of the objectives."""
        return tuple(self.column(name) for name in self.objectives)

    @property
    def averaged(self) -> str:
        """Say over what the points are averaged; nothing where they are not."""
        over = [name for name in self.data.axes if self.data.labels[name] in self.data.config.average]
        if not over:
            return ""
        each = (f"{self.data.labels[name]} ({self.data.frame[name].nunique()} values)" for name in over)
        return f"Means over {' and '.join(each)}."

    def within(self) -> DataFrame:
        """Return the rows that keep all limits and have all objectives."""
        from archsim.study.pareto import comparable

        return self.frame[comparable(self.frame, self.objectives, self.limits)]

    def best(self) -> Iterator[tuple[str, Any]]:
        """Yield each objective with the number of the point that is best in it, the first of equal ones."""
        allowed = self.within()
        for name, goal in self.objectives.items():
            if len(allowed):
                yield name, allowed[name].idxmin() if goal == "min" else allowed[name].idxmax()

    def fronts(self) -> Iterator[tuple[str, DataFrame]]:
        """Yield each front with the values that it belongs to; the only one without a name."""
        if not self.by:
            yield "", self.front
            return
        for values, rows in self.front.groupby(list(self.by), sort=False):
            yield self.values_of(self.by, values), rows

    def values_of(self, names: Sequence[str], values: Sequence[Any]) -> str:
        """Return values of some columns in words: `crossbar.rows 128, clock 250 MHz`."""
        pairs = zip(map(self.column, names), values, strict=True)
        return ", ".join(f"{column.words} {column.say(value)}" for column, value in pairs)

    def apart(self, row: Series[Any]) -> str:
        """Return what sets a point apart: its settings, of many those that are not the commonest."""
        named = [a.name for a in self.varied]
        if len(named) > MANY:
            named = [n for n in named if row[n] != self._commonest[n]]
        if len(named) > MANY:
            return f"{self.values_of(named[:SOME], [row[n] for n in named[:SOME]])} and {len(named) - SOME} more"
        return self.values_of(named, [row[n] for n in named]) or "the base"

    @cached_property
    def _commonest(self) -> Mapping[str, Any]:
        return {a.name: self.frame[a.name].value_counts(dropna=False).index[0] for a in self.varied}

    def commands(self, numbers: Iterable[Any]) -> tuple[dict[int, str], str]:
        """Return the command that runs each of some points alone, or none and why: the study's files may be gone.

        Of means, it runs their first point.
        """
        try:
            return self.data.commands([int(n) for n in numbers]), ""
        except ArchsimError as error:
            return {}, str(error)

    @property
    def progress(self) -> str:
        """Say how many of the points there are."""
        counts = self.data.counts
        said = f"{count(counts.done)} of {count(counts.points)} points"
        said += f", {count(counts.failed)} failed" if counts.failed else ""
        waiting = counts.points - counts.done
        return f"{said}; {count(waiting)} are still to be computed" if waiting else said


def findings(
    data: StudyData,
    objectives: Mapping[str, Goal] | None = None,
    limits: Mapping[str, Limit] | None = None,
    by: Sequence[str] = ALL,
) -> Findings:
    """Return what a study found, by its own objectives and limits unless others are given.

    `by`: columns or paths of axes. Raises `ConfigError` for a name that the study has not, with the nearest it has, and
    for a study without any point.
    """
    from archsim.study.pareto import averaged, default_objectives, front

    if data.frame.empty:
        failed = f"; all {data.counts.failed} failed" if data.counts.failed else " yet"
        raise ConfigError(f"{data.folder}: no point has a result{failed}")
    frame = averaged(data)
    goals = dict(objectives or data.config.objectives or default_objectives(data.figures))
    kept = dict(data.config.limits if limits is None else limits)
    for name in [*goals, *kept]:
        _check(name, data.figures, f"{data.folder}: '{name}' is no figure of this study")
    columns = tuple(_axis(name, data, frame) for name in by)
    if columns:
        import pandas as pd

        groups = [front(rows, goals, kept) for _, rows in frame.groupby(list(columns), sort=False)]
        found = pd.concat(groups)
    else:
        found = front(frame, goals, kept)
    first, goal = next(iter(goals.items()))
    return Findings(data, frame, found.sort_values(first, ascending=goal == "min", kind="stable"), goals, kept, columns)


def _axis(name: str, data: StudyData, frame: DataFrame) -> str:
    paths = {path: column for column, path in data.labels.items() if column in frame}
    known = paths | {column: column for column in paths.values()}
    _check(name, known, f"{data.folder}: '{name}' is no axis of this study that is not averaged over")
    return known[name]


def _check(name: str, known: Mapping[str, Any] | Sequence[str], problem: str) -> None:
    if name not in known:
        raise ConfigError(problem + nearest(name, known))
