"""The store of a study: what has been found is kept, whatever becomes of the processes that find it.

One SQLite file in the study's folder. A commit survives the death of its process (kill -9) at any moment. It is not
forced through to the disk: what was committed in the last seconds before a power cut or a crash of the machine may be
lost, and is then computed again; the file itself stays whole.

Outcomes are kept by their task's key, never by number. So a study may change, and what still counts stays.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from archsim.errors import ConfigError, StoreError
from archsim.study import counts as counting
from archsim.study import folders, planning, schema, siblings
from archsim.study.counts import Counts, Failure
from archsim.study.leases import Leases
from archsim.study.packing import COLUMNS, Interned, pack, plain, unpack
from archsim.study.points import DesignPoint
from archsim.study.task import Answers, Outcome, Task

_NEW = "NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.key = p.key)"
_KEEP = (  # the first outcome counts, unless it is an error and the later one is not
    "INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET layout = excluded.layout, "
    "figures = excluded.figures, checksum = excluded.checksum, texts = excluded.texts, function = excluded.function, "
    "error = '', trace = '', seconds = excluded.seconds WHERE error <> '' AND excluded.error = ''"
)


class Store:
    """A store that this process writes; a context manager that gives back its claims at the end.

    To be used by one thread of a process that runs a campaign; workers send it what they find. Several processes of one
    machine may work on one store. Every method raises StoreError where the file cannot be written any more (a full
    disk): what was committed before is kept.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self._connection, self._is_closed = path, connection, False
        self._layouts = Interned(connection, "layouts", "names")
        self._texts = Interned(connection, "texts", "content")
        with self._writing():
            self._leases = Leases(connection)

    @staticmethod
    def open(
        folder: Path | str, *, name: str = "study", study: Mapping[str, Any], file: Path | str, resume: bool
    ) -> Store:
        """Open or make `folder/NAME.sqlite`.

        `study`: the study as plain data. `file`: absolute path of the file that it came from. `resume`: go on even if
        the study has changed since; outcomes that it still asks for are kept, and its points are planned anew.

        Any `name` but "study" is a shard, whose folder may be shared by machines over a network.

        Raises:
            ConfigError: the folder holds other things, or another study and `resume` is false; or nothing to resume;
                the file is no store, damaged, or of an unknown version; the study changed while others run it.
            StoreError: the folder cannot be written.
        """
        folder = Path(folder)
        path = folder / f"{name}.sqlite"
        folders.check(folder, study, resume=resume, but=path)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder}: cannot be made: {error.strerror or error}") from error
        connection = schema.connect(path, shared=name != "study")
        try:
            store = Store(path, connection)
        except BaseException:
            connection.close()
            raise
        try:
            store._register(study, Path(file), resume=resume)
        except BaseException:
            with suppress(StoreError):
                store.close()
            raise
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; where the store had failed already, that error is what is raised."""
        try:
            self.close()
        except StoreError:
            if kind is None:
                raise

    def close(self) -> None:
        """Give back the claims of this process and close the file; a second time does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            with self._writing():
                self._leases.leave()
        finally:
            self._connection.close()

    # --- points ---

    def plan(self, points: Iterable[tuple[Task, DesignPoint]]) -> None:
        """Register points, all or (where the iterable raises) none; what sibling stores know of them is taken over.

        A number that is registered already takes its new key and values.
        """
        with schema.said_clearly(self.path), planning.streamed(self._connection, points) as layouts, self._writing():
            planning.register(self._connection, self._layouts, layouts)
        for sibling in siblings.siblings(self.path):
            for found in siblings.outcomes(sibling, self._wanted()):
                self.commit(found)

    def waiting(self) -> list[int]:
        """Return the numbers of all points that have no outcome yet."""
        with schema.said_clearly(self.path):
            found = self._connection.execute(f"SELECT number FROM points p WHERE {_NEW} ORDER BY number")
            return [number for (number,) in found]

    def claim(self, numbers: Iterable[int]) -> list[int]:
        """Return those of the points that this process may run now, in the order given, and claim them.

        Left out is what has an outcome, what a live process has claimed, and what would be the same as another point
        that this process has claimed: its outcome counts for both.
        """
        asked = [*dict.fromkeys(numbers)]
        with self._writing():
            self._leases.bury()
            keys: dict[int, str] = dict(
                self._connection.execute(
                    "SELECT number, key FROM points p WHERE number IN (SELECT value FROM json_each(?)) AND " + _NEW,
                    (plain(asked),),
                )
            )
            me = self._leases.owner
            self._connection.executemany(
                "INSERT OR IGNORE INTO claims VALUES ('point', ?, ?, ?)", ((keys[n], me, n) for n in asked if n in keys)
            )
            mine = set(
                self._connection.execute(
                    "SELECT number, key FROM claims WHERE kind = 'point' AND key IN (SELECT value FROM json_each(?)) "
                    "AND +owner = ?",  # by key, however many claims an owner has
                    (plain([*keys.values()]), me),
                )
            )
        return [n for n in asked if (n, keys.get(n)) in mine]

    def set_functions(self, functions: Iterable[tuple[int, str]]) -> None:
        """Note the function of points, by number."""
        with self._writing():
            self._connection.executemany(
                "UPDATE points SET function = ? WHERE number = ?", ((key, number) for number, key in functions)
            )

    def functions(self, numbers: Iterable[int]) -> dict[int, str]:
        """Return the functions that have been noted, by number."""
        with schema.said_clearly(self.path):
            return dict(
                self._connection.execute(
                    "SELECT number, function FROM points WHERE function IS NOT NULL AND number IN "
                    "(SELECT value FROM json_each(?))",
                    (plain([*numbers]),),
                )
            )

    # --- outcomes ---

    def commit(self, outcomes: Iterable[Outcome]) -> None:
        """Keep outcomes, all at once, by their keys; the claims on them end."""
        with self._writing():
            for outcome in outcomes:
                self._connection.execute(_KEEP, pack(outcome, self._layouts, self._texts))
                self._connection.execute("DELETE FROM claims WHERE kind = 'point' AND key = ?", (outcome.key,))

    def outcomes(self, numbers: Iterable[int]) -> dict[int, Outcome]:
        """Return what is known of points, by number, in the order of the numbers."""
        with schema.said_clearly(self.path):
            rows = self._connection.execute(
                f"SELECT p.number, {COLUMNS} JOIN points p ON p.key = o.key "
                "WHERE p.number IN (SELECT value FROM json_each(?)) ORDER BY p.number",
                (plain([*numbers]),),
            ).fetchall()
        return {row[0]: unpack(row, self.path) for row in rows}

    def failures(self) -> list[Failure]:
        """Return the points that failed, by number."""
        with schema.said_clearly(self.path):
            return counting.failures(self._connection)

    def drop_failures(self) -> int:
        """Forget the outcomes of points that failed, so that they run again; return how many there were."""
        with self._writing():
            return self._connection.execute("DELETE FROM outcomes WHERE error <> ''").rowcount

    # --- functions ---

    def claim_function(self, key: str) -> Answers | bool:
        """Return the answers of a function; else True if it is this process's to compute, False if another one does."""
        with self._writing():
            self._leases.bury()
            if (kept := siblings.known(self._connection, key)) is not None:
                return kept
            me = self._leases.owner
            self._connection.execute("INSERT OR IGNORE INTO claims VALUES ('function', ?, ?, NULL)", (key, me))
            holder = self._connection.execute("SELECT owner FROM claims WHERE kind = 'function' AND key = ?", (key,))
            if holder.fetchone() != (me,):
                return False
        found = siblings.answers(self.path, key)
        if isinstance(found, Answers):
            self.put_function(key, found)
        elif not found:
            with self._writing():
                self._end_function(key)
        return found

    def put_function(self, key: str, answers: Answers) -> None:
        """Keep the answers of a function; the claim on it ends."""
        with self._writing():
            self._connection.execute(
                "INSERT OR IGNORE INTO functions VALUES (?, ?, ?)", (key, plain(answers.to_dict()), answers.seconds)
            )
            self._end_function(key)

    # --- the whole ---

    def release(self) -> None:
        """Give back every claim of this process."""
        with self._writing():
            self._leases.release()

    def beat(self) -> None:
        """Say that this process lives; to be called every few seconds, and nearly free."""
        with schema.said_clearly(self.path):
            self._leases.beat()

    def counts(self) -> Counts:
        """Return how far the study is, in this store."""
        with schema.said_clearly(self.path):
            return counting.counts(self._connection)

    # --- inside ---

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with schema.said_clearly(self.path), schema.transaction(self._connection):
                yield
        except BaseException:
            self._layouts.forget()
            self._texts.forget()
            raise

    def _register(self, study: Mapping[str, Any], file: Path, *, resume: bool) -> None:
        """Note which study this is; if it was another, its points go, but no outcome does."""
        with self._writing():
            before = folders.Kept.of(self._connection)
            if before.differs(study):
                if before.results and not resume:
                    raise before.refused(self.path, study)
                if self._leases.others():
                    raise ConfigError(f"{self.path}: another process is running this study as it was before it changed")
                self._connection.execute("DELETE FROM points")
            meta = {"study": json.dumps(study), "file": str(file), "archsim": version("archsim"), "opened": _now()}
            self._connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())
            self._connection.execute("INSERT OR IGNORE INTO meta VALUES ('made', ?)", (_now(),))

    def _end_function(self, key: str) -> None:
        self._connection.execute("DELETE FROM claims WHERE kind = 'function' AND key = ?", (key,))

    def _wanted(self) -> set[str]:
        with schema.said_clearly(self.path):
            return {key for (key,) in self._connection.execute(f"SELECT key FROM points p WHERE {_NEW}")}


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat()
