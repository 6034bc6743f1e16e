"""The grain: how many output positions one event carries, and what each such chunk needs, frees and takes."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np

from archsim.hardware.chip import Chip
from archsim.mapping.geometry import Counts
from archsim.mapping.plan import Placed
from archsim.mapping.stages import Stage
from archsim.sim.operations import digital_ps
from archsim.sim.runtime import Chunk
from archsim.workload.trace import Dropout


def chunk_ends(stage: Stage, grain: str) -> Counts:
    """Return the output positions at which chunks end: each position, each output row, or the whole map."""
    size = {"position": 1, "row": stage.row_positions, "map": stage.positions}[grain]
    return np.append(np.arange(size, stage.positions, size), stage.positions).astype(np.int64)


def stage_chunks(chip: Chip, placed: Placed, grain: str, whole_maps: bool) -> list[Chunk]:
    """Return the chunks of a layer. With `whole_maps` nothing starts before all its input has arrived."""
    stage, timing = placed.stage, placed.timing
    ends = chunk_ends(stage, grain)
    sizes = np.diff(ends, prepend=0)
    needs = np.full_like(ends, stage.inputs.pixels) if whole_maps else stage.needs[ends - 1]
    frees = stage.frees[ends - 1]
    mask_needs, mask_frees = mask_counts(stage, ends)
    if chip.arch.converter.shared_by == "crossbar":
        array, bank = timing.vector_ps, 0
    else:
        array, bank = timing.read_ps * stage.input_bits * placed.tiling.steps, bank_ps(chip, placed)
    array_ps = np.diff(-(-ends // placed.replicas) * array, prepend=0)  # replica i takes positions i, i + r, ...
    digital = np.diff([digital_ps(chip, placed, int(n)) for n in ends], prepend=0)
    columns = (sizes, needs, frees, mask_needs, mask_frees, array_ps, sizes * bank, digital)
    return [Chunk(*(int(v) for v in row)) for row in zip(*columns, strict=True)]


def bank_ps(chip: Chip, placed: Placed) -> int:
    """Return how long the converters that a tile or core shares take for one output position."""
    arch = chip.arch
    banks = len(placed.tiles) * (arch.organisation.cores_per_tile if arch.converter.shared_by == "core" else 1)
    conversions = placed.stage.input_bits * len(placed.tiling.groups) * placed.columns
    parts = chip.components
    one = parts["column_mux"].actions["select"].latency_ps + parts["converter"].actions["convert"].latency_ps
    return ceil(conversions / (banks * arch.converter.count)) * one


def mask_counts(stage: Stage, ends: Counts) -> tuple[Counts, Counts]:
    """Return, by chunk, how much of a pass's mask it needs and frees: in pixels, or in whole masks of the maps."""
    if stage.dropout is None:
        return np.zeros_like(ends), np.zeros_like(ends)
    assert isinstance(stage.dropout.op, Dropout)
    if stage.dropout.op.granularity == "channel":
        last = np.zeros_like(ends)
        last[-1] = 1
        return np.ones_like(ends), last
    needs = stage.needs[ends - 1].copy()
    needs[-1] = stage.inputs.pixels
    return needs, stage.frees[ends - 1]


def bursts(produced: Counts, ends: Counts) -> list[int]:
    """Return how many pixels of an edge each chunk completes."""
    return [int(n) for n in np.diff(produced[ends - 1], prepend=0)]


def room_needed(chunks: Sequence[Chunk], burst: int) -> int:
    """Return the pixels that a buffer must hold for the chunks to go on while bursts of pixels arrive."""
    freed = 0
    widest = 0
    for chunk in chunks:
        widest = max(widest, chunk.needs - freed)
        freed = chunk.frees
    return widest + burst - 1
