"""Who runs what: claims on points and functions, which are free again when their owner has died."""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

SILENCE_S = 60.0
"""So long after the last beat a process counts as dead that cannot be looked at from here."""
BEAT_S = 5.0
_TICK_S = 2.0  # start times of one process may be computed this far apart


@dataclass(frozen=True)
class Process:
    """A process that claims. `host`: machine and, in containers, the space of its process ids."""

    host: str
    pid: int
    started: float

    @staticmethod
    def this() -> Process:
        """Return the process that asks."""
        return Process(_host(), os.getpid(), psutil.Process().create_time())

    def alive(self, beat: float, now: float) -> bool:
        """Tell whether it runs: looked up if it is of this host, else by when (s since the epoch) it was last heard."""
        if self.host != _host():
            return now - beat < SILENCE_S
        try:
            found = psutil.Process(self.pid)
            return bool(found.status() != psutil.STATUS_ZOMBIE and abs(found.create_time() - self.started) < _TICK_S)
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True


class Leases:
    """The claims of one open store; every method but `beat` within the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection, self._process = connection, Process.this()
        self._beaten = time.time()
        self.owner: int = connection.execute(
            "INSERT INTO owners (host, pid, started, beat) VALUES (?, ?, ?, ?) RETURNING id", self._row()
        ).fetchone()[0]

    def beat(self) -> None:
        """Say that this process lives; costs nothing if it has just done so."""
        if 0 <= time.time() - self._beaten < BEAT_S:
            return
        self._beaten = time.time()
        # all of the row: another machine may have taken a sleeping process for dead
        self._connection.execute(
            "INSERT OR REPLACE INTO owners (id, host, pid, started, beat) VALUES (?, ?, ?, ?, ?)",
            (self.owner, *self._row()),
        )

    def bury(self) -> None:
        """Free the claims of the dead."""
        dead = [(owner,) for owner, lives in owners(self._connection) if owner != self.owner and not lives]
        self._connection.executemany("DELETE FROM claims WHERE owner = ?", dead)
        self._connection.executemany("DELETE FROM owners WHERE id = ?", dead)

    def others(self) -> bool:
        """Tell whether another process has this store open; the dead are buried first."""
        self.bury()
        return bool(self._connection.execute("SELECT 1 FROM owners WHERE id <> ?", (self.owner,)).fetchone())

    def release(self) -> None:
        """Give back every claim of this process."""
        self._connection.execute("DELETE FROM claims WHERE owner = ?", (self.owner,))

    def leave(self) -> None:
        """Give back every claim, and go."""
        self.release()
        self._connection.execute("DELETE FROM owners WHERE id = ?", (self.owner,))

    def _row(self) -> tuple[str, int, float, float]:
        return (self._process.host, self._process.pid, self._process.started, self._beaten)


def owners(connection: sqlite3.Connection) -> list[tuple[int, bool]]:
    """Return every owner in a store and whether it lives."""
    now = time.time()
    rows = connection.execute("SELECT id, host, pid, started, beat FROM owners").fetchall()
    return [(owner, Process(host, pid, started).alive(beat, now)) for owner, host, pid, started, beat in rows]


def _host() -> str:
    space = Path("/proc/self/ns/pid")
    return f"{platform.node()} {os.readlink(space)}" if space.is_symlink() else platform.node()
