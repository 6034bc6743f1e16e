"""What a query takes in joules: long windows of queries that follow each other, beside the power of doing nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from archsim.baselines.measured.failures import RefusedError
from archsim.baselines.measured.latency import Step, measured
from archsim.baselines.measured.meters import Meter
from archsim.baselines.measured.protocol import Clock, Protocol
from archsim.metrics.intervals import Estimate

POLL_S = 0.002  # how often a meter is looked at while nothing runs
SEGMENTS = 5  # of the idle time, for its spread


@dataclass(frozen=True)
class Idle:
    """Watts while nothing runs, and how long the meter takes from one update to the next, in seconds."""

    power: Estimate
    period_s: float


@dataclass(frozen=True)
class Energy:
    """Joules an image: all while busy, and those above idle. `interval_s`: between images; `trials`: of windows."""

    total: Estimate
    dynamic: Estimate
    interval_s: float
    trials: int


def idle(meter: Meter, protocol: Protocol, clock: Clock) -> Idle:
    """Measure the power of an open device that does nothing, from one update of the meter to another.

    Raises `RefusedError` when the meter does not move.
    """
    started = clock.now()
    updates = [(started, meter.joules())]
    while (now := clock.now()) - started < protocol.idle_s:
        joules = meter.joules()
        if joules != updates[-1][1]:
            updates.append((now, joules))
        clock.sleep(POLL_S)
    times, energies = np.array(updates[1:]).reshape(-1, 2).T
    if len(times) < 2:
        raise RefusedError(f"{meter.name}: it did not move within {protocol.idle_s:g} s")
    parts = min(SEGMENTS, len(times) - 1)
    ends = np.linspace(0, len(times) - 1, parts + 1).round().astype(int)
    watts = np.diff(energies[ends]) / np.diff(times[ends])
    span = float(times[-1] - times[0])
    return Idle(measured(watts, f"idle for {span:.3g} s, in {parts} parts"), span / (len(times) - 1))


def window(query: Step, synchronise: Step, seconds: float, clock: Clock) -> tuple[int, float]:
    """Query again and again without waiting for the device; return how often, and the seconds until all was done."""
    synchronise()
    started, calls = clock.now(), 0
    while calls == 0 or clock.now() - started < seconds:
        query()
        calls += 1
    synchronise()
    return calls, clock.now() - started


def energy(
    query: Step, synchronise: Step, images: int, meter: Meter, rest: Idle, protocol: Protocol, clock: Clock
) -> Energy:
    """Measure the energy of queries of so many images, in several windows with pauses between them."""
    seconds = max(protocol.window_s, protocol.updates * rest.period_s)
    joules, spacing, spans = [], [], []
    for trial in range(protocol.trials):
        if trial:
            clock.sleep(protocol.pause_s)
        before = meter.joules()
        calls, span = window(query, synchronise, seconds, clock)
        joules.append((meter.joules() - before) / (calls * images))
        spacing.append(span / (calls * images))
        spans.append(span)
    values, interval = np.array(joules), float(np.mean(spacing))
    unseen = rest.period_s / float(np.min(spans)) * abs(float(values.mean()))  # up to one update at the ends
    what = f"mean of {protocol.trials} windows of {seconds:.3g} s"
    total = measured(values, what, unseen)
    return Energy(total, _above(total, rest.power, interval), interval, protocol.trials)


def _above(total: Estimate, power: Estimate, interval: float) -> Estimate:
    """Return energy less what idle power takes in the meantime; not less than nothing."""
    value = max(0.0, total.value - power.value * interval)
    half = math.hypot(total.high - total.value, (power.high - power.value) * interval)
    return Estimate(value, max(0.0, value - half), value + half, f"{total.method}; less idle power, measured before")
