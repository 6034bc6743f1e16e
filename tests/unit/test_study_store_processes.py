"""One store, many processes, some of them killed: nothing is lost, nothing runs twice at once, nothing is corrupt."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from subprocess import PIPE

import psutil
import pytest
from pandas.testing import assert_frame_equal

from archsim.study import leases, schema
from archsim.study.tables import read_study
from tests.stores import opened, outcome, pairs

POINTS = 240
WORKER = f"""
import os, random, sys, time
from tests.stores import answers, opened, outcome, pairs
rng, log = random.Random(int(sys.argv[2])), os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def note(*words):
    os.write(log, (" ".join(map(str, (*words, os.getpid()))) + "\\n").encode())
print("ready", flush=True)
sys.stdin.readline()
with opened(sys.argv[1], sys.argv[4]) as store:
    store.plan(pairs({POINTS}))
    while waiting := store.waiting():
        mine = store.claim(rng.sample(waiting, min(len(waiting), rng.randint(1, 4))))
        for number in mine:
            note("start", number)
        for key in {{f"f{{number % 3}}" for number in mine}}:
            if store.claim_function(key) is True:
                note("pass", key)
                time.sleep(0.01)
                store.put_function(key, answers(int(key[1])))
                note("passed", key)
        time.sleep(rng.random() * 0.04)
        for number in mine:
            note("end", number)
        store.commit(outcome(number) for number in mine)
        if rng.random() < 0.05:
            store.release()
        store.beat()
    note("over")
"""


@contextmanager
def started():
    """A function that starts Python processes, all of which are gone at the end."""
    children = []

    def start(code, *arguments):
        command = [sys.executable, "-c", code, *map(str, arguments)]
        children.append(subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True))
        return children[-1]

    try:
        yield start
    finally:
        for child in children:
            child.kill()
            child.communicate()


def go(child):
    child.stdin.write("go\n")
    child.stdin.flush()
    return child


def until(is_so, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.002)


def lines(log):
    return log.read_text().splitlines() if log.exists() else []


def check_log(lines, killed):
    """No point or function starts while a process that lives is at it; what the survivors did is done once."""
    held, ends = {}, Counter()
    for line in lines:
        word, *what, pid = line.split()
        if word in ("start", "pass"):
            holder = held.get(tuple(what))
            assert holder in (None, pid) or holder in killed, f"{what} is run by {holder} and {pid}"
            held[tuple(what)] = pid
        elif word in ("end", "passed"):
            held.pop(tuple(what), None)
            ends[tuple(what), pid in killed] += 1
    assert max(count for (_, by_killed), count in ends.items() if not by_killed) == 1


@pytest.mark.parametrize("name", ["study", pytest.param("shard-1-of-2", marks=pytest.mark.slow)])
def test_processes_on_one_store_with_kill_9_among_them(tmp_path, name):
    folder, log = tmp_path / "out", tmp_path / "log"
    rng, killed = random.Random(1), set()
    with started() as start:
        idle = [start(WORKER, folder, seed, log, name) for seed in range(5)]
        assert [child.stdout.readline() for child in idle] == ["ready\n"] * 5
        children = [go(idle.pop()) for _ in range(3)]
        while idle:
            seen = len(lines(log))
            until(lambda seen=seen: len(lines(log)) > seen + 60)
            time.sleep(rng.random() * 0.02)
            victim = children.pop(0)
            victim.kill()  # and not waited for: a zombie holds no claim either
            killed.add(str(victim.pid))
            children.append(go(idle.pop()))
        said = [(child.communicate(timeout=60)[1], child.returncode) for child in children]
    assert [code for _, code in said] == [0, 0, 0], said
    assert any(line.split()[-1] in killed for line in lines(log))
    check_log(lines(log), killed)
    with sqlite3.connect(folder / f"{name}.sqlite") as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with opened(tmp_path / "calm") as calm:
        calm.plan(pairs(POINTS))
        calm.commit(outcome(n) for n in range(POINTS))
    found, wanted = read_study(folder), read_study(tmp_path / "calm")
    assert_frame_equal(found.frame, wanted.frame, check_exact=True)
    assert_frame_equal(found.failed, wanted.failed, check_exact=True)
    assert found.counts == wanted.counts
    with opened(folder, name) as store, opened(tmp_path / "calm") as calm:
        assert repr(store.outcomes(range(POINTS))) == repr(calm.outcomes(range(POINTS)))


HOLDER = """
import sys, time
from tests.stores import opened, outcome, pairs
store = opened(sys.argv[1])
store.plan(pairs(4))
print(store.claim([0, 1]), store.claim_function("f"), flush=True)
time.sleep(600)
"""


def test_claims_of_a_process_that_dies_are_free(tmp_path):
    with started() as start:
        holder = start(HOLDER, tmp_path / "out")
        assert holder.stdout.readline() == "[0, 1] True\n"
        with opened(tmp_path / "out") as store:
            assert store.claim(range(4)) == [2, 3]
            assert store.claim_function("f") is False
            assert store.counts().running == 4
            holder.send_signal(signal.SIGSTOP)  # stopped is not dead
            assert store.claim([0, 1]) == []
            holder.kill()
            until(lambda: psutil.Process(holder.pid).status() == psutil.STATUS_ZOMBIE)
            assert store.counts().running == 2
            assert store.claim([0, 1]) == [0, 1]
            assert store.claim_function("f") is True


MAKER = """
import sys, time
from tests.stores import opened, pairs
for name in ("study", "shard-1-of-2"):
    print("ready", flush=True)
    sys.stdin.readline()
    with opened(sys.argv[1], name) as store:
        store.plan(pairs(50))
        print(len(store.waiting()), len(store.claim(range(50))), flush=True)
        sys.stdin.readline()
