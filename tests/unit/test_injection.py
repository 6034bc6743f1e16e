"""Training on imperfect cells: the sums are those of the lines, the gradient is the layer's, and it helps."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from archsim import nn as bnn
from archsim.errors import ConfigError
from archsim.hardware.arch import load_arch
from archsim.hardware.chip import build_chip
from archsim.hardware.variation import CellVariation, sampled_cells
from archsim.injection import ImperfectCells, imperfect_cells, injector, on_cells
from archsim.pipeline import evaluate_chips
from archsim.workload.spec import load_workload
from archsim.workload.training import train

ROOT = Path(__file__).parents[2]
CHIP = ROOT / "arch_configs" / "spatial_spindrop_sot.yaml"


def cells(*overrides: str) -> ImperfectCells:
    return imperfect_cells(build_chip(load_arch(CHIP, overrides)))


WIDE = ("imperfections.cells.spread=0.2", "imperfections.cells.stuck_parallel=0.05")


def line_sums(planes: list[tuple[np.ndarray, np.ndarray, float]], plus: np.ndarray, minus: np.ndarray) -> np.ndarray:
    """Add up the lines one by one: 2 m - n for each binary vector, weighted. `planes`: +1 lines, -1 lines, weight."""
    total = np.zeros(len(plus))
    for on_plus, on_minus, weight in planes:
        m = sum(plus[:, i] * on_plus[i] + minus[:, i] * on_minus[i] for i in range(plus.shape[1]))
        total += weight * (2 * m - (on_plus.sum() + on_minus.sum()))
    return total


@pytest.mark.parametrize("kind", ["binary", "unsigned", "signed"])
def test_sums_are_those_of_the_driven_lines(kind, monkeypatch):
    torch.manual_seed(0)
    layer, imperfect = bnn.BinaryLinear(12, 5), cells(*WIDE)
    x, planes = inputs(kind, np.random.default_rng(3))
    drawn = []

    def recorded(*arguments):
        drawn.append(sampled_cells(*arguments))
        return drawn[-1]

    monkeypatch.setattr("archsim.injection.sampled_cells", recorded)
    found = imperfect.apply(layer, torch.tensor(x[None], dtype=torch.float32))
    plus, minus = (d.astype(np.float64) for d in drawn)
    assert plus.std() > 0.1
    np.testing.assert_allclose(found.detach().numpy()[0], line_sums(planes, plus, minus), rtol=1e-4, atol=1e-4)


def inputs(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray, float]]]:
    """Return a vector of twelve inputs, and how its bits drive the lines."""
    if kind == "binary":
        x = rng.integers(-1, 2, 12)
        return x, [(x == 1, x == -1, 1.0)]
    x = rng.integers(-8, 8, 12) if kind == "signed" else rng.integers(0, 16, 12)
    bits = [(x >> b) & 1 for b in range(4)]
    off = np.zeros(12, bool)
    return x, [(bit == 1, off, -8.0 if kind == "signed" and b == 3 else 2.0**b) for b, bit in enumerate(bits)]


def test_nominal_cells_change_nothing():
    layer, x = bnn.BinaryConv2d(3, 4, 3, padding=1), torch.randn(2, 3, 5, 5).sign()
    nominal = ImperfectCells(cells(*WIDE).cell, CellVariation())
    torch.testing.assert_close(nominal.apply(layer, x), layer(x), atol=1e-4, rtol=0)


def test_read_noise_has_the_variance_of_the_driven_cells():
    """Each of n driven cells adds its own noise; a sum of 2 m - n doubles it. Checked within 5 standard errors."""
    torch.manual_seed(0)
    noise = cells("imperfections.cells.read_noise=0.05")
    layer = bnn.BinaryLinear(40, 1)
    x = torch.ones(1, 40).expand(4000, 40)
    sums = noise.apply(layer, x).detach().double().view(-1)
    on = int((layer.binary_weight() > 0).sum())
    low, high = noise.cell.read_noise(0.05)
    expected = 2 * np.sqrt(on * low**2 + (40 - on) * high**2)
    assert abs(sums.std() / expected - 1) < 5 / np.sqrt(2 * 4000)
    assert abs(sums.mean() - layer(x)[0, 0]) < 5 * expected / np.sqrt(4000)


def test_the_gradient_is_that_of_the_layer_on_these_cells():
    torch.manual_seed(0)
    layer, x = bnn.BinaryLinear(10, 4), torch.randn(3, 10).sign()
    layer(x).sum().backward()
    ideal = layer.weight.grad.clone()
    layer.weight.grad = None
    cells(*WIDE).apply(layer, x).sum().backward()
    torch.testing.assert_close(layer.weight.grad, ideal)


def test_every_call_meets_new_cells_and_the_layers_are_put_back():
    torch.manual_seed(0)
    model = nn.Sequential(bnn.BinaryLinear(10, 4), bnn.Sign())
    x, imperfect = torch.randn(3, 10).sign(), cells(*WIDE)
    with on_cells(imperfect, model):
        assert not torch.equal(model[0](x), model[0](x))
    assert "forward" not in vars(model[0])
    assert torch.equal(model[0](x), model[0](x))
    with pytest.raises(ZeroDivisionError), on_cells(imperfect, model):
        raise ZeroDivisionError
    assert "forward" not in vars(model[0])
    with pytest.raises(ConfigError, match="Linear has no binary layers"), on_cells(imperfect, nn.Linear(2, 2)):
        pass


def test_a_chip_without_imperfect_cells_has_nothing_to_inject():
    with pytest.raises(ConfigError, match="its cells are ideal"):
        cells()
    workload = load_workload(ROOT / "workloads" / "mlp_digits.yaml")
    assert injector(workload) is None


@pytest.mark.slow
def test_a_network_trained_on_imperfect_cells_keeps_more_accuracy(tmp_path):
    """The same network on sampled chips of the same design, computed by the arrays: 98 % ideal; the one that was not
    trained for it loses several times as many answers."""
    spread = "imperfections.cells.spread=0.2"
    recipe = ("training.epochs=30", f"checkpoint={tmp_path}/plain.safetensors")
    plain = load_workload(ROOT / "workloads" / "mlp_digits.yaml", recipe)
    inject = (f"training.inject.arch={CHIP}", f"training.inject.overrides=[{spread}]")
    aware = load_workload(plain.path, (*recipe, f"checkpoint={tmp_path}/aware.safetensors", *inject))
    found = {}
    for workload in (plain, aware):
        train(workload, quiet=True, cells=injector(workload))
        batch = evaluate_chips(CHIP, workload, 4, passes=4, images=200, overrides=[spread, "converter.bits=8"])
        found[workload.checkpoint_path.stem] = np.mean([q.accuracy.value for q in batch.qualities])
    assert 1 - found["aware"] < 0.7 * (1 - found["plain"])


def test_the_injector_draws_from_torchs_generator():
    torch.manual_seed(0)
    model, x = nn.Sequential(bnn.BinaryLinear(10, 4)), torch.ones(1, 10)
    answers = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        with partial(on_cells, cells(*WIDE))(model):
            answers.append(model(x))
    assert torch.equal(answers[0], answers[1])
    assert not torch.equal(answers[0], answers[2])
