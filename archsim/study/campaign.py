"""A study at work: its points through a pool of workers into a store.

    tasks --identify--> key of the function --answer, once for each key--> answers --evaluate--> outcomes --> store

Tasks for costs alone go straight to the last step. Only this process writes. A point is claimed for its evaluation
alone, and a function for its computation, so that several processes share the work of one store; identifying a point
twice does no harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from archsim.errors import ClusterError
from archsim.study.flow import Flow, Lore
from archsim.study.interrupts import held_interrupts
from archsim.study.pools.pool import Pool
from archsim.study.progress import Progress, Standing, unseen
from archsim.study.store import Store
from archsim.study.task import Task

TICK_S = 0.25  # longest time until an interrupt is heeded
BEAT_S = 1.0  # between signs of life, looks at what other processes have done, and progress
COUNTING = 0.05  # share of the time for counting what is done


class Campaign:
    """Evaluates tasks on a pool, and commits each outcome to the store as it comes.

    `progress`: hears about once a second how far the whole study is.
    """

    def __init__(self, store: Store, pool: Pool, progress: Progress = unseen) -> None:
        self._store, self._pool, self._progress = store, pool, progress
        self._lore = Lore()
        self._next_tale = 0.0

    @property
    def evaluated(self) -> int:
        """Points that this campaign has evaluated, in all its runs."""
        return self._lore.evaluated

    def run(self, tasks: Iterable[Task]) -> None:
        """Evaluate every task that has no outcome, and return when all have one.

        Tasks are taken as they are needed. Raises `KeyboardInterrupt` soon after Ctrl-C, and `ClusterError` if the pool
        is lost, when all that is finished is committed. May be called again, with further tasks.
        """
        with held_interrupts() as heed:
            try:
                flow = Flow(self._store, self._pool, self._lore, tasks)
                try:
                    self._drive(flow, heed)
                except (KeyboardInterrupt, ClusterError):
                    flow.salvage()
                    raise
            finally:
                self._store.release()

    def _drive(self, flow: Flow, heed: Callable[[], None]) -> None:
        beat = 0.0
        flow.send()
        while not flow.is_over:
            heed()
            flow.collect(TICK_S)
            flow.send()
            if time.monotonic() - beat > BEAT_S:
                beat = time.monotonic()
                self._store.beat()
                flow.look_again()
                if beat > self._next_tale:
                    self._tell()
        self._tell()

    def _tell(self) -> None:
        start = time.monotonic()
        self._progress(Standing(self._store.counts(), self._pool.workers))
        self._next_tale = time.monotonic() + (time.monotonic() - start) / COUNTING
