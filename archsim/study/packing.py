"""Outcomes and values as they lie in a store: figures as float64 in one block, whose names are kept once for all."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from archsim.study.schema import damaged
from archsim.study.task import Outcome

COLUMNS = (
    "o.key, l.names, o.figures, o.checksum, t.content, o.function, o.error, o.trace, o.seconds "
    "FROM outcomes o JOIN layouts l ON l.id = o.layout JOIN texts t ON t.id = o.texts"
)
"""What `unpack` reads, number first."""
_KNOWN = 10_000  # ids that are remembered


def plain(value: Any) -> str:
    """Return a value as compact JSON."""
    return json.dumps(value, separators=(",", ":"))


def checksum(key: str, figures: bytes) -> int:
    """Return the CRC-32 of an outcome's figures and of whose they are: SQLite itself does not notice a flipped bit."""
    return zlib.crc32(figures, zlib.crc32(key.encode()))


def floats(figures: bytes) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return packed figures."""
    return np.frombuffer(figures, "<f8")


class Interned:
    """Texts that are kept once in a table of a store, by id; within the caller's transactions."""

    def __init__(self, connection: sqlite3.Connection, table: str, column: str) -> None:
        self._connection, self._ids = connection, dict[str, int]()
        self._insert = f"INSERT OR IGNORE INTO {table} ({column}) VALUES (?)"
        self._select = f"SELECT id FROM {table} WHERE {column} = ?"

    def id_of(self, text: str) -> int:
        """Return the id of a text, which is added where it is new."""
        if text not in self._ids:
            if len(self._ids) >= _KNOWN:
                self._ids.clear()
            self._connection.execute(self._insert, (text,))
            (self._ids[text],) = self._connection.execute(self._select, (text,)).fetchone()
        return self._ids[text]

    def forget(self) -> None:
        """Forget all ids: the transaction that made some of them was rolled back."""
        self._ids.clear()


def pack(outcome: Outcome, layouts: Interned, texts: Interned) -> tuple[Any, ...]:
    """Return the row of the table `outcomes`."""
    figures = np.array([*outcome.figures.values()], "<f8").tobytes()
    return (
        outcome.key, layouts.id_of(plain([*outcome.figures])), figures, checksum(outcome.key, figures),
        texts.id_of(plain(dict(outcome.texts))), outcome.function, outcome.error, outcome.trace, outcome.seconds,
    )  # fmt: skip


def unpack(row: Sequence[Any], path: Path) -> Outcome:
    """Return the outcome of a row of `COLUMNS`; ConfigError where it is not what was written."""
    number, key, names, figures, check, texts, function, error, trace, seconds = row
    if checksum(key, figures) != check:
        raise damaged(path, f"the figures of point {number} have changed")
    found = dict(zip(_names(names), floats(figures).tolist(), strict=True))
    return Outcome(number, key, found, _texts(texts), function, error, trace, seconds)


@cache
def _names(names: str) -> tuple[str, ...]:
    return tuple(json.loads(names))


def _texts(content: str) -> Mapping[str, str]:
    found: Mapping[str, str] = json.loads(content)
    return found
