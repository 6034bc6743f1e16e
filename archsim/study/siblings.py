"""What other stores in the same folder know already: other shards, or the study as it was before it changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path

from archsim.study import folders, schema
from archsim.study.leases import owners
from archsim.study.packing import COLUMNS, plain, unpack
from archsim.study.task import Answers, Outcome

BATCH = 1000


def siblings(path: Path) -> list[Path]:
    """Return the other stores in the folder of a store."""
    return [other for other in folders.stores(path.parent) if other != path]


def outcomes(sibling: Path, wanted: Collection[str]) -> Iterator[list[Outcome]]:
    """Yield those outcomes of a sibling that are wanted, by key, some at a time; errors are none of them."""
    with schema.reading(sibling) as connection:
        rows = connection.execute(
            f"SELECT 0, {COLUMNS} WHERE o.error = '' AND o.key IN (SELECT value FROM json_each(?))",
            (plain([*wanted]),),
        )
        while some := rows.fetchmany(BATCH):
            yield [unpack(row, sibling) for row in some]


def answers(path: Path, key: str) -> Answers | bool:
    """Return a function's answers if any sibling has them; else False if one computes them right now, or True."""
    is_free = True
    for sibling in siblings(path):
        with schema.reading(sibling) as connection:
            if (found := known(connection, key)) is not None:
                return found
            is_free = is_free and not _is_computed(connection, key)
    return is_free


def known(connection: sqlite3.Connection, key: str) -> Answers | None:
    """Return a function's answers, if the store has them."""
    found = connection.execute("SELECT answers FROM functions WHERE key = ?", (key,)).fetchone()
    return Answers.from_dict(json.loads(found[0])) if found else None


def _is_computed(connection: sqlite3.Connection, key: str) -> bool:
    """Tell whether a process that lives computes a function."""
    found = connection.execute("SELECT owner FROM claims WHERE kind = 'function' AND key = ?", (key,)).fetchone()
    return bool(found) and dict(owners(connection)).get(found[0], False)
