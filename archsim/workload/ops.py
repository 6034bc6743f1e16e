"""The operations of a network and their weights, as data.

See `archsim.workload.trace` for the kinds of number on edges and the layout of tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from archsim.errors import TraceError
from archsim.workload.op import Draw, FloatArray, IntArray, Noise, Op
from archsim.workload.stochastic import AffineDropout, GaussianScale, ScaleDropout, Stochastic

__all__ = [
    "CROSSBAR_OPS", "OPS", "Activation", "Add", "Affine", "AffineDropout", "Conv", "Draw", "Dropout", "Flatten",
    "FloatArray", "GaussianScale", "IntArray", "Linear", "Noise", "Normalise", "Op", "Pool", "Quantize",
    "ScaleDropout", "Sign", "Softmax", "Stochastic", "Threshold", "Weighted", "Weights",
]  # fmt: skip


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
class Weighted(Op):
    """Base of the layers on crossbars.

    `alternatives`: further copies of the weights, each on crossbars of its own, of which a stochastic arbiter selects
    one for each image and pass (SpinBayes, Ahmed et al., TECS 2023). All copies have the same shape and bits.
    """

    weights: Weights

    @property
    def copies(self) -> tuple[Weights, ...]:
        """Every copy of the weights: one, unless an arbiter chooses among several."""
        alternatives: tuple[Weights, ...] = getattr(self, "alternatives", ())
        return (self.weights, *alternatives)

    def draws(self, shape: tuple[int, ...]) -> tuple[Draw, ...]:
        """Return the arbiter's choice, if there is one."""
        del shape
        return (Draw("index", 1, choices=len(self.copies)),) if len(self.copies) > 1 else ()


@dataclass(frozen=True, eq=False)
class Linear(Weighted):
    """Matrix-vector product; `weights.values` has shape (out, in). `bias`: float32 (out,) or None."""

    kind: ClassVar[str] = "linear"
    bias: FloatArray | None = None
    alternatives: tuple[Weights, ...] = ()


@dataclass(frozen=True, eq=False)
class Conv(Weighted):
    """1-D or 2-D convolution with zero padding; a padded input contributes nothing (its word lines stay off)."""

    kind: ClassVar[str] = "conv"
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    bias: FloatArray | None = None
    alternatives: tuple[Weights, ...] = ()


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

    def draws(self, shape: tuple[int, ...]) -> tuple[Draw, ...]:
        """Return one bit for each element, or for each feature map."""
        if self.granularity == "element":
            return (Draw("bit", prod(shape), self.p),)
        return (Draw("bit", self.maps if self.maps is not None and len(shape) == 1 else shape[0], self.p),)


@dataclass(frozen=True, eq=False)
class Normalise(Op):
    """Subtract the mean and divide by the deviation, both measured at run time on each image and pass.

    `over`: "layer" (one mean over all of a sample's values) or "channel" (one for each channel, over its positions).
    out = (x - mean) / sqrt(variance + `epsilon`), variance without Bessel's correction. The normalisation of Inverted
    Normalisation (Ahmed et al., arXiv 2401.12416); it has no parameters, those act before it.
    """

    kind: ClassVar[str] = "normalise"
    OVER: ClassVar[tuple[str, ...]] = ("layer", "channel")
    over: str
    epsilon: float = 1e-5


OPS: dict[str, type[Op]] = {
    c.kind: c
    for c in (
        Linear, Conv, Threshold, Sign, Affine, Activation, Quantize, Pool, Flatten, Add, Softmax, Dropout, Normalise,
        ScaleDropout, AffineDropout, GaussianScale,
    )
}  # fmt: skip
CROSSBAR_OPS = (Linear, Conv)
