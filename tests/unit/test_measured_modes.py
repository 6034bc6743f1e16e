"""A network as one would deploy it; which ways to run its passes give the answers of single ones, and which do not."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from archsim.baselines.measured import scores
from archsim.baselines.measured.deployed import deployed
from archsim.baselines.measured.modes import Cut, programmed, repeated, sharing
from archsim.baselines.measured.offers import offers_of
from archsim.baselines.measured.watching import watch
from archsim.errors import DeviceError
from archsim.nn import (
    AffineDropout,
    BayesianConv2d,
    BayesianLinear,
    BinaryConv2d,
    BinaryLinear,
    GaussianScale,
    Quantize,
    ScaleDropout,
    Sign,
    SpatialSpinDrop,
    SpinDrop,
    Stochastic,
    freeze,
    masks,
    sign,
)

SHAPE = (2, 6, 6)


def frozen(layer):
    freeze(layer)
    return layer


CHANCE = {
    "SpinDrop": lambda: SpinDrop(0.3),
    "SpatialSpinDrop": lambda: SpatialSpinDrop(0.3),
    "ScaleDropout": lambda: ScaleDropout(4, 0.3),
    "AffineDropout": lambda: AffineDropout(4),
    "GaussianScale": lambda: GaussianScale(4),
    "SpinBayes": lambda: frozen(BayesianConv2d(4, 4, 1)),
    "Dropout": lambda: nn.Dropout(0.3),
    "Dropout2d": lambda: nn.Dropout2d(0.3),
}


def net(chance, *more):
    torch.manual_seed(0)
    return nn.Sequential(
        Quantize(4, scale=1 / 16), BinaryConv2d(2, 4, 3), nn.BatchNorm2d(4), Sign(), chance, nn.Flatten(),
        BinaryLinear(64, 5), *more,
    )  # fmt: skip


class Residual(nn.Module):
    """What stands before the first dropout is used behind it too: `early` goes around it unless it is repeated."""

    def __init__(self, body=None):
        super().__init__()
        self.stem, self.sign, self.drop = nn.Linear(6, 6), Sign(), SpinDrop(0.5)
        self.body, self.tail = body or nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x):
        early = self.sign(self.stem(x))
        return self.body(self.drop(early)) + self.tail(early)


class Skip(Residual):
    """As above, but the very input goes around, so that only all of the network can be repeated."""

    def forward(self, x):
        return self.body(self.drop(self.sign(self.stem(x)))) + x


class Functional(nn.Module):
    def __init__(self, training=None):
        super().__init__()
        self.first, self.second, self.always = nn.Linear(6, 8), nn.Linear(8, 4), training

    def forward(self, x):
        on = self.training if self.always is None else self.always
        return self.second(F.dropout(F.relu(self.first(x)), 0.5, on))


class Batchwise(nn.Module):
    """Its answers depend on which images come together."""

    def __init__(self):
        super().__init__()
        self.drop, self.layer = SpinDrop(0.5), nn.Linear(6, 4)

    def forward(self, x):
        x = self.layer(self.drop(x))
        return x - x.mean(0)


class Hidden(nn.Module):
    """Draws a random number that is no layer's."""

    def __init__(self):
        super().__init__()
        self.drop, self.layer = SpinDrop(0.5), nn.Linear(6, 4)

    def forward(self, x):
        return self.layer(self.drop(x)) + torch.rand(len(x), 1, device=x.device)


class InStep(SpinDrop):
    """Gives all images of a batch the same bits, in the shape of bits of their own."""

    def noise(self, x):
        return tuple(n.expand(len(x), -1) for n in super().noise(x[:1]))


class OneByOne(nn.Module):
    """Takes one image at a time: folding a pass into the batch breaks it."""

    def __init__(self):
        super().__init__()
        self.drop, self.layer = SpinDrop(0.5), nn.Linear(6, 4)

    def forward(self, x):
        return self.layer(self.drop(x.view(2, 6)))


