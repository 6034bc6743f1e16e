"""The file of a store: what is no store, older versions, full disks, reading while others write."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from archsim.errors import ConfigError, StoreError
from archsim.study import schema
from archsim.study.tables import read_study
from tests.stores import opened, outcome, pairs


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out"


# --- what is no store ---


def test_a_folder_with_other_things_is_refused(folder):
    folder.mkdir()
    opened(folder).close()  # an empty one is fine
    (folder / "study.sqlite").unlink()
    (folder / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match="holds other things"):
        opened(folder)
    assert [p.name for p in folder.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_folder(folder):
    folder.write_text("x")
    with pytest.raises(ConfigError, match="is a file"):
        opened(folder)


def damage(name, path):
    content = path.read_bytes()
    if name == "other text":
        path.write_text("dear diary, " * 1000)
    elif name == "another database":
        path.unlink()
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE songs (title)")
    elif name == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif name == "overwritten":
        path.write_bytes(content[:8192] + os.urandom(len(content) - 8192))
    elif name == "newer":
        with sqlite3.connect(path) as store:
            store.execute("PRAGMA user_version = 7")
    else:
        with sqlite3.connect(path) as store:
            store.execute("PRAGMA user_version = 0")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("other text", "is no store"), ("another database", "another program's"), ("cut", "damaged"),
        ("overwritten", "damaged"), ("newer", "a newer archsim"), ("unknown", "version 0 of the store is not known"),
    ],
)  # fmt: skip
def test_what_is_no_store_is_refused_and_left_alone(folder, name, said):
    with opened(folder) as store:
        store.plan(pairs(2000))
        store.commit(outcome(n) for n in range(2000))
    path = folder / "study.sqlite"
    damage(name, path)
    before = path.read_bytes()
    for attempt in (lambda: opened(folder), lambda: opened(folder, resume=True), lambda: read_study(folder)):
        with pytest.raises(ConfigError, match=said):
            attempt()
    with pytest.raises(ConfigError, match=said):
        opened(folder, "shard-1-of-2")
    assert path.read_bytes() == before


def test_a_flipped_bit_in_a_figure_is_noticed(folder):
    with opened(folder) as store:
        store.plan(pairs(3))
        store.commit(outcome(n) for n in range(3))
    path = folder / "study.sqlite"
    figure = struct.pack("<d", 3 / 3e9)
    content = path.read_bytes()
    assert content.count(figure) == 1
    path.write_bytes(content.replace(figure, struct.pack("<d", 3.0000001 / 3e9)))
    with pytest.raises(ConfigError, match="damaged"):
        read_study(folder)
    with opened(folder) as store, pytest.raises(ConfigError, match="point 2"):
        store.outcomes([2])


def test_a_store_of_an_older_version_is_brought_up_step_by_step(folder):
    opened(folder).close()
    steps = {
        1: lambda c: c.execute("ALTER TABLE outcomes ADD COLUMN worker TEXT NOT NULL DEFAULT ''"),
        2: lambda c: c.execute("UPDATE meta SET value = upper(value) WHERE name = 'file'"),
    }
    with sqlite3.connect(folder / "study.sqlite", isolation_level=None) as store:
        with schema.transaction(store):
            schema.bring_up(store, 3, steps)
        assert store.execute("PRAGMA user_version").fetchone() == (3,)
        assert store.execute("SELECT value FROM meta WHERE name = 'file'").fetchone() == ("/STUDIES/MADE_UP.YAML",)
        assert "worker" in [row[1] for row in store.execute("PRAGMA table_info(outcomes)")]


def test_a_migration_that_breaks_changes_nothing(folder):
    opened(folder).close()

    def broken(connection):
        connection.execute("DROP TABLE outcomes")
        raise RuntimeError

    with sqlite3.connect(folder / "study.sqlite", isolation_level=None) as store:
        with pytest.raises(RuntimeError), schema.transaction(store):
            schema.bring_up(store, 2, {1: broken})
        assert store.execute("SELECT count(*) FROM outcomes").fetchone() == (0,)
    opened(folder).close()


def test_a_store_whose_maker_was_killed_at_once_is_made_anew(folder):
    folder.mkdir()
    (folder / "study.sqlite").touch()
    with opened(folder) as store:
        store.plan(pairs(2))
    (folder / "shard-1-of-2.sqlite").touch()  # and one that another process makes right now
    opened(folder).close()
    assert read_study(folder).counts.points == 2


def test_reading_an_older_store_brings_up_a_copy(folder, monkeypatch):
    with opened(folder) as store:
        store.plan(pairs(2))
    before = (folder / "study.sqlite").read_bytes()
    rename = "UPDATE points SET number = number + 5"
    monkeypatch.setattr(schema, "VERSION", 2)
    monkeypatch.setattr(schema, "STEPS", {1: lambda connection: connection.execute(rename)})
    monkeypatch.setattr(schema.bring_up, "__defaults__", (2, schema.STEPS))
    assert read_study(folder).counts.points == 2
    assert (folder / "study.sqlite").read_bytes() == before
    with opened(folder) as store:
        assert store.waiting() == [5, 6]
    with opened(folder) as store:
        assert store.waiting() == [5, 6]


# --- the disk ---


def test_a_full_disk_loses_nothing_that_was_committed(folder):
    with opened(folder) as store:
        store.plan(pairs(3000))
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages + 10}")
        done = -10

        def fill():
            nonlocal done
            while done < 3000:
                store.commit(outcome(n) for n in range(done + 10, done + 20))
                done += 10

        with pytest.raises(StoreError, match="disk is full; what was committed is kept"):
            fill()
        done += 10
        assert 0 < done < 3000
        assert read_study(folder).counts.done == done
    with opened(folder) as store:
        assert store.waiting() == [*range(done, 3000)]
        store.commit(outcome(n) for n in range(done, 3000))
    assert read_study(folder).counts.done == 3000


LIMITED = """
import resource, signal, sys
from tests.stores import opened, outcome, pairs, same
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with opened(sys.argv[1]) as store:
    store.plan(pairs(3000))
    store.commit(outcome(n) for n in range(20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    for n in range(20, 3000, 10):
        store.commit(outcome(m) for m in range(n, n + 10))
"""


def run(code, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )


def test_a_write_that_the_system_refuses_is_one_clear_error(folder):
    done = run(LIMITED, folder)
    assert done.returncode == 1
    assert "StoreError" in done.stderr.splitlines()[-1]
    assert "what was committed is kept" in done.stderr.splitlines()[-1]
    with opened(folder) as store:
        waiting = store.waiting()
        assert 0 < len(waiting) <= 2980
        store.commit(outcome(n) for n in waiting)
        assert len(store.outcomes(range(3000))) == 3000


READ_ONLY = """
import os, sys
from archsim.errors import StoreError
from archsim.study.tables import read_study
from tests.stores import opened, same
read_study(sys.argv[1])  # imports all that it needs
if os.getuid() == 0:
    os.setuid(65534)  # for whom permissions count
for copy in sys.argv[2:]:
    print(read_study(copy).counts.done)
    try:
        opened(copy, "shard-2-of-2")
    except StoreError as error:
        print("refused")
"""


def test_a_read_only_copy_can_be_read_with_its_log(folder):
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        copies = [Path(place) / "study", Path(place) / "shard-1-of-2"]
        for copy in copies:
            shutil.rmtree(folder, ignore_errors=True)
            with opened(folder, copy.name) as store:
                store.plan(pairs(10))
                store.commit(outcome(n) for n in range(7))
                shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*-shm"))
            for path in copy.iterdir():
                path.chmod(0o444)
            copy.chmod(0o555)
        before = [sorted(p.name for p in copy.iterdir()) for copy in copies]
        done = run(READ_ONLY, folder, *copies)
        assert done.stdout.split() == ["7", "refused"] * 2, done.stderr
        assert [sorted(p.name for p in copy.iterdir()) for copy in copies] == before
        for copy in copies:
            copy.chmod(0o755)


def test_reading_while_another_process_writes(folder):
    with opened(folder) as store:
        store.plan(pairs(10))
        with store._writing():
            store._connection.execute("DELETE FROM points WHERE number = 3")
            assert read_study(folder).counts.points == 10
        assert read_study(folder).counts.points == 9


def test_errors_of_sqlite_that_are_bugs_stay_bugs(folder):
    with opened(folder) as store, pytest.raises(sqlite3.OperationalError), store._writing():
        store._connection.execute("SELECT * FROM nowhere")


def test_the_error_of_a_block_is_not_hidden_by_one_of_closing(folder):
    with pytest.raises(KeyError), opened(folder) as store:  # noqa: PT012
        store._connection.execute("PRAGMA query_only = ON")
        raise KeyError
    with pytest.raises(StoreError), opened(folder) as store:
        store._connection.execute("PRAGMA query_only = ON")
