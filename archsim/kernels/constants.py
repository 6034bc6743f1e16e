"""Sizes and constants that the kernels and their NumPy twins share."""

from __future__ import annotations

LANE = 16
"""Bits of a lane, the word in which rows are packed."""

BLOCK = 4
"""Words that are copied at once where four neighbours go to neighbouring lanes."""

ROW_BLOCK = 4
"""Input vectors that share one load of the weights; 4 x 128 accumulators fill half of 32 AVX-512 registers."""

TASK_ROWS = 64
"""Input vectors that one task of the thread pool gathers and multiplies; its scratch memory fits the L1/L2 caches."""

COLUMN_BLOCK = 16
"""Columns are padded to a multiple of this."""

GAMMA = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB
"""SplitMix64: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, and the
public-domain reference code by S. Vigna (RECALLED; a test checks the outputs against the known answer)."""


def words_for(channels: int) -> int:
    """Return the 16-bit words that hold the bits of one pixel, with the spare word that unaligned reads may touch."""
    return (channels + LANE - 1) // LANE + 1
