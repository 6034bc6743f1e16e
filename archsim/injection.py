"""Hardware-aware training: binary layers meet imperfect cells at every batch, sampled as those of a chip are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from archsim.config import origin
from archsim.errors import ConfigError
from archsim.hardware.arch import load_arch
from archsim.hardware.chip import Chip, build_chip
from archsim.hardware.variation import Cell, CellVariation, sampled_cells
from archsim.nn import BINARY
from archsim.workload.spec import Workload

Injector = Callable[[nn.Module], AbstractContextManager[None]]
STATIC = ("spread", "tmr_spread", "stuck_parallel", "stuck_antiparallel", "write_error", "delta_spread",
          "current_spread", "age")  # fmt: skip


@dataclass(frozen=True)
class ImperfectCells:
    """What binary layers are trained on.

    A weight is a pair of cells of relative conductances a and b, 1 and 0 for +1 in ideal ones. An input of +1 drives
    the first and -1 the second, so that a layer's sum of 2 m - n is that of x (a - b) + |x| (a + b - 1); an input of
    several bits drives the first for each bit that is set, which makes x (2 a - 1).
    """

    cell: Cell
    variation: CellVariation
    read_noise: float = 0.0

    def sample(self, weight: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return a - b and a + b - 1 of fresh cells that were meant to hold `weight`, which is -1 or +1."""
        bits = (weight > 0).cpu().numpy()
        first, second = (
            sampled_cells(levels.astype(np.uint8), self.cell, self.variation, lambda _: rng) for levels in (bits, ~bits)
        )
        return torch.from_numpy(first - second).to(weight), torch.from_numpy(first + second - 1).to(weight)

    def apply(self, layer: nn.Module, x: Tensor) -> Tensor:
        """Return the sums of a binary layer on fresh cells; to the gradient they are constant errors."""
        assert isinstance(layer, BINARY)
        weight = layer.binary_weight()
        rng = np.random.default_rng(int(torch.randint(2**62, (1,))))
        difference, common = self.sample(weight.detach(), rng)
        real = weight + (difference - weight).detach()
        is_binary = bool(((x == 0) | (x.abs() == 1)).all())
        sums = layer.product(x, real) + layer.product(x.abs(), common) if is_binary else layer.product(x, real + common)
        return sums + self._noise(layer, x, weight).detach() if self.read_noise else sums

    def _noise(self, layer: nn.Module, x: Tensor, weight: Tensor) -> Tensor:
        """Return the read noise of a layer's sums: twice that of the driven cells, of which (n + s) / 2 conduct well.

        For inputs of several bits an estimate from above: a square is no less than the sum of its bits' squares.
        """
        assert isinstance(layer, BINARY)
        low, high = self.cell.read_noise(self.read_noise)
        with torch.no_grad():
            driven = layer.product(x.square(), torch.ones_like(weight))
            matching = (driven + layer.product(x * x.abs(), weight)) / 2
            variance = matching * low**2 + (driven - matching) * high**2
            return 2 * variance.clamp(min=0).sqrt() * torch.randn_like(variance)


def imperfect_cells(chip: Chip) -> ImperfectCells:
    """Return the cells of a chip with its imperfections, as at the start of its life plus `cells.age`.

    Raises `ConfigError` for a chip whose cells have no device physics, or are ideal.
    """
    if chip.device is None:
        raise ConfigError(f"chip '{chip.arch.name}': its cells have no device physics, so none can be sampled")
    cell = Cell(chip.device, chip.arch.crossbar.read_voltage, chip.arch.temperature)
    variation = CellVariation(**{name: chip.effects.value(f"cells.{name}") for name in STATIC})
    cells = ImperfectCells(cell, variation, chip.effects.value("cells.read_noise"))
    if variation.is_ideal and not cells.read_noise:
        raise ConfigError(f"chip '{chip.arch.name}': its cells are ideal; give it 'imperfections' to train for")
    return cells


def injector(workload: Workload) -> Injector | None:
    """Return what `training.inject` of a workload asks for, to be given to `train`; None where nothing is asked.

    Raises `ConfigError` for an architecture that cannot be built, or that has nothing to inject.
    """
    choice = workload.config.training.inject
    if choice is None:
        return None
    path = origin(workload.path, "training").parent / choice.arch
    return partial(on_cells, imperfect_cells(build_chip(load_arch(path, tuple(choice.overrides)))))


@contextmanager
def on_cells(cells: ImperfectCells, model: nn.Module) -> Iterator[None]:
    """Run the binary layers of a model on fresh imperfect cells at every call; outside the block they are ideal.

    Draws from torch's generator. Raises `ConfigError` for a model without binary layers.
    """
    layers = [m for m in model.modules() if isinstance(m, BINARY)]
    if not layers:
        raise ConfigError(f"{type(model).__name__} has no binary layers to train on imperfect cells")
    for layer in layers:
        layer.forward = partial(cells.apply, layer)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward
