"""Whatever computes: this process, processes on this machine, a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from archsim.study.pools.inside import Inside
from archsim.study.pools.pool import Pool, WorkerLostError
from archsim.study.pools.processes import Processes

__all__ = ["Pool", "WorkerLostError", "open_pool"]


@contextmanager
def open_pool(workers: int, scheduler: str | None = None) -> Iterator[Pool]:
    """Give a pool for as long as the block lasts; what still runs when it ends in an error is dropped.

    `workers`: processes; one is this process itself. `scheduler`: of a Dask cluster: tcp://host:port, or `local` or
    `slurm` for one that is started, with so many workers. Raises `ClusterError` where there is none.
    """
    if scheduler is not None:
        from archsim.study.pools.cluster import open_cluster  # a second of imports

        with open_cluster(scheduler, workers) as cluster, _closing(cluster):
            yield cluster
    else:
        pool: Pool = Inside() if workers == 1 else Processes(workers)
        with _closing(pool):
            yield pool


@contextmanager
def _closing(pool: Pool) -> Iterator[None]:
    try:
        yield
    except BaseException:
        pool.close(now=True)
        raise
    pool.close(now=False)
