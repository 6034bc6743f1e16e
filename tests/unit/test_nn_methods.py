"""The layers of the six methods: what they draw, what they make of it, and what they add to the loss."""

import math

import pytest
import torch
from scipy import stats
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from archsim import nn as bnn
from archsim.workload.trace import Draw
from archsim.workload.tracer import trace_model

MANY = 20_000


def frozen(layer: nn.Module) -> nn.Module:
    layer.freeze()
    return layer


def maps(layer: nn.Module) -> tuple[nn.Module, torch.Tensor]:
    """A layer in a network, between two layers on crossbars, and a batch."""
    before, norm = [bnn.Sign(), bnn.BinaryConv2d(2, 4, 3, padding=1)], nn.BatchNorm2d(4)
    norm.running_mean += torch.tensor([0.5, -0.5, 3.0, -3.0])  # a sign would not notice a positive scale
    after = [norm, bnn.Sign(), nn.Flatten(), bnn.BinaryLinear(64, 3)]
    return nn.Sequential(*before, layer, *after), torch.randn(40, 2, 4, 4)


LAYERS = {
    "spindrop": lambda: nn.Sequential(bnn.Sign(), bnn.SpinDrop(0.3)),
    "spatial": lambda: nn.Sequential(bnn.Sign(), bnn.SpatialSpinDrop(0.3)),
    "scale": lambda: bnn.ScaleDropout(4, 0.3),
    "affine": lambda: bnn.InvertedNorm(4, 0.3),
    "subset": lambda: bnn.GaussianScale(4),
    "spinbayes": lambda: nn.Sequential(bnn.Sign(), frozen(bnn.BayesianConv2d(4, 4, 1, copies=4))),
}


@pytest.mark.parametrize("name", LAYERS)
def test_noise_is_what_the_traced_operation_says_it_draws(name):
    """Kinds, counts and order of the random numbers in torch are those that hardware draws."""
    torch.manual_seed(0)
    model, x = maps(LAYERS[name]())
    modules = [(n, m) for n, m in model.named_modules() if isinstance(m, bnn.Stochastic)]
    assert len(modules) == 1
    (path, module), trace = modules[0], trace_model(model.eval(), x[:1])
    draws = trace[path].draws()
    noise = module.noise(torch.randn(5, 4, 4, 4))
    kinds = {torch.bool: "bit", torch.float32: "gaussian", torch.int64: "index"}
    assert [(kinds[n.dtype], tuple(n.shape)) for n in noise] == [(d.kind, (5, d.count)) for d in draws]
    assert [n.name for n in trace.stochastic_nodes()] == [path]


@pytest.mark.parametrize("name", [*LAYERS, "vi"])
def test_passes_differ_and_repeat_with_the_seed(name):
    torch.manual_seed(0)
    layer = nn.Sequential(bnn.Sign(), bnn.BayesianConv2d(4, 4, 1, bits=None)) if name == "vi" else LAYERS[name]()
    model, x = maps(layer)
    for module in model.modules():
        if isinstance(module, bnn.AffineDropout | bnn.ScaleDropout):
            nn.init.uniform_(module.scale, 0.2, 3)  # their random start is mild
    a, b = (bnn.monte_carlo(model, x, 30, seed=3) for _ in range(2))
    assert torch.equal(a, b)
    assert (a != a[0]).any()


@pytest.mark.parametrize(("layer", "rates"), [
    (bnn.ScaleDropout(3, 0.15), [0.15]), (bnn.AffineDropout(3, 0.3, 0.05), [0.3, 0.05]),
])  # fmt: skip
def test_bits_have_their_rates_and_are_independent(layer, rates):
    torch.manual_seed(1)
    drawn = torch.stack([n.view(-1) for n in layer.noise(torch.ones(MANY, 3))]).double()
    for bits, p in zip(drawn, rates, strict=True):
        assert abs(bits.mean() - p) < 4.5 * math.sqrt(p * (1 - p) / MANY)
    if len(rates) > 1:
        together = rates[0] * rates[1]
        assert abs((drawn[0] * drawn[1]).mean() - together) < 4.5 * math.sqrt(together * (1 - together) / MANY)


def test_scale_dropout_drops_the_whole_vector_to_one():
    layer = bnn.ScaleDropout(3, 0.2)
    x = torch.randn(2, 3, 4)
    y = layer.perturb(x, torch.tensor([[True], [False]]))
    assert torch.equal(y[0], x[0])
    assert torch.equal(y[1], x[1] * layer.scale[:, None])
    assert (layer.scale > 0).all()
    layer.scale.data = torch.tensor([1.0, 0.5, 3.0])
    assert layer.regulariser().item() == 0.25 + 4.0


