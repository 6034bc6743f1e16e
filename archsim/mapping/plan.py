"""From a traced network and a chip to a mapping: what sits where, and how long one vector takes there."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import ceil

import numpy as np

from archsim.errors import MappingError
from archsim.hardware.chip import Chip
from archsim.mapping.placement import Demand, Share, place, replicate, segment
from archsim.mapping.stages import Stage, StageGraph, build_stages
from archsim.mapping.tiling import Tiling, tile_layer
from archsim.workload.trace import Trace

ACCUMULATOR_BITS = 16


@dataclass(frozen=True)
class VectorTiming:
    """How long a crossbar step takes: `read_ps` to drive and settle, `convert_ps` for all its conversions.

    `vector_ps`: from one input vector to the next. `fill_ps`: what the first vector of a run waits on top of it.
    """

    read_ps: int
    convert_ps: int
    vector_ps: int
    fill_ps: int


@dataclass(frozen=True, eq=False)
class Placed:
    """A layer, or some of its columns, on the chip.

    `columns`: physical columns held (over all convolution groups); `outputs`: output channels they make.
    `tiles`: where they are; the first is home to the digital work. `buffer_bits`: its part of the input buffer.
    """

    stage: Stage
    tiling: Tiling
    share: Share
    columns: int
    outputs: int
    replicas: int
    tiles: range
    timing: VectorTiming
    buffer_bits: int

    @property
    def name(self) -> str:
        """The name of the layer."""
        return self.stage.name

    @property
    def column_tiles(self) -> int:
        """Column tiles held."""
        return self.share.last - self.share.first

    @property
    def crossbars(self) -> int:
        """Crossbars taken, replicas included."""
        return self.tiling.blocks * len(self.tiling.row_tiles) * self.column_tiles * self.replicas

    @property
    def fraction(self) -> float:
        """Which part of the layer's outputs this is."""
        return self.columns / (self.tiling.columns * self.tiling.blocks)

    @property
    def straddling(self) -> int:
        """Times that partial sums of a column leave a tile to be added on another."""
        depth = len(self.tiling.row_tiles) * self.tiling.blocks
        per_tile = ceil(self.crossbars / len(self.tiles))
        return self.column_tiles * (ceil(depth / per_tile) - 1)


@dataclass(frozen=True, eq=False)
class Mapping:
    """A network on a chip: in each round, the layers that are on it. One round unless the chip is reprogrammed."""

    trace: Trace
    chip: Chip
    graph: StageGraph
    rounds: tuple[tuple[Placed, ...], ...]

    @property
    def reprogrammed(self) -> bool:
        """Whether the chip is rewritten while it runs."""
        return len(self.rounds) > 1

    def placed(self) -> tuple[Placed, ...]:
        """Return everything that is placed, in order."""
        return tuple(p for r in self.rounds for p in r)


def map_trace(trace: Trace, chip: Chip) -> Mapping:
    """Place a network on a chip.

    Raises `MappingError`, with the numbers, when it does not fit, when a buffer cannot hold the window of a layer,
    or when the network draws random bits and the chip has no module for them.
    """
    graph = build_stages(trace)
    arch = chip.arch
    if arch.stochastic is None and any(True for _ in trace.stochastic_nodes()):
        node = next(trace.stochastic_nodes())
        raise MappingError(
            f"layer '{node.name}' draws random bits, but chip '{arch.name}' has no stochastic modules"
            " (section 'stochastic')"
        )
    box = arch.crossbar
    tilings = [
        tile_layer(
            s.node,
            rows=box.rows,
            columns=box.columns,
            parallel_rows=box.parallel_rows,
            bits_per_cell=box.bits_per_cell,
            strategy=arch.mapping.strategy,
        )
        for s in graph.stages
    ]
    demands = [
        Demand(s.name, t.crossbars, t.column_tiles, s.positions, vector_timing(chip, s, t).vector_ps)
        for s, t in zip(graph.stages, tilings, strict=True)
    ]
    organisation = arch.organisation
    capacity = organisation.tiles * organisation.crossbars_per_tile
    rounds = segment(demands, capacity, arch.mapping.overflow, arch.name)
    placed = tuple(_place_round(chip, graph, tilings, demands, shares, capacity) for shares in rounds)
    return Mapping(trace, chip, graph, placed)


