"""The file of a store: its tables and version, how it is opened, and what is said where that fails.

One SQLite file (sqlite.org/fileformat.html). `PRAGMA application_id` tells a store from other databases and
`PRAGMA user_version` is the version of its tables.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType

from archsim.errors import ConfigError, StoreError

APPLICATION = 0x61726373  # "arcs"
VERSION = 1
COPIES = 5  # tries to copy a store that others write
PATIENCE_S = 60.0  # for which a process waits for another one's transaction

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE layouts (id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE);
CREATE TABLE texts (id INTEGER PRIMARY KEY, content TEXT NOT NULL UNIQUE);
CREATE TABLE points (
    number INTEGER PRIMARY KEY, key TEXT NOT NULL, layout INTEGER NOT NULL, content TEXT NOT NULL, settings TEXT,
    function TEXT
);
CREATE INDEX points_by_key ON points (key);
CREATE TABLE outcomes (
    key TEXT PRIMARY KEY, layout INTEGER NOT NULL, figures BLOB NOT NULL, checksum INTEGER NOT NULL,
    texts INTEGER NOT NULL, function TEXT NOT NULL, error TEXT NOT NULL, trace TEXT NOT NULL, seconds REAL NOT NULL
);
CREATE TABLE functions (key TEXT PRIMARY KEY, answers TEXT NOT NULL, seconds REAL NOT NULL);
CREATE TABLE owners (
    id INTEGER PRIMARY KEY AUTOINCREMENT, host TEXT NOT NULL, pid INTEGER NOT NULL, started REAL NOT NULL,
    beat REAL NOT NULL
);
CREATE TABLE claims (
    kind TEXT NOT NULL, key TEXT NOT NULL, owner INTEGER NOT NULL, number INTEGER, PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE INDEX claims_by_owner ON claims (owner);
"""

Step = Callable[[sqlite3.Connection], None]
STEPS: Mapping[int, Step] = MappingProxyType({})
"""By version: what turns a store of it into one of the next version. Version 1 is the first."""

_BROKEN = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT")
_HELD = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")
_UNWRITABLE = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_PERM", "SQLITE_AUTH")


@contextmanager
def said_clearly(path: Path) -> Iterator[None]:
    """Turn what SQLite raises on account of a file or its disk into one clear error; bugs are left as they are."""
    try:
        yield
    except sqlite3.Error as error:
        name = _name(error)
        if name == "SQLITE_FULL":
            raise StoreError(
                f"{path}: the disk is full; what was committed is kept: make room and run the same command again"
            ) from error
        if name.startswith(_UNWRITABLE):
            raise StoreError(f"{path}: cannot be read or written ({error}); what was committed is kept") from error
        if name.startswith(_HELD):
            raise StoreError(f"{path}: another process has held it for {PATIENCE_S:.0f} s ({error})") from error
        if name.startswith(_BROKEN):
            raise damaged(path, str(error)) from error
        raise


def damaged(path: Path, reason: str) -> ConfigError:
    """Return the error for a file whose content cannot be trusted."""
    return ConfigError(f"{path}: is no store of a study, or is damaged ({reason}); choose another folder to begin anew")


def connect(path: Path, *, shared: bool) -> sqlite3.Connection:
    """Return a connection that writes; makes the store where there is none, and migrates an older one.

    `shared`: keep a rollback journal rather than a write-ahead log, which does not work where machines share the file
    over a network (sqlite.org/wal.html).

    Raises:
        ConfigError: the file is no store, is damaged, or is of a version that is not known.
        StoreError: it cannot be opened or written.
    """
    with said_clearly(path):
        connection = sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)
        try:
            if not _is_new(connection):
                _check(connection, path)
            with transaction(connection):  # before there is a log: until then the file is empty for others
                if _is_new(connection):
                    _create(connection)
                bring_up(connection)
            _set_journal(connection, "TRUNCATE" if shared else "WAL")
            # a log stays whole through a power cut as it is; a journal only if the disk is waited for
            connection.execute(f"PRAGMA synchronous = {'FULL' if shared else 'NORMAL'}")
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a store to read it as it stands at one moment, while others write it or where nothing can be written.

    Raises as `connect` does.
    """
    with said_clearly(path), ExitStack() as stack:
        connection = _opened(path, stack)
        try:
            _check_version(connection, path)
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.close()


@contextmanager
def transaction(connection: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    """Write all that the block writes, or nothing."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        raise


def bring_up(connection: sqlite3.Connection, version: int = VERSION, steps: Mapping[int, Step] = STEPS) -> None:
    """Migrate a store, step by step, to a version of its tables; within the caller's transaction."""
    while (found := _pragma(connection, "user_version")) < version:
        steps[found](connection)
        connection.execute(f"PRAGMA user_version = {found + 1}")


def _opened(path: Path, stack: ExitStack) -> sqlite3.Connection:
    """Return a connection that reads: to the file itself, or to a copy of it where its log cannot be replayed there."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such store")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE_S)
        connection.isolation_level = None
        try:
            if _pragma(connection, "user_version") not in STEPS:
                return connection
            connection.close()  # an older one is brought up, in a copy
        except BaseException:
            connection.close()
            raise
        return _brought_up(_copied(path, stack), path)
    except sqlite3.OperationalError as error:
        if _name(error).startswith(_HELD):
            raise
        return _brought_up(_copied(path, stack), path)


def _copied(path: Path, stack: ExitStack) -> Path:
    """Copy a store with its log or journal, again if it was written meanwhile, for as long as the stack stands."""
    sources = [path.with_name(path.name + end) for end in ("", "-wal", "-journal")]
    try:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="archsim-")))
        for _ in range(COPIES):
            before = _state(sources)
            for source in sources:
                (folder / source.name).unlink(missing_ok=True)
                if source.is_file():
                    shutil.copyfile(source, folder / source.name)
            if _state(sources) == before:
                break
    except OSError as error:
        raise StoreError(f"{path}: cannot be copied to be read: {error.strerror or error}") from error
    return folder / path.name


def _state(files: Iterable[Path]) -> list[tuple[int, int]]:
    return [(file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]


def _brought_up(copy: Path, path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(copy, isolation_level=None)
    try:
        _check_version(connection, path)
        with transaction(connection):
            bring_up(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_new(connection: sqlite3.Connection) -> bool:
    """Tell whether a file holds nothing at all: just made, or by a process that was killed right then."""
    return not connection.execute("SELECT 1 FROM sqlite_schema").fetchone()


def _check(connection: sqlite3.Connection, path: Path) -> None:
    _check_version(connection, path)
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise damaged(path, verdict)


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    if _pragma(connection, "application_id") != APPLICATION:
        raise damaged(path, "another program's database")
    version = _pragma(connection, "user_version")
    if version > VERSION:
        raise ConfigError(
            f"{path}: written by a newer archsim (version {version} of the store; this one knows {VERSION}); upgrade"
        )
    if version < VERSION and version not in STEPS:
        raise ConfigError(f"{path}: version {version} of the store is not known; this archsim reads {VERSION}")


def _create(connection: sqlite3.Connection) -> None:
    for statement in TABLES.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _set_journal(connection: sqlite3.Connection, mode: str) -> None:
    """Set the journal; SQLite does not wait for others by itself here."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode = {mode}")
            return
        except sqlite3.OperationalError as error:
            if not _name(error).startswith(_HELD) or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def _name(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", None) or ""


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
