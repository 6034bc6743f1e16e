"""Campaigns: each point and each function once, whatever fails, whoever else works on the store."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import Future

import pytest

from archsim.errors import ClusterError, MappingError
from archsim.study import Answers, DesignPoint, Outcome, Task, flow, work
from archsim.study.campaign import Campaign
from archsim.study.counts import Counts
from archsim.study.flow import LIVES
from archsim.study.pace import MOST, Pace
from archsim.study.pools import WorkerLostError, open_pool
from archsim.study.pools.inside import Inside
from archsim.study.store import Store


class Evaluator:
    """Takes the place of archsim's: the function of a point is its number modulo `functions`."""

    def __init__(self, functions: int = 1) -> None:
        self.functions = functions
        self.identified: list[int] = []
        self.answered: list[str] = []
        self.evaluated: list[int] = []
        self.on_outcome = lambda _: None
        self.wrong: dict[str, Exception] = {}

    def _maybe(self, what: str) -> None:
        if what in self.wrong:
            raise self.wrong[what]

    def function_key(self, task: Task) -> str:
        self.identified.append(task.number)
        self._maybe(f"key {task.number}")
        return f"f{task.number % self.functions}"

    def answers(self, task: Task) -> Answers:
        function = f"f{task.number % self.functions}"
        self.answered.append(function)
        self._maybe(function)
        return Answers(7, {"nll": float(task.number % self.functions)}, {})

    def outcome(self, task: Task, answers: Answers | None) -> Outcome:
        self.evaluated.append(task.number)
        self.on_outcome(task.number)
        nll = answers.figures["nll"] if answers else -1.0
        function = f"f{task.number % self.functions}" if answers else ""
        return Outcome(task.number, task.key, {"cost": task.number / 2, "nll": nll}, {}, function)


class Fragile(Inside):
    """Loses its worker over every job with a `deadly` task; is itself lost after some jobs."""

    def __init__(self, deadly: set[int], jobs: int = 10_000) -> None:
        super().__init__()
        self.deadly, self.jobs = deadly, jobs
        self.tried: list[tuple[str, int]] = []

    def submit(self, job):
        self.jobs -= 1
        lost = [t.number for t in job.tasks if t.number in self.deadly]
        self.tried += [(type(job).__name__, n) for n in lost]
        if not lost and self.jobs >= 0:
            return super().submit(job)
        failed: Future = Future()
        failed.set_exception(WorkerLostError() if lost else ClusterError("the scheduler was lost"))
        return failed


@pytest.fixture
def evaluator(monkeypatch):
    made = Evaluator()
    bench = work._Bench(made, threading.Lock())
    monkeypatch.setattr(work, "_bench", lambda: bench)
    return made


def opened(folder, count=0, *, quality=False):
    store = Store.open(folder, study={"name": "s"}, file=folder / "s.yaml", resume=False)
    if count:
        store.plan((t, DesignPoint(t.number, {"n": t.number}, {"n": t.number})) for t in tasks(count, quality=quality))
    return store


def tasks(count, *, quality=False, taken=None):
    for number in range(count):
        if taken is not None:
            taken.append(number)
        yield Task(number, f"key{number}", "a.yaml", "w.yaml", quality=quality)


def run(store, count, *, quality=False, pool=None, **more):
    if pool:
        Campaign(store, pool, **more).run(tasks(count, quality=quality))
        return
    with open_pool(1) as inside:
        Campaign(store, inside, **more).run(tasks(count, quality=quality))


def figures(store, count):
    return {n: dict(o.figures) for n, o in store.outcomes(range(count)).items()}


# --- what is done, and how often ---


def test_costs_need_no_functions_and_each_point_is_evaluated_once(tmp_path, evaluator):
    with opened(tmp_path / "s", 500) as store:
        run(store, 500)
        assert figures(store, 500) == {n: {"cost": n / 2, "nll": -1.0} for n in range(500)}
    assert sorted(evaluator.evaluated) == list(range(500))
    assert not evaluator.identified
    assert not evaluator.answered


