"""Speed of a study on one core: timing-and-energy points a minute, and what a point costs above its simulation.

    python benchmarks/study.py

MNIST LeNet-5 (Spatial-SpinDrop) with 20 passes, designs that differ in rows, converter bits, columns of a converter and
clock: each is evaluated once by one process that shares what points share, as a worker of `archsim sweep` does. Thread
CPU time, medians over points, all in one run; traces and libraries are read before. With a thousand images, as where
answers are computed, a run is simulated until it repeats, which takes several images.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean, median

from archsim.config import validate
from archsim.pipeline import deploy
from archsim.pipeline.inputs import Inputs
from archsim.sim.run import simulate
from archsim.study import StudyConfig, Task, design_points
from archsim.study.evaluator import Evaluator
from archsim.study.keys import tasks_of

ROOT = Path(__file__).parents[1]
STUDY = {
    "schema": "archsim/study@1",
    "name": "benchmark",
    "arch": str(ROOT / "arch_configs" / "spatial_spindrop_stt.yaml"),
    "workload": str(ROOT / "workloads" / "lenet5_mnist_spatial.yaml"),
    "passes": 20,
    "quality": False,
    "axes": {
        "crossbar.rows": [64, 96, 128],
        "converter.bits": "4..6",
        "converter.columns_per_converter": [4, 8, 16],
        "clock": {"from": "300 MHz", "to": "500 MHz", "points": 4},
    },
}
TARGET = 2000  # points a minute


def cpu_ms(work: Callable[[], object]) -> float:
    """Return the CPU time of this thread for some work, in milliseconds."""
    start = time.thread_time()
    work()
    return 1e3 * (time.thread_time() - start)


def tasks(images: int) -> list[Task]:
    """Return the points of the study."""
    config = validate(StudyConfig, {**STUDY, "images": images}, "benchmark")
    return list(tasks_of(config, "benchmark", design_points(config, "benchmark")))


def points(images: int) -> None:
    """Evaluate every point, and do again what cannot be left out: building the chip, mapping, simulating."""
    evaluator, inputs, work = Evaluator(), Inputs(), tasks(images)
    evaluator.outcome(work[0])
    bare(work[0], inputs)
    whole, least = [], []
    for task in work:  # in turn, so that both see the same machine
        whole.append(cpu_ms(partial(evaluator.outcome, task)))
        least.append(cpu_ms(partial(bare, task, inputs)))
    rate = 60_000 / mean(whole)
    print(f"{len(work)} points, {images} images a run")
    print(f"  a point {median(whole):16.1f} ms")
    print(f"  above chip, mapping, simulation {median(w - b for w, b in zip(whole, least, strict=True)):.1f} ms")
    print(f"  points a minute {rate:8.0f}, {rate / TARGET:.2f} of {TARGET}")


def bare(task: Task, inputs: Inputs) -> None:
    """Do what every evaluation needs."""
    at_work = deploy(
        task.arch, task.workload, passes=task.passes, images=task.images, overrides=task.overrides, inputs=inputs
    )
    simulate(at_work.mapping, images=at_work.wanted, passes=at_work.passes)


def planning() -> None:
    """Print how long a task and its key take."""
    config = validate(StudyConfig, {**STUDY, "images": 1}, "benchmark")
    many = list(design_points(config, "benchmark")) * 20
    for _ in range(2):  # what is loaded once must not count as the first point's
        first = cpu_ms(lambda: list(tasks_of(config, "benchmark", many[:1])))
    each = 1e3 * (cpu_ms(lambda: list(tasks_of(config, "benchmark", many))) - first) / len(many)
    print(f"task and key of a point: {each:.0f} us; the first, which reads all files: {first:.0f} ms")


def main() -> None:
    """Run all benchmarks."""
    points(1)
    points(1000)
    planning()


if __name__ == "__main__":
    main()