"""


def test_a_store_may_be_made_by_several_at_once(tmp_path):
    with started() as start:
        children = [start(MAKER, tmp_path / "out") for _ in range(3)]
        for _ in ("study", "shard"):
            assert [child.stdout.readline() for child in children] == ["ready\n"] * 3
            for child in children:
                go(child)
            said = [child.stdout.readline().split() for child in children]
            assert sorted(said) == [["50", "0"], ["50", "0"], ["50", "50"]]
            for child in children:
                go(child)


def test_another_start_time_is_another_process(tmp_path):
    now, this = time.time(), leases.Process.this()
    assert this.alive(beat=0, now=now)
    assert not leases.Process(this.host, this.pid, this.started - 60).alive(beat=now, now=now)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert not leases.Process(this.host, gone.pid, now).alive(beat=now, now=now)


def test_a_process_elsewhere_lives_while_it_is_heard(tmp_path):
    with opened(tmp_path / "out") as store:
        store.plan(pairs(2))
        with store._writing():
            store._connection.execute(
                "INSERT INTO owners VALUES (99, 'elsewhere', ?, 0, ?)", (os.getpid(), time.time())
            )
            store._connection.execute("INSERT INTO claims VALUES ('point', 'key0', 99, 0)")
        assert store.claim([0, 1]) == [1]
        with store._writing():
            store._connection.execute("UPDATE owners SET beat = ? WHERE id = 99", (time.time() - 61,))
        assert store.claim([0]) == [0]


def test_a_beat_brings_back_who_was_taken_for_dead(tmp_path, monkeypatch):
    with opened(tmp_path / "out") as store:
        store.plan(pairs(2))
        with schema.transaction(store._connection):
            store._connection.execute("DELETE FROM owners")
        store.beat()  # too soon to be written
        assert store.claim([0]) == [0]
        assert store.counts().running == 0
        monkeypatch.setattr(leases, "BEAT_S", 0)
        store.beat()
        assert store.counts().running == 1
