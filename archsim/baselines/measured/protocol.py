"""How long and how often things are measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from archsim.errors import ConfigError

SYSTEMATIC = 0.05  # of a measured time or energy: ASSUMED, for what repeating it does not show


@dataclass(frozen=True)
class Protocol:
    """The rules of a measurement; by default those of a record that others shall trust, which takes its time.

    Each point is warmed up for `warmup_s` and `warmup_queries`, whichever is later. Its latency is taken of `queries`
    calls, one at a time with the device synchronised; a slow network stops after `limit_s`, but not before
    `least_queries`, and its warm-up stops after `limit_s` too. Energy is taken in `trials` windows of calls that follow
    each other without waiting, `pause_s` apart, each `window_s` long or `updates` of the meter, whichever is longer;
    idle power once, for `idle_s`. `compile`: whether `torch.compile` is tried, which takes half a minute a network,
    batch and number of passes.

    The defaults follow MLPerf's SingleStream (1,024 queries), HW-NAS-Bench (3 s of warm-up) and Zeus (windows of 5 s,
    10 s to cool down). Raises `ConfigError` for a value that measures nothing.
    """

    name: str = "full"
    warmup_s: float = 3.0
    warmup_queries: int = 50
    queries: int = 1000
    least_queries: int = 5
    limit_s: float = 20.0
    window_s: float = 5.0
    updates: int = 50
    trials: int = 5
    pause_s: float = 10.0
    idle_s: float = 10.0
    compile: bool = True

    def __post_init__(self) -> None:
        for name in ("queries", "least_queries", "limit_s", "window_s", "trials", "idle_s"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"protocol: {name} must be positive, got {getattr(self, name)}")
        for name in ("warmup_s", "warmup_queries", "updates", "pause_s"):
            if getattr(self, name) < 0:
                raise ConfigError(f"protocol: {name} must not be negative, got {getattr(self, name)}")

    @classmethod
    def quick(cls) -> Protocol:
        """Return the rules for a look: a second or two a point, and no `torch.compile`."""
        return cls(
            name="quick",
            warmup_s=0.3,
            warmup_queries=10,
            queries=200,
            least_queries=3,
            limit_s=2.0,
            window_s=1.0,
            updates=10,
            trials=3,
            pause_s=0.2,
            idle_s=1.0,
            compile=False,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the rules as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Clock:
    """What tells the time, in seconds, and waits; tests give one of their own."""

    now: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep
