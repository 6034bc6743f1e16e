"""Operations of the digital units that draw random numbers: the base class of them all, and those of three methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from archsim.workload.op import Draw, FloatArray, Noise, Op


@dataclass(frozen=True, eq=False)
class Stochastic(Op, ABC):
    """Base of the digital units' operations with chance: random numbers drawn once a pass, applied to every value.

    A method of one's own is a subclass with a `kind` of its own, `draws` and `apply`: docs/new_method.md. Float arrays
    among its fields are its parameters, read from the parameter memory.
    """

    @abstractmethod
    def apply(self, x: FloatArray, *noise: Noise) -> FloatArray:
        """Return the new values, float32, same shape.

        `x`: (samples, height, width, channels). `noise`: for each of `draws` an array (samples, 1, 1, count): bool for
        bits, float32 for Gaussians, int64 for indices.
        """

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
