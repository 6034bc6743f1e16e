"""Writing weights: once before all work, or again and again on a chip that is smaller than the network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from archsim.hardware.parts.array import Crossbar
from archsim.mapping.plan import Mapping, Placed
from archsim.sim.log import BufferPeak, OperationTotal, RunLog, StationTotal, operation_totals, scaled, station_totals
from archsim.sim.rounds import peak_bits, rounds_of
from archsim.sim.station import Engine, Recorder, Station
from archsim.sim.timing import memory_ps


def program(
    mapping: Mapping, placed: Iterable[Placed], recorder: Recorder | None = None, start_ps: int = 0
) -> tuple[OperationTotal, StationTotal]:
    """Return what writing the weights of some layers takes: row by row in each crossbar, crossbars side by side.

    The cells of a weight are written one after the other, and so are the junctions of a cell. Weights come from
    off-chip memory if there is one, and its bandwidth may be what limits; replicas hear the same bits, copies that an
    arbiter chooses among have their own. For a chip that is written once, call it with `mapping.placed()`: the cost
    before all work, of which `simulate` knows nothing.
    """
    chip, layers = mapping.chip, list(placed)
    box = chip.arch.crossbar
    pulse = chip.components["crossbar"].actions["write"].latency_ps
    pairs = sum(_pairs(p) * p.replicas for p in layers)
    writes = sum(_pairs(p) * p.replicas * weight_writes(p, box) for p in layers)
    bits = sum(_pairs(p) * p.tiling.bits_per_cell for p in layers)
    duration = max(t.size * weight_writes(p, box) for p in layers for t in p.tiling.row_tiles) * pulse
    actions = [("crossbar", "write", writes / pairs)]
    if chip.arch.memory is not None:
        duration = max(duration, memory_ps(chip, bits))
        actions.append(("memory", "read", bits / pairs))
    engine = Engine(recorder, start_ps=start_ps)
    station = Station(engine, "programming", "chip")
    operation = engine.operation("program", "weights", "weight cell", actions, "run")
    if recorder is not None:
        recorder.begin(mapping, engine)
    station.book(operation, pairs, duration, 0)
    return operation_totals(engine)[0], station_totals(engine)[0]


def weight_writes(placed: Placed, box: Crossbar) -> int:
    """Return how many writes one weight cell of a layer takes: its complement and its junctions included."""
    return box.cells_per_weight * box.writes(placed.tiling.bits_per_cell)


def _pairs(placed: Placed) -> int:
    """Return the weight cells of one replica of a layer, all copies of the weights included."""
    return placed.tiling.rows * placed.columns * placed.layout.copies


def with_programming(log: RunLog, operation: OperationTotal, station: StationTotal) -> RunLog:
    """Return the log of a round that starts with programming."""
    return replace(
        log,
        total_ps=log.total_ps + station.busy_ps,
        latency_ps=log.latency_ps + station.busy_ps,
        first_pass_ps=log.first_pass_ps + station.busy_ps,
        programming_ps=station.busy_ps,
        operations=(*log.operations, operation),
        stations=(*log.stations, station),
    )


def in_turn(logs: Sequence[RunLog], images: int, maps: BufferPeak) -> RunLog:
    """Return the log of rounds that follow each other for every image.

    A pass ends in the last round, so the first one is done after all rounds before it. Stations of the same name are
    the same in all rounds.
    """
    one = sum(log.total_ps for log in logs)
    stations: dict[tuple[str, str], StationTotal] = {}
    for s in (s for log in logs for s in log.stations):
        known = stations.get((s.group, s.name), replace(s, uses=0, busy_ps=0, queued_ps=0))
        stations[(s.group, s.name)] = replace(
            known,
            uses=known.uses + s.uses * images,
            busy_ps=known.busy_ps + s.busy_ps * images,
            queued_ps=known.queued_ps + s.queued_ps * images,
        )
    return replace(
        logs[-1],
        images=images,
        total_ps=one * images,
        latency_ps=one - logs[-1].total_ps + logs[-1].latency_ps,
        first_pass_ps=one - logs[-1].total_ps + logs[-1].first_pass_ps,
        image_interval_ps=one,
        programming_ps=sum(log.programming_ps for log in logs) * images,
        simulated_passes=logs[0].simulated_passes,
        skipped_passes=images * logs[0].passes - logs[0].simulated_passes,
        events=sum(log.events for log in logs),
        operations=tuple(t for log in logs for t in scaled(log.operations, images)),
        stations=tuple(stations.values()),
        stalls=tuple(replace(s, waited_ps=s.waited_ps * images) for log in logs for s in log.stalls),
        buffers=(*(b for log in logs for b in log.buffers), maps),
    )


def stored_maps(mapping: Mapping, passes: int) -> BufferPeak:
    """Return what waits between rounds, beside an image in the global buffer or in the off-chip memory."""
    bits = passes * peak_bits(mapping)
    storage = rounds_of(mapping, passes)[0].storage
    return BufferPeak(f"maps between rounds ({storage})", bits, bits)
