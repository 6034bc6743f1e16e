"""Batch norm and sign folded into a threshold that decides exactly as torch does, for every float32 input."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archsim.errors import TraceError
from archsim.workload.trace import Threshold

Step = Callable[[Tensor], Tensor]
LARGEST = np.float32(1e30)  # no sum of a network comes near; larger ones might overflow inside the batch norm


def fold(steps: Sequence[Step], channels: int, rank: int, device: torch.device, where: str) -> Threshold:
    """Return the threshold equal to running `steps` and then sign (sign(0) = +1), for each channel.

    Each step must be monotone in every channel and keep the shape (1, channels, 1, ...) with `rank` spatial axes.
    Rounding is monotone too, so torch's own decision flips at most once along the float32 numbers; bisection over
    them finds the very number where it does. A channel that never flips gets a level of -inf (+1) or +inf (-1).

    Raises `TraceError` when a step gives NaN.
    """
    shape = (1, channels) + (1,) * rank

    def positive(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        x = torch.from_numpy(_float(keys)).view(shape).to(device)
        for step in steps:
            x = step(x)
        if torch.isnan(x).any():
            raise TraceError(f"{where}: its parameters hold NaN or infinite values")
        return np.asarray((x >= 0).cpu().numpy().reshape(channels))

    top = int(np.float32(LARGEST).view(np.int32))
    low, high = np.full(channels, -top, np.int64), np.full(channels, top, np.int64)
    at_low, at_high = positive(low), positive(high)
    while np.any(high - low > 1):
        middle = (low + high) // 2
        flipped = positive(middle) == at_high
        high, low = np.where(flipped, middle, high), np.where(flipped, low, middle)
    rising = at_high | (at_low == at_high)
    level = np.where(at_high, _float(high), _float(low))
    constant = at_low == at_high
    level = np.where(constant, np.where(at_high, -np.inf, np.inf), level)
    return Threshold(level.astype(np.float32), np.where(rising, 1, -1).astype(np.int8))


def _float(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return the float32 numbers of which `keys` are the ranks: 0 for zero, growing by one from each to the next."""
    magnitude = np.abs(keys).astype(np.int32).view(np.float32)
    return np.where(keys < 0, -magnitude, magnitude).astype(np.float32)