def test_a_function_is_computed_once_for_all_points_that_share_it(tmp_path, evaluator):
    evaluator.functions = 3
    with opened(tmp_path / "s", 300, quality=True) as store:
        run(store, 300, quality=True)
        assert figures(store, 300) == {n: {"cost": n / 2, "nll": n % 3} for n in range(300)}
        counts = store.counts()
    assert sorted(evaluator.answered) == ["f0", "f1", "f2"]
    assert sorted(evaluator.identified) == sorted(evaluator.evaluated) == list(range(300))
    assert (counts.functions, counts.shared) == (3, 297)


def test_what_is_done_is_not_done_again(tmp_path, evaluator):
    evaluator.functions = 2
    with opened(tmp_path / "s", 40, quality=True) as store:
        run(store, 20, quality=True)
        first = list(evaluator.evaluated)
        run(store, 40, quality=True)
    assert sorted(first) == list(range(20))
    assert sorted(evaluator.evaluated) == list(range(40))
    assert sorted(evaluator.answered) == ["f0", "f1"]


def test_the_progress_ends_at_the_end(tmp_path, evaluator):
    evaluator.functions, seen = 2, []
    with opened(tmp_path / "s", 10, quality=True) as store:
        run(store, 10, quality=True, progress=seen.append)
    assert seen[-1].counts == Counts(points=10, done=10, failed=0, running=0, functions=2, shared=8)
    assert seen[-1].counts.left == 0


def test_tasks_are_taken_as_they_are_needed(tmp_path, evaluator, monkeypatch):
    taken, ahead = [], []
    evaluator.on_outcome = lambda number: ahead.append(len(taken) - number)
    with opened(tmp_path / "s", 5000) as store, open_pool(1) as pool:
        Campaign(store, pool).run(tasks(5000, taken=taken))
    assert max(ahead) <= 4 * MOST
    monkeypatch.setattr(flow, "HELD", 20)
    ahead.clear()
    taken.clear()
    with opened(tmp_path / "q", 5000, quality=True) as store, open_pool(1) as pool:
        Campaign(store, pool).run(tasks(5000, quality=True, taken=taken))
    assert max(ahead) <= 20 + 4 * MOST


def test_batches_follow_the_pace():
    pace = Pace()
    assert pace.batch == 1
    pace.learn(1, 3.0)  # the first job imports and compiles
    assert pace.batch == 1
    for _ in range(10):
        pace.learn(pace.batch, 0.02 * pace.batch)
    assert pace.batch in (9, 10)
    pace.learn(100, 1e-9)
    assert pace.batch == MOST
    for _ in range(20):
        pace.learn(1, 60.0)
    assert pace.batch == 1


# --- what fails ---


def test_points_that_fail_are_recorded_and_stop_nothing(tmp_path, evaluator):
    evaluator.functions = 4
    evaluator.wrong = {"key 5": MappingError("too large"), "f2": ValueError("a fault"), "key 6": KeyError("x")}
    with opened(tmp_path / "s", 20, quality=True) as store:
        run(store, 20, quality=True)
        failures = {f.number: f for f in store.failures()}
        assert len(figures(store, 20)) == 20
    assert failures[5].error == "too large"
    assert failures[5].trace == ""
    assert failures[6].error == "KeyError: 'x'"
    assert {n for n, f in failures.items() if f.error == "ValueError: a fault"} == {2, 10, 14, 18}
    assert "raise self.wrong[what]" in failures[2].trace
    assert evaluator.answered.count("f2") == 1


def test_a_point_that_kills_its_workers_is_given_up(tmp_path, evaluator):
    evaluator.functions = 20
    for place, quality in (("c", False), ("q", True)):
        with opened(tmp_path / place, 200, quality=quality) as store:
            pool = Fragile({150})
            run(store, 200, quality=quality, pool=pool)
            (failure,) = store.failures()
            assert failure.number == 150
            assert f"died {LIVES} times" in failure.error
            assert len(figures(store, 200)) == 200
        assert pool.tried == [("Identify" if quality else "Evaluate", 150)] * LIVES


