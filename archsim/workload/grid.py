"""Odd integers of few bits, packed: the weights of crossbars in files."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def pack(values: npt.NDArray[Any], bits: int) -> npt.NDArray[np.uint8]:
    """Return odd integers in [-(2**bits - 1), 2**bits - 1] as a row of bits, those of one integer side by side."""
    levels = (values.ravel().astype(np.int32) + (2**bits - 1)) // 2
    return np.packbits(levels[:, None] >> np.arange(bits) & 1)


def unpack(packed: npt.NDArray[np.uint8], count: int, bits: int) -> npt.NDArray[np.int32]:
    """Return `count` odd integers that `pack` packed. Raises `ValueError` where they are not there."""
    if packed.dtype != np.uint8:
        raise ValueError(f"weights are stored as {packed.dtype}, not as packed bits")
    if packed.size * 8 < count * bits:
        raise ValueError(f"{packed.size * 8 // bits} weights are stored, {count} are needed")
    digits = np.unpackbits(packed.ravel(), count=count * bits).reshape(count, bits).astype(np.int32)
    return np.asarray(2 * (digits << np.arange(bits)).sum(1) - (2**bits - 1), np.int32)
