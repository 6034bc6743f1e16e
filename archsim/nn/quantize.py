"""Multi-bit inputs for binary layers, and learnable scales."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archsim.errors import DataError


class Quantize(nn.Module):
    """Rounds to a grid of `bits` bits: x -> scale * clip(round_half_even(x / scale), low, high).

    Unsigned: low = 0, high = 2**bits - 1; `signed`: two's complement. The gradient passes straight through inside
    the grid and is zero outside. Without a given `scale` the largest magnitude seen in training mode sets it.

    Raises `DataError` in evaluation mode when no scale is known yet.
    """

    scale: Tensor

    def __init__(self, bits: int, *, signed: bool = False, scale: float | None = None) -> None:
        super().__init__()
        if not 1 <= bits <= 16:
            raise ValueError(f"bits must be between 1 and 16, got {bits}")
        if scale is not None and not scale > 0:
            raise ValueError(f"scale must be positive, got {scale}")
        self.bits, self.signed, self.fixed = bits, signed, scale is not None
        self.low = -(2 ** (bits - 1)) if signed else 0
        self.high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
        self.register_buffer("scale", torch.tensor(0.0 if scale is None else scale))

    def _observe(self, x: Tensor) -> None:
        largest = x.detach().abs().max() if self.signed else x.detach().max()
        self.scale.copy_(torch.maximum(self.scale, largest / max(self.high, 1)))

    def forward(self, x: Tensor) -> Tensor:
        """Return values on the grid, same shape."""
        if self.training and not self.fixed:
            self._observe(x)
        if not self.scale > 0:
            raise DataError("a Quantize has no scale yet: give scale=, or show it data in training mode")
        steps = (x / self.scale).clamp(self.low, self.high)
        return (steps + (steps.round() - steps).detach()) * self.scale

    def extra_repr(self) -> str:
        """Show the grid."""
        return f"bits={self.bits}, signed={self.signed}"


class Scale(nn.Module):
    """A learnable gain and shift for each channel: y = weight * x + bias, both of shape (channels,).

    `initial` is the starting gain; at the end of a binary network 1 / sqrt(fan-in) makes scores of unit size.
    """

    def __init__(self, channels: int, *, initial: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), initial))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Scale the channel axis of (N, C, ...)."""
        shape = (1, -1) + (1,) * (x.dim() - 2)
        return x * self.weight.view(shape) + self.bias.view(shape)
