"""The crossbar kernel: multiplies packed inputs by XNOR and popcount, and converts group by group.

`kernels.maps` says how input vectors lie in memory.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from archsim.kernels.constants import CELLS, MOST_ROWS, TASK_ROWS, WIDTHS
from archsim.kernels.maps import TWICE, gather_lanes, task_vectors, window_places
from archsim.kernels.vector import count_ones, rebuild, tile

_plain128, _plain64, _plain32, _plain16 = (tile(w, False) for w in WIDTHS)
_masked128, _masked64, _masked32, _masked16 = (tile(w, True) for w in WIDTHS)

BUILT_WITH = "7b5eea3b7b11dd2d"
"""Digest of what is imported. Numba keeps compiled kernels until their own file changes; so must this."""


@njit(cache=True, error_model="numpy")
def _driven(mask, begins, full, plan, cell):  # type: ignore[no-untyped-def]
    """Count the driven rows of vectors by their masks; of those that are `full`, all rows are driven.

    Returns, for each vector, where its count of each group starts, stored twice; how many groups of each panel have an
    odd number of driven rows; and how many rows are driven in all.
    """
    source, _, _, group_lanes, group_rows, panels = plan
    _, slices, step, low, _, _ = cell
    peak = (1 << slices) - 1
    base = ((1 << step) >> 1) - (low << step)
    starts = np.empty((len(begins), len(group_rows)), np.uint32)
    odd = np.zeros((len(begins), len(panels) - 1), np.int64)
    driven = np.zeros(len(begins), np.int64)
    for r in range(len(begins)):
        row = mask.ctypes.data + 4 * begins[r]
        for p in range(len(panels) - 1):
            for g in range(panels[p], panels[p + 1]):
                n = group_rows[g]
                if not full[r]:
                    n = count_ones(row, source.ctypes.data, group_lanes[g], group_lanes[g + 1])
                starts[r, g] = np.uint32(peak * ((n + 1) >> 1) + base) * np.uint32(TWICE)
                odd[r, p] += n & 1
                driven[r] += n
    return starts, odd, driven


@njit(cache=True, error_model="numpy")
def _tile(full, width, arguments):  # type: ignore[no-untyped-def]
    """Run the register-blocked tile of the right width; `full`: every row is driven, so the mask is not needed."""
    if full:
        if width == 128:
            _plain128(*arguments)
        elif width == 64:
            _plain64(*arguments)
        elif width == 32:
            _plain32(*arguments)
        else:
            _plain16(*arguments)
    elif width == 128:
        _masked128(*arguments)
    elif width == 64:
        _masked64(*arguments)
    elif width == 32:
        _masked32(*arguments)
    else:
        _masked16(*arguments)


@njit(cache=True, error_model="numpy", inline="always")
def _rebuild(codes, row, target, out, first_column, columns, factor, offset, add):  # type: ignore[no-untyped-def]
    """Write `factor` x codes + `offset` of one vector to its row of `out`."""
    whole = columns // 16 * 16
    at = target * out.shape[1] + first_column
    rebuild(codes.ctypes.data + 2 * row * codes.shape[1], out, at, whole, factor, offset, add)
    for n in range(whole, columns):
        value = np.int64(codes[row, n]) * factor + offset
        out[target, first_column + n] = value + out[target, first_column + n] if add else value


@njit(cache=True, error_model="numpy")
def _count(vectors, plan, cell, panel, block, target):  # type: ignore[no-untyped-def]
    """Do one panel of groups and one block of columns for all vectors of a task."""
    words, word_rows, allowed, mask_rows, full, starts, state_rows, odd = vectors
    source, _, _, group_lanes, _, panels = plan
    weights, slices, step, low, high, gain = cell
    column, width = block
    out, first, count, first_column, columns, add = target
    factor = gain << (step + 1)
    lowest = factor * low * (panels[panel + 1] - panels[panel])
    unpaired = gain * ((1 << slices) - 1)
    inside = min(width, columns - column)
    at_once = min(MOST_ROWS, CELLS // width)
    sums = np.empty((at_once, width), np.int16)
    for r in range(0, count, at_once):
        arguments = (
            words.ctypes.data,
            word_rows.ctypes.data + 8 * r,
            allowed.ctypes.data,
            mask_rows.ctypes.data + 8 * r,
            source.ctypes.data,
            starts.ctypes.data,
            state_rows.ctypes.data + 8 * r,
            starts.shape[1],
            group_lanes.ctypes.data,
            panels[panel],
            panels[panel + 1],
            weights.ctypes.data + 2 * slices * len(source) * column,
            slices,
            len(source) * width,
            step,
            high - low,
            sums.ctypes.data,
        )
        _tile(full[r : r + at_once].all(), width, arguments)
        for k in range(min(at_once, count - r)):
            offset = lowest - unpaired * odd[state_rows[r + k], panel]
            _rebuild(sums, k, first + r + k, out, first_column + column, inside, factor, offset, add or panel > 0)


@njit(cache=True, error_model="numpy")
def _task(maps, has_kept, places, undropped, plan, cell, blocks, target):  # type: ignore[no-untyped-def]
    """Do some vectors, all groups and columns. Returns how many rows are driven."""
    begins, inside = places
    _, _, starts, odd, driven = undropped
    _, first, count, _, _, _ = target
    positions, words, word_rows, allowed, mask_rows = task_vectors(
        maps, has_kept, begins, undropped[:2], plan[1], plan[2], first, count
    )
    full, state_rows = inside[positions], positions
    if has_kept:
        full, state_rows = np.zeros(len(positions), np.bool_), np.arange(len(positions))
        starts, odd, driven = _driven(allowed, mask_rows, full, plan, cell)
    vectors = words, word_rows, allowed, mask_rows, full, starts, state_rows, odd
    for panel in range(len(plan[5]) - 1):
        for b in range(len(blocks)):
            _count(vectors, plan, cell, panel, (blocks[b, 0], blocks[b, 1]), target)
    return driven[state_rows[:count]].sum()


@njit(parallel=True, cache=True, error_model="numpy", nogil=True)
def multiply(x, mask, has_kept, window, plan, cell, blocks, out, columns, add):  # type: ignore[no-untyped-def]
    """Do one binary matrix-vector product for every image and output position; see `kernels.reference`.

    `x`: the map of all images from `maps.spread`. `mask`: likewise, the driven rows; one map of ones if not `has_kept`.
    `window`: (out height, out width, stride y, x, padding y, x, last row and column of the kernel from its first).
    `plan`: of a `LanePlan`, source, pieces, lane pieces, group lanes and group rows; and the `panels`.
    `cell`: its weights `by_blocks`; how many slices of a weight it holds; step, lowest and highest code that can occur
    of the converter; and what the result counts (a power of two, negative for a sign bit).
    `blocks`: the `column_blocks`. `out`: (images x positions, all columns), int16 or int32.
    `columns`: (first column in `out`, number of columns). `add`: add to what is in `out`.
    Returns the rows driven, per task: int64.
    """
    total = len(out)
    counted = np.zeros((total + TASK_ROWS - 1) // TASK_ROWS, np.int64)
    maps = x.reshape(-1), mask.reshape(-1), x[0].size, x.ctypes.data == mask.ctypes.data
    places = window_places(x.shape[1:], window)
    # Unless rows are dropped, those that are driven depend on the position only: count them once.
    begins, inside = (places[0][:0], places[1][:0]) if has_kept else places
    allowed = maps[1]
    if len(plan[1]) > 0:
        allowed, begins = gather_lanes(allowed, begins, plan[1], plan[2])
    starts, odd, driven = _driven(allowed, begins, inside, plan, cell)
    undropped = allowed, begins, starts, odd, driven
    for task in prange(len(counted)):
        first = task * TASK_ROWS
        target = out, first, min(TASK_ROWS, total - first), columns[0], columns[1], add
        counted[task] = _task(maps, has_kept, places, undropped, plan, cell, blocks, target)
    return counted
