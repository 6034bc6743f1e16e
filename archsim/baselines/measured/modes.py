"""The ways to run several passes: one by one, folded into the batch, or folded after a prefix that all passes share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from archsim.baselines.platform import Mode

Answer = Callable[[Tensor], Tensor]
Call = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Cut:
    """Where a prefix that all passes share ends: the input or the output of a module, by its path."""

    path: str
    side: str  # "input" or "output"

    def __str__(self) -> str:
        return f"the {self.side} of '{self.path}'"


@dataclass(frozen=True)
class Program:
    """What answers a batch of images. A compiler gets `unit`, (N, ...) -> any; `whole` makes the answer of it.

    Only the passes one by one call their unit more than once.
    """

    unit: Call
    whole: Callable[[Call], Call]


def repeated(x: Tensor, passes: int) -> Tensor:
    """Return a batch (N, ...) so many times along its first axis, pass after pass."""
    return x.repeat(passes, *(1,) * (x.dim() - 1))


@contextmanager
def sharing(model: nn.Module, cut: Cut, images: int, passes: int) -> Iterator[None]:
    """Let a model of `images` inputs go on from a cut with a copy of them for each pass, inside the block."""

    def spread(value: Any) -> Any:
        is_single = isinstance(value, Tensor) and value.dim() > 0 and len(value) == images
        return repeated(value, passes) if is_single else value

    def before(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(spread(value) for value in inputs)

    def after(_: nn.Module, __: tuple[Any, ...], output: Any) -> Any:
        return spread(output)

    module = model.get_submodule(cut.path)
    handle = module.register_forward_pre_hook(before) if cut.side == "input" else module.register_forward_hook(after)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def programmed(
    model: nn.Module, mode: Mode, images: int, passes: int, answer: Answer, cut: Cut | None = None
) -> Iterator[Program]:
    """Give the program that answers `images` images with so many passes each: the mean over them of `answer`(scores).

    `cut`: where the shared prefix ends, for that mode.
    """

    def one_pass(x: Tensor) -> Tensor:
        return answer(model(x))

    def one_by_one(unit: Call) -> Call:
        def whole(x: Tensor) -> Tensor:
            total = torch.zeros((), device=x.device)
            for _ in range(passes):
                total = total + unit(x)  # a new tensor: a compiled unit writes over its last answer
            return total / passes

        return whole

    def together(x: Tensor) -> Tensor:
        scores = model(x if cut else repeated(x, passes))
        return answer(scores.unflatten(0, (passes, images))).mean(0)

    if mode == "sequential":
        yield Program(one_pass, one_by_one)
    elif cut is None:
        yield Program(together, lambda unit: unit)
    else:
        with sharing(model, cut, images, passes):
            yield Program(together, lambda unit: unit)
