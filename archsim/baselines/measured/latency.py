"""How long a query takes: warmed up, one at a time, with the device synchronised, by the host's clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from archsim.baselines.measured.protocol import SYSTEMATIC, Clock, Protocol
from archsim.metrics.intervals import Estimate, Floats, mean

PERCENTILES = (50, 90, 99)
Step = Callable[[], object]


@dataclass(frozen=True)
class Latency:
    """Seconds from a query to its answer: the mean with its interval, percentiles by name, of how many queries."""

    mean: Estimate
    percentiles: Mapping[str, float]
    queries: int


def warm_up(query: Step, synchronise: Step, protocol: Protocol, clock: Clock) -> None:
    """Query until caches, clocks and allocators have settled, as the protocol says."""
    started, queries = clock.now(), 0
    while True:
        query()
        synchronise()
        queries += 1
        spent = clock.now() - started
        settled = spent >= protocol.warmup_s and queries >= protocol.warmup_queries
        if settled or spent >= max(protocol.warmup_s, protocol.limit_s):
            return


def latency(query: Step, synchronise: Step, protocol: Protocol, clock: Clock) -> Latency:
    """Time queries one by one, waiting for the device before and after each."""
    times: list[float] = []
    started = clock.now()
    while len(times) < protocol.queries:
        synchronise()
        before = clock.now()
        query()
        synchronise()
        times.append((after := clock.now()) - before)
        if after - started >= protocol.limit_s and len(times) >= protocol.least_queries:
            break
    seconds = np.array(times)
    named = {f"p{p}": float(np.quantile(seconds, p / 100)) for p in PERCENTILES}
    return Latency(measured(seconds, f"mean of {len(times)} queries"), named, len(times))


def measured(values: Floats, what: str, *further: float) -> Estimate:
    """Return the mean of repeated measurements, with an interval for their spread and for errors common to all.

    The half-width is Student's 95 % one in quadrature with `SYSTEMATIC` of the mean, and with `further` half-widths.
    `values`: shape (n,); a single one has no spread to learn from, only the errors common to all.
    """
    spread = mean(values)
    common = (SYSTEMATIC * abs(spread.value), *further)
    if values.size > 1:
        common = (*common, spread.high - spread.value)
    half = math.hypot(*common)
    method = f"{what}; Student's t, and {SYSTEMATIC:.0%} common to all (ASSUMED)"
    return Estimate(spread.value, max(0.0, spread.value - half), spread.value + half, method)
