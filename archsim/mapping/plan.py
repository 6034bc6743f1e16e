"""From a traced network and a chip to a mapping: what sits where, and how long one vector takes there."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil

from archsim.hardware.chip import Chip
from archsim.mapping.checks import check_cut_layers, check_units
from archsim.mapping.layout import Layout, blocks_at_work, blocks_of, lay_out
from archsim.mapping.parameters import check_parameters
from archsim.mapping.placement import Demand, Grid, Share, place, replicate, segment
from archsim.mapping.sharing import share_input, share_output
from archsim.mapping.stages import Stage, StageGraph, build_stages
from archsim.mapping.tiling import Tiling, tile_layer
from archsim.mapping.vectors import VectorTiming, pace_ps, vector_timing
from archsim.workload.trace import Trace

ACCUMULATOR_BITS = 16


@dataclass(frozen=True, eq=False)
class Placed:
    """A layer, or some of its columns, on the chip.

    `columns`: physical columns held (over all convolution groups); `outputs`: output channels they make; `span`: from
    and to which part of the layer's outputs that is.
    `tiles`: where they are, `per_tile` crossbars on each; the first is home to what the layer shares with none.
    `buffer_bits`, `output_bits`: its part of the input buffer of each of its tiles, and of the output buffers of all
    tiles at work; `held_bits`: how much of the latter is taken by maps that wait for their statistics.
    """

    stage: Stage
    tiling: Tiling
    share: Share
    columns: int
    outputs: int
    span: tuple[Fraction, Fraction]
    replicas: int
    layout: Layout
    tiles: range
    per_tile: int
    timing: VectorTiming
    buffer_bits: int
    output_bits: int
    held_bits: int

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
        """Crossbars taken, replicas and copies included."""
        return self.layout.crossbars

    @cached_property
    def at_work(self) -> tuple[int, ...]:
        """The tiles of the first copy, which stand for those of whichever works; all tiles, without an arbiter."""
        return self.copy_tiles[0]

    @cached_property
    def copy_tiles(self) -> tuple[tuple[int, ...], ...]:
        """Where each of the copies is that an arbiter chooses among; one, where there is no arbiter."""
        return tuple(tuple(blocks_at_work(self.layout, self.per_tile, c)) for c in range(self.layout.copies))

    @property
    def fraction(self) -> float:
        """Which part of the layer's outputs this is."""
        return self.columns / (self.tiling.columns * self.tiling.blocks)


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


def map_trace(trace: Trace, chip: Chip, graph: StageGraph | None = None) -> Mapping:
    """Place a network on a chip. `graph`: its stages, where they have been built already.

    Raises `MappingError`, with the numbers, when it does not fit, when a buffer cannot hold the window of a layer or
    the map that a layer normalises, or when the network asks for a unit that the chip does not have.
    """
    graph = graph or build_stages(trace)
    arch = chip.arch
    check_units(graph, chip)
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
    organisation = arch.organisation
    own_tiles = arch.mapping.placement == "tile_per_layer"
    grid = Grid(organisation.tiles, organisation.crossbars_per_tile, own_tiles)
    demands = [
        Demand(s.name, t.crossbars, t.column_tiles, s.positions, pace_ps(chip, s, t))
        for s, t in zip(graph.stages, tilings, strict=True)
    ]
    rounds = segment(demands, grid, arch.mapping.overflow, arch.name)
    check_cut_layers(graph.stages, tilings, rounds)
    return Mapping(
        trace, chip, graph, tuple(_place_round(chip, graph, tilings, demands, shares, grid) for shares in rounds)
    )


def random_modules(placed: Placed, chip: Chip) -> int:
    """Return how many random-bit modules draw for a layer; those of a tile or of the chip serve other layers too.

    In crossbars: those of one copy of one replica; column tiles hear the bits of the first one.
    """
    kind = chip.arch.stochastic
    assert kind is not None
    return kind.count * _sites(placed, kind.scope)


def random_counters(placed: Placed, chip: Chip) -> int:
    """Return how many counters sum the bits of those modules to Gaussians."""
    kind = chip.arch.stochastic
    assert kind is not None
    return kind.counters * _sites(placed, kind.scope)


def _sites(placed: Placed, scope: str) -> int:
    """Return in how many crossbars, tiles or chips the modules that draw for a layer stand."""
    return len(placed.tiling.row_tiles) * placed.tiling.blocks if scope == "crossbar" else 1


def _place_round(
    chip: Chip, graph: StageGraph, tilings: list[Tiling], demands: list[Demand], shares: list[Share], grid: Grid
) -> tuple[Placed, ...]:
    arch = chip.arch
    here = []
    for s in shares:
        d = demands[s.layer]
        tiles = s.last - s.first
        here.append(Demand(d.name, d.crossbars // d.column_tiles * tiles, tiles, d.positions, d.vector_ps))
    replicas = replicate(here, grid) if arch.mapping.replication == "balanced" else [1] * len(here)
    starts = place([d.crossbars * r for d, r in zip(here, replicas, strict=True)], grid)
    layouts = [
        lay_out(tilings[s.layer], s.last - s.first, r, first, grid.per_tile)
        for s, r, first in zip(shares, replicas, starts, strict=True)
    ]
    where = [blocks_of(at, grid.per_tile) for at in layouts]
    at_work = [tuple(blocks_at_work(at, grid.per_tile)) for at in layouts]
    stages = [graph.stages[s.layer] for s in shares]
    columns = [_held_columns(tilings[s.layer], s, arch.crossbar.columns) for s in shares]
    outputs = [_outputs(tilings[s.layer], held) for s, held in zip(shares, columns, strict=True)]
    waiting = [_waiting_bits(s, tilings[x.layer], held) for s, x, held in zip(stages, shares, columns, strict=True)]
    check_parameters(stages, layouts, grid.per_tile, arch.parameter_memory.capacity)
    inputs = share_input(stages, where, arch.input_buffer.capacity)
    one = [n * ACCUMULATOR_BITS for n in outputs]
    results = share_output([s.name for s in stages], at_work, waiting, one, arch.output_buffer.capacity)
    return tuple(
        Placed(
            stage=stages[i],
            tiling=tilings[share.layer],
            share=share,
            columns=len(columns[i]) * tilings[share.layer].blocks,
            outputs=outputs[i],
            span=_span(tilings[share.layer], columns[i]),
            replicas=replicas[i],
            layout=layouts[i],
            tiles=where[i],
            per_tile=grid.per_tile,
            timing=vector_timing(chip, stages[i], tilings[share.layer]),
            buffer_bits=inputs[i],
            output_bits=results[i],
            held_bits=waiting[i],
        )
        for i, share in enumerate(shares)
    )


def _held_columns(tiling: Tiling, share: Share, width: int) -> range:
    """Return the columns of a convolution group that a share of it holds."""
    return range(share.first * width, min(share.last * width, tiling.columns))


def _outputs(tiling: Tiling, columns: range) -> int:
    """Return the outputs whose first column is held, so that the parts of a layer add up."""
    return (ceil(columns.stop / tiling.slices) - ceil(columns.start / tiling.slices)) * tiling.blocks


def _waiting_bits(stage: Stage, tiling: Tiling, columns: range) -> int:
    """Return the most bits of maps that wait for their statistics, of the columns that are held."""
    return ceil(max(w.held_bits for w in stage.sweeps) * len(columns) / tiling.columns)


def _span(tiling: Tiling, columns: range) -> tuple[Fraction, Fraction]:
    return Fraction(columns.start, tiling.columns), Fraction(columns.stop, tiling.columns)
