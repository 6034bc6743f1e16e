"""How points come into a store: streamed through a temporary table, so that nobody waits and all come or none."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from archsim.study import schema
from archsim.study.packing import Interned, plain
from archsim.study.points import DesignPoint
from archsim.study.task import Task

Layouts = dict[tuple[str, ...], str]
_REGISTER = (
    "INSERT INTO points SELECT number, key, json_extract(?, '$.' || layout), content, settings, NULL "
    "FROM planned WHERE true ON CONFLICT (number) DO UPDATE SET key = excluded.key, layout = excluded.layout, "
    "content = excluded.content, settings = excluded.settings, function = CASE key WHEN excluded.key THEN function END "
    "WHERE key <> excluded.key OR layout <> excluded.layout OR content <> excluded.content "
    "OR settings IS NOT excluded.settings"
)


@contextmanager
def streamed(connection: sqlite3.Connection, points: Iterable[tuple[Task, DesignPoint]]) -> Iterator[Layouts]:
    """Hold points in a temporary table during the block; give the paths of their values, and what they are called."""
    layouts: Layouts = {}
    connection.execute("CREATE TEMP TABLE planned (number INTEGER PRIMARY KEY, key, layout, content, settings)")
    try:
        with schema.transaction(connection, "DEFERRED"):
            connection.executemany("INSERT OR REPLACE INTO planned VALUES (?, ?, ?, ?, ?)", _rows(points, layouts))
        yield layouts
    finally:
        connection.execute("DROP TABLE planned")


def register(connection: sqlite3.Connection, interned: Interned, layouts: Mapping[tuple[str, ...], str]) -> None:
    """Make points of the streamed ones; a number that is there takes its new key and values. Within a transaction."""
    ids = {called: interned.id_of(plain(paths)) for paths, called in layouts.items()}
    connection.execute(_REGISTER, (json.dumps(ids),))


def _rows(points: Iterable[tuple[Task, DesignPoint]], layouts: Layouts) -> Iterator[Sequence[object]]:
    """Yield rows of the temporary table; `settings` only where they are not the values themselves."""
    for task, point in points:
        layout = layouts.setdefault(tuple(point.values), f"layout{len(layouts)}")
        settings = None if point.settings == point.values else plain(dict(point.settings))
        yield task.number, task.key, layout, plain([*point.values.values()]), settings
