"""The kernel of arrays with ideal cells and imperfect reads: exact counts, then droop, read noise and the converter.

Independent Gaussian reads of cells add up to one Gaussian whose variance follows from the count of matching rows, so
one random number for each conversion is exact in distribution. `kernels.maps` says how input vectors lie in memory.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from archsim.kernels.constants import CELLS, MOST_ROWS, TASK_ROWS, WIDTHS
from archsim.kernels.maps import TWICE, gather_lanes, task_vectors, window_places
from archsim.kernels.readout import read_group, vector_keys, write_sums
from archsim.kernels.vector import count_ones, tile

_count128, _count64, _count32, _count16 = (tile(w, True) for w in WIDTHS)

NO_LIMIT = 0x7FFF

BUILT_WITH = "82b4dbd4a9d14d8c"
"""Digest of what is imported. Numba keeps compiled kernels until their own file changes; so must this."""


@njit(cache=True, error_model="numpy")
def _driven(mask, begins, plan):  # type: ignore[no-untyped-def]
    """Return how many rows of each group are driven, for each vector: (vectors, groups)."""
    source, _, _, group_lanes = plan
    driven = np.empty((len(begins), len(group_lanes) - 1), np.int64)
    for r in range(len(begins)):
        row = mask.ctypes.data + 4 * begins[r]
        for g in range(len(group_lanes) - 1):
            driven[r, g] = count_ones(row, source.ctypes.data, group_lanes[g], group_lanes[g + 1])
    return driven


@njit(cache=True, error_model="numpy")
def _count(width, arguments):  # type: ignore[no-untyped-def]
    """Count matches by the register-blocked tile of the right width."""
    if width == 128:
        _count128(*arguments)
    elif width == 64:
        _count64(*arguments)
    elif width == 32:
        _count32(*arguments)
    else:
        _count16(*arguments)


@njit(cache=True, error_model="numpy")
def _block(vectors, plan, cell, readout, noise, column, width, target):  # type: ignore[no-untyped-def]
    """Do all groups of one block of columns, for all vectors of a task."""
    positions, words, word_rows, allowed, mask_rows, driven, keys = vectors
    source, _, _, group_lanes = plan
    weights, slices, worth = cell
    first_number, numbers = noise[4:]
    out, first, count, first_column, columns, add = target
    peak, groups = (1 << slices) - 1, len(group_lanes) - 1
    lanes = len(source)
    at_once = min(MOST_ROWS, CELLS // width)
    matches, cells = np.empty((at_once, width), np.int16), np.empty(width, np.float32)
    codes, scratch = np.empty((at_once, width), np.int32), np.empty((2, width), np.float32)
    starts = (driven * peak).astype(np.uint32) * np.uint32(TWICE)
    rows = np.arange(len(driven))
    inside = min(width, columns - column)
    for r in range(0, count, at_once):
        codes[:] = 0
        for g in range(groups):
            arguments = (
                words.ctypes.data,
                word_rows.ctypes.data + 8 * r,
                allowed.ctypes.data,
                mask_rows.ctypes.data + 8 * r,
                source.ctypes.data,
                starts.ctypes.data,
                rows.ctypes.data + 8 * r,
                groups,
                group_lanes.ctypes.data,
                g,
                g + 1,
                weights.ctypes.data + 2 * slices * lanes * column,
                slices,
                lanes * width,
                0,
                NO_LIMIT,
                matches.ctypes.data,
            )
            _count(width, arguments)
            for k in range(min(at_once, count - r)):
                for i in range(width):
                    cells[i] = matches[k, i]
                number = (positions[r + k] * groups + g) * numbers + first_number + column
                read_group(cells, driven[r + k, g], keys[r + k], number, peak, readout, g, column, scratch, codes[k])
        for k in range(min(at_once, count - r)):
            at = first_column + column
            odd = (driven[r + k] & 1).sum()
            write_sums(
                codes[k], worth << (readout[0] + 1), -worth * peak * odd, add, out[first + r + k, at : at + inside]
            )


@njit(cache=True, error_model="numpy")
def _task(maps, has_kept, begins, undropped, plan, cell, readout, noise, blocks, target):  # type: ignore[no-untyped-def]
    """Do some vectors, all groups and columns. Returns how many rows are driven."""
    _, first, count, _, _, _ = target
    positions, words, word_rows, allowed, mask_rows = task_vectors(
        maps, has_kept, begins, undropped, plan[1], plan[2], first, count
    )
    driven = _driven(allowed, mask_rows, plan)
    keys = vector_keys(first, count, len(begins), noise[0], noise[1], noise[2], noise[3])
    vectors = positions, words, word_rows, allowed, mask_rows, driven, keys
    for b in range(len(blocks)):
        _block(vectors, plan, cell, readout, noise, blocks[b, 0], blocks[b, 1], target)
    return driven[:count].sum()


@njit(parallel=True, cache=True, error_model="numpy", nogil=True)
def multiply(x, mask, has_kept, window, plan, cell, readout, noise, blocks, out, columns, add):  # type: ignore[no-untyped-def]
    """Do one binary matrix-vector product for every image and output position; see `imperfect_reference`.

    `plan`: of a `LanePlan`, source, pieces, lane pieces and group lanes. `cell`: its weights `by_blocks`, how many
    slices of a weight it holds, what the result counts (a power of two, negative for a sign bit). `readout`: see
    `readout.read_group`, for the columns of this part. `noise`: key of the stream, image and pass of each sample,
    number of this product among those of a sample, that of the first column among all columns of the layer, and how
    many these are. The rest as for `crossbar.multiply`.
    Returns the rows driven, per task: int64.
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
