"""What a network does in one forward: where chance enters, and which values stand before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from archsim.baselines.measured.modes import Cut
from archsim.nn import Stochastic
from archsim.nn.stochastic import PLAIN

DROPOUTS = (F.dropout, F.dropout1d, F.dropout2d)


@dataclass
class Seen:
    """What was seen. `cuts`: inputs and outputs of modules, in order, behind some work and before any chance.

    `stochastic`: whether there is chance at all. `switched`: whether dropouts are called as functions that are off at
    inference.
    """

    cuts: list[Cut] = field(default_factory=list)
    stochastic: bool = False
    switched: bool = False


def watch(model: nn.Module, images: Tensor) -> Seen:
    """Run a network once, on inputs (N, ...), and say what it did; its hooks are as they were afterwards."""
    seen = Seen()
    handles = []
    for path, module in model.named_modules():
        if path:
            handles.append(module.register_forward_pre_hook(_entering(path, seen)))
            handles.append(module.register_forward_hook(_leaving(path, seen)))
    try:
        with _Functions(seen):
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _entering(path: str, seen: Seen) -> Any:
    def hook(module: nn.Module, _: tuple[Any, ...]) -> None:
        if not seen.stochastic and seen.cuts:
            seen.cuts.append(Cut(path, "input"))
        seen.stochastic |= _draws(module)

    return hook


def _leaving(path: str, seen: Seen) -> Any:
    def hook(_: nn.Module, __: tuple[Any, ...], output: Any) -> None:
        if not seen.stochastic and isinstance(output, Tensor):
            seen.cuts.append(Cut(path, "output"))

    return hook


def _draws(module: nn.Module) -> bool:
    """Tell whether a module draws random numbers at inference."""
    if isinstance(module, Stochastic):
        return module.active
    return isinstance(module, PLAIN) and module.p > 0


class _Functions(TorchFunctionMode):
    """Sees dropouts that are called as functions."""

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self.seen = seen

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = dict(kwargs or {})
        if func in DROPOUTS and kwargs["p"] > 0:  # torch hands on all arguments but the input by name
            self.seen.stochastic = True
            self.seen.switched |= not kwargs["training"]
        return func(*args, **kwargs)
