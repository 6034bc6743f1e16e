"""What is added to the loss of the task, and the step from training to hardware."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from archsim.nn.bayesian import BAYESIAN


def kl(model: nn.Module) -> Tensor:
    """Return the divergence of all posteriors from their priors, in nats: the sum of each module's `kl()`."""
    return _total(model, "kl")


def regulariser(model: nn.Module) -> Tensor:
    """Return the sum of each module's `regulariser()`."""
    return _total(model, "regulariser")


def _total(model: nn.Module, name: str) -> Tensor:
    terms: list[Any] = [getattr(module, name)() for module in model.modules() if hasattr(module, name)]
    return torch.stack(terms).sum() if terms else torch.zeros(())


def freeze(model: nn.Module, generator: torch.Generator | None = None) -> int:
    """Freeze every Bayesian layer that has a grid and is not frozen yet, in place; return how many there were."""
    layers = [m for m in model.modules() if isinstance(m, BAYESIAN) and m.bits is not None and not m.frozen]
    for layer in layers:
        layer.freeze(generator)
    return len(layers)
