"""What a worker does: three kinds of job, as plain data that can be sent anywhere, and the function that does them."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from archsim.errors import ArchsimError, ClusterError
from archsim.study.evaluator import Evaluator
from archsim.study.keys import sources_hash
from archsim.study.task import Answers, Outcome, Task


@dataclass(frozen=True)
class Point:
    """A task with the answers that its costs follow from; None for costs alone."""

    task: Task
    answers: Answers | None = None


@dataclass(frozen=True)
class Failure:
    """Why there are no answers: one sentence, and the traceback if the error is archsim's own."""

    error: str
    trace: str = ""

    @staticmethod
    def of(error: Exception) -> Failure:
        """Return what an exception says; call it where that is handled."""
        if isinstance(error, ArchsimError):
            return Failure("; ".join(str(error).splitlines()))
        return Failure(f"{type(error).__name__}: {error}", traceback.format_exc())

    def outcome(self, task: Task, function: str = "") -> Outcome:
        """Return the outcome of a task that failed like this."""
        return Outcome(task.number, task.key, function=function, error=self.error, trace=self.trace)


@dataclass(frozen=True)
class Identify:
    """Find the functional pass that each task needs: a key, or a failure, for each."""

    tasks: tuple[Task, ...]

    def perform(self, evaluator: Evaluator) -> Sequence[str | Failure]:
        """Return the keys in the order of the tasks."""
        return [self._key(evaluator, task) for task in self.tasks]

    def _key(self, evaluator: Evaluator, task: Task) -> str | Failure:
        try:
            return evaluator.function_key(task)
        except Exception as error:
            return Failure.of(error)


@dataclass(frozen=True)
class Answer:
    """Compute the answers of a function, as one of the tasks that share it states it."""

    task: Task
    function: str

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The task, as other jobs have several."""
        return (self.task,)

    def perform(self, evaluator: Evaluator) -> Sequence[Answers | Failure]:
        """Return the answers, or why there are none, as the only item."""
        try:
            return [evaluator.answers(self.task)]
        except Exception as error:
            return [Failure.of(error)]


@dataclass(frozen=True)
class Evaluate:
    """Find the outcome of each point."""

    points: tuple[Point, ...]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What is evaluated."""
        return tuple(point.task for point in self.points)

    def perform(self, evaluator: Evaluator) -> Sequence[Outcome]:
        """Return the outcomes in the order of the points."""
        return [evaluator.outcome(point.task, point.answers) for point in self.points]


Job: TypeAlias = Identify | Answer | Evaluate
Item: TypeAlias = str | Answers | Outcome | Failure


@dataclass(frozen=True)
class Done:
    """What came of a job, item by item, and the seconds that it took on one core."""

    items: Sequence[Item]
    seconds: float


def perform(job: Job, sources: str) -> Done:
    """Do a job with the evaluator of this process.

    `sources`: hash of the sender's archsim. Raises `ClusterError` where this process runs another one; whatever is
    wrong with a task is in the items.
    """
    if sources != sources_hash():
        raise ClusterError(
            "the workers run another archsim than the process that sends them points, or its sources have changed since"
        )
    bench = _bench()
    with bench.lock:
        start = time.perf_counter()
        items = job.perform(bench.evaluator)
        return Done(items, time.perf_counter() - start)


@dataclass(frozen=True)
class _Bench:
    """One evaluator for a process, and one job at a time on it: a Dask worker may have several threads."""

    evaluator: Evaluator
    lock: threading.Lock


@cache
def _bench() -> _Bench:
    return _Bench(Evaluator(), threading.Lock())
