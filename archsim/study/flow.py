"""What is where on the way from a task to its outcome, and what is to be sent next."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from itertools import chain
from typing import cast

from archsim.study.pace import Pace
from archsim.study.pools.pool import Pool, WorkerLostError
from archsim.study.store import Store
from archsim.study.task import Answers, Outcome, Task
from archsim.study.work import Answer, Done, Evaluate, Failure, Identify, Item, Job, Point

LIVES = 3  # workers that a point may take with it
HELD = 10_000  # tasks in memory that wait for answers
SCANNED = 1_000  # tasks that are passed over at a time, for they have an outcome
LOOKING = 0.05  # share of the time for looking at what other processes have done


@dataclass
class Lore:
    """What is learnt about the work: how long it takes, which tasks kill workers, which functions have no answers.

    `evaluated`: points whose outcomes this process has committed.
    """

    paces: dict[type[Job], Pace] = field(
        default_factory=lambda: {kind: Pace() for kind in (Identify, Answer, Evaluate)}
    )
    deaths: Counter[int] = field(default_factory=Counter)
    broken: dict[str, Failure] = field(default_factory=dict)
    evaluated: int = 0


class Flow:
    """Tasks on their way through a pool into a store.

    A function is `asked` for; then the store has its answers, or it is `computed` here, or another process does that
    (`elsewhere`). A point is `ready` when all that its costs follow from is known. A task that another process has
    claimed comes `later`, unless that one commits it.
    """

    def __init__(self, store: Store, pool: Pool, lore: Lore, tasks: Iterable[Task]) -> None:
        self._store, self._pool, self._lore = store, pool, lore
        self._tasks, self._is_exhausted = iter(tasks), False
        self._open = set(store.waiting())
        self._next_look = 0.0
        self._again: deque[Task] = deque()
        self._later: list[Task] = []
        self._asked: dict[str, list[Task]] = {}
        self._computed: dict[str, list[Task]] = {}
        self._elsewhere: dict[str, list[Task]] = {}
        self._ready: deque[Point] = deque()
        self._retries: deque[Job] = deque()
        self._flying: dict[Future[Done], Job] = {}
        self._outcomes: list[Outcome] = []

    @property
    def is_over(self) -> bool:
        """Whether every task has come through."""
        return self._is_exhausted and not (self._flying or self._again or self._retries or self._held)

    # --- to the workers ---

    def send(self) -> None:
        """Keep all workers busy, with a few jobs ahead."""
        while len(self._flying) <= 2 * max(1, self._pool.workers):
            job = self._next()
            if job is None:
                break
            self._flying[self._pool.submit(job)] = job
        self._commit()

    def _next(self) -> Job | None:
        """Return the next job: what brings outcomes first, then what most waits for."""
        if self._retries:
            return self._retries.popleft()
        job: Job | None = None
        while job is None:
            if self._ready:
                job = self._evaluation()
            elif self._asked:
                job = self._question()
            elif tasks := self._take():
                self._ready.extend(Point(task) for task in tasks if not task.quality)
                job = self._identification([task for task in tasks if task.quality])
            else:
                break
        return job

    def _take(self) -> list[Task]:
        """Return the next tasks without an outcome, as many as go into a job; none while as many as may be are held."""
        found: list[Task] = []
        if self._held > HELD:
            return found
        for _ in range(SCANNED):
            task = self._again.popleft() if self._again else next(self._tasks, None)
            if task is None:
                self._is_exhausted = True
                break
            if task.number in self._open:
                found.append(task)
                kind = Identify if task.quality else Evaluate
                if len(found) >= self._lore.paces[kind].batch:
                    break
        return found

    @property
    def _held(self) -> int:
        waiting = chain(self._asked.values(), self._computed.values(), self._elsewhere.values())
        return len(self._ready) + len(self._later) + sum(len(tasks) for tasks in waiting)

    def _identification(self, tasks: Sequence[Task]) -> Identify | None:
        """Return the job to find the functions of tasks; None if the store has noted all of them."""
        noted = self._store.functions([task.number for task in tasks]) if tasks else {}
        for task in tasks:
            if task.number in noted:
                self._place(task, noted[task.number])
        unknown = tuple(task for task in tasks if task.number not in noted)
        return Identify(unknown) if unknown else None

    def _place(self, task: Task, function: str) -> None:
        """Put a task where its function is."""
        place = next((p for p in (self._computed, self._elsewhere) if function in p), self._asked)
        place.setdefault(function, []).append(task)

    def _evaluation(self) -> Evaluate | None:
        """Return the next points that this process may evaluate; None if others have all of them."""
        count = min(len(self._ready), self._lore.paces[Evaluate].batch)
        points = [self._ready.popleft() for _ in range(count)]
        mine = self._claim([point.task for point in points])
        chosen = tuple(point for point in points if point.task.number in mine)
        return Evaluate(chosen) if chosen else None

    def _question(self) -> Answer | None:
        """Return the next function to be computed; None if its answers are there, or will be, or never."""
        function = next(iter(self._asked))
        tasks = self._asked.pop(function)
        if function in self._lore.broken:
            self._fail(tasks, self._lore.broken[function], function)
            return None
        found = self._store.claim_function(function)
        if isinstance(found, Answers):
            self._ready.extend(Point(task, found) for task in tasks)
            return None
        (self._computed if found else self._elsewhere)[function] = tasks
        return Answer(tasks[0], function) if found else None

    def _claim(self, tasks: Sequence[Task]) -> set[int]:
        """Return the numbers of the tasks that are ours now; the others come later."""
        mine = set(self._store.claim([task.number for task in tasks]))
        self._later += [task for task in tasks if task.number not in mine]
        return mine

    # --- from the workers ---

    def collect(self, seconds: float) -> None:
        """Take in what comes within some time, and commit it."""
        if self._flying:
            for future in wait(self._flying, seconds, FIRST_COMPLETED).done:
                self._receive(future)
        elif self._is_exhausted or self._held > HELD:  # all is in the hands of other processes
            time.sleep(seconds)
        self._commit()

    def salvage(self) -> None:
        """Commit what is finished; all else is dropped."""
        for future in [f for f in self._flying if f.done() and not f.cancelled() and not f.exception()]:
            self._receive(future)
        self._commit()

    def look_again(self) -> None:
        """See what other processes have done of the work that they had claimed; the rest may be ours now."""
        if not (self._later or self._elsewhere) or time.monotonic() < self._next_look:
            return
        start = time.monotonic()
        self._open = set(self._store.waiting())
        self._again.extend(self._later)
        self._later.clear()
        for function, tasks in self._elsewhere.items():
            self._asked.setdefault(function, []).extend(tasks)
        self._elsewhere.clear()
        self._next_look = time.monotonic() + (time.monotonic() - start) / LOOKING

    def _receive(self, future: Future[Done]) -> None:
        error, job = future.exception(), self._flying.pop(future)
        if isinstance(error, WorkerLostError):
            self._mourn(job, error.times)
        elif error is not None:
            raise error
        else:
            done = future.result()
            self._lore.paces[type(job)].learn(len(job.tasks), done.seconds)
            self._accept(job, done.items)

    def _accept(self, job: Job, items: Sequence[Item]) -> None:
        if isinstance(job, Evaluate):
            self._outcomes += cast(Sequence[Outcome], items)
        elif isinstance(job, Answer):
            self._answered(job.function, cast(Sequence[Answers | Failure], items)[0])
        else:
            self._identified(job.tasks, cast(Sequence[str | Failure], items))

    def _identified(self, tasks: Sequence[Task], functions: Sequence[str | Failure]) -> None:
        known = {}
        for task, function in zip(tasks, functions, strict=True):
            if isinstance(function, Failure):
                self._fail([task], function)
            else:
                known[task.number] = function
                self._place(task, function)
        self._store.set_functions(known.items())

    def _answered(self, function: str, answers: Answers | Failure) -> None:
        tasks = self._computed.pop(function)
        if isinstance(answers, Failure):
            self._lore.broken[function] = answers
            self._fail(tasks, answers, function)
        else:
            self._store.put_function(function, answers)
            self._ready.extend(Point(task, answers) for task in tasks)

    def _fail(self, tasks: Sequence[Task], failure: Failure, function: str = "") -> None:
        mine = self._claim(tasks)
        self._outcomes += [failure.outcome(task, function) for task in tasks if task.number in mine]

    def _mourn(self, job: Job, times: int) -> None:
        """Send the tasks of a job that took its worker with it again, each alone; give up one that keeps doing it."""
        for task in job.tasks:
            self._lore.deaths[task.number] += times
        if len(job.tasks) > 1:
            self._retries.extend(_alone(job))
        elif self._lore.deaths[job.tasks[0].number] < LIVES:
            self._retries.append(job)
        else:
            self._accept(job, [_given_up(job, self._lore.deaths[job.tasks[0].number])])

    def _commit(self) -> None:
        if self._outcomes:
            self._store.commit(self._outcomes)
            self._lore.evaluated += len(self._outcomes)
            self._outcomes = []


def _alone(job: Job) -> Iterator[Job]:
    """Yield a job of each task."""
    if isinstance(job, Evaluate):
        yield from (Evaluate((point,)) for point in job.points)
    else:
        yield from (Identify((task,)) for task in job.tasks)


def _given_up(job: Job, times: int) -> Item:
    """Return what is taken to have come of a job that is not tried again."""
    failure = Failure(f"the worker died {times} times over this point: killed, out of memory, or a crash")
    return failure.outcome(job.tasks[0]) if isinstance(job, Evaluate) else failure
