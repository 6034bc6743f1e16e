"""The torch modules: values, gradients, masks from outside, Monte-Carlo evaluation."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from archsim import nn as bnn
from archsim.errors import DataError


def test_sign_of_zero_is_plus_one_and_gradient_is_clipped():
    x = torch.tensor([-2.0, -0.5, 0.0, -0.0, 0.5, 2.0], requires_grad=True)
    y = bnn.sign(x)
    assert y.tolist() == [-1, -1, 1, 1, 1, 1]
    y.backward(torch.full((6,), 3.0))
    assert x.grad.tolist() == [0, 3, 3, 3, 3, 0]


@pytest.mark.parametrize("standardise", [True, False])
def test_binary_layers_give_integer_sums(standardise):
    torch.manual_seed(0)
    x = bnn.sign(torch.randn(2, 4, 6, 6))
    layer = bnn.BinaryConv2d(4, 6, 3, padding=1, groups=2, standardise=standardise)
    weight = layer.binary_weight()
    assert set(weight.unique().tolist()) == {-1.0, 1.0}
    y = layer(x)
    assert y.shape == (2, 6, 6, 6)
    assert torch.equal(y, y.round())
    # by hand, one position in the corner (where the padding contributes nothing) and one inside
    assert y[1, 0, 0, 0] == (weight[0, :, 1:, 1:] * x[1, :2, :2, :2]).sum()
    assert y[1, 5, 2, 3] == (weight[5] * x[1, 2:, 1:4, 2:5]).sum()


def test_standardised_weights_balance_each_channel():
    layer = bnn.BinaryLinear(101, 7)
    with torch.no_grad():
        layer.weight += torch.linspace(-5, 5, 7)[:, None]  # a drift that would make plain signs constant
    assert layer.binary_weight().sum(1).abs().max() < 40
    assert bnn.BinaryLinear(3, 2, standardise=False).weight.shape == (2, 3)
    layer(bnn.sign(torch.randn(5, 101))).square().sum().backward()
    assert layer.weight.grad.abs().sum() > 0


def test_conv1d_and_linear_shapes():
    assert bnn.BinaryConv1d(3, 5, 4, stride=2)(torch.ones(2, 3, 10)).shape == (2, 5, 4)
    assert bnn.BinaryLinear(9, 4)(torch.ones(2, 9)).shape == (2, 4)
    with pytest.raises(ValueError, match="groups=2"):
        bnn.BinaryConv1d(3, 4, 1, groups=2)


def test_quantize_rounds_half_to_even_and_clips():
    unsigned = bnn.Quantize(2, scale=0.5)
    assert unsigned(torch.tensor([-1.0, 0.25, 0.75, 1.25, 9.0])).tolist() == [0, 0, 1.0, 1.0, 1.5]
    signed = bnn.Quantize(2, signed=True, scale=1.0)
    assert signed(torch.tensor([-9.0, -0.5, 0.5, 9.0])).tolist() == [-2, 0, 0, 1]
    x = torch.tensor([-1.0, 0.3, 9.0], requires_grad=True)
    unsigned(x).sum().backward()
    assert x.grad.tolist() == [0, 1, 0]


def test_quantize_observes_in_training_only():
    layer = bnn.Quantize(4)
    with pytest.raises(DataError, match="no scale yet"):
        layer.eval()(torch.ones(3))
    layer.train()(torch.tensor([0.5, 3.0]))
    assert layer.scale == pytest.approx(3.0 / 15)
    layer.eval()(torch.tensor([300.0]))
    assert layer.scale == pytest.approx(3.0 / 15)


@pytest.mark.parametrize("bad", [-0.1, 1.0, 1.5])
def test_dropout_rate_must_be_a_probability(bad):
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        bnn.SpinDrop(bad)


def test_spindrop_stays_on_and_does_not_rescale():
    torch.manual_seed(0)
    y = bnn.SpinDrop(0.25).eval()(torch.ones(200, 500))
    assert set(y.unique().tolist()) == {0.0, 1.0}
    sigma = np.sqrt(0.25 * 0.75 / y.numel())
    assert abs((y == 0).float().mean() - 0.25) < 5 * sigma


def test_spatial_spindrop_drops_whole_maps():
    torch.manual_seed(0)
    y = bnn.SpatialSpinDrop(0.5).eval()(torch.ones(400, 8, 3, 3)).flatten(2)
    assert ((y == 0).all(-1) | (y == 1).all(-1)).all()
    assert abs((y[..., 0] == 0).float().mean() - 0.5) < 5 * 0.5 / np.sqrt(3200)
    flat = bnn.SpatialSpinDrop(0.5, maps=8)(torch.ones(50, 72)).view(50, 8, 9)
    assert ((flat == 0).all(-1) | (flat == 1).all(-1)).all()
    assert 0 < flat.mean() < 1
    single = bnn.SpatialSpinDrop(0.5)(torch.ones(50, 72))
    assert not (single.view(50, 8, 9).var(-1) == 0).all()
    with pytest.raises(ValueError, match="5 equal maps"):
        bnn.SpatialSpinDrop(0.5, maps=5)(torch.ones(1, 72))


def test_dropout_passes_gradient_of_kept_only():
    x = torch.ones(1, 4, requires_grad=True)
    layer = bnn.SpinDrop(0.5)
    model = nn.Sequential(layer)
    with bnn.masks(model, lambda *_: (torch.tensor([[False, True, True, False]]),)):
        model(x).sum().backward()
    assert x.grad.tolist() == [[1, 0, 0, 1]]


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Dropout(0.5), nn.Dropout2d(0.2), bnn.SpatialSpinDrop(0.5, maps=2)
        self.off = nn.Dropout(0.0)

    def forward(self, x):
        x = self.off(self.b(self.a(x)))
        x = F.dropout(F.dropout2d(x, 0.5), 0.75, training=self.training)
        return self.c(F.dropout(x, p=0.5).flatten(1))


def test_masks_reach_every_dropout_by_name_and_leave_no_trace():
    model, asked = Mixed(), {}

    def keep_all(name, module, shape):
        asked[name] = (type(module).__name__, shape)
        count = {"b": 2, "F.dropout2d": 2, "c": 2}.get(name, 32)
        return (torch.zeros(shape[0], count, dtype=torch.bool),)

    x = torch.rand(3, 2, 4, 4)
    model.eval()
    state = torch.get_rng_state()
    with bnn.masks(model, keep_all):
        y = model(x)
    assert torch.equal(torch.get_rng_state(), state)
    assert asked == {
        "a": ("Dropout", (3, 2, 4, 4)),
        "b": ("Dropout2d", (3, 2, 4, 4)),
        "F.dropout2d": ("NoneType", (3, 2, 4, 4)),
        "F.dropout": ("NoneType", (3, 2, 4, 4)),
        "F.dropout@2": ("NoneType", (3, 2, 4, 4)),
        "c": ("SpatialSpinDrop", (3, 32)),
    }
    torch.testing.assert_close(y, (x / (0.5 * 0.8 * 0.5 * 0.25 * 0.5)).flatten(1))
    assert not any(m._forward_pre_hooks or "forward" in vars(m) for m in model.modules())


def test_masks_are_removed_after_an_error():
    model = Mixed()
    with pytest.raises(ZeroDivisionError), bnn.masks(model, lambda *_: 1 / 0):
        model(torch.ones(1, 2, 4, 4))
    assert not any(m._forward_pre_hooks or "forward" in vars(m) for m in model.modules())


def test_monte_carlo_turns_dropouts_on_and_only_them():
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 3))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    x, state = torch.randn(10, 6), torch.get_rng_state()
    first = bnn.monte_carlo(model, x, 5, seed=1)
    assert first.shape == (5, 10, 3)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, bnn.monte_carlo(model, x, 5, seed=1))
    assert not torch.equal(first, bnn.monte_carlo(model, x, 5, seed=2))
    assert not torch.equal(first[0], first[1])
    assert model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    with pytest.raises(ValueError, match="passes"):
        bnn.monte_carlo(model, x, 0)


def test_monte_carlo_turns_functional_dropout_on():
    class Functional(nn.Module):
        def forward(self, x):
            return F.dropout(x, 0.5, self.training)

    scores = bnn.monte_carlo(Functional().eval(), torch.ones(1, 1000), 1, seed=0)
    assert abs((scores == 0).float().mean() - 0.5) < 0.08
    assert set(scores.unique().tolist()) == {0.0, 2.0}


def test_second_call_of_a_dropout_gets_its_own_mask():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(0.5)

        def forward(self, x):
            return self.drop(self.drop(x))

    model, asked = Twice(), []

    def provider(name, module, shape):
        asked.append(name)
        return (torch.zeros(shape, dtype=torch.bool),)

    with bnn.masks(model, provider):
        model(torch.ones(1, 3))
        model(torch.ones(1, 3))
    assert asked == ["drop", "drop@2", "drop", "drop@2"]
