"""A network as one would deploy it: what only training needs is taken out, chance stays on."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from archsim.nn import BAYESIAN, BINARY, Quantize, Sign
from archsim.nn.stochastic import PLAIN


def deployed(model: nn.Module) -> nn.Module:
    """Return a copy of a network for inference: the same answers, bit for bit, without the work of training.

    A processor should not pay for what nobody would run on it. So binary layers hold their weights as -1 and +1 and do
    not binarise latent ones in each call; quantisers know their step and need not ask the device for it; a sign has no
    gradient; frozen copies of weights are floats. Torch's dropouts are on, all else is in evaluation mode.
    """
    network = _at_inference(copy.deepcopy(model).requires_grad_(False), {}).eval()
    for module in network.modules():
        if isinstance(module, PLAIN):
            module.train()
    return network


def _at_inference(module: nn.Module, done: dict[nn.Module, nn.Module]) -> nn.Module:
    """Return what stands for a module and all that it holds; a module that is used twice stays one."""
    if module in done:
        return done[module]
    done[module] = module
    if type(module) in BINARY:
        done[module] = _FixedWeights(module)
    elif type(module) is Quantize:
        done[module] = _FixedGrid(module)
    elif type(module) is Sign:
        done[module] = _PlainSign()
    elif isinstance(module, BAYESIAN):
        module.copies = None if module.copies is None else module.copies.float()
    for name, child in module._modules.items():  # named_children would leave out one that comes a second time
        if child is not None:
            setattr(module, name, _at_inference(child, done))
    return done[module]


class _FixedWeights(nn.Module):
    """A binary layer whose weights are binarised once."""

    weight: Tensor

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.register_buffer("weight", layer.binary_weight())  # type: ignore[operator]
        del layer.weight
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer.product(x, self.weight)  # type: ignore[operator,no-any-return]


class _FixedGrid(nn.Module):
    """A quantiser whose step is known."""

    scale: Tensor

    def __init__(self, grid: Quantize) -> None:
        super().__init__()
        self.low, self.high = grid.low, grid.high
        self.register_buffer("scale", grid.scale)

    def forward(self, x: Tensor) -> Tensor:
        return (x / self.scale).clamp(self.low, self.high).round() * self.scale


class _PlainSign(nn.Module):
    """Sign with sign(0) = +1; its two values lie on the device, so that no call has to make them."""

    plus: Tensor
    minus: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("plus", torch.tensor(1.0))
        self.register_buffer("minus", torch.tensor(-1.0))

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x >= 0, self.plus, self.minus)
