"""No workers at all: one job at a time in this process, in a thread, so that the campaign can note that it lives."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from archsim.study.keys import sources_hash
from archsim.study.work import Done, Job, perform


class Inside:
    """This process itself."""

    workers = 1

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="archsim-study")

    def submit(self, job: Job) -> Future[Done]:
        """Take a job."""
        return self._thread.submit(perform, job, sources_hash())

    def close(self, *, now: bool) -> None:
        """Wait for the jobs; or `now` drop all but the one that runs, which nothing can stop."""
        self._thread.shutdown(wait=not now, cancel_futures=now)
