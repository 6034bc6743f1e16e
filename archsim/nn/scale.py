"""Chance in the scales between crossbars: scale dropout, affine dropout and inverted normalisation, Gaussian scales."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from archsim.nn.stochastic import Stochastic, bits, check_rate, spread


def _by_channel(vector: Tensor, x: Tensor) -> Tensor:
    return vector.view(1, -1, *(1,) * (x.dim() - 2))


class ScaleDropout(Stochastic):
    """Multiplies each channel by a learnable scale; with probability `p` the whole vector is dropped and counts as 1.

    Unitary scale dropout of SpinScaleDropout (Ahmed et al., arXiv 2311.15816, read in a digest): one bit a layer and
    pass. `scale` (channels,) starts at 1 + `spread` x a standard Gaussian, no smaller than 0.1.
    """

    def __init__(self, channels: int, p: float, *, spread: float = 0.3) -> None:
        super().__init__()
        self.p = check_rate(p)
        self.scale = nn.Parameter((1 + spread * torch.randn(channels)).clamp(min=0.1))

    def noise(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return whether the scales are dropped, (N, 1)."""
        return (bits(x, 1, self.p),)

    def perturb(self, x: Tensor, *noise: Tensor) -> Tensor:
        """Return scaled channels, or x itself where the scales are dropped."""
        (dropped,) = noise
        return torch.where(spread(dropped, x), x, x * _by_channel(self.scale, x))

    def regulariser(self) -> Tensor:
        """Return the sum of (1 - scale)^2, which keeps scales positive and near one.

        That there is such a term is read of a digest of the paper (Eq. 6), its form recalled.
        """
        return (1 - self.scale).square().sum()

    def extra_repr(self) -> str:
        """Show the size and the rate."""
        return f"{len(self.scale)}, p={self.p:g}"


def layer_rate(parameters: int, low: float = 0.1, high: float = 0.2) -> float:
    """Return the dropout rate of a layer with so many weights: `low` up to 100, `high` from a million, log-linear.

    Layer-dependent rates are read of a digest of SpinScaleDropout; that they grow with the number of parameters, and
    from 0.1 to 0.2, is recalled with low confidence; the form in between is an assumption.
    """
    return low + (high - low) * min(max(math.log10(parameters) - 2, 0.0), 4.0) / 4


class AffineDropout(Stochastic):
    """Scales and shifts each channel; two independent bits a pass drop the scale to 1 and the shift to 0.

    Ahmed et al., arXiv 2401.12416 (read in a digest); whole vectors and the rate 0.3 are recalled. Both parameters
    (channels,) start at random: `scale` around 1, `shift` around 0, deviation `spread`. The shift counts in units of
    `size`, the typical magnitude of the input (of a binary layer's sums: the square root of its fan-in).
    """

    def __init__(
        self, channels: int, p_scale: float = 0.3, p_shift: float = 0.3, *, size: float = 1.0, spread: float = 0.3
    ) -> None:
        super().__init__()
        self.p_scale, self.p_shift, self.size = check_rate(p_scale), check_rate(p_shift), size
        self.scale = nn.Parameter(1 + spread * torch.randn(channels))
        self.shift = nn.Parameter(spread * torch.randn(channels))

    def offset(self) -> Tensor:
        """Return what is added to each channel, (channels,)."""
        return self.shift * self.size

    def noise(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return whether the scales are dropped and whether the shifts are, each (N, 1)."""
        return bits(x, 1, self.p_scale), bits(x, 1, self.p_shift)

    def perturb(self, x: Tensor, *noise: Tensor) -> Tensor:
        """Return x scaled, then shifted, but for what is dropped."""
        no_scale, no_shift = noise
        scaled = torch.where(spread(no_scale, x), x, x * _by_channel(self.scale, x))
        return torch.where(spread(no_shift, x), scaled, scaled + _by_channel(self.offset(), x))

    def extra_repr(self) -> str:
        """Show the size and the rates."""
        return f"{len(self.scale)}, p_scale={self.p_scale:g}, p_shift={self.p_shift:g}"


class Normalise(nn.Module):
    """Subtracts the mean and divides by the deviation, both measured on each image, at inference as in training.

    `over`: "layer" (all values of an image) or "channel" (each channel over its positions). No parameters.
    """

    def __init__(self, over: Literal["layer", "channel"] = "layer", *, epsilon: float = 1e-5) -> None:
        super().__init__()
        if over not in ("layer", "channel"):
            raise ValueError(f"over must be 'layer' or 'channel', got '{over}'")
        self.over, self.epsilon = over, epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, ...); a flat input has no positions, so it needs `over` = "layer"."""
        axes = tuple(range(1 if self.over == "layer" else 2, x.dim()))
        if not axes:
            raise ValueError("a flat input cannot be normalised over the positions of a channel")
        centred = x - x.mean(axes, keepdim=True)
        return centred / torch.sqrt(centred.square().mean(axes, keepdim=True) + self.epsilon)

    def extra_repr(self) -> str:
        """Show what is measured."""
        return f"over={self.over}"


class InvertedNorm(nn.Sequential):
    """Affine dropout first, then normalisation: the other way round than a batch norm.

    Ahmed et al., arXiv 2401.12416 (the order is read in a digest, statistics of each image are recalled).
    """

    def __init__(
        self,
        channels: int,
        p: float = 0.3,
        *,
        over: Literal["layer", "channel"] = "layer",
        size: float = 1.0,
        spread: float = 0.3,
    ) -> None:
        super().__init__(AffineDropout(channels, p, p, size=size, spread=spread), Normalise(over))


class GaussianScale(Stochastic):
    """Multiplies each channel by a Gaussian scale, sampled for each image and pass; only scales have a posterior.

    Bayesian sub-set parameter inference (Ahmed et al., DATE 2023, read in a digest; one factorised Gaussian a channel
    is recalled). `mean` and `log_deviation` (channels,) start at 1 and the prior's deviation / 2.
    """

    def __init__(self, channels: int, *, prior: float = 0.3) -> None:
        super().__init__()
        self.prior = prior
        self.mean = nn.Parameter(torch.ones(channels))
        self.log_deviation = nn.Parameter(torch.full((channels,), prior / 2).log())

    def deviation(self) -> Tensor:
        """Return the posterior's standard deviation, (channels,)."""
        return self.log_deviation.exp()

    def noise(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return a standard Gaussian for each channel, (N, C)."""
        return (torch.randn(x.shape[:2], device=x.device),)

    def perturb(self, x: Tensor, *noise: Tensor) -> Tensor:
        """Return x times mean + deviation x noise."""
        (g,) = noise
        return x * (_by_channel(self.mean, x) + _by_channel(self.deviation(), x) * spread(g, x))

    def kl(self) -> Tensor:
        """Return the divergence KL(posterior || N(1, prior^2)), summed over the channels."""
        return gaussian_kl(self.mean - 1, self.log_deviation, self.prior)

    def extra_repr(self) -> str:
        """Show the size and the prior."""
        return f"{len(self.mean)}, prior={self.prior:g}"


def gaussian_kl(mean: Tensor, log_deviation: Tensor, prior: float) -> Tensor:
    """Return the sum of KL(N(mean, exp(log_deviation)^2) || N(0, prior^2)), in nats."""
    ratio = (log_deviation - torch.log(torch.tensor(prior))).exp()
    return ((ratio.square() + (mean / prior).square() - 1) / 2 - ratio.log()).sum()
