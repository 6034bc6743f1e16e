"""Sizes and constants that the kernels and their NumPy twins share."""

from __future__ import annotations

import math

LANE = 16
"""Bits of a lane, the word in which rows are packed."""

WIDTHS = (128, 64, 32, 16)
"""Columns that the innermost loop can take at once; the columns of a layer are cut into blocks of these widths."""

CELLS, MOST_ROWS = 256, 8
"""Input vectors that share one load of the weights: `CELLS` / width, but at most `MOST_ROWS`.

So the counts and sums, 32 in a vector of 512 bits, fill half of the 32 registers of AVX-512.
"""

TASK_ROWS = 128
"""Input vectors that one task of the thread pool multiplies; a multiple of `MOST_ROWS`."""

PANEL_LANES = 96
"""Lanes that are worked off before the next columns; 128 columns of their weights, 24 KiB, fit a first-level cache."""

CACHE_LINE = 64
"""Bytes."""

COLUMN_BLOCK = WIDTHS[-1]
"""Columns are padded to a multiple of this."""

FRACTION = 8
"""Conductances are whole numbers of 2**-8 cells: half a step, 0.2 %, is small beside any spread of devices, and 16 bits
hold up to 128 cells, enough for multi-level cells and for shorts."""

DITHER_BITS = 16
NOISE_BITS = 128 - DITHER_BITS
NOISE_UNIT = 0.5**DITHER_BITS / 2 / math.sqrt(NOISE_BITS / 4 + (1 - 0.25**DITHER_BITS) / 12)
"""A Gaussian is made of two random words: the number of ones of 112 bits, a binomial, and a uniform of 16 bits that
fills the steps between. Counted in half steps of the uniform from its mean it is a whole number, below 2**24 and so
exact in float32, of this many standard deviations. Its distribution function differs from the normal one by less than
0.0008 (excess kurtosis -0.018, no value beyond 10.7 deviations): a test computes this."""

GAMMA = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB
"""SplitMix64: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, and the
public-domain reference code by S. Vigna (RECALLED; a test checks the outputs against the known answer)."""


def words_for(channels: int) -> int:
    """Return the 16-bit words that hold the bits of one pixel, with the spare word at the end, which is zero."""
    return (channels + LANE - 1) // LANE + 1
