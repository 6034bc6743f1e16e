"""What a study found, as tables: `archsim.load_study(folder)`."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.config import validate
from archsim.study.columns import Column, column
from archsim.study.counts import Counts
from archsim.study.gathered import Found, Gathered, Planned, design_points, gather
from archsim.study.packing import floats
from archsim.study.spec import StudyConfig

if TYPE_CHECKING:
    import pandas as pd

FUNCTION = "function"
LETTERS = 12  # of a function's key: enough to tell millions apart


@dataclass(frozen=True)
class StudyData:
    """All that a study has found so far. It does not depend on who found it, nor in which order.

    `file`: the study's own, which may be gone by now. `axes`: columns of what is varied or derived; a quantity is in
    SI, with its unit in the name. `labels`: by such a column, the path as written in the study. `figures`: columns of
    results, in SI (`archsim.study.task.Outcome`); NaN where a point has no such figure. `frame`: a row for each point
    that was evaluated, by its number: axes, figures, texts. Points with the same text `function` share one functional
    pass. A text of the same name as an axis is left out. `failed`: axes and `error` of the points that failed.
    `seconds`: that one core needed for all of it.
    """

    config: StudyConfig
    folder: Path
    file: Path
    axes: tuple[str, ...]
    labels: Mapping[str, str]
    figures: tuple[str, ...]
    frame: pd.DataFrame
    failed: pd.DataFrame
    counts: Counts
    seconds: float

    @property
    def errors(self) -> list[tuple[int, str]]:
        """Every point that failed, and why."""
        return [*zip(self.failed.index.tolist(), self.failed["error"].tolist(), strict=True)]

    def command(self, number: int) -> str:
        """Return the shell command that runs a point alone; ConfigError if the files of the study are gone."""
        return self.commands([number])[number]

    def commands(self, numbers: Iterable[int]) -> dict[int, str]:
        """Return the shell commands of many points, by number."""
        from archsim.study.command import command_of
        from archsim.study.keys import tasks_of

        points = design_points(self.folder, numbers)
        return {task.number: command_of(task) for task in tasks_of(self.config, str(self.file), points)}


def read_study(folder: Path | str) -> StudyData:
    """Read a study's folder, all its stores together, also while they are being written.

    Raises:
        ConfigError: it holds no study, or a store is damaged or of a version that is not known.
        StoreError: a store cannot be read.
    """
    folder = Path(folder)
    with _no_collection():
        return _study(folder, gather(folder))


def _study(folder: Path, found: Gathered) -> StudyData:
    import pandas as pd

    config = validate(StudyConfig, found.study, f"{folder}: its study")
    config._folder = found.file.parent
    numbers = sorted(found.points)
    points = [found.points[number] for number in numbers]
    axes = _axes(config, points, pd.Index(numbers, dtype="int64", name="point"))
    values = pd.DataFrame({a.name: a.values for a in axes}, index=pd.Index(numbers, dtype="int64", name="point"))

    outcomes = [found.outcomes.get(point.key) for point in points]
    fine = np.array([outcome is not None and not outcome.error for outcome in outcomes], bool)
    bad = np.array([outcome is not None and bool(outcome.error) for outcome in outcomes], bool)
    good = [outcome for outcome in outcomes if outcome is not None and not outcome.error]
    errors = [outcome.error for outcome in outcomes if outcome is not None and outcome.error]
    frame = values[fine]
    figures = _figures(good, frame.index).drop(columns=[*values.columns], errors="ignore")
    texts = _texts(good, frame.index).drop(columns=[*values.columns], errors="ignore")
    return StudyData(
        config,
        folder,
        found.file,
        axes=tuple(values.columns),
        labels={a.name: a.path for a in axes},
        figures=tuple(figures.columns),
        frame=pd.concat([frame, figures, texts], axis=1),
        failed=values[bad].assign(error=pd.Series(errors, index=values.index[bad], dtype="str")),
        counts=_counts(found, points, good, len(errors)),
        seconds=_seconds(found),
    )


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause the collector of cycles: it would walk a million small objects again and again, and there is no cycle."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def load_study(folder: Path | str) -> pd.DataFrame:
    """Return what a study has found so far: a row for each point, with units in the names of its columns.

    The index is the number of the point. Axes come first, by their path in the study (`crossbar.rows`); quantities are
    in SI, with the unit appended (`clock_hz`). Points that failed are left out; `read_study` has them.

    Raises as `read_study`.
    """
    return read_study(folder).frame


def _axes(config: StudyConfig, points: Sequence[Planned], index: pd.Index[int]) -> list[Column]:
    """Return the axes as columns over all points that are planned, so that no column changes as more are done."""
    given = [*config.axes.items(), *(pair for group in config.zipped for pair in group.items())]
    names = {path for path, values in given if isinstance(values, dict)}
    rows: list[list[Any]] = json.loads(f"[{','.join(point.content for point in points)}]")
    layouts = {text: json.loads(text) for text in dict.fromkeys(point.names for point in points)}
    if len(layouts) == 1:
        (paths,) = layouts.values()
        columns = dict(zip(paths, zip(*rows, strict=True), strict=True))
    else:
        paths = [*dict.fromkeys(path for layout in layouts.values() for path in layout)]
        known = [dict(zip(layouts[point.names], row, strict=True)) for point, row in zip(points, rows, strict=True)]
        columns = {path: tuple(row.get(path) for row in known) for path in paths}
    return [column(path, values, index, columns, names=path in names) for path, values in columns.items()]


def _figures(outcomes: Sequence[Found], index: pd.Index[int]) -> pd.DataFrame:
    import pandas as pd

    places: dict[str, list[int]] = {}
    for place, outcome in enumerate(outcomes):
        places.setdefault(outcome.names, []).append(place)
    layouts = {text: json.loads(text) for text in places}
    number = {name: i for i, name in enumerate(dict.fromkeys(name for layout in layouts.values() for name in layout))}
    table = np.full((len(outcomes), len(number)), np.nan)
    for text, rows in places.items():
        block = floats(b"".join(outcomes[row].figures for row in rows)).reshape(len(rows), -1)
        table[np.ix_(rows, [number[name] for name in layouts[text]])] = block
    return pd.DataFrame(table, index=index, columns=[*number])


def _texts(outcomes: Sequence[Found], index: pd.Index[int]) -> pd.DataFrame:
    import pandas as pd

    known: dict[str, dict[str, str]] = {text: json.loads(text) for text in dict.fromkeys(o.texts for o in outcomes)}
    names = dict.fromkeys(name for texts in known.values() for name in texts)
    columns = {name: [known[o.texts].get(name, "") for o in outcomes] for name in names}
    if any(o.function for o in outcomes):
        columns[FUNCTION] = [o.function[:LETTERS] for o in outcomes]
    return pd.DataFrame(columns, index=index, dtype="str")


def _counts(found: Gathered, points: Sequence[Planned], good: Sequence[Found], failed: int) -> Counts:
    having = [outcome.function for outcome in good if outcome.function]
    functions = len(set(having))
    return Counts(len(points), len(good) + failed, failed, found.running, functions, len(having) - functions)


def _seconds(found: Gathered) -> float:
    functions = {outcome.function for outcome in found.outcomes.values()}
    points = sum(outcome.seconds for outcome in found.outcomes.values())
    return points + sum(seconds for key, seconds in found.passes.items() if key in functions)
