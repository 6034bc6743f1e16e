"""What a campaign asks of whatever computes: take a job, and say later what came of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Protocol

from archsim.study.work import Done, Job


class WorkerLostError(Exception):
    """A worker died over a job, `times` times in a row: killed, out of memory, or a crash."""

    def __init__(self, times: int = 1) -> None:
        self.times = times
        super().__init__(f"a worker died over this job, {times} times")


class Pool(Protocol):
    """Workers. A future holds what came of its job, or one of two errors.

    `WorkerLostError`: the job took its worker with it; the pool goes on. Any `ArchsimError`: nothing can be computed
    here any more.
    """

    @property
    def workers(self) -> int:
        """How many jobs are done at the same time; 0 as long as no worker is there."""

    def submit(self, job: Job) -> Future[Done]:
        """Take a job, to be done when a worker is free."""

    def close(self, *, now: bool) -> None:
        """Let go of all workers: when their jobs are done, or `now`, with jobs dropped."""


def relay(inner: Future[Done], outer: Future[Done], translate: Callable[[BaseException], BaseException]) -> None:
    """Hand on what came of one future to another, errors as `translate` has them; call it when `inner` is done."""
    error = CancelledError() if inner.cancelled() else inner.exception()
    if error is None:
        outer.set_result(inner.result())
    else:
        outer.set_exception(translate(error))
