"""From a traced network and a chip to a mapping: what sits where, and how long one vector takes there."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from archsim.errors import MappingError
from archsim.hardware.arch import ArchConfig
from archsim.hardware.chip import Chip
from archsim.mapping.layout import Layout, blocks_of, lay_out
from archsim.mapping.placement import Demand, Grid, Share, place, replicate, segment
from archsim.mapping.sharing import share_input, share_output
from archsim.mapping.stages import Stage, StageGraph, build_stages
from archsim.mapping.tiling import Tiling, tile_layer
from archsim.workload.trace import Trace

ACCUMULATOR_BITS = 16


@dataclass(frozen=True)
class VectorTiming:
    """How long the crossbars of one replica take for an input vector.

    `read_ps`: to drive the rows of a group and let its columns settle. `convert_ps`: to convert the columns of a
    group; 0 where the converters are shared by several crossbars. `vector_ps`: from one vector to the next.
    `fill_ps`: what the first vector of a run waits on top of it.
    """

    read_ps: int
    convert_ps: int
    vector_ps: int
    fill_ps: int


@dataclass(frozen=True, eq=False)
class Placed:
    """A layer, or some of its columns, on the chip.

    `columns`: physical columns held (over all convolution groups); `outputs`: output channels they make; `span`: from
    and to which part of the layer's outputs that is.
    `tiles`: where they are; the first is home to what the layer shares with none. `buffer_bits`, `output_bits`: its
    part of the input buffer of each of its tiles, and of the output buffers of all of them.
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
    timing: VectorTiming
    buffer_bits: int
    output_bits: int

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
        return self.layout.crossbars

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


def map_trace(trace: Trace, chip: Chip) -> Mapping:
    """Place a network on a chip.

    Raises `MappingError`, with the numbers, when it does not fit, when a buffer cannot hold the window of a layer,
    or when the network draws random bits and the chip has no module for them.
    """
    graph = build_stages(trace)
    arch = chip.arch
    _check_modules(trace, arch)
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
        Demand(s.name, t.crossbars, t.column_tiles, s.positions, _pace_ps(chip, s, t))
        for s, t in zip(graph.stages, tilings, strict=True)
    ]
    rounds = segment(demands, grid, arch.mapping.overflow, arch.name)
    return Mapping(
        trace, chip, graph, tuple(_place_round(chip, graph, tilings, demands, shares, grid) for shares in rounds)
    )


def random_modules(placed: Placed, chip: Chip) -> int:
    """Return how many random-bit modules draw for a layer; those of a tile or of the chip serve other layers too.

    In crossbars: those of one replica; column tiles hear the bits of the first one.
    """
    kind = chip.arch.stochastic
    assert kind is not None
    if kind.scope == "crossbar":
        return kind.count * len(placed.tiling.row_tiles) * placed.tiling.blocks
    return kind.count


def _check_modules(trace: Trace, arch: ArchConfig) -> None:
    node = next(trace.stochastic_nodes(), None)
    if arch.stochastic is None and node is not None:
        raise MappingError(
            f"layer '{node.name}' draws random bits, but chip '{arch.name}' has no stochastic modules"
            " (section 'stochastic')"
        )


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
    stages = [graph.stages[s.layer] for s in shares]
    held = [_held_columns(tilings[s.layer], s, arch.crossbar.columns) for s in shares]
    outputs = [_outputs(tilings[s.layer], columns) for s, columns in zip(shares, held, strict=True)]
    inputs = share_input(stages, where, arch.input_buffer.capacity)
    results = share_output(where, arch.output_buffer.capacity)
    return tuple(
        Placed(
            stage=stages[i],
            tiling=tilings[share.layer],
            share=share,
            columns=len(held[i]) * tilings[share.layer].blocks,
            outputs=outputs[i],
            span=_span(tilings[share.layer], held[i]),
            replicas=replicas[i],
            layout=layouts[i],
            tiles=where[i],
            timing=vector_timing(chip, stages[i], tilings[share.layer]),
            buffer_bits=inputs[i],
            output_bits=results[i],
        )
        for i, share in enumerate(shares)
    )


def _held_columns(tiling: Tiling, share: Share, width: int) -> range:
    """Return the columns of a convolution group that a share of it holds."""
    return range(share.first * width, min(share.last * width, tiling.columns))


def _outputs(tiling: Tiling, columns: range) -> int:
    """Return the outputs whose first column is held, so that the parts of a layer add up."""
    return (ceil(columns.stop / tiling.slices) - ceil(columns.start / tiling.slices)) * tiling.blocks


def _span(tiling: Tiling, columns: range) -> tuple[Fraction, Fraction]:
    return Fraction(columns.start, tiling.columns), Fraction(columns.stop, tiling.columns)


def conversion_ps(chip: Chip) -> int:
    """Return how long a converter takes from one column to the next."""
    part = chip.parts["converter"]
    pace = part.interval_ps or part.component.actions["convert"].latency_ps
    return chip.components["column_mux"].actions["select"].latency_ps + pace


def vector_timing(chip: Chip, stage: Stage, tiling: Tiling) -> VectorTiming:
    """Return how long the crossbars of a layer take for one input vector.

    Row groups of one crossbar and input bits follow each other; crossbars work side by side. Columns in use are
    spread over the converters of their crossbar. With sample-and-hold the next read overlaps the conversions of the
    last.
    """
    box, converter = chip.arch.crossbar, chip.arch.converter
    read = chip.components["row_driver"].actions["drive"].latency_ps
    read += chip.components["crossbar"].actions["read"].latency_ps
    steps = stage.input_bits * tiling.steps
    if converter.columns_per_converter is None:
        return VectorTiming(read, 0, steps * read, 0)
    turns = ceil(min(tiling.columns, box.columns) / ceil(box.columns / converter.columns_per_converter))
    convert = turns * conversion_ps(chip)
    if converter.sample_hold:
        return VectorTiming(read, convert, steps * max(read, convert), min(read, convert))
    return VectorTiming(read, convert, steps * (read + convert), 0)


def bank_size(arch: ArchConfig) -> int | None:
    """Return how many crossbars share a bank of converters, None where each crossbar has its own."""
    organisation = arch.organisation
    sizes = {"core": organisation.crossbars_per_core, "tile": organisation.crossbars_per_tile}
    return sizes.get(arch.converter.shared_by)


def bank_ps(chip: Chip, conversions: int, banks: int) -> int:
    """Return how long shared converters take for one output position, spread evenly over some banks."""
    count = chip.arch.converter.count
    assert count is not None, "the converter's own check asks for it"
    return ceil(conversions / (banks * count)) * conversion_ps(chip)


def _pace_ps(chip: Chip, stage: Stage, tiling: Tiling) -> int:
    """Return from one vector to the next on one replica that has its banks of converters for itself."""
    vector = vector_timing(chip, stage, tiling).vector_ps
    size = bank_size(chip.arch)
    if size is None:
        return vector
    conversions = stage.input_bits * len(tiling.groups) * tiling.columns * tiling.blocks
    return max(vector, bank_ps(chip, conversions, ceil(tiling.crossbars / size)))
