"""The crossbar kernel: gathers input lanes, multiplies by XNOR and popcount, converts group by group."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from archsim.kernels.constants import ROW_BLOCK, TASK_ROWS
from archsim.kernels.vector import copy_blocks, copy_pieces, count_ones, rebuild, tile

_plain128, _plain64, _plain32, _plain16 = (tile(w, False) for w in (128, 64, 32, 16))
_masked128, _masked64, _masked32, _masked16 = (tile(w, True) for w in (128, 64, 32, 16))


@njit(cache=True, error_model="numpy")
def _next_inside(begin, taps, top, left, height, width):  # type: ignore[no-untyped-def]
    """Return the next stretch of kernel positions, from `begin` on, that lie inside the map."""
    while begin < len(taps) and not _is_inside(taps, begin, top, left, height, width):
        begin += 1
    end = begin
    while end < len(taps) and _is_inside(taps, end, top, left, height, width):
        end += 1
    return begin, end


@njit(cache=True, error_model="numpy")
def _is_inside(taps, t, top, left, height, width):  # type: ignore[no-untyped-def]
    i, j = top + taps[t, 0], left + taps[t, 1]
    return 0 <= i < height and 0 <= j < width


@njit(cache=True, error_model="numpy")
def _gather(bits, kept, has_kept, shape, taps, plan, groups, first, count, all_ones, x, mask, driven, full):  # type: ignore[no-untyped-def]
    """Fill the lanes `x` and `mask` of `count` input vectors, and how many rows of each group are `driven`.

    `full`: for each block of `ROW_BLOCK` vectors, whether all rows of all of them are driven; then no mask is needed.
    Returns the number of rows driven in all.
    """
    height, width, words, out_height, out_width, stride_y, stride_x, pad_y, pad_x = shape
    group_lanes, group_rows = groups
    lanes, positions = x.shape[1], len(taps)
    block_table, block_start, piece_table, piece_start = plan
    blocks_at, pieces_at = block_table.ctypes.data, piece_table.ctypes.data
    has_pieces = len(piece_table) > 0
    needs_mask = has_kept or pad_y > 0 or pad_x > 0
    full[:] = not has_kept
    image, place = divmod(first, out_height * out_width)
    row, column = divmod(place, out_width)
    total = 0
    for r in range(count):
        top, left = row * stride_y - pad_y, column * stride_x - pad_x
        inside = top >= 0 and left >= 0 and top + taps[-1, 0] < height and left + taps[-1, 1] < width
        pixel = 2 * (((image * height + top) * width + left) * words)
        x_row, mask_row = x.ctypes.data + 4 * r * lanes, mask.ctypes.data + 4 * r * lanes
        all_driven = inside and not has_kept
        if has_pieces or not inside:
            x[r] = np.uint32(0)
        if needs_mask:
            mask[r] = np.uint32(0xFFFFFFFF if all_driven else 0)
        if not inside:
            full[r // ROW_BLOCK] = False
        begin = 0
        while begin < positions:
            end = positions
            if not inside:
                begin, end = _next_inside(begin, taps, top, left, height, width)
            blocks = blocks_at + 8 * block_start[begin]
            block_count = block_start[end] - block_start[begin]
            pieces = pieces_at + 20 * piece_start[begin]
            piece_count = piece_start[end] - piece_start[begin]
            copy_blocks(bits.ctypes.data + pixel, x_row, blocks, block_count)
            copy_pieces(bits.ctypes.data + pixel, x_row, pieces, piece_count)
            if not all_driven:
                allowed = kept.ctypes.data + pixel if has_kept else all_ones.ctypes.data
                copy_blocks(allowed, mask_row, blocks, block_count)
                copy_pieces(allowed, mask_row, pieces, piece_count)
            begin = end
        column += 1
        if column == out_width:
            column, row = 0, row + 1
            if row == out_height:
                row, image = 0, image + 1
        for g in range(len(group_rows)):
            n = group_rows[g]
            if not all_driven:
                n = count_ones(mask_row + 4 * group_lanes[g], group_lanes[g + 1] - group_lanes[g])
            driven[r, g] = n
            total += n
    return total


@njit(cache=True, error_model="numpy", inline="always")
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


@njit(cache=True, error_model="numpy")
def _accumulate(x, mask, driven, full, count, group_lanes, first_group, last_group, weights, adc, sums):  # type: ignore[no-untyped-def]
    """Add the converter's codes of groups `first_group` to `last_group` - 1 to `sums`, for `count` vectors."""
    slices, lanes, padded = weights.shape
    step, low, high = adc
    top_slice = (slices - 1) * lanes * padded
    column = 0
    while column < padded:
        left = padded - column
        width = 128 if left >= 128 else 64 if left >= 64 else 32 if left >= 32 else 16
        for g in range(first_group, last_group):
            for r in range(0, count, ROW_BLOCK):
                at = 4 * (r * lanes + group_lanes[g])
                arguments = (
                    x.ctypes.data + at,
                    mask.ctypes.data + at,
                    weights.ctypes.data + 2 * (top_slice + group_lanes[g] * padded + column),
                    sums.ctypes.data + 2 * (r * padded + column),
                    driven.ctypes.data + 2 * (r * driven.shape[1] + g),
                    group_lanes[g + 1] - group_lanes[g],
                    slices,
                    lanes,
                    padded,
                    -lanes * padded,
                    padded,
                    driven.shape[1],
                    step,
                    low,
                    high,
                )
                _tile(full[r // ROW_BLOCK], width, arguments)
        column += width


@njit(cache=True, error_model="numpy")
def _rebuild(sums, row, target, out, first_column, columns, factor, offset):  # type: ignore[no-untyped-def]
    """Add `factor` x codes + `offset` of one vector to its row of `out`."""
    whole = columns // 16 * 16
    codes = sums.ctypes.data + 2 * row * sums.shape[1]
    rebuild(codes, out, target * out.shape[1] + first_column, whole, factor, offset)
    for n in range(whole, columns):
        out[target, first_column + n] += np.int64(sums[row, n]) * factor + offset


@njit(parallel=True, cache=True, error_model="numpy", nogil=True)
def multiply(bits, kept, has_kept, images, shape, taps, plan, groups, sections, weights, adc, gain, out, columns):  # type: ignore[no-untyped-def]
    """Add one binary matrix-vector product for every image and output position to `out`; see `kernels.reference`.

    `bits`, `kept`: flat uint16, packed pixels of all images (`kept` is read only if `has_kept`).
    `shape`: (height, width, words, out height, out width, stride y, x, padding y, x). `taps`: (positions, 2), offsets
    of the kernel positions. `plan`, `groups`: the tables of a `LanePlan`. `sections`: first group of each stretch of
    groups whose codes cannot overflow 16 bits, and the number of groups.
    `weights`: (slices in a cell, lowest first, lanes, padded columns). `adc`: (step, low, high).
    `gain`: what the result counts (a power of two, negative for a sign bit). `out`: (images x positions, all columns),
    int16 or int32. `columns`: (first column in `out`, number of columns).
    Returns the rows driven, per task: int64.
    """
    slices, lanes, padded = weights.shape
    group_lanes, group_rows = groups
    total = images * shape[3] * shape[4]
    tasks = (total + TASK_ROWS - 1) // TASK_ROWS
    counted = np.zeros(tasks, np.int64)
    window = (taps[-1, 0] * shape[1] + taps[-1, 1] + 1) * shape[2]
    all_ones = np.full(window, 0xFFFF, np.uint16)
    factor = gain << (adc[0] + 1)
    peak = (1 << slices) - 1
    for task in prange(tasks):
        first = task * TASK_ROWS
        count = min(TASK_ROWS, total - first)
        x = np.empty((TASK_ROWS, lanes), np.uint32)
        mask = np.empty((TASK_ROWS, lanes), np.uint32)
        driven = np.zeros((TASK_ROWS, len(group_rows)), np.int16)
        full = np.empty(TASK_ROWS // ROW_BLOCK, np.bool_)
        sums = np.empty((TASK_ROWS, padded), np.int16)
        counted[task] = _gather(
            bits, kept, has_kept, shape, taps, plan, groups, first, count, all_ones, x, mask, driven, full
        )
        for s in range(len(sections) - 1):
            sums[:] = 0
            begin, end = sections[s], sections[s + 1]
            _accumulate(x, mask, driven, full, count, group_lanes, begin, end, weights, adc, sums)
            for r in range(count):
                odd = np.int64(0)
                for g in range(begin, end):
                    odd += np.int64(driven[r, g]) & 1
                _rebuild(sums, r, first + r, out, columns[0], columns[1], factor, -gain * peak * odd)
    return counted
