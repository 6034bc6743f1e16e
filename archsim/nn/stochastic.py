"""What all layers with chance have in common; masks from outside; Monte-Carlo evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Provider = Callable[[str, nn.Module | None, tuple[int, ...]], tuple[Tensor, ...]]


class Stochastic(nn.Module, ABC):
    """Base of the layers that draw random numbers once for each image and pass, in training and at inference.

    A method of one's own overrides `noise`, `perturb`, and `operation`, which returns the same as an
    `archsim.workload.ops.Stochastic` for the hardware: docs/new_method.md.
    """

    @property
    def active(self) -> bool:
        """Whether the layer does anything; one that does not draws nothing and has no place in hardware."""
        return True

    @abstractmethod
    def noise(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return fresh random numbers for an input (N, C, ...): tensors (N, count), in the order of the hardware.

        bool for bits (True with the nominal probability), float for standard Gaussians, int64 for indices.
        """

    @abstractmethod
    def perturb(self, x: Tensor, *noise: Tensor) -> Tensor:
        """Return what the layer makes of its input under given random numbers; draws nothing."""

    def forward(self, x: Tensor) -> Tensor:
        """Perturb with fresh noise."""
        return self.perturb(x, *self.noise(x)) if self.active else x


def bits(x: Tensor, count: int, p: float) -> Tensor:
    """Return bits that are True with probability `p`, shape (N, count), for an input of N images."""
    return torch.rand(len(x), count, device=x.device) < p


def spread(noise: Tensor, x: Tensor) -> Tensor:
    """Return noise (N, count) as (N, count, 1, ...), broadcastable to x (N, C, ...) where count is 1 or C."""
    return noise.reshape(*noise.shape, *(1,) * (x.dim() - 2))


def check_rate(p: float) -> float:
    """Return a dropout rate; `ValueError` unless it is in [0, 1)."""
    if not 0 <= p < 1:
        raise ValueError(f"the dropout rate must be in [0, 1), got {p}")
    return p


PLAIN = (nn.Dropout, nn.Dropout1d, nn.Dropout2d)
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
    """Names each stochastic call as the tracer does, by module path or 'F.dropout', '@2' for a second call in a
    forward; gives those that are functions their masks."""

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self.provider, self.calls = provider, Counter[str]()

    def forget(self, *_: Any) -> None:
        """Start to count calls anew."""
        self.calls.clear()

    def module(self, path: str, module: nn.Module, x: Tensor) -> Tensor:
        """Return what a stochastic module makes of x under noise from outside."""
        name = self._call(path)
        if isinstance(module, Stochastic):
            return module.perturb(x, *self.provider(name, module, tuple(x.shape))) if module.active else x
        return self._dropout(name, module, x, not isinstance(module, nn.Dropout), float(module.p))  # type: ignore[arg-type]

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = dict(kwargs or {})
        if func not in _FUNCTIONAL:
            return func(*args, **kwargs)
        name = self._call(f"F.{func.__name__}")
        return self._dropout(name, None, args[0], func is not F.dropout, _rate(args, kwargs))

    def _call(self, base: str) -> str:
        self.calls[base] += 1
        return base if self.calls[base] == 1 else f"{base}@{self.calls[base]}"

    def _dropout(self, name: str, module: nn.Module | None, x: Tensor, whole_maps: bool, p: float) -> Tensor:
        if p == 0:
            return x
        (dropped,) = self.provider(name, module, tuple(x.shape))
        dropped = spread(dropped, x) if whole_maps else dropped.view(x.shape)
        return x.masked_fill(dropped.bool(), 0.0) * (1 / (1 - p))


@contextmanager
def masks(model: nn.Module, provider: Provider) -> Iterator[None]:
    """Run a model under random numbers from outside: inside the block, `model(x)` draws nothing.

    `provider(name, module, shape)` returns the noise of a stochastic layer for an input of that shape (N, C, ...), by
    its path in `model`: what `Stochastic.noise` would, tensors (N, count). Torch's own dropouts take one tensor of
    bits, True where a value (or, of a `Dropout2d`, a map) is dropped; functional ones are named as the tracer names
    them and have no module. Layers that are not active are not asked for. The model is put back afterwards.
    """
    mode = _Masked(provider)
    handle = model.register_forward_pre_hook(mode.forget)
    replaced = [(path, m) for path, m in model.named_modules() if isinstance(m, (Stochastic, *PLAIN))]
    for path, module in replaced:
        module.forward = partial(mode.module, path, module)  # type: ignore[method-assign]
    try:
        with mode:
            yield
    finally:
        handle.remove()
        for _, module in replaced:
            del module.forward


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
