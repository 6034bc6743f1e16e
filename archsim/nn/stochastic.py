"""Stochastic layers of the NeuSpin family that stay on at inference, and Monte-Carlo evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

MaskProvider = Callable[[str, tuple[int, ...]], Tensor]


class SpinDrop(nn.Module):
    """Drops each activation with probability `p`, in training and at inference; a dropped one is 0, no rescaling.

    One spintronic module a neuron draws the bit (Ahmed et al., SpinDrop, JETCAS 2023); dropping holds both word
    lines of that input off (recalled of the paper, not read).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"the dropout rate must be in [0, 1), got {p}")
        self.p = p

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the mask for an input of shape (N, C, ...), broadcastable to it."""
        return shape

    def apply_mask(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return x where the 0/1 mask keeps it and 0 where it does not."""
        return x * mask

    def forward(self, x: Tensor) -> Tensor:
        """Return x with a fresh mask applied."""
        keep = torch.full(self.mask_shape(tuple(x.shape)), 1 - self.p, device=x.device, dtype=x.dtype)
        return self.apply_mask(x, torch.bernoulli(keep))

    def extra_repr(self) -> str:
        """Show the rate."""
        return f"p={self.p}"


class SpatialSpinDrop(SpinDrop):
    """Drops whole feature maps with probability `p`, in training and at inference; no rescaling.

    One bit a feature map and pass (Ahmed et al., Spatial-SpinDrop, arXiv 2306.10185). In a flat input each element
    is its own map, unless `maps` says how many equal groups of consecutive elements there are (after a flatten).
    """

    def __init__(self, p: float, *, maps: int | None = None) -> None:
        super().__init__(p)
        self.maps = maps

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (N, C, 1, ...), or (N, maps) for a flat input."""
        if len(shape) == 2 and self.maps is not None:
            if shape[1] % self.maps:
                raise ValueError(f"{shape[1]} elements cannot be split into {self.maps} equal maps")
            return (shape[0], self.maps)
        return shape[:2] + (1,) * (len(shape) - 2)

    def apply_mask(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return x with the maps that the 0/1 mask drops set to 0."""
        if x.dim() == 2 and mask.shape[1] != x.shape[1]:
            mask = mask.repeat_interleave(x.shape[1] // mask.shape[1], dim=1)
        return x * mask


STOCHASTIC = (SpinDrop, nn.Dropout, nn.Dropout1d, nn.Dropout2d)
_FUNCTIONAL = (F.dropout, F.dropout1d, F.dropout2d)


def _rate(args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
    return float(kwargs.get("p", args[1] if len(args) > 1 else 0.5))


class _AlwaysOn(TorchFunctionMode):
    """Keeps every torch dropout, as a module or a function call, on whatever the model's mode is."""

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = dict(kwargs or {})
        if func in _FUNCTIONAL:
            return func(args[0], p=_rate(args, kwargs), training=True)
        return func(*args, **kwargs)


def always_on() -> TorchFunctionMode:
    """Return a context in which every torch dropout drops, whatever the mode of its module."""
    return _AlwaysOn()


class _Masked(TorchFunctionMode):
    """Names each dropout as the tracer does, by module path or 'F.dropout', '@2' for a second call in a forward; gives
    those that are called as functions their masks."""

    def __init__(self, provider: MaskProvider) -> None:
        super().__init__()
        self.provider, self.calls, self.inside = provider, Counter[str](), 0

    def call(self, base: str) -> str:
        """Return the name of the next call of a module or function."""
        self.calls[base] += 1
        return base if self.calls[base] == 1 else f"{base}@{self.calls[base]}"

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = dict(kwargs or {})
        if func not in _FUNCTIONAL or self.inside:
            return func(*args, **kwargs)
        name, p = self.call(f"F.{func.__name__}"), _rate(args, kwargs)
        return args[0] if p == 0 else _masked(self.provider, name, args[0], func is not F.dropout, p)


def _masked(provider: MaskProvider, name: str, x: Tensor, whole_maps: bool, p: float) -> Tensor:
    shape = tuple(x.shape[:2]) + (1,) * (x.dim() - 2) if whole_maps else tuple(x.shape)
    return x * provider(name, shape).to(x) * (1 / (1 - p))


@contextmanager
def masks(model: nn.Module, provider: MaskProvider) -> Iterator[None]:
    """Run a model under masks from outside: inside the block, `model(x)` draws nothing.

    `provider(name, shape)` returns the 0/1 mask (1 keeps) of a stochastic module by its path in `model`, with the
    batch axis first: (N, C, H, W) element-wise, (N, C, 1, 1) for feature maps, (N, maps) for maps of a flat input.
    Modules of rate 0 are not asked for. Functional dropouts are named as the tracer names them. The model's hooks
    are removed afterwards.
    """
    mode = _Masked(provider)

    def enter(*_: Any) -> None:
        mode.inside += 1

    def forget(*_: Any) -> None:
        mode.calls.clear()

    def replace(path: str) -> Callable[..., Tensor]:
        def hook(module: nn.Module, args: tuple[Tensor, ...], _: Tensor) -> Tensor:
            mode.inside -= 1
            name = mode.call(path)
            if module.p == 0:
                return args[0]
            if isinstance(module, SpinDrop):
                shape = module.mask_shape(tuple(args[0].shape))
                return module.apply_mask(args[0], provider(name, shape).to(args[0]))
            return _masked(provider, name, args[0], not isinstance(module, nn.Dropout), module.p)  # type: ignore[arg-type]

        return hook

    handles = [model.register_forward_pre_hook(forget)]
    try:
        for name, module in model.named_modules():
            if isinstance(module, STOCHASTIC):
                handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(replace(name))]
        with mode:
            yield
    finally:
        for handle in handles:
            handle.remove()


def monte_carlo(model: nn.Module, x: Tensor, passes: int, *, seed: int | None = None, batch: int = 256) -> Tensor:
    """Return the scores of `passes` stochastic forwards, shape (passes, N, classes), without gradient.

    Batch norms and observers are frozen, every dropout is on. With a `seed` the result repeats (for the same
    `batch`) and torch's own generator is left as it was. The model's modes are restored.
    """
    if passes < 1:
        raise ValueError(f"passes must be at least 1, got {passes}")
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.random.fork_rng(enabled=seed is not None), torch.no_grad(), always_on():
            if seed is not None:
                torch.manual_seed(seed)
            chunks = torch.split(x, batch)
            return torch.stack([torch.cat([model(chunk) for chunk in chunks]) for _ in range(passes)])
    finally:
        for module, training in modes.items():
            module.training = training
