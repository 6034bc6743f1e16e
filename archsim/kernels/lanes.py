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

from archsim.kernels.constants import BLOCK, COLUMN_BLOCK, LANE

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class LanePlan:
    """Where each bit of each lane comes from.

    `rows`: (lanes, 16), the canonical row behind each bit, -1 for a bit that is always 0.
    `group_lanes`: (groups + 1,), the first lane of each group. `group_rows`: (groups,), how many rows it has.
    `blocks`: (n, 2), four whole words each: source word (from the pixel of kernel position 0 on), lane.
    `pieces`: (n, 5), parts of words: source word, bit in it, mask of valid bits, lane, bit in the lane.
    Those of kernel position t are `blocks[block_start[t]:block_start[t + 1]]`, and so for the pieces.
    """

    rows: Ints
    group_lanes: Ints
    group_rows: Ints
    blocks: npt.NDArray[np.int32]
    block_start: Ints
    pieces: npt.NDArray[np.int32]
    piece_start: Ints

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

    @property
    def mask(self) -> int:
        return sum(1 << (c - self.start) for c in self.channels)


def plan_lanes(groups: Sequence[Ints], pixels: Ints, first_channel: int = 0) -> LanePlan:
    """Compile row groups into lanes.

    `groups`: canonical rows (channel x kernel positions + kernel position) of each group. `pixels`: how many words
    after that of kernel position 0 the pixel of each kernel position lies. `first_channel`: channel of the input that
    row 0 reads (a grouped convolution reads its own slice).
    """
    positions = len(pixels)
    runs: list[_Run] = []
    group_lanes = [0]
    for group in groups:
        runs += _runs(np.asarray(group), positions, group_lanes[-1])
        group_lanes.append(runs[-1].lane + 1)
    rows = np.full((group_lanes[-1], LANE), -1, np.int64)
    for run in runs:
        channels = np.array(run.channels)
        rows[run.lane, run.bit + channels - run.start] = channels * positions + run.position
    runs.sort(key=lambda run: (run.position, run.lane, run.bit))
    blocks: list[tuple[int, int]] = []
    pieces: list[tuple[int, int, int, int, int]] = []
    block_start, piece_start = [0], [0]
    for position in range(positions):
        found = [
            (*divmod(first_channel + run.start, LANE), run.mask, run.lane, run.bit)
            for run in runs
            if run.position == position
        ]
        for word, bit, mask, lane, to in found:
            pieces.append((word + int(pixels[position]), bit, mask, lane, to))
            if len(pieces) - piece_start[-1] >= BLOCK and _is_block(pieces[-BLOCK:]):
                blocks.append((pieces[-BLOCK][0], pieces[-BLOCK][3]))
                del pieces[-BLOCK:]
        block_start.append(len(blocks))
        piece_start.append(len(pieces))
    return LanePlan(
        rows=rows,
        group_lanes=np.array(group_lanes),
        group_rows=np.array([len(g) for g in groups]),
        blocks=np.array(blocks, np.int32).reshape(-1, 2),
        block_start=np.array(block_start),
        pieces=np.array(pieces, np.int32).reshape(-1, 5),
        piece_start=np.array(piece_start),
    )


def _is_block(pieces: list[tuple[int, int, int, int, int]]) -> bool:
    """Tell whether pieces are whole words that follow each other, in the pixel and in the lanes."""
    word, _, _, lane, _ = pieces[0]
    return pieces == [(word + i, 0, 2**LANE - 1, lane + i, 0) for i in range(len(pieces))]


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
    columns = -(-len(values) // COLUMN_BLOCK) * COLUMN_BLOCK
    out = np.zeros((bits, plan.lanes, columns), np.uint16)
    digits = (values.astype(np.int64) + 2**bits - 1) >> 1
    place = np.left_shift(1, np.arange(LANE))
    for i in range(bits):
        ones = np.where(plan.rows >= 0, (digits >> i & 1)[:, plan.rows], 0)
        out[i, :, : len(values)] = (ones @ place).T
    return out
