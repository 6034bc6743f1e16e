"""The grain: how many output positions one event carries, and what each such chunk needs, frees and takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archsim.hardware.chip import Chip
from archsim.mapping.geometry import Counts, pixels
from archsim.mapping.layout import blocks_at_work
from archsim.mapping.plan import Placed
from archsim.mapping.stages import Stage
from archsim.mapping.vectors import bank_ps, bank_size
from archsim.sim.digital import digital_ps
from archsim.sim.interconnect import Route
from archsim.sim.operations import crossing_ps
from archsim.sim.runtime import Chunk

BLOCK = 16  # pixels in a "row" of a one-dimensional map


def chunk_ends(stage: Stage, grain: str, sweep: int = 0) -> Counts:
    """Return the positions of a sweep's map at which chunks end: each position, each row, or the whole map."""
    over = stage.sweeps[sweep]
    return _ends(over.positions, {"position": 1, "row": over.row_positions, "map": over.positions}[grain])


def feed_bursts(shape: Sequence[int], grain: str) -> list[int]:
    """Return the pixels that leave a memory at once when it sends a map of that shape."""
    total = pixels(shape)
    row = shape[2] if len(shape) == 3 else min(BLOCK, total)
    return [int(n) for n in np.diff(_ends(total, {"position": 1, "row": row, "map": total}[grain]), prepend=0)]


def _ends(total: int, size: int) -> Counts:
    return np.append(np.arange(size, total, size), total).astype(np.int64)


def stage_chunks(chip: Chip, placed: Placed, grain: str, crossings: Sequence[Route]) -> list[Chunk]:
    """Return the chunks of a layer. `crossings`: the ways of partial sums from each tile at work to the next.

    Replica i computes positions i, i + r, i + 2 r, ... The port of the busiest input buffer may be slower than the
    arrays; it reads the next vector while they compute.
    """
    stage, timing = placed.stage, placed.timing
    ends = chunk_ends(stage, grain)
    sizes = np.diff(ends, prepend=0)
    arrays = -(-ends // placed.replicas) * timing.vector_ps
    size = bank_size(chip.arch)
    converting: list[Counts] = []
    if size is not None:
        conversions = stage.input_bits * len(placed.tiling.groups) * placed.columns
        banks = len(blocks_at_work(placed.layout, size))
        converting = [sizes * bank_ps(chip, conversions, banks)] * banks
    whole = (sizes, stage.needs[ends - 1], stage.frees[ends - 1])
    array = np.diff(np.maximum(arrays, port_ps(chip, placed, ends)), prepend=0)
    links = zip(crossing_ps(chip, placed, ends), crossings, strict=True)
    digital = [*digital_ps(chip, placed, ends), *(busy for busy, route in links for _ in route.links)]
    rows = zip(*(column.tolist() for column in (*whole, array)), strict=True)
    finishing = _by_chunk([np.diff(busy, prepend=0) for busy in digital], ends)
    each = zip(rows, _by_chunk(converting, ends), finishing, strict=True)
    return [Chunk._make((*row, banks, tiles)) for row, banks, tiles in each]


def _by_chunk(times: Sequence[Counts], ends: Counts) -> list[tuple[int, ...]]:
    """Return, for each chunk, its time on each station."""
    return [tuple(row) for row in np.array(times).T.tolist()] if times else [()] * len(ends)


def port_ps(chip: Chip, placed: Placed, ends: Counts) -> Counts:
    """Return how long the port of the busiest input buffer reads for the first so many positions."""
    bits = -(-ends * placed.layout.busiest_rows // placed.replicas) * placed.stage.input_bits
    words = -(-bits // chip.arch.input_buffer.width)
    return words * chip.components["input_buffer"].actions["read"].latency_ps


def mask_counts(stage: Stage, ends: Counts) -> tuple[Counts, Counts]:
    """Return, by chunk, how many pixels of a pass's mask of single values it needs and frees."""
    needs = stage.needs[ends - 1].copy()
    needs[-1] = stage.inputs.pixels
    return needs, stage.frees[ends - 1]


def sweep_chunks(chip: Chip, placed: Placed, grain: str, sweep: int) -> tuple[list[int], list[tuple[int, ...]]]:
    """Return positions by chunk of a sweep, and the time of each on the digital units of each tile at work."""
    ends = chunk_ends(placed.stage, grain, sweep)
    busy = [np.diff(ps, prepend=0) for ps in digital_ps(chip, placed, ends, sweep)]
    return [int(n) for n in np.diff(ends, prepend=0)], _by_chunk(busy, ends)


def bursts(produced: Counts, ends: Counts) -> list[int]:
    """Return how many pixels of an edge each chunk completes."""
    return [int(n) for n in np.diff(produced[ends - 1], prepend=0)]


def room_needed(needs: Sequence[int], frees: Sequence[int], burst: int = 1) -> int:
    """Return the pixels that a buffer must hold for the chunks to go on while bursts of pixels arrive."""
    freed = 0
    widest = 0
    for need, free in zip(needs, frees, strict=True):
        widest = max(widest, need - freed)
        freed = free
    return widest + burst - 1
