"""The crossbar kernel: gathers input lanes, multiplies by XNOR and popcount, converts group by group."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from archsim.kernels.constants import ROW_BLOCK, TASK_ROWS
from archsim.kernels.vector import copy_words, ones, rebuild16, tile

_plain128, _plain64, _plain32, _plain16 = (tile(w, False) for w in (128, 64, 32, 16))
_masked128, _masked64, _masked32, _masked16 = (tile(w, True) for w in (128, 64, 32, 16))


@njit(cache=True, error_model="numpy", inline="always")
def _fetch(source, at, target, row, position, plan):  # type: ignore[no-untyped-def]
    """Put the bits that kernel position `position` contributes into lanes `target[row]`; `at`: word of the pixel."""
    copies, copy_start, pieces, piece_start = plan
    lanes = target.shape[1]
    for i in range(copy_start[position], copy_start[position + 1]):
        copy_words(
            source.ctypes.data + 2 * (at + copies[i, 0]),
            target.ctypes.data + 2 * (row * lanes + copies[i, 1]),
            copies[i, 2],
        )
    for i in range(piece_start[position], piece_start[position + 1]):
        word = at + pieces[i, 0]
        pair = np.uint32(source[word]) | np.uint32(source[word + 1]) << np.uint32(16)
        found = pair >> pieces[i, 1] & pieces[i, 2]
        target[row, pieces[i, 3]] |= np.uint16(found << pieces[i, 4])


@njit(cache=True, error_model="numpy", inline="always")
def _allow(target, row, position, plan):  # type: ignore[no-untyped-def]
    """Mark every row of a kernel position as driven."""
    copies, copy_start, pieces, piece_start = plan
    for i in range(copy_start[position], copy_start[position + 1]):
        for j in range(copies[i, 2]):
            target[row, copies[i, 1] + j] = np.uint16(0xFFFF)
    for i in range(piece_start[position], piece_start[position + 1]):
        target[row, pieces[i, 3]] |= np.uint16(pieces[i, 2] << pieces[i, 4])


@njit(cache=True, error_model="numpy")
def _gather(bits, kept, has_kept, shape, taps, plan, groups, first, count, x, mask, driven):  # type: ignore[no-untyped-def]
    """Fill the lanes `x` and `mask` of `count` input vectors, and how many rows of each group are `driven`.

    Returns the number of rows driven in all.
    """
    height, width, words, out_height, out_width, stride_y, stride_x, pad_y, pad_x = shape
    group_lanes, group_rows = groups
    total = 0
    for r in range(count):
        image, place = divmod(first + r, out_height * out_width)
        top = place // out_width * stride_y - pad_y
        left = place % out_width * stride_x - pad_x
        inside = (
            top >= 0
            and left >= 0
            and top + taps[-1, 0] < height
            and left + taps[-1, 1] < width
        )  # fmt: skip
        x[r] = np.uint16(0)
        mask[r] = np.uint16(0) if has_kept or not inside else np.uint16(0xFFFF)
        for t in range(len(taps)):
            i, j = top + taps[t, 0], left + taps[t, 1]
            if not (inside or (0 <= i < height and 0 <= j < width)):
                continue
            at = ((image * height + i) * width + j) * words
            _fetch(bits, at, x, r, t, plan)
            if has_kept:
                _fetch(kept, at, mask, r, t, plan)
            elif not inside:
                _allow(mask, r, t, plan)
        for g in range(len(group_rows)):
            n = group_rows[g]
            if has_kept or not inside:
                n = 0
                for lane in range(group_lanes[g], group_lanes[g + 1]):
                    n += np.int64(ones(mask[r, lane]))
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
        x = np.empty((TASK_ROWS, lanes), np.uint16)
        mask = np.empty((TASK_ROWS, lanes), np.uint16)
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
                        at = 2 * (r * lanes + group_lanes[g])
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
                odd = 0
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