def under_fixed_noise(model, x):
    def provider(name, module, shape):
        torch.manual_seed(len(name))
        if isinstance(module, Stochastic):
            return module.noise(torch.zeros(shape))
        count = torch.Size(shape[1:]).numel() if isinstance(module, nn.Dropout) else shape[1]
        return (torch.rand(len(x), count) < 0.5,)

    with torch.no_grad(), masks(model, provider):
        return model(x)


@pytest.mark.parametrize("name", CHANCE)
def test_a_deployed_network_answers_as_the_trained_one_bit_for_bit(name):
    model = net(CHANCE[name]()).eval()
    x = torch.rand(7, *SHAPE)
    assert torch.equal(under_fixed_noise(deployed(model), x), under_fixed_noise(model, x))


def test_deploying_leaves_the_network_itself_alone():
    model = net(nn.Dropout(0.5), BinaryLinear(5, 5, standardise=False)).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    ready = deployed(model)
    assert model.training
    assert model[1].weight.requires_grad
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert {m.training for m in ready.modules() if not isinstance(m, nn.Dropout)} == {False}
    assert {m.training for m in ready.modules() if isinstance(m, nn.Dropout)} == {True}
    assert not any(isinstance(m, Quantize | Sign) or hasattr(m, "binary_weight") for m in ready)


def test_a_module_used_twice_stays_one():
    layer = BinaryLinear(6, 6)
    ready = deployed(nn.Sequential(layer, SpinDrop(0.5), layer))
    assert ready[0] is ready[2]


def test_a_network_that_is_one_layer_can_be_deployed():
    x = torch.rand(3, 6)
    layer = BinaryLinear(6, 4)
    assert torch.equal(deployed(layer)(x), layer(x))


@pytest.mark.parametrize("name", CHANCE)
def test_every_method_allows_all_modes(name):
    offers = offers_of(deployed(net(CHANCE[name]())), SHAPE)
    assert not offers.refused
    assert offers.stochastic
    assert not offers.switched
    assert offers.cut == Cut("4", "input")


@pytest.mark.parametrize("layer", [BayesianLinear(6, 4), BayesianLinear(6, 4, bits=None)])
def test_weights_sampled_for_a_whole_batch_are_not_folded(layer):
    offers = offers_of(deployed(nn.Sequential(nn.Identity(), layer)), (6,))
    assert offers.refused == dict.fromkeys(("folded", "shared_prefix"), "one sample of '1' serves a whole batch")


def test_a_shortcut_around_the_first_dropout_moves_the_cut_before_it():
    torch.manual_seed(0)
    model = deployed(Residual())
    offers = offers_of(model, (6,))
    assert not offers.refused
    assert offers.cut == Cut("sign", "output")
    assert watch(model, torch.rand(2, 6)).cuts[-1] == Cut("drop", "input")  # which was tried first, and refused


def test_a_shortcut_from_the_input_leaves_no_prefix():
    offers = offers_of(deployed(Skip()), (6,))
    assert offers.refused == {"shared_prefix": "no single value separates what all passes share from what they do not"}


def test_chance_in_the_first_layer_leaves_no_prefix():
    offers = offers_of(deployed(nn.Sequential(SpinDrop(0.5), nn.Linear(6, 3))), (6,))
    assert offers.refused == {"shared_prefix": "chance enters with its first layer"}


@pytest.mark.parametrize("rate", [0.0, None])
def test_a_network_without_chance_shares_everything_which_is_no_mode(rate):
    layers = [nn.Linear(6, 3)] if rate is None else [nn.Linear(6, 3), SpinDrop(rate), nn.Dropout(rate)]
    offers = offers_of(deployed(nn.Sequential(*layers)), (6,))
    assert not offers.stochastic
    assert list(offers.refused) == ["shared_prefix"]


