"""The operations of a network and their weights, as data.

See `archsim.workload.trace` for the kinds of number on edges and the layout of tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from archsim.errors import TraceError

IntArray = npt.NDArray[np.signedinteger[Any]]
FloatArray = npt.NDArray[np.float32]


Noise = npt.NDArray[Any]


@dataclass(frozen=True)
class Draw:
    """Random numbers of one sort that an operation needs, drawn afresh for every image and pass.

    `kind`: "bit" (True with probability `p`), "gaussian" (mean 0, deviation 1), or "index" (one of `choices`, equally
    likely; an arbiter makes it of log2(choices) fair bits). `count`: how many.
    """

    kind: Literal["bit", "gaussian", "index"]
    count: int
    p: float = 0.5
    choices: int = 2

    @property
    def bits_each(self) -> int:
        """Random bits that one such number takes; of a Gaussian the hardware decides, so it counts as one here."""
        return (self.choices - 1).bit_length() if self.kind == "index" else 1


@dataclass(frozen=True, eq=False)
class Op:
    """Base of every operation. `kind` is its name in trace files."""

    kind: ClassVar[str] = "op"

    def draws(self, shape: tuple[int, ...]) -> tuple[Draw, ...]:
        """Return the random numbers that one evaluation with output `shape` needs; none unless overridden."""
        del shape
        return ()


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


@dataclass(frozen=True, eq=False)
class Stochastic(Op):
    """Base of the digital units' operations with chance: random numbers drawn once a pass, applied to every value.

    A method of one's own is a subclass with a `kind` of its own, `draws` and `apply`: docs/new_method.md. Float arrays
    among its fields are its parameters, read from the parameter memory.
    """

    def apply(self, x: FloatArray, *noise: Noise) -> FloatArray:
        """Return the new values, float32, same shape.

        `x`: (samples, height, width, channels). `noise`: for each of `draws` an array (samples, 1, 1, count): bool for
        bits, float32 for Gaussians, int64 for indices.
        """
        raise NotImplementedError

    def work(self, shape: tuple[int, ...]) -> Mapping[str, float]:
        """Return how often one evaluation uses each digital unit, as {"component.action": count}."""
        return {"affine.apply": prod(shape)}


@dataclass(frozen=True, eq=False)
class ScaleDropout(Stochastic):
    """out = x times `scale`, float32 (C,), or x itself where the one bit of the layer drops the whole scale vector.

    SpinScaleDropout with unitary dropout (Ahmed et al., arXiv 2311.15816): `p` is the layer's own rate.
    """

    kind: ClassVar[str] = "scale_dropout"
    scale: FloatArray
    p: float

    def draws(self, shape: tuple[int, ...]) -> tuple[Draw, ...]:
        """Return one bit."""
        del shape
        return (Draw("bit", 1, self.p),)

    def apply(self, x: FloatArray, *noise: Noise) -> FloatArray:
        """Scale what is not dropped."""
        (dropped,) = noise
        return x * np.where(dropped, np.float32(1), self.scale)


@dataclass(frozen=True, eq=False)
class AffineDropout(Stochastic):
    """out = `scale` x + `shift`, both float32 (C,); one bit drops the scale to 1, another the shift to 0.

    Affine dropout (Ahmed et al., arXiv 2401.12416): independent bits with rates `p_scale` and `p_shift`.
    """

    kind: ClassVar[str] = "affine_dropout"
    scale: FloatArray
    shift: FloatArray
    p_scale: float
    p_shift: float

    def draws(self, shape: tuple[int, ...]) -> tuple[Draw, ...]:
        """Return a bit for the scale and one for the shift."""
        del shape
        return (Draw("bit", 1, self.p_scale), Draw("bit", 1, self.p_shift))

    def apply(self, x: FloatArray, *noise: Noise) -> FloatArray:
        """Apply what is not dropped."""
        no_scale, no_shift = noise
        scale, shift = np.where(no_scale, np.float32(1), self.scale), np.where(no_shift, np.float32(0), self.shift)
        return x * scale + shift


@dataclass(frozen=True, eq=False)
class GaussianScale(Stochastic):
    """out = x (`mean` + `deviation` g), one standard Gaussian g for each channel; both float32 (C,).

    Bayesian sub-set parameter inference: only the scales have a posterior (Ahmed et al., DATE 2023).
    """

    kind: ClassVar[str] = "gaussian_scale"
    mean: FloatArray
    deviation: FloatArray

    def draws(self, shape: tuple[int, ...]) -> tuple[Draw, ...]:
        """Return a Gaussian for each channel."""
        return (Draw("gaussian", shape[0]),)

    def apply(self, x: FloatArray, *noise: Noise) -> FloatArray:
        """Scale with the sampled vector."""
        (g,) = noise
        return np.asarray(x * (self.mean + self.deviation * g), np.float32)

    def work(self, shape: tuple[int, ...]) -> Mapping[str, float]:
        """Count a multiplication for each value, and a multiply-add to make each channel's scale."""
        return {"affine.apply": prod(shape) + shape[0]}


OPS: dict[str, type[Op]] = {
    c.kind: c
    for c in (
        Linear, Conv, Threshold, Sign, Affine, Activation, Quantize, Pool, Flatten, Add, Softmax, Dropout, Normalise,
        ScaleDropout, AffineDropout, GaussianScale,
    )
}  # fmt: skip
CROSSBAR_OPS = (Linear, Conv)
