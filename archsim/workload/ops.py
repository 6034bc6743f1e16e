"""The operations of a network and their weights, as data.

See `archsim.workload.trace` for the kinds of number on edges and the layout of tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from archsim.errors import TraceError

IntArray = npt.NDArray[np.signedinteger[Any]]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Op:
    """Base of every operation. `kind` is its name in trace files."""

    kind: ClassVar[str] = "op"


@dataclass(frozen=True, eq=False)
class Weights:
    """A quantised weight tensor: real value = `scale` x `values`.

    `values`: integers, shape (out, in / groups, *kernel). With `bits` = 1 they are -1 or +1; with more bits they
    are odd integers in [-(2**bits - 1), 2**bits - 1], the grid that `bits` complementary cells (one for each
    binary digit, each worth -1 or +1) can hold.
    `scale`: float32, shape (out,) or (1,).
    """

    values: IntArray
    bits: int
    scale: FloatArray

    def __post_init__(self) -> None:
        peak = 2**self.bits - 1
        if not np.all(np.isfinite(self.scale)):
            raise TraceError("weight scale is not finite")
        if self.values.size and (np.abs(self.values).max() > peak or np.any(self.values % 2 == 0)):
            raise TraceError(f"{self.bits}-bit weights must be odd integers between -{peak} and {peak}")


@dataclass(frozen=True, eq=False)
class Linear(Op):
    """Matrix-vector product; `weights.values` has shape (out, in). `bias`: float32 (out,) or None."""

    kind: ClassVar[str] = "linear"
    weights: Weights
    bias: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Conv(Op):
    """1-D or 2-D convolution with zero padding; a padded input contributes nothing (its word lines stay off)."""

    kind: ClassVar[str] = "conv"
    weights: Weights
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    bias: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Threshold(Op):
    """Batch-norm folded with sign: out = +1 where `direction` * (x - `level`) >= 0, else -1, per channel.

    `level`: float32 (C,), may be +-inf for a channel that is constant. `direction`: int8 (C,), +1 or -1.
    """

    kind: ClassVar[str] = "threshold"
    level: FloatArray
    direction: npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Sign(Op):
    """out = +1 where x >= 0, else -1."""

    kind: ClassVar[str] = "sign"


@dataclass(frozen=True, eq=False)
class Affine(Op):
    """out = `scale` * x + `shift`, per channel, float32 (C,): a batch-norm or scale that is not folded."""

    kind: ClassVar[str] = "affine"
    scale: FloatArray
    shift: FloatArray


@dataclass(frozen=True, eq=False)
class Activation(Op):
    """An element-wise function: one of `FUNCTIONS`."""

    kind: ClassVar[str] = "activation"
    FUNCTIONS: ClassVar[tuple[str, ...]] = ("relu", "hardtanh", "tanh", "sigmoid")
    function: str


@dataclass(frozen=True, eq=False)
class Quantize(Op):
    """x -> clip(round_half_even(x / scale), low, high), the integer grid of a `bits`-bit input; value = scale x it.

    Unsigned: [0, 2**bits - 1]; signed: two's complement [-2**(bits-1), 2**(bits-1) - 1].
    """

    kind: ClassVar[str] = "quantize"
    bits: int
    signed: bool
    scale: float

    @property
    def low(self) -> int:
        """The smallest integer of the grid."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """The largest integer of the grid."""
        return (1 << (self.bits - self.signed)) - 1


@dataclass(frozen=True, eq=False)
class Pool(Op):
    """Maximum (`function` = "max") or mean ("avg") over windows, per channel; padding never wins and never counts."""

    kind: ClassVar[str] = "pool"
    function: str
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Flatten(Op):
    """(C, H, W) -> (C*H*W,), channel-major."""

    kind: ClassVar[str] = "flatten"


@dataclass(frozen=True, eq=False)
class Add(Op):
    """Sum of two or more inputs (a residual connection)."""

    kind: ClassVar[str] = "add"


@dataclass(frozen=True, eq=False)
class Softmax(Op):
    """Softmax over the last axis."""

    kind: ClassVar[str] = "softmax"


@dataclass(frozen=True, eq=False)
class Dropout(Op):
    """Monte-Carlo dropout, fresh every pass: a dropped value becomes 0, a kept one is multiplied by `gain`.

    `granularity`: "element" (SpinDrop: one bit for each activation) or "channel" (Spatial-SpinDrop: one bit for
    each feature map; for a flat input each element is its own map unless `maps` says how many equal groups of
    consecutive elements there are).
    """

    kind: ClassVar[str] = "dropout"
    GRANULARITIES: ClassVar[tuple[str, ...]] = ("element", "channel")
    p: float
    granularity: str
    gain: float = 1.0
    maps: int | None = None


OPS: dict[str, type[Op]] = {
    c.kind: c
    for c in (
        Linear, Conv, Threshold, Sign, Affine, Activation, Quantize, Pool, Flatten, Add, Softmax, Dropout,
    )
}  # fmt: skip
CROSSBAR_OPS = (Linear, Conv)
