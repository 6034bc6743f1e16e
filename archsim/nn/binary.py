"""Binary layers: weights and activations of -1 and +1, trained through latent real weights."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import handle_torch_function, has_torch_function_unary

from archsim.nn.convolution import Convolution


class _SignSTE(torch.autograd.Function):
    """Sign with sign(0) = +1; the gradient is that of hardtanh (straight-through, clipped at |x| <= 1)."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        return grad * (x.abs() <= 1)  # type: ignore[no-any-return]


def sign(x: Tensor) -> Tensor:
    """Return -1 or +1, with sign(0) = +1.

    The gradient is straight-through: that of hardtanh (Courbariaux et al., Binarized Neural Networks, 2016).
    """
    if has_torch_function_unary(x):  # lets torch.fx record a call of this function
        return handle_torch_function(sign, (x,), x)
    return _SignSTE.apply(x)  # type: ignore[no-any-return, no-untyped-call]


class Sign(nn.Module):
    """`sign` as a module: binarises activations."""

    def forward(self, x: Tensor) -> Tensor:
        """Return -1 or +1, same shape."""
        return sign(x)


class _PlainSignSTE(_SignSTE):
    """Sign whose gradient passes unchanged: a clip would stall the third of standardised weights beyond +-1."""

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        del ctx
        return grad


def _standardise(latent: Tensor) -> Tensor:
    """Return latent weights with mean 0 and deviation 1 in each output channel.

    IR-Net's balanced, standardised weights (Qin et al., CVPR 2020; recalled): a bit then carries the most information.
    """
    flat = latent.flatten(1)
    shape = (-1,) + (1,) * (latent.dim() - 1)
    mean, deviation = flat.mean(1).view(shape), flat.std(1, correction=0).view(shape)
    return (latent - mean) / (deviation + 1e-5)


class _Binary(nn.Module, ABC):
    """Shared by the binary layers: a latent real `weight`, seen by the network as -1 or +1."""

    weight: nn.Parameter
    standardise: bool

    def _make_weight(self, *shape: int) -> None:
        self.weight = nn.Parameter(torch.empty(shape))
        nn.init.normal_(self.weight, std=0.1)

    def binary_weight(self) -> Tensor:
        """Return the weights as the hardware holds them: -1 or +1, the shape of `weight`, with gradient."""
        if self.standardise:
            return _PlainSignSTE.apply(_standardise(self.weight))  # type: ignore[no-any-return, no-untyped-call]
        return sign(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer with its binary weights."""
        return self.product(x, self.binary_weight())

    @abstractmethod
    def product(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return the layer's linear map of x with given weights of the shape of `weight`."""


class BinaryLinear(_Binary):
    """Matrix-vector product with binary weights and no bias; binary inputs give exact integer sums.

    The latent `weight` has shape (out_features, in_features). `standardise` centres and scales it before the sign.
    """

    def __init__(self, in_features: int, out_features: int, *, standardise: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features, self.standardise = in_features, out_features, standardise
        self._make_weight(out_features, in_features)

    def product(self, x: Tensor, weight: Tensor) -> Tensor:
        """Map (N, in_features) to (N, out_features)."""
        return F.linear(x, weight)

    def extra_repr(self) -> str:
        """Show the sizes."""
        return f"{self.in_features}, {self.out_features}"


class _BinaryConv(Convolution, _Binary):
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
        standardise: bool = True,
    ) -> None:
        super().__init__()
        self.standardise = standardise
        self._make_weight(*self._geometry(in_channels, out_channels, kernel_size, stride, padding, dilation, groups))

    def product(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve; padding contributes nothing to a sum."""
        return self.convolve(x, weight)


class BinaryConv1d(_BinaryConv):
    """1-D convolution with binary weights, zero padding and no bias; latent weight (out, in / groups, K)."""

    rank = 1


class BinaryConv2d(_BinaryConv):
    """2-D convolution with binary weights, zero padding and no bias; latent weight (out, in / groups, K, K)."""

    rank = 2


BINARY = (BinaryLinear, BinaryConv1d, BinaryConv2d)
