"""Stores of made-up studies: outcomes are plain functions of the number of their point."""

from __future__ import annotations

import math
import struct

from archsim.study.points import DesignPoint
from archsim.study.store import Store
from archsim.study.task import Answers, Outcome, Task

STUDY = {
    "schema": "archsim/study@1",
    "name": "made_up",
    "arch": "a.yaml",
    "workload": "w.yaml",
    "axes": {"crossbar.rows": [64, 128, 256], "clock": ["100 MHz", "1 GHz"]},
}


def task(number, key=None):
    return Task(number, key or f"key{number}", "/a.yaml", "/w.yaml")


def point(number, **values):
    values = values or {"crossbar.rows": 64 << number % 3, "clock": ("100 MHz", "1 GHz")[number % 2]}
    return DesignPoint(number, values, dict(values))


def pairs(count, start=0):
    return ((task(n), point(n)) for n in range(start, start + count))


def outcome(number, key=None, **more):
    """A point's outcome, every fifth one failed; with figures that are awkward to keep."""
    key = key or f"key{number}"
    if number % 5 == 4:
        return Outcome(number, key, error=f"point {number} cannot be", trace="Traceback", seconds=0.5, **more)
    figures = {"energy_j_per_image": (number + 1) / 3e9, "nll": math.nan, "events": float(number)}
    if number % 2:
        figures = {"latency_s_per_image": -0.0, **figures, "area_m2": math.inf}
    texts = {"arch": "chip", "bottleneck": f"bus {number % 2}"}
    return Outcome(number, key, figures, texts, function=f"f{number % 3}", seconds=0.25, **more)


def answers(seed=0):
    return Answers(
        10, {"accuracy": 0.5 + seed / 7, "nll": math.nan}, {"conv": {"reads": 3}}, {2: 1.0}, {"conv": "p"}, 2.0
    )


def opened(folder, name="study", *, study=STUDY, resume=False):
    return Store.open(folder, name=name, study=study, file="/studies/made_up.yaml", resume=resume)


def same(a, b):
    """Equal to the last bit, NaN and the sign of zero included."""
    bits = [{name: struct.pack("<d", value) for name, value in o.figures.items()} for o in (a, b)]
    rest = [(o.key, dict(o.texts), o.function, o.error, o.trace, o.seconds, [*o.figures]) for o in (a, b)]
    return bits[0] == bits[1] and rest[0] == rest[1]
