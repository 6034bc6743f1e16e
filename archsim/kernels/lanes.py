"""Compiles the row groups of a layer into *lanes*: the 16-bit words on which the crossbar kernel works.

A popcount does not care in which order it counts. So a group of rows, whatever its order on the crossbar, is stored as
words that are cheap to fetch: runs of up to 16 neighbouring channels of one input pixel. Rows that a mapping puts
channel by channel (a feature map is K x K consecutive rows) and rows it puts position by position (K x K sub-arrays)
are then the same code with another table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.kernels.constants import CACHE_LINE, COLUMN_BLOCK, LANE, PANEL_LANES, WIDTHS

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class LanePlan:
    """Where each bit of each lane comes from.

    `rows`: (lanes, 16), the canonical row behind each bit, -1 for a bit that is always 0.
    `group_lanes`: (groups + 1,), the first lane of each group. `group_rows`: (groups,), how many rows it has.
    `source`: (lanes,), the word that is the lane, counted from the pixel of kernel position 0 on. If some lane is not
    just one word, the lanes must be *gathered* first, and then `source` counts from the first of them.
    `pieces`: (n, 3), of which words the lanes are gathered: source word, by how many bits it is rotated right, mask of
    the bits it gives to the lane. Those of lane i are `pieces[lane_pieces[i]:lane_pieces[i + 1]]`; there are none if
    nothing must be gathered.
    """

    rows: Ints
    group_lanes: Ints
    group_rows: Ints
    source: Ints
    pieces: Ints
    lane_pieces: Ints

    @property
    def lanes(self) -> int:
        """How many lanes an input vector fills."""
        return len(self.rows)


@dataclass(frozen=True)
class _Run:
    """Up to 16 channels of one kernel position, and where they go."""

    position: int
    start: int
    channels: tuple[int, ...]
    lane: int
    bit: int

    @property
    def span(self) -> int:
        return self.channels[-1] - self.start + 1


def plan_lanes(groups: Sequence[Ints], pixels: Ints, channels: int, first_channel: int = 0) -> LanePlan:
    """Compile row groups into lanes.

    `groups`: canonical rows (channel x kernel positions + kernel position) of each group. `pixels`: how many words
    after that of kernel position 0 the pixel of each kernel position lies. `channels`: of the input, all parts of a
    grouped convolution together; `first_channel`: the one that row 0 reads.
    """
    positions = len(pixels)
    runs: list[_Run] = []
    group_lanes = [0]
    for group in groups:
        runs += _runs(np.asarray(group), positions, group_lanes[-1])
        group_lanes.append(runs[-1].lane + 1)
    lanes = group_lanes[-1]
    rows = np.full((lanes, LANE), -1, np.int64)
    masks: dict[tuple[int, int, int, int], int] = {}
    for run in runs:
        for channel in run.channels:
            word, bit = divmod(first_channel + channel, LANE)
            to = run.bit + channel - run.start
            rows[run.lane, to] = channel * positions + run.position
            piece = run.lane, run.position, word, (bit - to) % LANE
            masks[piece] = masks.get(piece, 0) | 1 << to
    pieces = np.array([(word + pixels[at], rotation, mask) for (_, at, word, rotation), mask in masks.items()])
    is_direct = len(pieces) == lanes and all(
        rotation == 0 and mask == 2 ** min(LANE, channels - word * LANE) - 1
        for (_, _, word, rotation), mask in masks.items()
    )
    return LanePlan(
        rows=rows,
        group_lanes=np.array(group_lanes),
        group_rows=np.array([len(g) for g in groups]),
        source=np.ascontiguousarray(pieces[:, 0]) if is_direct else np.arange(lanes),
        pieces=pieces[:0] if is_direct else pieces,
        lane_pieces=np.searchsorted([lane for lane, *_ in masks], np.arange(lanes + 1)),
    )


def _runs(group: Ints, positions: int, lane: int) -> list[_Run]:
    """Cut a group into runs, and put each into the first lane with room after the one before it."""
    out: list[_Run] = []
    used = 0
    for position in np.unique(group % positions):
        channels = np.sort(group[group % positions == position] // positions)
        at = 0
        while at < len(channels):
            start = int(channels[at])
            end = int(np.searchsorted(channels, start + LANE))
            inside = tuple(int(c) for c in channels[at:end])
            if used + inside[-1] - start + 1 > LANE:
                lane, used = lane + 1, 0
            out.append(_Run(int(position), start, inside, lane, used))
            used += out[-1].span
            at = end
    return out


def pack_weights(values: npt.NDArray[np.signedinteger], bits: int, plan: LanePlan) -> Words:
    """Pack weights into the lanes of a plan: shape (bits, lanes, columns), columns padded to a multiple of 16.

    `values`: (out, rows) in canonical row order, odd integers; slice i holds the sign worth 2**i of each.
    """
    out = np.zeros((bits, plan.lanes, padded(len(values))), np.uint16)
    digits = (values.astype(np.int64) + 2**bits - 1) >> 1
    place = np.left_shift(1, np.arange(LANE))
    for i in range(bits):
        ones = np.where(plan.rows >= 0, (digits >> i & 1)[:, plan.rows], 0)
        out[i, :, : len(values)] = (ones @ place).T
    return out


def padded(columns: int) -> int:
    """Return how many columns the kernels work on."""
    return -(-columns // COLUMN_BLOCK) * COLUMN_BLOCK


def column_blocks(columns: int) -> Ints:
    """Cut padded columns into the widths that the kernel takes at once: (blocks, 2), first column and width of each."""
    blocks: list[tuple[int, int]] = []
    start = 0
    while start < columns:
        width = next(w for w in WIDTHS if w <= columns - start)
        blocks.append((start, width))
        start += width
    return np.array(blocks)


def by_blocks(weights: Words) -> Words:
    """Reorder packed weights (slices, lanes, columns) block of columns by block, each contiguous; flat.

    The result starts at a cache line, so that no vector of it crosses one.
    """
    room = np.empty(weights.size + CACHE_LINE // weights.itemsize, np.uint16)
    out = room[-room.ctypes.data % CACHE_LINE // weights.itemsize :][: weights.size]
    blocks = [weights[..., at : at + width].ravel() for at, width in column_blocks(weights.shape[2])]
    return np.concatenate(blocks, out=out)


def panels(group_lanes: Ints, span: int, limit: int) -> Ints:
    """Cut groups into stretches of few lanes, whose codes, each between 0 and `span`, add up to at most `limit`.

    Returns the first group of each stretch, and the number of groups.
    """
    starts = [0]
    for g in range(1, len(group_lanes) - 1):
        begin = starts[-1]
        if (g + 1 - begin) * span > limit or group_lanes[g + 1] - group_lanes[begin] > PANEL_LANES:
            starts.append(g)
    return np.array([*starts, len(group_lanes) - 1])
