"""What a simulation leaves behind: totals that add, and the times that matter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from archsim.sim.station import CAUSES, Engine


@dataclass(frozen=True)
class OperationTotal:
    """How often an operation of a layer happened: `units` of it (positions, bits, ...), in `uses` station uses."""

    name: str
    layer: str
    unit: str
    uses: int
    units: int
    actions: tuple[tuple[str, str, float], ...]


@dataclass(frozen=True)
class StationTotal:
    """How long a station was busy, and how long its users queued for it."""

    name: str
    group: str
    uses: int
    busy_ps: int
    queued_ps: int


@dataclass(frozen=True)
class StallTotal:
    """How long a process waited for one cause."""

    process: str
    cause: str
    waited_ps: int


@dataclass(frozen=True)
class BufferPeak:
    """The most that a buffer held, of the bits it was granted (a coarse grain may need more than the chip has)."""

    name: str
    peak_bits: int
    granted_bits: int


@dataclass(frozen=True)
class RunLog:
    """A simulated run of `images` x `passes`. Times are integer picoseconds.

    `total_ps`: until all is at rest. `latency_ps`: of the first image, from load to result. `first_pass_ps`: its first
    pass, the fill. `pass_interval_ps`, `image_interval_ps`: between passes, and between images, in the long run; exact
    fractions are rounded to the nearest picosecond. `simulated_passes` are run event by event, `skipped_passes`
    exactly repeated.
    """

    images: int
    passes: int
    schedule: str
    grain: str
    total_ps: int
    latency_ps: int
    first_pass_ps: int
    pass_interval_ps: int
    image_interval_ps: int
    programming_ps: int
    simulated_passes: int
    skipped_passes: int
    events: int
    operations: tuple[OperationTotal, ...]
    stations: tuple[StationTotal, ...]
    stalls: tuple[StallTotal, ...]
    buffers: tuple[BufferPeak, ...]


def operation_totals(engine: Engine) -> list[OperationTotal]:
    """Return the operations of an engine's book that happened."""
    rows = engine.ledger.operations
    return [
        OperationTotal(op.name, op.layer, op.unit, rows[op.index][0], rows[op.index][1], op.actions)
        for op in engine.operations
        if rows[op.index][1]
    ]


def station_totals(engine: Engine) -> list[StationTotal]:
    """Return the stations of an engine's book."""
    return [StationTotal(s.name, s.group, *s.row) for s in engine.stations]


def stall_totals(engine: Engine) -> list[StallTotal]:
    """Return who waited for what, where anybody did."""
    return [
        StallTotal(cursor.label, cause, waited)
        for cursor, row in zip(engine.cursors, engine.ledger.stalls, strict=True)
        for cause, waited in zip(CAUSES, row, strict=True)
        if waited
    ]


def scaled(totals: Iterable[OperationTotal], times: int) -> list[OperationTotal]:
    """Return operation totals repeated."""
    return [replace(t, uses=t.uses * times, units=t.units * times) for t in totals]