def test_affine_dropout_has_four_settings():
    layer = bnn.AffineDropout(2, 0.3, 0.3, size=10.0)
    x = torch.tensor([[2.0, 4.0]]).expand(4, 2)
    bits = torch.tensor([[False], [False], [True], [True]]), torch.tensor([[False], [True], [False], [True]])
    scale, shift = layer.scale.detach(), layer.shift.detach() * 10
    expected = torch.stack([x[0] * scale + shift, x[0] * scale, x[0] + shift, x[0]])
    assert torch.equal(layer.perturb(x, *bits), expected)
    assert not torch.equal(scale, torch.ones(2))  # random initialisation
    assert abs(bnn.AffineDropout(10_000).scale.std().item() - 0.3) < 4 * 0.3 / math.sqrt(20_000)


def test_normalise_is_layer_or_instance_norm_without_parameters():
    torch.manual_seed(0)
    x = torch.randn(3, 4, 5, 6) * 7 + 2
    torch.testing.assert_close(bnn.Normalise()(x), F.layer_norm(x, x.shape[1:]))
    torch.testing.assert_close(bnn.Normalise("channel")(x), F.instance_norm(x))
    flat = torch.randn(3, 8)
    torch.testing.assert_close(bnn.Normalise()(flat), F.layer_norm(flat, (8,)))
    with pytest.raises(ValueError, match="'layer' or 'channel'"):
        bnn.Normalise("batch")
    with pytest.raises(ValueError, match="flat input"):
        bnn.Normalise("channel")(flat)


def test_inverted_norm_takes_a_shift_of_all_sums_away():
    """What drift does to every column alike does not reach the next layer."""
    layer = bnn.InvertedNorm(4, 0.0)
    nn.init.ones_(layer[0].scale), nn.init.zeros_(layer[0].shift)
    x = torch.randn(3, 4, 5, 5)
    torch.testing.assert_close(layer(x), layer(x * 1.7 + 5), atol=1e-5, rtol=1e-4)


def test_gaussian_scale_has_mean_and_deviation_of_its_posterior():
    torch.manual_seed(0)
    layer = bnn.GaussianScale(2)
    layer.mean.data, layer.log_deviation.data = torch.tensor([1.0, -2.0]), torch.tensor([0.1, 0.5]).log()
    y = layer(torch.ones(MANY, 2)).double().detach()
    for i, (mean, deviation) in enumerate([(1.0, 0.1), (-2.0, 0.5)]):
        assert stats.kstest(y[:, i].numpy(), "norm", (mean, deviation)).pvalue > 1e-4
    assert abs(torch.corrcoef(y.T)[0, 1]) < 4.5 / math.sqrt(MANY)
    maps = layer(torch.ones(1, 2, 3, 3))
    assert (maps == maps[..., :1, :1]).all()  # one number a channel


def test_divergences_are_those_of_torch_distributions():
    torch.manual_seed(0)
    scale = bnn.GaussianScale(5, prior=0.4)
    nn.init.normal_(scale.mean), nn.init.normal_(scale.log_deviation)
    expected = kl_divergence(Normal(scale.mean, scale.log_deviation.exp()), Normal(1.0, 0.4)).sum()
    torch.testing.assert_close(scale.kl(), expected)
    layer = bnn.BayesianLinear(4, 3, prior=0.7)
    assert layer.mean is not None
    prior = kl_divergence(Normal(layer.mean, layer.log_deviation.exp()), Normal(0.0, 0.7)).sum()
    torch.testing.assert_close(layer.kl(), prior)
    model = nn.Sequential(scale, layer, bnn.ScaleDropout(3, 0.1), nn.Linear(3, 3))
    torch.testing.assert_close(bnn.kl(model), expected + prior)
    torch.testing.assert_close(bnn.regulariser(model), model[2].regulariser())
    assert bnn.kl(nn.Linear(2, 2)).item() == bnn.regulariser(nn.Linear(2, 2)).item() == 0
    layer.freeze()
    assert layer.kl().item() == 0


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_bayesian_weights_are_trained_on_the_grid_of_the_cells(bits):
    torch.manual_seed(0)
    layer = bnn.BayesianLinear(50, 40, bits=bits)
    weights = layer.perturb(torch.eye(50), *layer.noise(torch.eye(50))).detach() / layer.step
    assert set(weights.unique().tolist()) == {float(v) for v in range(1 - 2**bits, 2**bits, 2)}
    layer(torch.ones(1, 50)).sum().backward()
    assert torch.equal(layer.mean.grad, torch.ones(40, 50))  # straight through


