"""The kernel of arrays whose every cell has a conductance of its own: adds up the word lines that are driven.

Conductances are whole numbers of 2**-`FRACTION` cells, so that sums do not depend on their order. `kernels.maps` says
how input vectors lie in memory.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from archsim.kernels.constants import FRACTION, LANE, TASK_ROWS, WIDTHS
from archsim.kernels.maps import gather_lanes, task_vectors, window_places
from archsim.kernels.readout import read_group, vector_keys, write_sums
from archsim.kernels.vector import line_sum

_sum128, _sum64, _sum32, _sum16 = (line_sum(w) for w in WIDTHS)

ALL = (1 << LANE) - 1

BUILT_WITH = "82b4dbd4a9d14d8c"
"""Digest of what is imported. Numba keeps compiled kernels until their own file changes; so must this."""


@njit(cache=True, error_model="numpy")
def _driven_lines(words, word_row, allowed, mask_row, source, first, last, line_of, lines):  # type: ignore[no-untyped-def]
    """List the word lines of lanes `first` to `last` - 1 that a vector drives. Returns how many."""
    driven = np.int64(0)
    for lane in range(first, last):
        bits = ~np.int64(words[word_row + source[lane]])
        mask = np.int64(allowed[mask_row + source[lane]])
        if mask & ALL == ALL:
            for i in range(LANE):
                lines[driven + i] = np.int32(line_of[lane, i] + (bits >> i & 1))
            driven += LANE
        elif mask != 0:
            for i in range(LANE):
                lines[driven] = np.int32(line_of[lane, i] + (bits >> i & 1))
                driven += mask >> i & 1
    return driven


@njit(cache=True, error_model="numpy")
def _sum(width, arguments):  # type: ignore[no-untyped-def]
    """Add up lines by the intrinsic of the right width."""
    if width == 128:
        _sum128(*arguments)
    elif width == 64:
        _sum64(*arguments)
    elif width == 32:
        _sum32(*arguments)
    else:
        _sum16(*arguments)


@njit(cache=True, error_model="numpy")
def _task(maps, has_kept, begins, undropped, plan, cell, readout, noise, blocks, target):  # type: ignore[no-untyped-def]
    """Do some vectors, all groups and columns. Returns how many rows are driven."""
    source, pieces, lane_pieces, group_lanes, line_of = plan
    table, lines_in_all, at_most, slices, worth = cell
    stream, images, passes, product, first_number, numbers = noise
    out, first, count, first_column, columns, add = target
    positions, words, word_rows, allowed, mask_rows = task_vectors(
        maps, has_kept, begins, undropped, pieces, lane_pieces, first, count
    )
    keys = vector_keys(first, count, len(begins), stream, images, passes, product)
    peak, groups = (1 << slices) - 1, len(group_lanes) - 1
    lines = np.empty((count, np.diff(group_lanes).max() * LANE + 1), np.int32)
    sums, cells = np.empty(WIDTHS[0], np.int32), np.empty(WIDTHS[0], np.float32)
    scratch = np.empty((2, WIDTHS[0]), np.float32)
    codes = np.zeros((count, blocks[-1].sum()), np.int32)
    driven, odd, total = np.empty(count, np.int64), np.zeros(count, np.int64), 0
    for g in range(groups):
        for r in range(count):
            first_lane, end = group_lanes[g], group_lanes[g + 1]
            driven[r] = _driven_lines(
                words, word_rows[r], allowed, mask_rows[r], source, first_lane, end, line_of, lines[r]
            )
        total += driven.sum()
        odd += driven & 1
        for b in range(len(blocks)):  # the lines of a block of columns stay in the cache for all vectors
            column, width = blocks[b, 0], blocks[b, 1]
            address = table.ctypes.data + 2 * lines_in_all * column
            for r in range(count):
                _sum(width, (address, lines[r].ctypes.data, driven[r], at_most, sums.ctypes.data))
                for i in range(width):
                    cells[i] = np.float32(sums[i]) * np.float32(0.5**FRACTION)
                number = (positions[r] * groups + g) * numbers + first_number + column
                read_group(
                    cells,
                    driven[r],
                    keys[r],
                    number,
                    peak,
                    readout,
                    g,
                    column,
                    scratch,
                    codes[r, column : column + width],
                )
    for r in range(count):
        row = out[first + r, first_column : first_column + columns]
        write_sums(codes[r], worth << (readout[0] + 1), -worth * peak * odd[r], add, row)
    return total


@njit(parallel=True, cache=True, error_model="numpy", nogil=True)
def multiply(x, mask, has_kept, window, plan, cell, readout, noise, blocks, out, columns, add):  # type: ignore[no-untyped-def]
    """Do one matrix-vector product for every image and output position; see `imperfect_reference`.

    `plan`: of a `LanePlan`, source, pieces, lane pieces and group lanes; and for each bit of a lane, the line that it
    drives when it is 1 (the next one when it is 0). `cell`: conductances of its lines `by_blocks`, their number, how
    many of them fit 16 bits when added, how many slices of a weight it holds, what the result counts. The rest as for
    `noisy.multiply`. Returns the rows driven, per task: int64.
    """
    total = len(out)
    counted = np.zeros((total + TASK_ROWS - 1) // TASK_ROWS, np.int64)
    maps = x.reshape(-1), mask.reshape(-1), x[0].size, x.ctypes.data == mask.ctypes.data
    begins, _ = window_places(x.shape[1:], window)
    allowed, mask_begins = maps[1], begins
    if len(plan[1]) > 0 and not has_kept:
        allowed, mask_begins = gather_lanes(allowed, begins, plan[1], plan[2])
    undropped = allowed, mask_begins
    for task in prange(len(counted)):
        first = task * TASK_ROWS
        target = out, first, min(TASK_ROWS, total - first), columns[0], columns[1], add
        counted[task] = _task(maps, has_kept, begins, undropped, plan, cell, readout, noise, blocks, target)
    return counted
