"""The crossbar kernel: gathers input lanes, multiplies by XNOR and popcount, converts group by group."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from archsim.kernels.constants import ROW_BLOCK, TASK_ROWS
from archsim.kernels.vector import copy_blocks, copy_pieces, count_ones, rebuild16, tile

_plain128, _plain64, _plain32, _plain16 = (tile(w, False) for w in (128, 64, 32, 16))
_masked128, _masked64, _masked32, _masked16 = (tile(w, True) for w in (128, 64, 32, 16))


@njit(cache=True, error_model="numpy")
def _fetch(pixel, lanes, first, last, plan):  # type: ignore[no-untyped-def]
    """Put what kernel positions `first` to `last` - 1 contribute into lanes; `pixel`: address of kernel position 0."""
    blocks, block_start, pieces, piece_start = plan
    start = block_start[first]
    copy_blocks(pixel, lanes, blocks.ctypes.data + 8 * start, block_start[last] - start)
    start = piece_start[first]
    copy_pieces(pixel, lanes, pieces.ctypes.data + 20 * start, piece_start[last] - start)


@njit(cache=True, error_model="numpy")
def _gather(bits, kept, has_kept, shape, taps, plan, groups, first, count, x, mask, driven):  # type: ignore[no-untyped-def]
    """Fill the lanes `x` and `mask` of `count` input vectors, and how many rows of each group are `driven`.

    Returns the number of rows driven in all.
    """
    height, width, words, out_height, out_width, stride_y, stride_x, pad_y, pad_x = shape
    group_lanes, group_rows = groups
    lanes, positions = x.shape[1], len(taps)
    all_ones = np.full(words, 0xFFFF, np.uint16)
    total = 0
    for r in range(count):
        image, place = divmod(first + r, out_height * out_width)
        top = place // out_width * stride_y - pad_y
        left = place % out_width * stride_x - pad_x
        last_i, last_j = top + taps[-1, 0], left + taps[-1, 1]
        inside = top >= 0 and left >= 0 and last_i < height and last_j < width
        all_driven = inside and not has_kept
        x[r] = np.uint32(0)
        mask[r] = np.uint32(0xFFFFFFFF if all_driven else 0)
        pixel = 2 * (((image * height + top) * width + left) * words)
        x_row, mask_row = x.ctypes.data + 4 * r * lanes, mask.ctypes.data + 4 * r * lanes
        if inside:
            _fetch(bits.ctypes.data + pixel, x_row, 0, positions, plan)
            if has_kept:
                _fetch(kept.ctypes.data + pixel, mask_row, 0, positions, plan)
        else:
            for t in range(positions):
                i, j = top + taps[t, 0], left + taps[t, 1]
                if 0 <= i < height and 0 <= j < width:
                    _fetch(bits.ctypes.data + pixel, x_row, t, t + 1, plan)
                    if has_kept:
                        _fetch(kept.ctypes.data + pixel, mask_row, t, t + 1, plan)
                    else:
                        offset = 2 * (taps[t, 0] * width + taps[t, 1]) * words
                        _fetch(all_ones.ctypes.data - offset, mask_row, t, t + 1, plan)
        for g in range(len(group_rows)):
            n = group_rows[g]
            if not all_driven:
                n = count_ones(mask_row + 4 * group_lanes[g], group_lanes[g + 1] - group_lanes[g])
            driven[g, r] = n
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
    first_column, width_out = columns
    step, low, high = adc
    total = images * shape[3] * shape[4]
    tasks = (total + TASK_ROWS - 1) // TASK_ROWS
    counted = np.zeros(tasks, np.int64)
    top_slice = (slices - 1) * lanes * padded
    peak = (1 << slices) - 1
    half = (1 << step) >> 1
    for task in prange(tasks):
        first = task * TASK_ROWS
        count = min(TASK_ROWS, total - first)
        x = np.empty((TASK_ROWS, lanes), np.uint32)
        mask = np.empty((TASK_ROWS, lanes), np.uint32)
        driven = np.zeros((len(group_rows), TASK_ROWS), np.int16)
        centre = np.zeros((len(group_rows), TASK_ROWS), np.int16)
        sums = np.empty((TASK_ROWS, padded), np.int16)
        counted[task] = _gather(bits, kept, has_kept, shape, taps, plan, groups, first, count, x, mask, driven)
        for g in range(len(group_rows)):
            for r in range(TASK_ROWS):
                centre[g, r] = peak * ((driven[g, r] + 1) >> 1) + half
        for s in range(len(sections) - 1):
            sums[:] = 0
            column = 0
            while column < padded:
                left = padded - column
                width = 128 if left >= 128 else 64 if left >= 64 else 32 if left >= 32 else 16
                for g in range(sections[s], sections[s + 1]):
                    for r in range(0, count, ROW_BLOCK):
                        full = True
                        for i in range(r, min(r + ROW_BLOCK, count)):
                            full = full and driven[g, i] == group_rows[g]
                        at = 4 * (r * lanes + group_lanes[g])
                        arguments = (
                            x.ctypes.data + at,
                            mask.ctypes.data + at,
                            weights.ctypes.data + 2 * (top_slice + group_lanes[g] * padded + column),
                            sums.ctypes.data + 2 * (r * padded + column),
                            centre.ctypes.data + 2 * (g * TASK_ROWS + r),
                            group_lanes[g + 1] - group_lanes[g],
                            slices,
                            lanes,
                            padded,
                            -lanes * padded,
                            padded,
                            step,
                            low,
                            high,
                        )
                        _tile(full, width, arguments)
                column += width
            for r in range(count):
                odd = np.int64(0)
                for g in range(sections[s], sections[s + 1]):
                    odd += np.int64(driven[g, r]) & 1
                start = (first + r) * out.shape[1] + first_column
                vectors = width_out // 16
                for v in range(vectors):
                    rebuild16(
                        sums.ctypes.data + 2 * (r * padded + 16 * v),
                        out,
                        start + 16 * v,
                        gain << (step + 1),
                        -gain * peak * odd,
                    )
                for n in range(16 * vectors, width_out):
                    code = np.int64(sums[r, n])
                    out[first + r, first_column + n] += (code << (step + 1)) * gain - gain * peak * odd
    return counted