def test_a_pool_that_is_lost_keeps_what_was_done(tmp_path, evaluator):
    with opened(tmp_path / "s", 50) as store:
        with pytest.raises(ClusterError, match="the scheduler was lost"):
            run(store, 50, pool=Fragile(set(), jobs=3))
        assert 1 <= store.counts().done < 50
        assert store.counts().running == 0
        run(store, 50)
        assert store.counts().done == 50
    assert sorted(evaluator.evaluated) == list(range(50))


def test_workers_of_another_archsim_are_refused():
    with pytest.raises(ClusterError, match="another archsim"):
        work.perform(work.Evaluate(()), "0123")


# --- interrupts ---


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_is_finished_and_gives_back_the_rest(tmp_path, evaluator, number):
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    interrupt = threading.Event()

    def once(point):
        if point == 30:
            os.kill(os.getpid(), number)
            interrupt.wait(0.5)

    evaluator.on_outcome = once
    with opened(tmp_path / "s", 5000) as store:
        with pytest.raises(KeyboardInterrupt):
            run(store, 5000)
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
        done = store.counts().done
        assert 1 <= done < 5000
        assert store.counts().running == 0
        evaluator.on_outcome = lambda _: None
        run(store, 5000)
        assert store.counts().done == 5000


# --- others at work ---


def test_points_that_another_process_has_claimed_are_left_to_it(tmp_path, evaluator, monkeypatch):
    monkeypatch.setattr("archsim.study.campaign.BEAT_S", 0.05)
    with opened(tmp_path / "s", 20) as store, opened(tmp_path / "s") as other:
        assert other.claim([3, 4, 5]) == [3, 4, 5]
        told = []

        def progress(now):
            told.append(now)
            if now.counts.done == 17:
                other.commit([Outcome(3, "key3", {"cost": 1e9, "nll": 0.0})])
                other.release()

        run(store, 20, progress=progress)
        assert figures(store, 20)[3]["cost"] == 1e9
    assert sorted(evaluator.evaluated) == [n for n in range(20) if n != 3]
    assert any(now.counts.running == 3 for now in told)


def test_functions_that_another_process_computes_are_waited_for(tmp_path, evaluator, monkeypatch):
    monkeypatch.setattr("archsim.study.campaign.BEAT_S", 0.05)
    evaluator.functions = 2
    with opened(tmp_path / "s", 20, quality=True) as store, opened(tmp_path / "s") as other:
        assert other.claim_function("f1") is True

        def progress(now):
            if now.counts.done == 10:
                other.put_function("f1", Answers(7, {"nll": 99.0}, {}))

        run(store, 20, quality=True, progress=progress)
        assert {n: f["nll"] for n, f in figures(store, 20).items()} == {n: 99.0 * (n % 2) for n in range(20)}
    assert evaluator.answered == ["f0"]


def test_a_function_that_another_process_gives_up_is_computed(tmp_path, evaluator, monkeypatch):
    monkeypatch.setattr("archsim.study.campaign.BEAT_S", 0.05)
    with opened(tmp_path / "s", 4, quality=True) as store, opened(tmp_path / "s") as other:
        other.claim_function("f0")
        run(store, 4, quality=True, progress=lambda _: other.release())
        assert len(figures(store, 4)) == 4
    assert evaluator.answered == ["f0"]


def test_points_that_are_the_same_are_evaluated_once(tmp_path, evaluator, monkeypatch):
    monkeypatch.setattr("archsim.study.campaign.BEAT_S", 0.05)
    same = [Task(n, "key", "a.yaml", "w.yaml", quality=False) for n in range(3)]
    with opened(tmp_path / "s") as store, open_pool(1) as pool:
        store.plan((t, DesignPoint(t.number, {}, {})) for t in same)
        Campaign(store, pool).run(same)
        assert store.counts().done == 3
    assert len(evaluator.evaluated) == 1
