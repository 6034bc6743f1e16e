"""Where input vectors lie: maps with their padding, the windows of a convolution in them, lanes put together.

Maps have their padding around them and every 16-bit word stored twice (`spread`), so that a lane is broadcast by a
plain 32-bit load. Where each lane is just a word of the map, the innermost loop of a kernel reads the map itself; else
the lanes are gathered first. Either way, the loop sees an array of words and where its vectors begin.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from archsim.kernels.constants import MOST_ROWS
from archsim.kernels.vector import gather

TWICE = 0x00010001

BUILT_WITH = "cdb8d47e1b0b14b5"
"""Digest of what is imported. Numba keeps compiled kernels until their own file changes; so must this."""


@njit(parallel=True, cache=True, error_model="numpy", nogil=True)
def spread(words, pad_y, pad_x, out):  # type: ignore[no-untyped-def]
    """Store each of `words` (images, height, width, words) twice, with zeros around the map.

    `out`: uint32 (images, height + 2 `pad_y`, width + 2 `pad_x`, words without the spare one).
    """
    images, height, width, _ = words.shape
    for n in prange(images):
        if pad_y > 0 or pad_x > 0:
            out[n] = np.uint32(0)
        for i in range(height):
            for j in range(width):
                for k in range(out.shape[3]):
                    out[n, i + pad_y, j + pad_x, k] = np.uint32(words[n, i, j, k]) * np.uint32(TWICE)


@njit(cache=True, error_model="numpy")
def window_places(map_shape, window):  # type: ignore[no-untyped-def]
    """Return, for each output position, the first word it reads in its image, and whether it reads no padding."""
    height, width, words = map_shape
    out_height, out_width, stride_y, stride_x, pad_y, pad_x, reach_y, reach_x = window
    begins = np.empty(out_height * out_width, np.int64)
    inside = np.empty(out_height * out_width, np.bool_)
    for row in range(out_height):
        top = row * stride_y
        inside_y = top >= pad_y and top + reach_y < height - pad_y
        for column in range(out_width):
            left = column * stride_x
            begins[row * out_width + column] = (top * width + left) * words
            inside[row * out_width + column] = inside_y and left >= pad_x and left + reach_x < width - pad_x
    return begins, inside


@njit(cache=True, error_model="numpy")
def vector_words(first, count, begins, image_words):  # type: ignore[no-untyped-def]
    """Return the output position of vectors from number `first` on, and the first word that each reads.

    The last of `count` is repeated to fill the blocks that the innermost loop takes at once; nobody reads the results.
    """
    size = (count + MOST_ROWS - 1) // MOST_ROWS * MOST_ROWS
    positions, words = np.empty(size, np.int64), np.empty(size, np.int64)
    image, position = divmod(first, len(begins))
    for r in range(size):
        positions[r] = position
        words[r] = image * image_words + begins[position]
        if r < count - 1:
            position += 1
            if position == len(begins):
                image, position = image + 1, 0
    return positions, words


@njit(cache=True, error_model="numpy")
def gather_lanes(words, begins, pieces, lane_pieces):  # type: ignore[no-untyped-def]
    """Return the lanes of each vector, one vector after the other, and where each begins."""
    lanes = len(lane_pieces) - 1
    out = np.empty(len(begins) * lanes, np.uint32)
    for r in range(len(begins)):
        gather(
            words.ctypes.data + 4 * begins[r],
            out.ctypes.data + 4 * r * lanes,
            pieces.ctypes.data,
            lane_pieces.ctypes.data,
            lanes,
        )
    return out, np.arange(len(begins)) * lanes


@njit(cache=True, error_model="numpy")
def task_vectors(maps, has_kept, begins, undropped, pieces, lane_pieces, first, count):  # type: ignore[no-untyped-def]
    """Return where the lanes of `count` vectors from number `first` on lie, and those of their masks.

    `maps`: map, mask, words of an image, whether the two are one. `undropped`: where nothing is dropped, the lanes of
    the mask and where those of each output position begin. Returns the positions, the words with the lanes, where the
    vectors begin in them, and both for the masks.
    """
    x, mask, image_words, is_own_mask = maps
    positions, rows = vector_words(first, count, begins, image_words)
    is_gathered = len(pieces) > 0
    words, word_rows = gather_lanes(x, rows, pieces, lane_pieces) if is_gathered else (x, rows)
    allowed, mask_rows = undropped
    if not has_kept:
        mask_rows = mask_rows[positions]
    elif is_own_mask:
        allowed, mask_rows = words, word_rows
    elif is_gathered:
        allowed, mask_rows = gather_lanes(mask, rows, pieces, lane_pieces)
    else:
        allowed, mask_rows = mask, rows
    return positions, words, word_rows, allowed, mask_rows
