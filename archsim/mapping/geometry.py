"""Which pixels a convolution or pooling needs, and when they can go: counts in raster order.

A feature map (C, H, W) is a stream of H x W pixels of C values each, in raster order; (C, L) counts as one row and
(F,) as one pixel. All arrays here hold counts of pixels, indexed by output position, and never decrease.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]


def plane(shape: Sequence[int]) -> tuple[int, int]:
    """Return rows and columns of the pixel plane of a tensor shape."""
    if len(shape) == 3:
        return shape[1], shape[2]
    return (1, shape[1]) if len(shape) == 2 else (1, 1)


def pixels(shape: Sequence[int]) -> int:
    """Return the number of pixels of a tensor shape."""
    rows, columns = plane(shape)
    return rows * columns


def _two(values: Sequence[int], fill: int) -> tuple[int, int]:
    return (values[0], values[1]) if len(values) == 2 else (fill, values[0])


@dataclass(frozen=True)
class Window:
    """A sliding window over a plane: rows and columns of input and output, and the window's parameters.

    One-dimensional parameters are understood to run along the columns.
    """

    source: tuple[int, int]
    target: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]

    @staticmethod
    def of(
        source: Sequence[int],
        target: Sequence[int],
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int] = (1, 1),
    ) -> Window:
        """Build a window from tensor shapes (channel first) and one- or two-dimensional parameters."""
        return Window(
            plane(source),
            plane(target),
            _two(kernel, 1),
            _two(stride, 1),
            _two(padding, 0),
            _two(dilation, 1),
        )

    def needs(self) -> Counts:
        """Return, for each output position, how many input pixels must have arrived before it can be computed.

        At least one, so that a position that sees padding alone waits until its map begins.
        """
        last = [
            np.minimum(
                self.source[a] - 1,
                np.arange(self.target[a]) * self.stride[a] + self.dilation[a] * (self.kernel[a] - 1) - self.padding[a],
            )
            for a in (0, 1)
        ]
        rows, columns = np.maximum(last[0], -1)[:, None], np.maximum(last[1], -1)[None, :]
        count = np.where((rows < 0) | (columns < 0), 0, rows * self.source[1] + columns + 1)
        return np.maximum(np.maximum.accumulate(count.ravel()), 1)

    def frees(self) -> Counts:
        """Return, for each output position, how many input pixels no later position will touch."""
        first = [
            np.clip(np.arange(self.target[a]) * self.stride[a] - self.padding[a], 0, self.source[a]) for a in (0, 1)
        ]
        touched = (first[0][:, None] * self.source[1] + first[1][None, :]).ravel()
        after = np.append(touched[1:], self.source[0] * self.source[1])
        return np.minimum.accumulate(after[::-1])[::-1]


def completed(needs: Counts, available: Counts) -> Counts:
    """Return how many outputs of a window are complete once `available` of its input pixels have arrived."""
    return np.searchsorted(needs, available, side="right").astype(np.int64)
