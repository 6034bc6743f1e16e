"""The store of a study: what is kept, what counts, what is refused."""

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
from archsim.study.counts import Counts
from archsim.study.tables import read_study
from tests.stores import STUDY, answers, opened, outcome, pairs, point, task


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out"


def same(a, b):
    """Equal to the last bit, NaN and the sign of zero included."""
    bits = [{name: struct.pack("<d", value) for name, value in o.figures.items()} for o in (a, b)]
    rest = [(o.key, dict(o.texts), o.function, o.error, o.trace, o.seconds, [*o.figures]) for o in (a, b)]
    return bits[0] == bits[1] and rest[0] == rest[1]


# --- what is kept ---


def test_outcomes_come_back_as_they_were(folder):
    with opened(folder) as store:
        store.plan(pairs(7))
        store.commit([outcome(n) for n in (6, 4, 1)])
        assert store.waiting() == [0, 2, 3, 5]
    with opened(folder) as store:
        found = store.outcomes(range(7))
        assert [*found] == [1, 4, 6]
        assert all(same(found[n], outcome(n)) and found[n].number == n for n in found)
        assert [(f.number, f.error, f.trace) for f in store.failures()] == [(4, "point 4 cannot be", "Traceback")]


def test_what_repeats_is_kept_once(folder):
    with opened(folder) as store:
        store.plan(pairs(300))
        store.commit(outcome(n) for n in range(300))
        counts = [store._connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("layouts", "texts")]
    assert counts == [4, 3]  # two sets of figures, no figures, the axes; two sets of texts, no texts


def test_counts(folder):
    with opened(folder) as store:
        store.plan(pairs(20))
        store.commit(outcome(n) for n in range(10))
        store.claim([12, 13])
        assert store.counts() == Counts(points=20, done=10, failed=2, running=2, functions=3, shared=5)
    assert read_study(folder).counts == Counts(points=20, done=10, failed=2, running=0, functions=3, shared=5)


def test_a_plan_that_breaks_leaves_nothing(folder):
    def broken():
        yield from pairs(3)
        raise ConfigError("point 3 is wrong")

    with opened(folder) as store:
        with pytest.raises(ConfigError, match="point 3"):
            store.plan(broken())
        assert store.counts().points == 0
        store.plan(pairs(4))
        assert store.counts().points == 4


def test_a_commit_that_breaks_leaves_nothing(folder):
    def broken():
        yield outcome(1)
        raise KeyboardInterrupt

    with opened(folder) as store:
        store.plan(pairs(4))
        with pytest.raises(KeyboardInterrupt):
            store.commit(broken())
        assert store.waiting() == [0, 1, 2, 3]
        store.commit([outcome(1), outcome(0)])  # names that the broken one had given ids
        assert all(same(found, outcome(n)) for n, found in store.outcomes([0, 1]).items())


def test_the_first_outcome_counts_unless_it_failed(folder):
    with opened(folder) as store:
        store.plan(pairs(6))
        store.commit([outcome(4), outcome(1)])
        store.commit([outcome(3, "key4"), outcome(3, "key1")])
        found = store.outcomes([1, 4])
        assert same(found[1], outcome(1))
        assert same(found[4], outcome(3, "key4"))
        store.commit([outcome(4)])
        assert same(store.outcomes([4])[4], outcome(3, "key4"))


def test_failures_run_again_when_dropped(folder):
    with opened(folder) as store:
        store.plan(pairs(10))
        store.commit(outcome(n) for n in range(10))
        assert store.drop_failures() == 2
        assert store.waiting() == [4, 9]


def test_functions_are_kept(folder):
    with opened(folder) as store:
        assert store.claim_function("f") is True
        assert store.claim_function("f") is True  # still ours
        store.put_function("f", answers())
        store.plan(pairs(3))
        store.set_functions([(0, "f"), (2, "f")])
    with opened(folder) as store:
        assert repr(store.claim_function("f")) == repr(answers())
        assert store.functions([0, 1, 2, 9]) == {0: "f", 2: "f"}


# --- numbers and keys ---


def test_points_of_one_key_share_an_outcome_and_run_once(folder):
    with opened(folder) as store:
        store.plan((task(n, f"key{n // 2}"), point(n)) for n in range(6))
        assert store.claim(range(6)) == [0, 2, 4]
        assert store.claim([1, 3, 5]) == []
        store.commit([outcome(2, "key1")])
        assert store.waiting() == [0, 1, 4, 5]
        assert same(store.outcomes([3])[3], outcome(2, "key1"))


def test_claims_keep_the_order_that_was_asked_for(folder):
    with opened(folder) as store:
        store.plan(pairs(5))
        store.commit([outcome(3)])
        assert store.claim([4, 3, 0, 4, 99]) == [4, 0]
        assert store.claim([0, 4]) == [0, 4]  # still ours


