"""Counter-based randomness: SplitMix64, and keys made of numbers. Twins: `reference.mix`, `reference.fold`."""

from __future__ import annotations

import numpy as np
from numba import njit

from archsim.kernels.constants import GAMMA, MIX_1, MIX_2

BUILT_WITH = "5eb42733fa259aa4"
"""Digest of what is imported. Numba keeps compiled kernels until their own file changes; so must this."""


@njit(cache=True, error_model="numpy")
def mix(z):  # type: ignore[no-untyped-def]
    """Return the output function of SplitMix64."""
    z = (z ^ z >> np.uint64(30)) * np.uint64(MIX_1)
    z = (z ^ z >> np.uint64(27)) * np.uint64(MIX_2)
    return z ^ z >> np.uint64(31)


@njit(cache=True, error_model="numpy")
def fold(key, number):  # type: ignore[no-untyped-def]
    """Return a new key for a key and a number."""
    return mix(key ^ mix(np.uint64(number) + np.uint64(GAMMA)))
