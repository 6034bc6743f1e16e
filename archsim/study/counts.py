"""How far a study is, and what failed."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from archsim.study.leases import owners
from archsim.study.packing import plain


@dataclass(frozen=True)
class Counts:
    """How far a study is.

    `done`: points with an outcome, `failed` ones among them. `running`: claimed by processes that live. `functions`:
    distinct functional passes behind what is done; `shared`: points that needed no pass of their own.
    """

    points: int
    done: int
    failed: int
    running: int
    functions: int
    shared: int

    @property
    def left(self) -> int:
        """Points without an outcome."""
        return self.points - self.done


@dataclass(frozen=True)
class Failure:
    """Why a point has no figures; `trace` where the fault is archsim's own."""

    number: int
    error: str
    trace: str


def counts(connection: sqlite3.Connection) -> Counts:
    """Return how far a study is, in one store."""
    done, failed, having, functions = connection.execute(
        "SELECT count(*), total(error <> ''), total(error = '' AND o.function <> ''), "
        "count(DISTINCT CASE error WHEN '' THEN nullif(o.function, '') END) FROM points JOIN outcomes o USING (key)"
    ).fetchone()
    (points,) = connection.execute("SELECT count(*) FROM points").fetchone()
    return Counts(points, done, int(failed), running(connection), functions, int(having) - functions)


def running(connection: sqlite3.Connection) -> int:
    """Return how many points are claimed by processes that live."""
    live = [owner for owner, lives in owners(connection) if lives]
    found: int = connection.execute(
        "SELECT count(*) FROM claims WHERE kind = 'point' AND owner IN (SELECT value FROM json_each(?))", (plain(live),)
    ).fetchone()[0]
    return found


def failures(connection: sqlite3.Connection) -> list[Failure]:
    """Return the points of one store that failed, by number."""
    rows = connection.execute(
        "SELECT number, error, trace FROM points JOIN outcomes USING (key) WHERE error <> '' ORDER BY number"
    )
    return [Failure(*row) for row in rows]
