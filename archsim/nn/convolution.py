"""The geometry that all convolutions on crossbars share."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F


class Convolution(nn.Module):
    """Base of 1-D and 2-D convolutions with zero padding and without bias; `rank` is the number of spatial axes."""

    rank: int

    def _geometry(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...],
        padding: int | tuple[int, ...],
        dilation: int | tuple[int, ...],
        groups: int,
    ) -> tuple[int, ...]:
        """Keep the geometry under torch's names; return the shape of the weights, (out, in / groups, *kernel)."""
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"groups={groups} must divide in_channels={in_channels} and out_channels={out_channels}")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = self._tuple(kernel_size)
        self.stride, self.padding = self._tuple(stride), self._tuple(padding)
        self.dilation = self._tuple(dilation)
        return (out_channels, in_channels // groups, *self.kernel_size)

    def _tuple(self, value: int | tuple[int, ...]) -> tuple[int, ...]:
        return (value,) * self.rank if isinstance(value, int) else tuple(value)

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve with given weights; padding contributes nothing to a sum."""
        function: Any = (F.conv1d, F.conv2d)[self.rank - 1]
        return function(x, weight, None, self.stride, self.padding, self.dilation, self.groups)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """Show the sizes."""
        return f"{self.in_channels}, {self.out_channels}, kernel={self.kernel_size}, padding={self.padding}"
