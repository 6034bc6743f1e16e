"""Hand-made platforms for tests of comparisons."""

from __future__ import annotations

from typing import Any

from archsim.baselines import OperatingPoint, Platform
from archsim.metrics.intervals import Estimate


def about(value: float, factor: float = 2.0) -> Estimate:
    """Return an estimate with a range of a factor to each side."""
    return Estimate(value, value / factor, value * factor, "by hand")


def point(latency_s: float | None = 1e-3, energy_j: float | None = None, **more: Any) -> OperatingPoint:
    """Return a point of 20 passes and one image a call: half of its energy is above idle."""
    settings: dict[str, Any] = {
        "passes": 20, "batch": 1, "mode": "folded", "software": "engine", "precision": "int8",
        "latency_s": None if latency_s is None else about(latency_s),
    }  # fmt: skip
    if energy_j is not None:
        settings |= {"energy_j": about(energy_j), "dynamic_j": about(energy_j / 2), "idle_w": about(5.0)}
    return OperatingPoint(**(settings | more))


def platform(*points: OperatingPoint, **more: Any) -> Platform:
    """Return a platform of network 'net', whose energies are those of a board unless said otherwise."""
    settings: dict[str, Any] = {
        "name": "modelled:gpu", "origin": "modelled", "device": "a GPU", "network": "net", "signature": "same",
        "boundary": "board",
    }  # fmt: skip
    return Platform(points=points, **(settings | more))


CHIP = platform(
    point(1e-5, 4e-7, mode="on_chip", interval_s=8e-6, idle_w=about(4e-3)),
    point(4e-5, 4e-7, mode="on_chip", interval_s=8e-6, idle_w=about(4e-3), batch=4),
    name="chip", origin="simulated", device="a chip", boundary="chip",
)  # fmt: skip
