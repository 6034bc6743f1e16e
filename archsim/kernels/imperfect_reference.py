"""The slow, obvious NumPy twin of the kernels of imperfect arrays, `noisy` and `conductance`: equal, bit for bit.

All steps after the sum of a column are single operations on float32. A layer with nominal cells and noisy reads is one
whose every line conducts what is nominal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.kernels.constants import DITHER_BITS, FRACTION, GAMMA, NOISE_BITS, NOISE_UNIT
from archsim.kernels.reference import Bools, Ints, fold, mix

Floats = npt.NDArray[np.float32]
Draw = Callable[[int], Floats]
"""Returns the Gaussians of the conversions of a group of rows, (vectors, out), in units of `NOISE_UNIT` deviations."""


@dataclass(frozen=True, eq=False)
class Readout:
    """What reads a column. `gain`, `offset`: of the converter of each group and column (groups, out), in cells."""

    low: int
    high: int
    lsb_log2: int
    gain: Floats
    offset: Floats
    droop: float = 0.0
    floor: float = 0.0
    sigma_on: float = 0.0
    sigma_off: float = 0.0


def gaussians(key: npt.NDArray[np.uint64], number: Ints) -> Floats:
    """Return the Gaussian of each key and number, in units of `NOISE_UNIT` deviations: whole numbers."""
    first, second = (mix(key + np.uint64(GAMMA) * (number * 2 + i).astype(np.uint64)) for i in (1, 2))
    ones = np.bitwise_count(first).astype(np.int64) + np.bitwise_count(second >> np.uint64(DITHER_BITS))
    dither = (second & np.uint64(2**DITHER_BITS - 1)).astype(np.int64)
    steps = (2 * ones - NOISE_BITS) * 2**DITHER_BITS + 2 * dither - (2**DITHER_BITS - 1)
    return np.asarray(steps, np.float32)


def read_noise(
    stream: int, images: Ints, passes: Ints, product: int, positions: Ints, groups: int, columns: Ints, all_columns: int
) -> Draw:
    """Return the source of read noise of one binary product.

    `images`, `passes`, `positions`: of each vector. `product`: its number among those of a sample, input bit x cells
    of a weight + cell. `columns`: which of `all_columns` of the layer these are.
    """
    key = fold(fold(fold(np.full(images.shape, stream, np.uint64), images), passes), np.full(images.shape, product))

    def draw(group: int) -> Floats:
        return gaussians(key[:, None], ((positions * groups + group) * all_columns)[:, None] + columns)

    return draw


def codes(cells: Floats, driven: Ints, peak: int, readout: Readout, group: int, noise: Floats) -> Ints:
    """Return what the converters make of columns that conduct `cells` (vectors, out); `driven` rows: (vectors, 1)."""
    one, on = np.float32(1), np.asarray(driven, np.float32)
    signal, middle = cells, np.asarray(peak * (driven // 2), np.float32)
    if readout.droop > 0:
        droop, dark = np.float32(readout.droop), on * np.float32(readout.floor)
        conductance = np.maximum(cells + dark, np.float32(0))
        signal = conductance / (one + droop * conductance)
        middle = (middle + dark) / (one + droop * (middle + dark))
    signal = signal - middle
    of_low, of_high = ((sigma * NOISE_UNIT) ** 2 for sigma in (readout.sigma_off, readout.sigma_on))
    variance = np.float32(of_high - of_low) * cells + np.float32(peak * of_low) * on
    signal += np.sqrt(np.maximum(variance, np.float32(0))) * noise
    signal = signal * (one + readout.gain[group]) + readout.offset[group]
    half = np.float32(2**readout.lsb_log2 // 2 + 0.5)
    code = np.floor((signal + half) * np.float32(0.5**readout.lsb_log2))
    return np.asarray(np.clip(code, np.float32(readout.low), np.float32(readout.high)), np.int64)


def multiply(
    x: Ints, driven: Bools, lines: Ints, slices: int, groups: Sequence[Ints], readout: Readout, draw: Draw
) -> Ints:
    """Return the sums that binary inputs give on cells of the given conductances, converted group by group.

    `x`, `driven`: (vectors, rows), x = +1 or -1 where a row is driven. `lines`: (2 x rows, out), in 2**-`FRACTION`
    cells; line 2r conducts if x[r] is +1, line 2r + 1 if it is -1. `slices`: of a weight in a cell. Returns (vectors,
    out).
    """
    total = np.zeros((len(x), lines.shape[1]), np.int64)
    peak = 2**slices - 1
    for g, rows in enumerate(groups):
        on = driven[:, rows]
        up, down = on & (x[:, rows] > 0), on & (x[:, rows] < 0)
        sums = up.astype(np.int64) @ lines[2 * rows] + down.astype(np.int64) @ lines[2 * rows + 1]
        cells = sums.astype(np.float32) * np.float32(0.5**FRACTION)
        n = on.sum(axis=1)[:, None]
        code = codes(cells, n, peak, readout, g, draw(g))
        total += 2 * (code << readout.lsb_log2) - peak * (n & 1)
    return total