def _place_round(
    chip: Chip,
    graph: StageGraph,
    tilings: list[Tiling],
    demands: list[Demand],
    shares: list[Share],
    capacity: int,
) -> tuple[Placed, ...]:
    arch = chip.arch
    here = []
    for s in shares:
        d = demands[s.layer]
        tiles = s.last - s.first
        here.append(Demand(d.name, d.crossbars // d.column_tiles * tiles, tiles, d.positions, d.vector_ps))
    balanced = arch.mapping.replication == "balanced"
    replicas = replicate(here, capacity) if balanced else [1] * len(here)
    per_tile = arch.organisation.crossbars_per_tile
    tiles = place(
        [d.crossbars * r for d, r in zip(here, replicas, strict=True)],
        per_tile,
        arch.organisation.tiles,
        arch.mapping.placement,
    )
    stages = [graph.stages[s.layer] for s in shares]
    buffers = _share_buffers(chip, stages, tiles)
    out = []
    for share, count, where, bits in zip(shares, replicas, tiles, buffers, strict=True):
        stage, tiling = graph.stages[share.layer], tilings[share.layer]
        last = min(share.last * arch.crossbar.columns, tiling.columns)
        columns = (last - share.first * arch.crossbar.columns) * tiling.blocks
        timing = vector_timing(chip, stage, tiling)
        outputs = ceil(columns / tiling.slices)
        out.append(Placed(stage, tiling, share, columns, outputs, count, where, timing, bits))
    return tuple(out)


def vector_timing(chip: Chip, stage: Stage, tiling: Tiling) -> VectorTiming:
    """Return how long the crossbars of a layer take for one input vector.

    Row groups of one crossbar and input bits follow each other; crossbars work side by side. With sample-and-hold
    the next read overlaps the conversions of the last. Reading the inputs from the buffer overlaps both.
    """
    arch, parts = chip.arch, chip.components
    box, converter = arch.crossbar, arch.converter
    read = parts["row_driver"].actions["drive"].latency_ps + parts["crossbar"].actions["read"].latency_ps
    used = min(tiling.columns, box.columns)
    one = parts["column_mux"].actions["select"].latency_ps + parts["converter"].actions["convert"].latency_ps
    if converter.columns_per_converter is None:  # shared: what the layer's crossbars ask of one core's or tile's
        assert converter.count is not None
        of_core = converter.shared_by == "core"
        near = arch.organisation.crossbars_per_core if of_core else arch.organisation.crossbars_per_tile
        turns = ceil(used * min(near, tiling.crossbars) / converter.count)
    else:
        turns = ceil(used / ceil(box.columns / converter.columns_per_converter))
    convert = turns * one
    step = max(read, convert) if converter.sample_hold else read + convert
    array = stage.input_bits * tiling.steps * step
    words = ceil(tiling.rows * stage.input_bits / arch.input_buffer.width)
    fetch = words * parts["input_buffer"].actions["read"].latency_ps
    fill = min(read, convert) if converter.sample_hold else 0
    return VectorTiming(read, convert, max(array, fetch), fill)


def window_pixels(stage: Stage) -> int:
    """Return how many pixels of its input a layer must hold at least, vector by vector."""
    freed = np.concatenate(([0], stage.frees[:-1]))
    return int((stage.needs - freed).max())


def _share_buffers(chip: Chip, stages: list[Stage], tiles: list[range]) -> list[int]:
    """Return the input-buffer bits that each layer gets: what it needs, then in proportion to that."""
    capacity = chip.arch.input_buffer.capacity
    minimum = [window_pixels(s) * s.inputs.bits_per_pixel * _mask_factor(s) for s in stages]
    load: dict[int, int] = defaultdict(int)
    for need, where in zip(minimum, tiles, strict=True):
        for t in where:
            load[t] += need
    for stage, need, where in zip(stages, minimum, tiles, strict=True):
        worst = max(load[t] for t in where)
        if worst > capacity:
            raise MappingError(
                f"layer '{stage.name}' keeps {need} bits of its input at a time; with its neighbours that makes {worst}"
                f" bits on a tile whose input buffer holds {capacity} (input_buffer.capacity)"
            )
    return [min(capacity * need // load[t] for t in where) for need, where in zip(minimum, tiles, strict=True)]


def _mask_factor(stage: Stage) -> int:
    """Element-wise dropout stores a mask bit beside each binary activation."""
    op = stage.dropout.op if stage.dropout else None
    return 2 if op is not None and getattr(op, "granularity", "") == "element" and stage.input_bits == 1 else 1
