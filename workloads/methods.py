"""What makes a binary network Bayesian: the pieces in which the methods differ, for all networks of this folder."""

from __future__ import annotations

import math

from torch import nn

from archsim.nn import (
    BINARY,
    AffineDropout,
    BayesianConv1d,
    BayesianConv2d,
    BayesianLinear,
    BinaryConv1d,
    BinaryConv2d,
    BinaryLinear,
    GaussianScale,
    Normalise,
    Scale,
    ScaleDropout,
    Sign,
    SpatialSpinDrop,
    SpinDrop,
    layer_rate,
)

METHODS = ("spindrop", "spatial", "scale", "affine", "subset", "spinbayes", "vi", "deterministic")
RATES = {"spindrop": 0.1, "spatial": 0.1, "affine": 0.3}


class Method:
    """Makes the parts of a network's stages: layer, pooling, `chance`, `norm`, sign, `drop`.

    `name`: one of `METHODS`. `p`: its dropout rate, by default that of `RATES`; with "scale" each layer has its own.
    `bits`, `copies`: of SpinBayes' weights; "vi" samples real weights afresh.
    """

    def __init__(self, name: str, p: float | None = None, *, bits: int = 2, copies: int = 8) -> None:
        if name not in METHODS:
            raise ValueError(f"method '{name}' is none of {', '.join(METHODS)}")
        self.name, self.p = name, RATES.get(name, 0.0) if p is None else p
        self.bits, self.copies = bits if name == "spinbayes" else None, copies
        self.bayesian = name in ("spinbayes", "vi")

    def linear(self, inputs: int, outputs: int) -> nn.Module:
        """Return a layer of binary weights, or of Gaussian ones."""
        if self.bayesian:
            return BayesianLinear(inputs, outputs, bits=self.bits, copies=self.copies)
        return BinaryLinear(inputs, outputs)

    def conv1d(self, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0) -> nn.Module:
        """Return a convolution of signals."""
        if self.bayesian:
            return BayesianConv1d(inputs, outputs, kernel, stride, padding, bits=self.bits, copies=self.copies)
        return BinaryConv1d(inputs, outputs, kernel, stride, padding)

    def conv2d(self, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0) -> nn.Module:
        """Return a convolution of images."""
        if self.bayesian:
            return BayesianConv2d(inputs, outputs, kernel, stride, padding, bits=self.bits, copies=self.copies)
        return BinaryConv2d(inputs, outputs, kernel, stride, padding)

    def chance(self, layer: nn.Module, *, normalised: bool = True) -> nn.Module:
        """Return what acts on a layer's sums at random; `normalised`: whether a norm follows."""
        if not isinstance(layer, BINARY):
            return nn.Identity()
        channels, weights = len(layer.weight), layer.weight.numel()
        if self.name == "scale":
            return ScaleDropout(channels, layer_rate(weights))
        if self.name == "subset":
            return GaussianScale(channels)
        if self.name == "affine" and normalised:
            return AffineDropout(channels, self.p, self.p, size=math.sqrt(weights // channels))
        return nn.Identity()

    def norm(self, channels: int, rank: int = 0) -> nn.Module:
        """Return the normalisation before a sign, for `rank` spatial axes."""
        return Normalise("layer") if self.name == "affine" else NORMS[rank](channels)

    def drop(self) -> nn.Module:
        """Return what acts on the binary activations at random."""
        if self.name == "spindrop":
            return SpinDrop(self.p)
        return SpatialSpinDrop(self.p) if self.name == "spatial" else nn.Identity()

    def sums(self, layer: nn.Module, channels: int, rank: int = 0, pool: nn.Module | None = None) -> list[nn.Module]:
        """Return a layer and what happens to its sums up to the norm, in order, without parts that do nothing."""
        parts = [layer, pool, self.chance(layer), self.norm(channels, rank)]
        return [part for part in parts if part is not None and not isinstance(part, nn.Identity)]

    def drops(self) -> list[nn.Module]:
        """Return the dropout that stands before a layer on crossbars, if the method has one."""
        drop = self.drop()
        return [] if isinstance(drop, nn.Identity) else [drop]

    def stage(self, layer: nn.Module, channels: int, rank: int = 0, pool: nn.Module | None = None) -> list[nn.Module]:
        """Return a whole stage in order."""
        return [*self.sums(layer, channels, rank, pool), Sign(), *self.drops()]

    def head(self, layer: nn.Module, outputs: int, fan_in: int) -> list[nn.Module]:
        """Return the last layer with the scale that makes scores of its sums."""
        parts = [layer, self.chance(layer, normalised=False), Scale(outputs, initial=fan_in**-0.5)]
        return [part for part in parts if not isinstance(part, nn.Identity)]


NORMS = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d)
