"""Simulates a mapping: the one entry into `archsim.sim`."""

from __future__ import annotations

from collections.abc import Mapping as Table
from dataclasses import replace
from math import ceil

from archsim.errors import ConfigError
from archsim.mapping.activity import Activity, expected_activity
from archsim.mapping.plan import Mapping, Placed
from archsim.sim.log import (
    BufferPeak,
    OperationTotal,
    RunLog,
    StationTotal,
    operation_totals,
    scaled,
    stall_totals,
    station_totals,
)
from archsim.sim.machine import Machine
from archsim.sim.station import Engine, Station
from archsim.sim.timing import memory_ps

SCHEDULES = ("layer_by_layer", "pipelined_layers", "pipelined_passes")
GRAINS = ("position", "row", "map")


def simulate(
    mapping: Mapping,
    *,
    images: int,
    passes: int,
    activity: Table[str, Activity] | None = None,
    schedule: str | None = None,
    grain: str | None = None,
    shortcut: bool = True,
    recorder: object = None,
) -> RunLog:
    """Run `images` x `passes` of a mapped network on its chip and return what happened when.

    `activity` by layer, from the functional pass; where it is missing, what is to be expected. `schedule` and `grain`
    default to the architecture's. `shortcut` = False simulates every pass event by event; the result is the same.
    `recorder` hears of every use of a station and every change of a buffer.

    Raises `MappingError` when a buffer is too small for the schedule, `SimulationError` for a deadlock, `ConfigError`
    for a schedule, grain, or number of images or passes that does not exist.
    """
    arch = mapping.chip.arch
    schedule, grain = schedule or arch.schedule, grain or arch.grain
    for value, known, what in ((schedule, SCHEDULES, "schedule"), (grain, GRAINS, "grain")):
        if value not in known:
            raise ConfigError(f"{what}: '{value}' is not one of {', '.join(known)}")
    if images < 1 or passes < 1:
        raise ConfigError(f"images and passes must be at least 1, got {images} and {passes}")
    busy = dict(activity or {})
    for p in mapping.placed():
        busy.setdefault(p.name, expected_activity(p.stage, p.tiling.rows))
    repeats = images if mapping.reprogrammed else 1
    logs = []
    for placed in mapping.rounds:
        machine = Machine(
            mapping,
            placed,
            busy,
            images // repeats,
            passes,
            schedule=schedule,
            grain=grain,
            shortcut=shortcut,
            recorder=recorder,
        )
        log = _log(machine, machine.run(), schedule, grain)
        logs.append(_with_programming(mapping, placed, log) if mapping.reprogrammed else log)
    return logs[0] if len(logs) == 1 else _in_turn(logs, repeats)


def _log(machine: Machine, total_ps: int, schedule: str, grain: str) -> RunLog:
    engine, times, shortcut = machine.engine, machine.image_times, machine.shortcut
    skipped = shortcut.skipped_turns if shortcut else 0
    images = machine.work.images + (shortcut.skipped_images if shortcut else 0)
    passes = machine.work.passes
    first, last = machine.pass_times
    pass_interval = round((last - first) / (passes - 1)) if passes > 1 else first
    interval = round((times[-1] - times[0]) / (images - 1)) if images > 1 else times[0]
    return RunLog(
        images=images,
        passes=passes,
        schedule=schedule,
        grain=grain,
        total_ps=total_ps,
        latency_ps=times[0],
        first_pass_ps=first,
        pass_interval_ps=pass_interval,
        image_interval_ps=interval,
        programming_ps=0,
        simulated_passes=images * passes - skipped,
        skipped_passes=skipped,
        events=engine.order,
        operations=tuple(operation_totals(engine)),
        stations=tuple(station_totals(engine)),
        stalls=tuple(stall_totals(engine)),
        buffers=tuple(BufferPeak(e.name, e.peak * e.bits, e.capacity * e.bits) for e in machine.edges.values()),
    )


def program(mapping: Mapping, placed: tuple[Placed, ...]) -> tuple[OperationTotal, StationTotal]:
    """Return what writing the weights of some layers takes: row by row in each crossbar, crossbars side by side.

    Weights come from off-chip memory if there is one, and its bandwidth may be what limits.
    """
    chip = mapping.chip
    box = chip.arch.crossbar
    pulse = chip.components["crossbar"].actions["write"].latency_ps
    rows = max(t.size for p in placed for t in p.tiling.row_tiles)
    pairs = sum(p.tiling.rows * p.columns * p.replicas for p in placed)
    duration = rows * box.cells_per_weight * pulse
    actions = [("crossbar", "write", float(box.cells_per_weight))]
    if chip.arch.memory is not None:
        duration = max(duration, memory_ps(chip, pairs * box.bits_per_cell))
        actions.append(("memory", "read", float(box.bits_per_cell)))
    engine = Engine()
    station = Station(engine, "programming", "chip")
    op = engine.operation("program", "weights", "weight cell", actions)
    station.book(op, pairs, duration, 0)
    return operation_totals(engine)[0], station_totals(engine)[0]


def _with_programming(mapping: Mapping, placed: tuple[Placed, ...], log: RunLog) -> RunLog:
    operation, station = program(mapping, placed)
    return replace(
        log,
        total_ps=log.total_ps + station.busy_ps,
        latency_ps=log.latency_ps + station.busy_ps,
        first_pass_ps=log.first_pass_ps + station.busy_ps,
        programming_ps=station.busy_ps,
        operations=(*log.operations, operation),
        stations=(*log.stations, station),
    )


def _in_turn(logs: list[RunLog], repeats: int) -> RunLog:
    """Return the log of rounds that follow each other for every image."""
    one = sum(log.total_ps for log in logs)
    return replace(
        logs[0],
        images=repeats,
        total_ps=one * repeats,
        latency_ps=one,
        first_pass_ps=sum(log.first_pass_ps for log in logs),
        pass_interval_ps=ceil(sum(log.pass_interval_ps for log in logs)),
        image_interval_ps=one,
        programming_ps=sum(log.programming_ps for log in logs) * repeats,
        simulated_passes=logs[0].simulated_passes * repeats,
        skipped_passes=logs[0].skipped_passes * repeats,
        events=sum(log.events for log in logs),
        operations=tuple(t for log in logs for t in scaled(log.operations, repeats)),
        stations=tuple(
            replace(s, uses=s.uses * repeats, busy_ps=s.busy_ps * repeats, queued_ps=s.queued_ps * repeats)
            for log in logs
            for s in log.stations
        ),
        stalls=tuple(replace(s, waited_ps=s.waited_ps * repeats) for log in logs for s in log.stalls),
        buffers=tuple(b for log in logs for b in log.buffers),
    )
