"""What the stores of one folder hold together, read once and as it stands."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from archsim.errors import ConfigError
from archsim.study import folders, schema
from archsim.study.counts import running
from archsim.study.packing import checksum
from archsim.study.points import DesignPoint


class Planned(NamedTuple):
    """A point as it was planned. `names`, `content`: paths and values, JSON lists both."""

    key: str
    names: str
    content: str


class Found(NamedTuple):
    """An outcome as it lies in a store. `names`: of its figures, a JSON list; `texts`: a JSON mapping."""

    names: str
    figures: bytes
    texts: str
    function: str
    error: str
    seconds: float


@dataclass
class Gathered:
    """All stores of a study's folder, merged. `passes`: seconds of every functional pass that was kept, by function."""

    study: Mapping[str, Any]
    file: Path
    points: dict[int, Planned] = field(default_factory=dict)
    outcomes: dict[str, Found] = field(default_factory=dict)
    passes: dict[str, float] = field(default_factory=dict)
    running: int = 0


def gather(folder: Path) -> Gathered:
    """Read every store of a study's folder.

    Stores of the study as it was before it changed are passed over: what still counted was taken from them when the
    study was resumed.

    Raises:
        ConfigError: there is none, or one is damaged or of an unknown version.
        StoreError: one cannot be read.
    """
    with ExitStack() as stack:
        opened = _opened(folder, stack)
        study, file = opened[0][1].study, opened[0][1].file
        assert study is not None
        found = Gathered(study, Path(file))
        for _, _, connection in opened:
            _add_points(found, connection)
        wanted = {point.key for point in found.points.values()}
        for path, _, connection in opened:
            _add_outcomes(found, wanted, path, connection)
            found.passes |= dict(connection.execute("SELECT key, seconds FROM functions"))
            found.running += running(connection)
    return found


def design_points(folder: Path, numbers: Iterable[int]) -> list[DesignPoint]:
    """Return planned points again, by number; ConfigError where there is no such point."""
    found: dict[int, DesignPoint] = {}
    wanted = [*numbers]
    with ExitStack() as stack:
        for _, _, connection in reversed(_opened(folder, stack)):  # the latest counts
            rows = connection.execute(
                "SELECT number, names, content, settings FROM points JOIN layouts l ON l.id = layout "
                "WHERE number IN (SELECT value FROM json_each(?))",
                (json.dumps(wanted),),
            )
            for number, names, content, settings in rows:
                values = dict(zip(json.loads(names), json.loads(content), strict=True))
                found[number] = DesignPoint(number, values, json.loads(settings) if settings else values)
    for number in wanted:
        if number not in found:
            raise ConfigError(f"{folder}: has no point {number}")
    return [found[number] for number in wanted]


def _opened(folder: Path, stack: ExitStack) -> list[tuple[Path, folders.Kept, sqlite3.Connection]]:
    """Return the stores of the study, the one that was opened for writing last first."""
    found = []
    for path in folders.stores(folder):
        connection = stack.enter_context(schema.reading(path))
        found.append((path, folders.Kept.of(connection), connection))
    known = sorted((store for store in found if store[1].study is not None), key=lambda s: s[1].opened, reverse=True)
    if not known:
        raise ConfigError(f"{folder}: holds no study (no .sqlite file that `archsim sweep` or `search` has made)")
    study = known[0][1].study
    assert study is not None
    return [store for store in known if not store[1].differs(study)]


def _add_points(found: Gathered, connection: sqlite3.Connection) -> None:
    names = _interned(connection, "layouts", "names")
    rows = connection.execute("SELECT number, key, layout, content FROM points")
    points = {number: Planned(key, names[layout], content) for number, key, layout, content in rows}
    found.points = points | found.points


def _add_outcomes(found: Gathered, wanted: set[str], path: Path, connection: sqlite3.Connection) -> None:
    names, texts = _interned(connection, "layouts", "names"), _interned(connection, "texts", "content")
    rows = connection.execute(
        "SELECT key, checksum, layout, figures, texts, function, error, seconds FROM outcomes"
    )  # joined here: the names of figures are longer than the figures
    for key, check, layout, figures, said, function, error, seconds in rows:
        if key not in wanted or (key in found.outcomes and not found.outcomes[key].error):
            continue
        if checksum(key, figures) != check:
            raise schema.damaged(path, "figures have changed since they were written")
        found.outcomes[key] = Found(names[layout], figures, texts[said], function, error, seconds)


def _interned(connection: sqlite3.Connection, table: str, column: str) -> dict[int, str]:
    return dict(connection.execute(f"SELECT id, {column} FROM {table}"))
