"""The geometry of a crossbar layer: where each output position reads its input."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from archsim.errors import TraceError
from archsim.functional.values import layout
from archsim.workload.trace import Conv, Linear, Node

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Window:
    """The geometry of a layer as a 2-D convolution; sizes are (vertical, horizontal)."""

    size: tuple[int, int]
    out: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    parts: int

    @cached_property
    def taps(self) -> Ints:
        """Where each kernel position reads, relative to the first: (positions, 2)."""
        return np.array([(y * self.dilation[0], x * self.dilation[1]) for y, x in np.ndindex(*self.kernel)])

    @cached_property
    def coverage(self) -> Ints:
        """How often each input pixel is read by one evaluation: (height, width)."""
        axes = []
        for n, out, k, s, p, d in zip(
            self.size, self.out, self.kernel, self.stride, self.padding, self.dilation, strict=True
        ):
            reads = np.arange(out)[:, None] * s - p + np.arange(k) * d
            axes.append(np.bincount(reads[(reads >= 0) & (reads < n)], minlength=n))
        return np.outer(*axes)


def window_of(node: Node, input_shape: tuple[int, ...]) -> Window:
    """Return a layer's geometry. Raises `TraceError` where the shapes of node, weights and input disagree."""
    op = node.op
    height, width, channels = layout(input_shape)
    out = layout(node.shape)[:2]

    def pair(values: tuple[int, ...], default: int) -> tuple[int, int]:
        vertical, horizontal = (default, default, *values)[-2:]
        return vertical, horizontal

    if isinstance(op, Linear):
        window = Window((height, width), out, (1, 1), (1, 1), (0, 0), (1, 1), 1)
    else:
        assert isinstance(op, Conv)
        kernel = pair(op.weights.values.shape[2:], 1)
        window = Window((height, width), out, kernel, pair(op.stride, 1), pair(op.padding, 0), pair(op.dilation, 1),
                        op.groups)  # fmt: skip
    fits = isinstance(op, Linear) == (len(input_shape) == 1) and all(
        (n + 2 * p - d * (k - 1) - 1) // s + 1 == o
        for n, o, k, s, p, d in zip(
            window.size, out, window.kernel, window.stride, window.padding, window.dilation, strict=True
        )
    )
    values = op.weights.values
    if not fits or values.shape[1] * window.parts != channels or len(values) != node.shape[0]:
        raise TraceError(
            f"node '{node.name}': input {input_shape}, weights {values.shape} and output {node.shape} do not fit"
        )
    return window
