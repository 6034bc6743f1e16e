"""Kernels between the crossbars: thresholds into packed bits, bit planes, flattening, keep-bits of dropout.

Packed pixels are uint16 arrays of shape (..., words): bit i of word j is channel 16 j + i, the last word is spare and
zero (`constants.words_for`). Bits beyond the last channel are zero.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from archsim.kernels.constants import LANE
from archsim.kernels.hashing import fold
from archsim.kernels.vector import at_least16, keep32

BUILT_WITH = "dac16f3794bae228"
"""Digest of what is imported. Numba keeps compiled kernels until their own file changes; so must this."""


@njit(parallel=True, cache=True, error_model="numpy", nogil=True)
def pack_at_least(values, levels, flip, out):  # type: ignore[no-untyped-def]
    """Pack (`values` >= `levels`) xor `flip`.

    `values`: (pixels, channels), int16, int32 or float32. `levels`: (channels,), of the same dtype. `flip`: (words,).
    `out`: (pixels, words).
    """
    pixels, channels = values.shape
    whole = channels // LANE
    rest = channels - whole * LANE
    for i in prange(pixels):
        for j in range(whole):
            found = at_least16(values, i * channels + j * LANE, levels, j * LANE)
            out[i, j] = found ^ flip[j]
        if rest:
            word = np.int64(0)
            for k in range(rest):
                word |= np.int64(values[i, whole * LANE + k] >= levels[whole * LANE + k]) << k
            out[i, whole] = np.uint16(word) ^ flip[whole]
            whole_end = whole + 1
        else:
            whole_end = whole
        for j in range(whole_end, out.shape[1]):
            out[i, j] = np.uint16(0)


@njit(parallel=True, cache=True, error_model="numpy", nogil=True)
def pack_plane(values, plane, out):  # type: ignore[no-untyped-def]
    """Pack bit `plane` of int32 `values` (pixels, channels) in two's complement into `out` (pixels, words)."""
    pixels, channels = values.shape
    for i in prange(pixels):
        for j in range(out.shape[1]):
            word = np.int64(0)
            for k in range(min(LANE, channels - j * LANE)):
                word |= np.int64(values[i, j * LANE + k] >> plane & 1) << k
            out[i, j] = np.uint16(word)


@njit(parallel=True, cache=True, error_model="numpy", nogil=True)
def flatten_bits(bits, channels, out):  # type: ignore[no-untyped-def]
    """Reorder packed maps (images, pixels, words) into packed channel-major vectors `out` (images, words)."""
    images, pixels, _ = bits.shape
    for n in prange(images):
        out[n] = np.uint16(0)
        for c in range(channels):
            word, bit = c // LANE, c % LANE
            for i in range(pixels):
                f = c * pixels + i
                out[n, f // LANE] |= np.uint16((bits[n, i, word] >> bit & 1) << f % LANE)


@njit(parallel=True, cache=True, error_model="numpy", nogil=True)
def keep_bits(stream, images, passes, limits, out):  # type: ignore[no-untyped-def]
    """Draw one keep-bit for each element: 1 where its 16-bit uniform is at most its limit.

    `stream`: key of seed and layer. `images`, `passes`: int64 (samples,), which image and pass each sample is.
    `limits`: uint16 (n,), n a multiple of 32, of element e at e modulo n. `out`: uint16 (samples, words); element
    16 j + i is bit i of word j.
    """
    samples, words = out.shape
    for n in prange(samples):
        key = fold(fold(stream, images[n]), passes[n])
        for j in range(0, words, 2):
            at = limits.ctypes.data + 2 * (j * LANE % len(limits))
            both = keep32(key, np.uint64(j * LANE // 4), at)
            out[n, j] = np.uint16(both)
            if j + 1 < words:
                out[n, j + 1] = np.uint16(both >> np.uint32(LANE))
