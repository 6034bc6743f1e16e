"""What stands between the sums of a column and its code: bit-line droop, read noise, a converter with errors.

Shared by the kernels of imperfect arrays (`noisy`, `conductance`); defined by `imperfect_reference`, bit for bit: every
step is one IEEE operation on float32, so that vectors, threads and processors do not matter.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from archsim.kernels.constants import DITHER_BITS, GAMMA, NOISE_BITS
from archsim.kernels.hashing import fold, mix
from archsim.kernels.vector import popcount

BUILT_WITH = "dac16f3794bae228"
"""Digest of what is imported. Numba keeps compiled kernels until their own file changes; so must this."""


@njit(cache=True, error_model="numpy")
def vector_keys(first, count, positions, stream, images, passes, plane):  # type: ignore[no-untyped-def]
    """Return the random key of vectors from number `first` on, each image having so many `positions`."""
    keys = np.empty(count, np.uint64)
    for r in range(count):
        sample = (first + r) // positions
        keys[r] = fold(fold(fold(stream, images[sample]), passes[sample]), plane)
    return keys


@njit(cache=True, error_model="numpy", inline="always")
def draw(key, first, out):  # type: ignore[no-untyped-def]
    """Write a Gaussian for each conversion from number `first` on, in units of `constants.NOISE_UNIT` deviations."""
    for i in range(len(out)):
        number = np.uint64(2) * (np.uint64(first) + np.uint64(i)) + np.uint64(1)
        a = mix(key + number * np.uint64(GAMMA))
        b = mix(key + (number + np.uint64(1)) * np.uint64(GAMMA))
        ones = popcount(a) + popcount(b >> np.uint64(DITHER_BITS))
        steps = (ones << np.uint64(DITHER_BITS)) + (b & np.uint64((1 << DITHER_BITS) - 1))
        out[i] = np.float32(np.int32(2 * steps) - np.int32((NOISE_BITS << DITHER_BITS) + (1 << DITHER_BITS) - 1))


@njit(cache=True, error_model="numpy", inline="always")
def _droop(cells, dark, droop, out):  # type: ignore[no-untyped-def]
    """Write what of `cells`, which conduct `dark` cells more than they are worth, the read voltage delivers."""
    for i in range(len(out)):
        conductance = max(cells[i] + dark, np.float32(0))
        out[i] = conductance / (np.float32(1) + droop * conductance)


@njit(cache=True, error_model="numpy", inline="always")
def _add_noise(cells, slope, base, gaussians, out):  # type: ignore[no-untyped-def]
    """Add read noise of variance `slope` x cells + `base`."""
    for i in range(len(out)):
        out[i] += np.sqrt(max(slope * cells[i] + base, np.float32(0))) * gaussians[i]


@njit(cache=True, error_model="numpy", inline="always")
def _convert(signal, half, step, low, high, gain, offset, codes):  # type: ignore[no-untyped-def]
    """Add to `codes` what the converters make of the signals, in cells from their reference."""
    for i in range(len(codes)):
        code = np.floor((signal[i] * gain[i] + offset[i] + half) * step)
        codes[i] += np.int32(min(max(code, low), high))


@njit(cache=True, error_model="numpy", inline="always")
def read_group(cells, driven, key, number, peak, readout, group, first, scratch, codes):  # type: ignore[no-untyped-def]
    """Add to `codes` (int32) those of a group of rows whose columns conduct `cells` (float32), `driven` rows being on.

    `key`, `number`: of the random numbers of these conversions. `peak`: what a nominal cell conducts at most, in cells.
    `readout`: step, lowest and highest code of the converters; factor and offset of each (groups, columns), one group
    standing for all; droop and floor of `ReadModel`; slope and base of the noise variance, in the units of `draw`.
    `first`: which column is the first of these. `scratch`: float32 (2, columns).
    """
    step, low, high, gain, offset, droop, floor, slope, base = readout
    width = len(codes)
    signal, gaussians = scratch[0, :width], scratch[1, :width]
    middle, on = np.float32(peak * (driven >> 1)), np.float32(driven)
    if droop > 0:
        dark = on * floor
        _droop(cells, dark, droop, signal)
        middle += dark
        middle /= np.float32(1) + droop * middle
        for i in range(width):
            signal[i] -= middle
    else:
        for i in range(width):
            signal[i] = cells[i] - middle
    if slope != 0 or base != 0:
        draw(key, number, gaussians)
        _add_noise(cells, slope, base * on, gaussians, signal)
    row = group if len(gain) > 1 else 0
    half = np.float32((1 << step >> 1) + 0.5)
    _convert(
        signal, half, np.float32(1 / (1 << step)), np.float32(low), np.float32(high),
        gain[row, first : first + width], offset[row, first : first + width], codes,
    )  # fmt: skip


@njit(cache=True, error_model="numpy", inline="always")
def write_sums(codes, factor, constant, add, out):  # type: ignore[no-untyped-def]
    """Write `factor` x codes + `constant` to `out`, or add it."""
    for i in range(len(out)):
        value = np.int64(codes[i]) * factor + constant
        out[i] = value + out[i] if add else value
