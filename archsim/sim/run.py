"""Simulates a mapping: the one entry into `archsim.sim`."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Table

from archsim.errors import ConfigError
from archsim.mapping.activity import Activity, expected_activity
from archsim.mapping.plan import ACCUMULATOR_BITS, Mapping
from archsim.sim.log import BufferPeak, RunLog, operation_totals, stall_totals, station_totals
from archsim.sim.machine import Machine
from archsim.sim.programming import in_turn, program, stored_maps, with_programming
from archsim.sim.rounds import rounds_of
from archsim.sim.runtime import StageRun
from archsim.sim.station import Recorder

__all__ = ["GRAINS", "SCHEDULES", "program", "simulate"]

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
    recorder: Recorder | None = None,
) -> RunLog:
    """Run `images` x `passes` of a mapped network on its chip and return what happened when.

    `activity` by layer, from the functional pass; where it is missing, what is to be expected. `schedule` and `grain`
    default to the architecture's. `shortcut` = False simulates every pass event by event; the result is the same.
    `recorder` hears of every use of a station and every change of a buffer; of a chip that is reprogrammed, those of
    one image.

    Two grains agree: the latency of T passes differs by at most T times (1) the sum over the layers of the longest
    chunk of the coarser grain, on arrays, converters and digital units, and (2) the time in a pass for which random
    modules, buffers, memory and links are busy at the finer grain. For a chunk waits for its last position, so each
    layer is late by one chunk at most; and moving the same pixels in more pieces rounds up more words. (Not so where
    layers queue for one station in another order, or where a buffer holds less than two chunks.) A map that waits for
    its statistics is gone over twice, and each time counts in (1).

    Raises `MappingError` when a buffer is too small for the schedule, `SimulationError` for a deadlock, `ConfigError`
    for a schedule, grain, or number of images or passes that does not exist.
    """
    arch = mapping.chip.arch
    check_timing(schedule, grain)
    schedule, grain = schedule or arch.schedule, grain or arch.grain
    if images < 1 or passes < 1:
        raise ConfigError(f"images and passes must be at least 1, got {images} and {passes}")
    busy = dict(activity or {})
    for p in mapping.placed():
        busy.setdefault(p.name, expected_activity(p.stage, p.tiling.rows))
    if not mapping.reprogrammed:
        here = rounds_of(mapping, passes)[0]
        machine = Machine(
            here, busy, images, passes, schedule=schedule, grain=grain, shortcut=shortcut, recorder=recorder
        )
        return run_log(machine, schedule, grain)
    start = 0
    logs = []
    for here in rounds_of(mapping, passes):
        operation, station = program(mapping, here.placed, recorder, start)
        machine = Machine(
            here, busy, 1, passes, schedule=schedule, grain=grain, shortcut=shortcut, recorder=recorder,
            start_ps=start + station.busy_ps,
        )  # fmt: skip
        logs.append(with_programming(run_log(machine, schedule, grain), operation, station))
        start += logs[-1].total_ps
    return in_turn(logs, images, stored_maps(mapping, passes))


def check_timing(schedule: str | None, grain: str | None) -> None:
    """Raise `ConfigError` unless there are such a schedule and such a grain; None is the architecture's."""
    for value, known, what in ((schedule, SCHEDULES, "schedule"), (grain, GRAINS, "grain")):
        if value is not None and value not in known:
            raise ConfigError(f"{what}: '{value}' is not one of {', '.join(known)}")


def run_log(machine: Machine, schedule: str, grain: str) -> RunLog:
    """Run a machine and return its log."""
    total_ps = machine.run()
    engine, times, shortcut = machine.engine, machine.image_times, machine.shortcut
    skipped = engine.skipped_turns
    images = machine.work.images + (shortcut.skipped_images if shortcut else 0)
    passes = machine.work.passes
    first, last = machine.pass_times
    edges = [BufferPeak(e.name, e.peak * e.bits, e.capacity * e.bits) for e in machine.edges]
    return RunLog(
        images=images,
        passes=passes,
        schedule=schedule,
        grain=grain,
        total_ps=total_ps,
        latency_ps=times[0],
        first_pass_ps=first,
        pass_interval_ps=round((last - first) / (passes - 1)) if passes > 1 else first,
        image_interval_ps=round((times[-1] - times[0]) / (images - 1)) if images > 1 else times[0],
        programming_ps=0,
        simulated_passes=images * passes - skipped,
        skipped_passes=skipped,
        events=engine.order,
        operations=tuple(operation_totals(engine)),
        stations=tuple(station_totals(engine)),
        stalls=tuple(stall_totals(engine)),
        buffers=(*edges, *(peak for run in machine.stages for peak in _results(run))),
    )


def _results(run: StageRun) -> Iterator[BufferPeak]:
    """Yield what a layer's part of the output buffers held: results, and maps that waited for their statistics."""
    chunk = max(c.positions for c in run.chunks) * run.placed.outputs * ACCUMULATOR_BITS
    yield BufferPeak(f"{run.label} results", run.most * chunk, run.slots * chunk)
    if run.placed.held_bits:
        yield BufferPeak(f"{run.label} maps", run.placed.held_bits, run.placed.held_bits)
