"""Layers with a Gaussian for each weight: SpinBayes' few frozen copies in crossbars, or fresh weights each time."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from archsim.nn.convolution import Convolution
from archsim.nn.scale import gaussian_kl
from archsim.nn.stochastic import Stochastic

INITIAL_DEVIATION = 0.1


class _Bayesian(Stochastic):
    """Shared by the Bayesian layers: `mean` and `log_deviation` of each weight, or after `freeze` the `copies`.

    Trained by reparameterisation, one sample of the weights for each call. With `bits`, what is sampled is rounded to
    the odd integers of a multi-level cell times `step` (the gradient passes straight through); None: real weights.
    `freeze` draws `count` quantised copies, of which each image and pass selects one (SpinBayes, Ahmed et al., TECS
    2023: copies in crossbars and an arbiter are read of an abstract and recalled; the grid is this library's).
    """

    mean: nn.Parameter | None
    log_deviation: nn.Parameter | None
    copies: Tensor | None

    def _prepare(self, shape: tuple[int, ...], bits: int | None, count: int, prior: float) -> None:
        if bits is not None and not 1 <= bits <= 7:
            raise ValueError(f"bits must be between 1 and 7, got {bits}")
        if count < 2 or count & (count - 1):
            raise ValueError(f"an arbiter selects by whole bits: copies must be a power of two, got {count}")
        self.shape, self.bits, self.count, self.prior = shape, bits, count, prior
        self.mean = nn.Parameter(torch.randn(shape) * prior / 2)
        self.log_deviation = nn.Parameter(torch.full(shape, INITIAL_DEVIATION).log())
        self.register_buffer("copies", None)

    @property
    def step(self) -> float:
        """The real value of 1 on the grid: a power of two, so that sums are exact; the grid reaches +-(2 - step)."""
        return 1.0 if self.bits is None else 2.0 ** (1 - self.bits)

    @property
    def frozen(self) -> bool:
        """Whether the weights are a few copies on the grid, no longer Gaussians."""
        return self.copies is not None

    def freeze(self, generator: torch.Generator | None = None) -> None:
        """Replace the posterior by `count` samples of it: `copies`, int8 (count, out, in / groups, *kernel).

        Raises `ValueError` when the layer has no grid (`bits` is None) or is frozen already.
        """
        if self.bits is None or self.mean is None:
            raise ValueError("only a quantised layer can be frozen, and only once")
        with torch.no_grad():
            noise = torch.randn(self.count, *self.shape, generator=generator)
            samples = self._quantised(self._sampled(noise))
        self.hold(torch.round(samples / self.step).to(torch.int8))

    def hold(self, copies: Tensor) -> None:
        """Take given copies, int8 (count, *shape), instead of a posterior."""
        self.mean = self.log_deviation = None
        self.copies = copies

    def noise(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the index of a copy for each image, (N, 1); before `freeze`, a Gaussian for each weight of the one
        sample that serves the whole batch, (1, weights)."""
        if self.frozen:
            return (torch.randint(self.count, (len(x), 1), device=x.device),)
        return (torch.randn(1, torch.Size(self.shape).numel(), device=x.device),)

    def perturb(self, x: Tensor, *noise: Tensor) -> Tensor:
        """Return the layer's output with the copies that are selected, or under one sample of the weights."""
        (drawn,) = noise
        if self.copies is None:
            return self.product(x, self._quantised(self._sampled(drawn.view(self.shape))))
        outputs = None
        for index in torch.unique(drawn).tolist():
            chosen = (drawn == index).view(-1)
            part = self.product(x[chosen], self.copies[index].to(x.dtype)) * self.step
            outputs = x.new_empty(len(x), *part.shape[1:]) if outputs is None else outputs
            outputs[chosen] = part
        assert outputs is not None
        return outputs

    def kl(self) -> Tensor:
        """Return KL(posterior || N(0, prior^2)), summed over the weights; 0 when frozen."""
        if self.mean is None or self.log_deviation is None:
            return torch.zeros(())
        return gaussian_kl(self.mean, self.log_deviation, self.prior)

    @abstractmethod
    def product(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return the layer's linear map of x with given weights."""

    def _sampled(self, noise: Tensor) -> Tensor:
        assert self.mean is not None
        assert self.log_deviation is not None
        return self.mean + self.log_deviation.exp() * noise

    def _quantised(self, weight: Tensor) -> Tensor:
        if self.bits is None:
            return weight
        peak = 2**self.bits - 1
        odd = (2 * torch.floor(weight.detach() / (2 * self.step)) + 1).clamp(-peak, peak)
        return weight + (odd * self.step - weight).detach()


class BayesianLinear(_Bayesian):
    """Matrix-vector product with a Gaussian for each weight, or frozen copies; weights (out_features, in_features)."""

    def __init__(
        self, in_features: int, out_features: int, *, bits: int | None = 2, copies: int = 8, prior: float = 1.0
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self._prepare((out_features, in_features), bits, copies, prior)

    def product(self, x: Tensor, weight: Tensor) -> Tensor:
        """Map (N, in_features) to (N, out_features)."""
        return F.linear(x, weight)

    def extra_repr(self) -> str:
        """Show the sizes and the grid."""
        return f"{self.in_features}, {self.out_features}, bits={self.bits}, copies={self.count}"


class _BayesianConv(Convolution, _Bayesian):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        *,
        bits: int | None = 2,
        copies: int = 8,
        prior: float = 1.0,
    ) -> None:
        super().__init__()
        shape = self._geometry(in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        self._prepare(shape, bits, copies, prior)

    def product(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve; padding contributes nothing to a sum."""
        return self.convolve(x, weight)

    def extra_repr(self) -> str:
        """Show the sizes and the grid."""
        return f"{super().extra_repr()}, bits={self.bits}, copies={self.count}"


class BayesianConv1d(_BayesianConv):
    """1-D convolution with a Gaussian for each weight, or frozen copies, zero padding, no bias."""

    rank = 1


class BayesianConv2d(_BayesianConv):
    """2-D convolution with a Gaussian for each weight, or frozen copies, zero padding, no bias."""

    rank = 2


BAYESIAN = (BayesianLinear, BayesianConv1d, BayesianConv2d)
