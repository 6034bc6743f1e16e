"""What keeping results costs: planning, claiming, committing and loading a study of 100,000 points.

    python benchmarks/store.py

Made-up outcomes of 60 figures, with five axes, one of them a quantity that is never the same twice. Medians of several
runs, wall and processor time; a commit is of 10 points.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from statistics import median

from archsim.study.points import DesignPoint
from archsim.study.store import Store
from archsim.study.tables import load_study
from archsim.study.task import Outcome, Task

POINTS = 100_000
BATCH = 10
COMMITTED = 20_000  # one batch at a time; the rest in large ones
NAMES = [f"energy_j_per_image.part_{i}" for i in range(60)]
STUDY = {"schema": "archsim/study@1", "name": "benchmark", "arch": "a.yaml", "workload": "w.yaml"}


def main() -> None:
    """Print a table of what each step takes."""
    print(f"{'step':44s} {'wall':>10s} {'cpu':>10s}")
    import_module("pandas")  # nobody waits for it twice
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "out"
        with Store.open(folder, study=STUDY, file="/study.yaml", resume=False) as store:
            show(f"plan of {POINTS:,} points", "s", *timed(lambda: store.plan(points())))
            show("the same plan again", "s", *timed(lambda: store.plan(points())))
            show("what waits", "s", *timed(store.waiting))
            claims = [timed(lambda b=b: store.claim(range(b, b + BATCH))) for b in range(0, COMMITTED, BATCH)]
            show(f"claim, a point (of {BATCH})", "us", *middle(claims, 1e6 / BATCH))
            commits = [timed(lambda b=b: store.commit(outcomes(b, b + BATCH))) for b in range(0, COMMITTED, BATCH)]
            show(f"commit, a point (of {BATCH})", "us", *middle(commits, 1e6 / BATCH))
            store.commit(outcomes(COMMITTED, POINTS))
            show("counts", "s", *timed(store.counts))
        loads = [timed(lambda: load_study(folder)) for _ in range(5)]
        show(f"load of {POINTS:,} points", "s", *middle(loads, 1))
        size = (folder / "study.sqlite").stat().st_size / 1e6
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"file {size:.0f} MB, peak memory {peak:.0f} MB")


def points() -> Iterator[tuple[Task, DesignPoint]]:
    """Yield planned points."""
    for n in range(POINTS):
        values = {
            "crossbar.rows": 64 << n % 3, "converter.bits": 4 + n % 5, "method": ("spatial", "affine")[n % 2],
            "passes": n % 50, "clock": f"{100 + n / 1000} MHz",
        }  # fmt: skip
        yield Task(n, f"{n:064d}", "/a.yaml", "/w.yaml"), DesignPoint(n, values, values)


def outcomes(start: int, stop: int) -> Iterator[Outcome]:
    """Yield what came of points."""
    for n in range(start, stop):
        figures = {name: n * 1e-9 + i for i, name in enumerate(NAMES)}
        yield Outcome(n, f"{n:064d}", figures, {"arch": "chip", "bottleneck": f"bus {n % 7}"}, f"f{n % 100}")


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """Return wall and processor seconds of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def middle(times: list[tuple[float, float]], scale: float) -> tuple[float, float]:
    """Return the medians of wall and processor seconds, times a scale."""
    return median(wall for wall, _ in times) * scale, median(cpu for _, cpu in times) * scale


def show(step: str, unit: str, wall: float, cpu: float) -> None:
    """Print a line of the table."""
    print(f"{step:44s} {wall:7.3g} {unit:2s} {cpu:7.3g} {unit:2s}")


if __name__ == "__main__":
    main()
