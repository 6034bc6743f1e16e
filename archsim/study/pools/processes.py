"""Worker processes on this machine, made by `concurrent.futures`.

Each is an executor of its own with one process and one job at a time, so that it is known which job took its worker
with it; one executor with many processes fails all jobs when one process dies.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children, get_context, parent_process
from typing import Any, cast

from archsim.errors import ClusterError
from archsim.study.keys import sources_hash
from archsim.study.pools.pool import WorkerLostError, relay
from archsim.study.work import Done, Job, perform

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
STARTS = 3  # that fail one after the other before it is given up: no worker can live on this machine


class Processes:
    """So many worker processes; one that dies is replaced. None outlives this process, however that ends."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._strangers = set(active_children())
        self._lock = threading.RLock()
        self._waiting: deque[tuple[Job, Future[Done]]] = deque()
        self._idle: list[ProcessPoolExecutor] = []
        self._all: set[ProcessPoolExecutor] = set()
        self._failed_starts = 0
        self._closed = False
        with self._lock:
            for _ in range(workers):
                self._start()

    def submit(self, job: Job) -> Future[Done]:
        """Take a job; the first that waits goes to the first worker that is free."""
        outcome: Future[Done] = Future()
        with self._lock:
            self._waiting.append((job, outcome))
            self._assign()
        return outcome

    def close(self, *, now: bool) -> None:
        """End all workers, when their jobs are done or `now`."""
        with self._lock:
            self._closed = True
            executors, self._waiting = list(self._all), deque()
        children = set(active_children()) - self._strangers
        if now:
            for child in children:
                child.kill()
        for executor in executors:
            executor.shutdown(wait=True, cancel_futures=True)
        for child in children:
            child.join()

    def _start(self) -> None:
        """Make a worker; none if that has failed too often in a row."""
        while not self._closed and self._failed_starts < STARTS:
            executor = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin)
            try:
                with _environment(ONE_THREAD):
                    first = executor.submit(os.getpid)  # the process is made here, and inherits the environment
            except OSError:  # no memory, or too many processes
                self._failed_starts += 1
                continue
            # as long as this end is open here, too, a worker killed in the middle of a result would be waited for
            cast(Any, executor)._result_queue._writer.close()
            self._all.add(executor)
            first.add_done_callback(partial(self._started, executor))
            return

    def _started(self, executor: ProcessPoolExecutor, first: Future[int]) -> None:
        with self._lock:
            if first.cancelled() or first.exception():
                self._failed_starts += 1
                self._replace(executor)
            else:
                self._failed_starts = 0
                self._idle.append(executor)
            self._assign()

    def _replace(self, executor: ProcessPoolExecutor) -> None:
        self._all.discard(executor)
        self._start()

    def _assign(self) -> None:
        """Give waiting jobs to idle workers; without hope of any worker, fail them."""
        if not self._all and not self._closed:
            while self._waiting:
                self._waiting.popleft()[1].set_exception(ClusterError(_HOPELESS))
        while self._waiting and self._idle and not self._closed:
            executor, (job, outcome) = self._idle.pop(), self._waiting.popleft()
            try:
                inner = executor.submit(perform, job, sources_hash())
            except BrokenExecutor:  # it died with nothing to do
                self._waiting.appendleft((job, outcome))
                self._replace(executor)
            else:
                inner.add_done_callback(partial(self._finished, executor, outcome))

    def _finished(self, executor: ProcessPoolExecutor, outcome: Future[Done], inner: Future[Done]) -> None:
        with self._lock:
            if isinstance(inner.exception(), BrokenExecutor):
                self._replace(executor)
            else:
                self._idle.append(executor)
            self._assign()
        relay(inner, outcome, _translated)


_HOPELESS = (
    f"worker processes end as soon as they start, {STARTS} times in a row (out of memory, or archsim cannot be"
    " imported in a new process); see above, or try --workers 1"
)


def _translated(error: BaseException) -> BaseException:
    return WorkerLostError() if isinstance(error, BrokenExecutor) else error


def _begin() -> None:
    """Prepare a worker: an interrupt is its parent's matter, and it does not outlive that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    """Set environment variables for as long as the block lasts."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
