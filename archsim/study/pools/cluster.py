"""Workers of a Dask cluster: one that runs already, one on this machine, or jobs of a SLURM machine."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from archsim.errors import ArchsimError, ClusterError
from archsim.study.interrupts import without_interrupts
from archsim.study.keys import sources_hash
from archsim.study.pools.pool import WorkerLostError, relay
from archsim.study.work import Done, Job, perform

if TYPE_CHECKING:
    from distributed import Client

TIMEOUT_S = 10  # to reach a scheduler
ASKED_S = 2.0  # between questions for the number of workers
ENVIRONMENT = {"NUMBA_NUM_THREADS": "1", "DASK_LOGGING__DISTRIBUTED": "critical"}  # Dask itself sees to OpenMP


class Cluster:
    """The workers that a Dask client reaches; each process does one job at a time."""

    def __init__(self, client: Client, address: str) -> None:
        import dask

        self._client, self._address = client, address
        self._executor = client.get_executor(pure=False)
        self._asked, self._workers = -ASKED_S, 0
        self._lives = 1 + int(dask.config.get("distributed.scheduler.allowed-failures"))

    @property
    def workers(self) -> int:
        """Processes that were there a moment ago."""
        if time.monotonic() > self._asked + ASKED_S:
            self._asked = time.monotonic()
            with suppress(OSError):  # a scheduler that is lost is found by the jobs it had
                self._workers = len(self._client.nthreads())
        return self._workers

    def submit(self, job: Job) -> Future[Done]:
        """Take a job; Dask gives it to another worker if one dies over it, and gives up after some."""
        outcome: Future[Done] = Future()
        try:
            inner = self._executor.submit(perform, job, sources_hash())
        except Exception as error:
            outcome.set_exception(self._translated(error))
        else:
            inner.add_done_callback(lambda done: relay(done, outcome, self._translated))
        return outcome

    def close(self, *, now: bool) -> None:
        """Wait for the jobs, or drop them `now`; a cluster that is lost has dropped them already."""
        if self._client.status == "running":
            self._executor.shutdown(wait=not now)

    def _translated(self, error: BaseException) -> BaseException:
        from distributed import KilledWorker

        if isinstance(error, KilledWorker):
            return WorkerLostError(self._lives)
        if isinstance(error, ArchsimError):
            return error
        if self._client.status != "running" or not str(error):
            return ClusterError(f"the Dask scheduler at {self._address} was lost")
        reason = str(error).splitlines()[0]
        return ClusterError(f"the Dask workers at {self._address} cannot do archsim's jobs: {reason}")


@contextmanager
def open_cluster(scheduler: str, workers: int) -> Iterator[Cluster]:
    """Give the workers of a scheduler by its address (tcp://host:port), of a `local` cluster, or of `slurm` jobs.

    `workers`: how many processes (local) or jobs (slurm) are started; at an address there are as many as there are.
    Raises `ClusterError` where there is no such scheduler, or no cluster can be started.
    """
    import distributed

    for logger in (distributed.__name__, distributed.client.__name__):  # what is lost is said once, by the campaign
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    if scheduler == "local":
        with _local(workers) as client:
            yield Cluster(client, "this machine")
    elif scheduler == "slurm":
        with _slurm(workers) as client:
            yield Cluster(client, "the SLURM cluster")
    else:
        with _client(scheduler) as client:
            yield Cluster(client, scheduler)


@contextmanager
def _local(workers: int) -> Iterator[Client]:
    import dask
    from distributed import Client, LocalCluster

    before = {f"distributed.nanny.pre-spawn-environ.{name}": value for name, value in ENVIRONMENT.items()}
    with dask.config.set(before), without_interrupts():  # of the terminal: they are this process's matter
        cluster = LocalCluster(workers, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster) as client:
        yield client


@contextmanager
def _slurm(jobs: int) -> Iterator[Client]:
    from distributed import Client

    try:
        from dask_jobqueue.slurm import SLURMCluster
    except ImportError as error:
        raise ClusterError(f"--scheduler slurm: {error.name} cannot be imported; pip install archsim[slurm]") from None
    try:
        cluster = SLURMCluster(scheduler_options={"dashboard_address": None})
    except (ValueError, OSError) as error:
        reason = str(error).partition(", for example")[0]
        raise ClusterError(
            f"--scheduler slurm: {reason}; describe the jobs in ~/.config/dask/jobqueue.yaml (jobqueue.slurm: cores,"
            " memory, queue, walltime)"
        ) from None
    with cluster:
        cluster.scale(jobs=jobs)
        with Client(cluster) as client:
            yield client


@contextmanager
def _client(address: str) -> Iterator[Client]:
    from distributed import Client

    try:
        client = Client(address, timeout=TIMEOUT_S)
    except (OSError, ValueError, TimeoutError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ClusterError(
            f"--scheduler {address}: no Dask scheduler answers there within {TIMEOUT_S} s ({reason});"
            " give tcp://host:port, local or slurm"
        ) from None
    with client:
        yield client
