"""Pools: what becomes of a job, and of the workers, when one of them dies or the process that uses them does."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection

import psutil
import pytest

from archsim.errors import ClusterError
from archsim.study import Task
from archsim.study.pools import WorkerLostError, cluster, open_pool, processes
from archsim.study.work import Failure, Identify

JOB = Identify((Task(0, "", "/nowhere/a.yaml", "/nowhere/w.yaml"),))
SOON = 30


def soon(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def workers() -> list[multiprocessing.process.BaseProcess]:
    return multiprocessing.active_children()


def test_a_job_that_kills_its_worker_fails_alone_and_another_worker_takes_its_place(monkeypatch):
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    with open_pool(2) as pool:
        assert "NUMBA_NUM_THREADS" not in os.environ
        first = pool.submit(JOB).result(SOON)
        assert isinstance(first.items[0], Failure)
        assert "/nowhere/a.yaml" in first.items[0].error
        soon(lambda: len(pool._idle) == 2)
        before = workers()
        assert len(before) == 2
        assert {psutil.Process(worker.pid).environ()["NUMBA_NUM_THREADS"] for worker in before} == {"1"}
        for worker in before:
            os.kill(worker.pid, signal.SIGSTOP)  # so that both hold a job
        jobs = [pool.submit(JOB) for _ in range(5)]
        os.kill(before[0].pid, signal.SIGKILL)
        soon(lambda: any(job.done() for job in jobs))
        lost = [job for job in jobs if job.done() and isinstance(job.exception(), WorkerLostError)]
        assert len(lost) == 1
        os.kill(before[1].pid, signal.SIGCONT)
        assert all(job.result(SOON).items == first.items for job in jobs if job is not lost[0])
    soon(lambda: not workers())  # what another thread has waited for may be told a moment later


def test_a_worker_that_is_killed_in_the_middle_of_a_result_is_not_waited_for(monkeypatch):
    large = Identify(tuple(Task(n, "", f"/nowhere/{n}/a.yaml", "/nowhere/w.yaml") for n in range(4000)))
    receive = Connection._recv

    def cut(connection, size, *more):
        """Kill the worker when its message has begun; a pipe holds 64 KB of it."""
        if size > 100_000:
            os.kill(worker.pid, signal.SIGKILL)
            soon(lambda: not lives(worker.pid))
        return receive(connection, size, *more)

    with open_pool(2) as pool:
        soon(lambda: len(pool._idle) == 2)
        kept, worker = workers()
        os.kill(kept.pid, signal.SIGSTOP)
        jobs = [pool.submit(JOB), pool.submit(JOB)]
        soon(lambda: any(job.done() for job in jobs))  # by the other one
        monkeypatch.setattr(Connection, "_recv", cut)
        with pytest.raises(WorkerLostError):
            pool.submit(large).result(SOON)
        os.kill(kept.pid, signal.SIGCONT)
        for job in jobs:
            job.result(SOON)


def test_dropping_jobs_ends_workers_at_once():
    def interrupted() -> None:
        with open_pool(2) as pool:
            pool.submit(JOB).result(SOON)
            for worker in workers():
                os.kill(worker.pid, signal.SIGSTOP)
            pool.submit(JOB)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    soon(lambda: not workers())


def test_where_no_worker_can_live_jobs_fail_with_one_clear_error(monkeypatch):
    monkeypatch.setattr(processes, "_begin", partial(os._exit, 3))
    with pytest.raises(ClusterError, match="as soon as they start"), open_pool(2) as pool:
        pool.submit(JOB).result(SOON)
    soon(lambda: not workers())


USER = """
import signal, sys, time
from archsim.study import Task
from archsim.study.pools import open_pool
from archsim.study.work import Identify
if __name__ == "__main__":
    import multiprocessing
    with open_pool(2) as pool:
        job = Identify((Task(0, "", "/nowhere/a.yaml", "/nowhere/w.yaml"),))
        [job.result() for job in [pool.submit(job), pool.submit(job)]]
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        time.sleep(60)
"""


def test_workers_do_not_outlive_a_process_that_is_killed(tmp_path):
    script = tmp_path / "user.py"
    script.write_text(USER)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout is not None
        children = [int(word) for word in user.stdout.readline().split()]
        assert len(children) == 2
        assert all(psutil.pid_exists(child) for child in children)
        user.send_signal(signal.SIGKILL)
        user.wait()
    soon(lambda: not any(lives(child) for child in children))


def test_a_scheduler_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(cluster, "TIMEOUT_S", 0.3)
    with pytest.raises(ClusterError, match=r"tcp://127\.0\.0\.1:9: no Dask scheduler answers"):
        open_pool(1, "tcp://127.0.0.1:9").__enter__()