def test_copies_are_samples_of_the_quantised_posterior():
    """Chi-square: how often each level is held, against the normal distribution between the steps of the grid."""
    torch.manual_seed(0)
    layer = bnn.BayesianLinear(100, 50, bits=2, copies=8)
    layer.mean.data.fill_(0.3), layer.log_deviation.data.fill_(math.log(0.6))
    layer.freeze(torch.Generator().manual_seed(1))
    assert layer.copies.shape == (8, 50, 100)
    edges = stats.norm(0.3, 0.6).cdf([-math.inf, -1.0, 0.0, 1.0, math.inf])
    expected = (edges[1:] - edges[:-1]) * layer.copies.numel()
    counts = [int((layer.copies == v).sum()) for v in (-3, -1, 1, 3)]
    assert sum(counts) == layer.copies.numel()
    assert stats.chisquare(counts, expected).pvalue > 1e-4
    assert layer.mean is None
    assert not list(layer.parameters())
    with pytest.raises(ValueError, match="only once"):
        layer.freeze()


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_a_frozen_layer_answers_as_the_copy_that_was_selected(rank):
    torch.manual_seed(0)
    layer = frozen((bnn.BayesianLinear(6, 5, copies=4), bnn.BayesianConv1d(6, 4, 3, 2, copies=4),
                    bnn.BayesianConv2d(6, 4, (3, 2), padding=1, groups=2, copies=4))[rank])  # fmt: skip
    x = torch.randn(20, 6, *(7,) * rank).sign()
    (index,) = layer.noise(x)
    assert len(index.unique()) > 2
    single = torch.cat([layer.product(x[i : i + 1], layer.copies[k].float() * 0.5) for i, k in enumerate(index[:, 0])])
    assert torch.equal(layer.perturb(x, index), single)


def test_the_arbiter_is_fair():
    torch.manual_seed(0)
    layer = frozen(bnn.BayesianLinear(2, 2, copies=8))
    (index,) = layer.noise(torch.ones(MANY, 2))
    assert stats.chisquare(index.view(-1).bincount(minlength=8).numpy()).pvalue > 1e-4


def test_bayesian_layers_that_cannot_be():
    for bad in ({"bits": 0}, {"bits": 8}, {"copies": 6}, {"copies": 1}):
        with pytest.raises(ValueError, match=r"bits must|power of two"):
            bnn.BayesianLinear(2, 2, **bad)
    with pytest.raises(ValueError, match="only a quantised layer"):
        bnn.BayesianLinear(2, 2, bits=None).freeze()
    model = nn.Sequential(bnn.BayesianLinear(3, 2), bnn.BayesianLinear(2, 2, bits=None), nn.ReLU())
    assert bnn.freeze(model) == 1
    assert bnn.freeze(model) == 0


def test_layer_rate_grows_with_the_layer_from_a_tenth_to_a_fifth():
    rates = [bnn.layer_rate(n) for n in (1, 100, 10_000, 1_000_000, 10**8)]
    assert rates == pytest.approx([0.1, 0.1, 0.15, 0.2, 0.2])
    assert bnn.layer_rate(10_000, 0.0, 0.4) == pytest.approx(0.2)


def test_an_inactive_layer_draws_nothing():
    state = torch.get_rng_state()
    x = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(bnn.SpinDrop(0.0), bnn.SpatialSpinDrop(0.0))
    with bnn.masks(model, lambda *_: 1 / 0):
        assert torch.equal(model(x), x)
    assert torch.equal(torch.get_rng_state(), state)


def test_noise_from_outside_reaches_all_methods():
    torch.manual_seed(0)
    model = nn.Sequential(bnn.ScaleDropout(2, 0.5), bnn.GaussianScale(2), frozen(bnn.BayesianLinear(2, 2, copies=2)))
    given = {"0": (torch.tensor([[False]]),), "1": (torch.zeros(1, 2),), "2": (torch.tensor([[1]]),)}
    x = torch.tensor([[2.0, 3.0]])
    with bnn.masks(model, lambda name, *_: given[name]), torch.no_grad():
        y = model(x)
    weights = model[2].copies[1].float() * 0.5
    torch.testing.assert_close(y, (x * model[0].scale * model[1].mean) @ weights.T)


def test_draws_count_their_bits():
    assert [Draw("bit", 3).bits_each, Draw("index", 1, choices=8).bits_each] == [1, 3]
