"""What two platforms are compared by, on which terms, and what a point of a platform says about it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

from archsim.baselines.platform import OperatingPoint
from archsim.metrics.intervals import Estimate

What = Literal["latency", "throughput", "energy", "energy_at_rate"]
Allowance = Literal["boundary", "network"]
WHATS: tuple[What, ...] = get_args(What)
ALLOWANCES: tuple[Allowance, ...] = get_args(Allowance)


@dataclass(frozen=True)
class Terms:
    """The same on both sides: passes of an image, images of a call and, where given, images that come a second.

    `allowed`: comparisons that are refused otherwise, across boundaries of energy or of different networks.
    """

    passes: int
    batch: int = 1
    rate: float | None = None
    allowed: Collection[Allowance] = ()

    @property
    def whats(self) -> tuple[What, ...]:
        """What is compared: energy at a rate only where there is one."""
        return WHATS if self.rate is not None else WHATS[:-1]


def figure(point: OperatingPoint, what: What, rate: float | None = None) -> Estimate | None:
    """Return what a point takes, the less the better; None where that is not known, or cannot be.

    Latency in seconds a call; throughput as seconds from image to image in a long run; energies in joules an image.
    """
    if what == "latency":
        return point.latency_s
    if what == "energy":
        return point.energy_j
    if what == "energy_at_rate":
        return None if rate is None else point.energy_at(rate)
    return _between_images(point)


def _between_images(point: OperatingPoint) -> Estimate | None:
    """Return `seconds_per_image`, as uncertain as the latency is where there is one."""
    seconds, latency = point.seconds_per_image, point.latency_s
    if seconds is None:
        return None
    if latency is None:
        return Estimate(seconds, seconds, seconds, "no interval is known")
    low, high = latency.low / latency.value, latency.high / latency.value
    return Estimate(seconds, seconds * low, seconds * high, latency.method)