@pytest.mark.parametrize(("training", "switched"), [(None, True), (True, False)])
def test_dropouts_called_as_functions_are_seen(training, switched):
    model = deployed(Functional(training))
    offers = offers_of(model, (6,))
    assert (offers.stochastic, offers.switched) == (True, switched)
    assert offers.cut == Cut("first", "output")
    torch.manual_seed(0)
    drawn = scores(Functional(training), torch.rand(1, 6), 50)
    assert len(torch.unique(drawn[:, 0], dim=0)) > 3  # of 2 ** (units that are not 0)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (Batchwise(), "the images of a batch affect each other's answers"),
        (Hidden(), "it draws random numbers outside its stochastic layers"),
        (nn.Sequential(InStep(0.3), nn.Linear(6, 4)), "one sample of '0' serves a whole batch"),
        (OneByOne(), "its forward does not take the passes as a batch"),
        (nn.Sequential(SpinDrop(0.5), nn.BatchNorm1d(6, track_running_stats=False)), "the images of a batch affect"),
    ],
)
def test_what_cannot_be_folded_is_refused_with_the_reason(model, why):
    offers = offers_of(deployed(model), (6,))
    assert set(offers.refused) == {"folded", "shared_prefix"}
    assert all(text.startswith(why) for text in offers.refused.values())
    with pytest.raises(DeviceError, match="folded: not possible"):
        scores(model, torch.rand(2, 6), 3, "folded")


def test_a_network_that_cannot_run_says_so():
    with pytest.raises(DeviceError, match="the network cannot run: mat1 and mat2"):
        offers_of(deployed(nn.Linear(5, 3)), (6,))


def test_trying_a_network_leaves_hooks_and_generator_as_they_were():
    model = deployed(net(SpinDrop(0.5)))
    torch.manual_seed(7)
    state = torch.get_rng_state()
    offers_of(model, SHAPE)
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    with sharing(model, Cut("4", "input"), 2, 3):
        assert model[4]._forward_pre_hooks
    assert not model[4]._forward_pre_hooks


def test_the_prefix_runs_once_and_the_rest_for_all_passes():
    model, rows = deployed(net(SpinDrop(0.5))), []
    for index in (1, 6):
        model[index].register_forward_hook(lambda _, x, __: rows.append(len(x[0])))
    with torch.inference_mode(), programmed(model, "shared_prefix", 2, 5, lambda s: s, Cut("4", "input")) as program:
        assert program.whole(program.unit)(torch.rand(2, *SHAPE)).shape == (2, 5)
    assert rows == [2, 10]


def test_a_batch_is_repeated_pass_after_pass():
    x = torch.arange(6.0).view(2, 3)
    assert torch.equal(repeated(x, 2), torch.cat([x, x]))


@pytest.mark.parametrize("mode", ["sequential", "folded", "shared_prefix"])
def test_an_answer_is_the_mean_softmax_of_the_passes(mode):
    model = nn.Sequential(nn.Linear(6, 4), SpinDrop(0.5))
    ready, x = deployed(model), torch.rand(3, 6)
    cut = Cut("1", "input") if mode == "shared_prefix" else None
    kept = []
    ready.register_forward_hook(lambda _, __, y: kept.append(y))
    with torch.inference_mode(), programmed(ready, mode, 3, 7, lambda s: s.softmax(-1), cut) as program:
        answer = program.whole(program.unit)(x)
    each = torch.cat(kept).view(7, 3, 4)
    assert torch.allclose(answer, each.softmax(-1).mean(0))
    assert torch.allclose(answer.sum(-1), torch.ones(3))


def test_scores_leave_the_network_where_and_as_it_was():
    model = nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.5)).train()
    assert scores(model, torch.rand(3, 6), 5, "folded").shape == (5, 3, 4)
    assert model.training
    assert model[0].weight.dtype == torch.float32


def test_the_sign_as_a_function_stays():
    class Signs(nn.Module):
        def forward(self, x):
            return sign(x)

    assert torch.equal(deployed(Signs())(torch.tensor([[-1.0, 0.0, 2.0]])), torch.tensor([[-1.0, 1.0, 1.0]]))