def test_two_stores_on_one_file_never_claim_the_same(folder):
    with opened(folder) as one, opened(folder) as two:
        one.plan(pairs(6))
        two.plan(pairs(6))
        assert one.claim([0, 1, 2]) == [0, 1, 2]
        assert two.claim([1, 2, 3]) == [3]
        assert one.claim_function("f") is True
        assert two.claim_function("f") is False
        one.release()
        assert two.claim([1, 2]) == [1, 2]
        assert two.claim_function("f") is True
        two.commit([outcome(1)])
        assert one.claim([1]) == []
        two.close()
        assert one.claim([2, 3]) == [2, 3]


def test_a_point_of_another_key_is_planned_anew(folder):
    with opened(folder) as store:
        store.plan(pairs(3))
        store.commit([outcome(n) for n in range(3)])
        store.set_functions([(0, "f"), (1, "f")])
        store.plan([(task(1, "edited"), point(1)), (task(2), point(2))])
        assert store.waiting() == [1]
        assert store.functions([0, 1]) == {0: "f"}


# --- the study changes ---


def test_a_changed_study_is_refused_unless_it_is_to_be_resumed(folder):
    changed = {**STUDY, "axes": {**STUDY["axes"], "crossbar.rows": [64, 512]}, "passes": 3}
    with opened(folder) as store:
        store.plan(pairs(6))
        store.commit(outcome(n) for n in range(6))
    with pytest.raises(ConfigError) as error:
        opened(folder, study=changed)
    said = str(error.value)
    assert "axes.crossbar.rows: [64, 128, 256] is now [64, 512]; passes: absent is now 3" in said
    assert "--resume" in said
    with opened(folder) as store:  # nothing has changed yet
        assert store.waiting() == []
    with opened(folder, study=changed, resume=True) as store:
        assert store.counts().points == 0
        store.plan((task(n, f"key{n * 2}"), point(n)) for n in range(4))
        assert store.waiting() == [3]
        assert same(store.outcomes([2])[2], outcome(4))
    with pytest.raises(ConfigError, match=r"axes\.crossbar\.rows"):
        opened(folder)


def test_the_order_of_axes_is_part_of_a_study(folder):
    turned = {**STUDY, "axes": dict(reversed(STUDY["axes"].items()))}
    with opened(folder) as store:
        store.commit([outcome(0)])
    with pytest.raises(ConfigError, match="the order of its keys"):
        opened(folder, study=turned)


def test_a_study_without_results_may_change(folder):
    with opened(folder) as store:
        store.plan(pairs(6))
    with opened(folder, study={**STUDY, "passes": 3}) as store:
        assert store.counts().points == 0


def test_a_study_does_not_change_under_those_who_run_it(folder):
    with opened(folder) as store:
        store.commit([outcome(0)])
        with pytest.raises(ConfigError, match="another process is running"):
            opened(folder, study={**STUDY, "passes": 3}, resume=True)
        store.plan(pairs(2))
        assert store.waiting() == [1]


def test_nothing_to_resume(folder):
    with pytest.raises(ConfigError, match="nothing to resume"):
        opened(folder, resume=True)
    assert not folder.exists()


# --- shards ---


def test_shards_share_outcomes_and_functions(folder):
    with opened(folder, "shard-1-of-2") as one:
        one.plan((task(n, f"key{n // 4}"), point(n)) for n in range(0, 12, 2))
        one.commit([outcome(0, "key0"), outcome(4, "key1"), outcome(8, "key2")])
        one.put_function("f", answers())
        assert one.claim_function("g") is True
        with opened(folder, "shard-2-of-2") as two:
            two.plan((task(n, f"key{n // 4}"), point(n)) for n in range(1, 12, 2))
            assert two.waiting() == [5, 7]  # an error is no outcome to be taken over
            assert same(two.outcomes([9])[9], outcome(8, "key2"))
            assert repr(two.claim_function("f")) == repr(answers())
            assert two.claim_function("g") is False
            one.put_function("g", answers(1))
            assert repr(two.claim_function("g")) == repr(answers(1))
    (folder / "shard-1-of-2.sqlite").unlink()
    with opened(folder, "shard-2-of-2") as two:
        assert repr(two.claim_function("g")) == repr(answers(1))


def test_a_sibling_of_another_study_is_refused_but_useful(folder):
    changed = {**STUDY, "passes": 3}
    with opened(folder, "shard-1-of-2") as one:
        one.plan(pairs(3))
        one.commit([outcome(0)])
    with pytest.raises(ConfigError, match=r"shard-1-of-2.*passes: absent is now 3"):
        opened(folder, study=changed)
    with opened(folder, study=changed, resume=True) as store:
        store.plan(pairs(3))
        assert store.waiting() == [1, 2]
    assert read_study(folder).counts.points == 3


def test_shards_keep_no_write_ahead_log(folder):
    with opened(folder, "shard-1-of-2") as shard, opened(folder) as whole:
        modes = [s._connection.execute("PRAGMA journal_mode").fetchone()[0] for s in (shard, whole)]
    assert modes == ["truncate", "wal"]


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
from tests.stores import opened, outcome, pairs
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
from tests.stores import opened
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
