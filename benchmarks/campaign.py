"""What it takes to run many points beside evaluating them: overhead of a campaign, and what two workers gain.

    python benchmarks/campaign.py [POINTS]

Costs of LeNet-5 on the digits, points that differ in the clock. The overhead is the processor time of the whole
process, less that of the evaluations. The gain is the wall time of one worker process over that of two, which needs two
idle processors; the share of the time for which the workers have a job does not.
"""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import tee
from pathlib import Path
from statistics import median

from archsim.config import validate
from archsim.study import StudyConfig, design_points
from archsim.study.campaign import Campaign
from archsim.study.keys import tasks_of
from archsim.study.pools import Pool, open_pool
from archsim.study.pools.processes import Processes
from archsim.study.store import Store
from archsim.study.work import Done, Job

ROOT = Path(__file__).parents[1]
ROUNDS = 3


@dataclass
class Watched:
    """A pool, and the seconds that its workers have had a job."""

    pool: Pool
    busy_s: float = 0.0

    @property
    def workers(self) -> int:
        """Those of the pool."""
        return self.pool.workers

    def submit(self, job: Job) -> Future[Done]:
        """Hand a job on."""
        future = self.pool.submit(job)
        future.add_done_callback(self._note)
        return future

    def close(self, *, now: bool) -> None:
        """Close the pool."""
        self.pool.close(now=now)

    def _note(self, done: Future[Done]) -> None:
        self.busy_s += done.result().seconds


@dataclass(frozen=True)
class Spent:
    """Seconds of a run: by the clock, of this process's cores, of those cores within evaluations, of busy workers."""

    wall: float
    cpu: float
    evaluating: float
    busy: float


def study(points: int) -> StudyConfig:
    """Return a study of so many points, all of them different."""
    content = {
        "schema": "archsim/study@1",
        "name": "benchmark",
        "quality": False,
        "passes": 20,
        "images": 10,
        "arch": str(ROOT / "arch_configs" / "spatial_spindrop_stt.yaml"),
        "workload": str(ROOT / "workloads" / "lenet5_digits.yaml"),
        "axes": {"clock": [f"{200 + i} MHz" for i in range(points)]},
    }
    return validate(StudyConfig, content, "benchmark")


def run(config: StudyConfig, pool: Pool, first: int, count: int) -> Spent:
    """Evaluate some points of a study into a store that is thrown away."""
    points = [p for p in design_points(config, "benchmark") if first <= p.number < first + count]
    watched = Watched(pool)
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(Path(folder) / "s", study={"name": "s"}, file="/s.yaml", resume=False) as store,
    ):
        wall, cpu = time.perf_counter(), time.process_time()
        given, same = tee(points)
        store.plan(zip(tasks_of(config, "benchmark", given), same, strict=True))
        Campaign(store, watched).run(tasks_of(config, "benchmark", points))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        outcomes = store.outcomes(p.number for p in points)
    if wrong := [o.error for o in outcomes.values() if o.error]:
        sys.exit(wrong[0])
    return Spent(wall, cpu, sum(o.seconds for o in outcomes.values()), watched.busy_s)


def overhead(config: StudyConfig, count: int) -> None:
    """Print what a point takes within one process, and what the campaign adds."""
    with open_pool(1) as inside:
        run(config, inside, ROUNDS * count, 5)
        spent = [run(config, inside, i * count, count) for i in range(ROUNDS)]
    _line("a point", 1e3 * median(s.evaluating for s in spent) / count, "ms of one core")
    _line("overhead of the campaign", 1e3 * median(s.cpu - s.evaluating for s in spent) / count, "ms a point")


def gain(config: StudyConfig, count: int) -> None:
    """Print what two workers gain over one, in turn."""
    one, two = Processes(1), Processes(2)
    try:
        for pool in (one, two):
            run(config, pool, ROUNDS * count, 40)  # workers take seconds to start
        rounds = [(run(config, one, i * count, count), run(config, two, i * count, count)) for i in range(ROUNDS)]
    finally:
        one.close(now=True)
        two.close(now=True)
    _line("this process, beside two workers", 1e3 * median(both.cpu for _, both in rounds) / count, "ms a point")
    _line("share of the time with a job", 100 * median(both.busy / both.wall / 2 for _, both in rounds), "%")
    _line("two workers over one", median(alone.wall / both.wall for alone, both in rounds), "x")


def _line(what: str, value: float, unit: str) -> None:
    print(f"{what:34s} {value:8.2f} {unit}")


def main() -> None:
    """Print medians of some rounds."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    config = study((ROUNDS + 1) * count)
    overhead(config, count)
    gain(config, count)


if __name__ == "__main__":
    main()
