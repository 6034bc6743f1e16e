"""The tracer: what becomes what, what is refused and how, and that the model stays as it was."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from archsim import nn as bnn
from archsim.errors import TraceError
from archsim.workload.trace import Affine, Conv, Dropout, GaussianScale, Linear, Pool, Quantize, Sign, Threshold
from archsim.workload.tracer import PLACEMENTS, Quantization, trace_model

FOUR = Quantization(4, 4)


def flat(*layers: nn.Module, inputs: int = 6) -> nn.Sequential:
    return nn.Sequential(bnn.Sign(), *layers, bnn.BinaryLinear(inputs, 2))


def report_of(trace) -> dict[str, str]:
    return {row["name"]: row["placement"] for row in trace.meta["report"]}


class Wrap(nn.Module):
    """A network whose body is a lambda, between a sign and a binary layer."""

    def __init__(self, body, inputs=6, **modules):
        super().__init__()
        self.body, self.sign, self.fc = body, bnn.Sign(), bnn.BinaryLinear(inputs, 2)
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x):
        return self.fc(self.sign(self.body(self, x)))


def test_report_lists_every_module_and_where_it_went():
    model = nn.Sequential(
        bnn.Sign(), bnn.BinaryConv2d(1, 4, 3), nn.MaxPool2d(2), nn.BatchNorm2d(4), nn.Hardtanh(), bnn.Sign(),
        bnn.SpatialSpinDrop(0.1), nn.Dropout(0.0), nn.Flatten(), bnn.BinaryLinear(36, 3), bnn.Scale(3), nn.Softmax(1),
    )  # fmt: skip
    trace = trace_model(model, torch.zeros(1, 1, 8, 8), name="net")
    placed = report_of(trace)
    assert [placed[str(i)] for i in range(12)] == [
        "digital", "crossbar", "digital", "folded", "folded", "digital",
        "stochastic", "inactive", "digital", "crossbar", "digital", "inactive",
    ]  # fmt: skip
    assert set(placed.values()) <= set(PLACEMENTS)
    assert [n.op.kind for n in trace.nodes] == [
        "sign", "conv", "pool", "threshold", "dropout", "flatten", "linear", "affine",
    ]  # fmt: skip
    assert trace.input_shape == (1, 8, 8)
    assert trace["5"].inputs == ("2",)
    assert trace.name == "net"


def test_uncalled_module_is_reported():
    trace = trace_model(Wrap(lambda _, x: x, spare=nn.Dropout(0.3)), torch.zeros(1, 6))
    assert report_of(trace)["spare"] == "inactive"


def test_threshold_by_hand():
    norm = nn.BatchNorm1d(4, eps=0.0)
    with torch.no_grad():
        norm.running_mean.copy_(torch.tensor([1.0, 1.0, 5.0, 5.0]))
        norm.weight.copy_(torch.tensor([1.0, -1.0, 0.0, 0.0]))
        norm.bias.copy_(torch.tensor([2.0, 2.0, 1.0, -1.0]))
    model = nn.Sequential(bnn.Sign(), bnn.BinaryLinear(6, 4), norm, bnn.Sign(), bnn.BinaryLinear(4, 2))
    op = trace_model(model, torch.zeros(1, 6))["3"].op
    # +1 where (x - 1) + 2 >= 0; where -(x - 1) + 2 >= 0; always; never
    assert isinstance(op, Threshold)
    assert op.level[:2].tolist() == pytest.approx([-1.0, 3.0], abs=1e-6)
    assert op.direction[:2].tolist() == [1, -1]
    assert op.level[2:].tolist() == [-np.inf, np.inf]


def test_norm_with_two_readers_is_folded_and_kept():
    def body(m, x):
        y = m.bn(m.conv(m.s(x)))
        return bnn.sign(y) + y

    torch.manual_seed(0)
    model = Wrap(body, s=bnn.Sign(), conv=bnn.BinaryLinear(6, 6), bn=nn.BatchNorm1d(6))
    trace = trace_model(model, torch.zeros(1, 6))
    assert [n.op.kind for n in trace.nodes] == ["sign", "linear", "affine", "threshold", "add", "sign", "linear"]
    assert trace["F.sign"].inputs == ("conv",)
    assert report_of(trace)["bn"] == "digital"


def test_sign_without_norm_stays_a_sign():
    trace = trace_model(flat(bnn.BinaryLinear(6, 6), nn.Hardtanh(), bnn.Sign()), torch.zeros(1, 6))
    assert isinstance(trace["3"].op, Sign)


def test_functions_between_norm_and_sign_are_folded_too():
    def body(m, x):
        return bnn.sign(F.hardtanh(torch.tanh(m.bn(m.lin(m.s(x)))), inplace=True))

    model = Wrap(body, s=bnn.Sign(), lin=bnn.BinaryLinear(6, 6), bn=nn.BatchNorm1d(6))
    trace = trace_model(model, torch.zeros(1, 6))
    assert [n.op.kind for n in trace.nodes] == ["sign", "linear", "threshold", "sign", "linear"]
    assert trace["F.sign"].op.level.tolist() == [0.0] * 6
    relu = Wrap(
        lambda m, x: bnn.sign(F.relu(m.bn(m.lin(m.s(x))))),
        s=bnn.Sign(),
        lin=bnn.BinaryLinear(6, 6),
        bn=nn.BatchNorm1d(6),
    )
    assert trace_model(relu, torch.zeros(1, 6))["F.sign"].op.level.tolist() == [-np.inf] * 6  # relu(x) >= 0 always


def test_batch_norm_without_sign_is_affine():
    norm = nn.BatchNorm1d(3, eps=0.0)
    with torch.no_grad():
        norm.running_var.fill_(4.0)
        norm.running_mean.fill_(3.0)
        norm.bias.fill_(1.0)
    op = trace_model(nn.Sequential(bnn.Sign(), bnn.BinaryLinear(6, 3), norm), torch.zeros(1, 6))["2"].op
    assert isinstance(op, Affine)
    assert op.scale.tolist() == [0.5] * 3
    assert op.shift.tolist() == [-0.5] * 3


def test_model_is_left_as_it_was():
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(108, 2)
    )
    model[1].eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    modes = [m.training for m in model.modules()]
    typical, state = torch.rand(9, 1, 8, 8), torch.get_rng_state()
    first = trace_model(model, np.zeros((1, 1, 8, 8)), quantization=FOUR, calibration=typical)
    assert [m.training for m in model.modules()] == modes
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    with torch.no_grad():
        model[0].weight += 1.0  # the trace has its own copy
    again = trace_model(model, np.zeros((1, 1, 8, 8)), quantization=FOUR, calibration=typical)
    assert first.content_hash() != again.content_hash()
    assert first["0"].op.weights.scale.max() < 0.1


def test_modes_are_restored_after_an_error():
    model = nn.Sequential(nn.Linear(4, 4), nn.GELU())
    with pytest.raises(TraceError):
        trace_model(model, torch.zeros(1, 4), quantization=FOUR)
    assert model.training


def test_plain_layers_get_quantisers_above_pooling_and_dropout():
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(0.25), nn.Flatten(), nn.Linear(36, 3)
    )
    trace = trace_model(model, torch.zeros(1, 1, 8, 8), quantization=FOUR, calibration=torch.randn(50, 1, 8, 8))
    assert [n.name for n in trace.nodes] == ["input.quantize", "0", "1", "1.quantize", "2", "3", "4", "5"]
    assert trace["input.quantize"].op.signed
    assert not trace["1.quantize"].op.signed
    assert trace["3"].op == trace["3"].op
    drop = trace["3"].op
    assert isinstance(drop, Dropout)
    assert (drop.granularity, drop.gain) == ("channel", pytest.approx(4 / 3))


def test_one_quantiser_for_two_readers():
    model = Wrap(
        lambda m, x: m.a(F.relu(x)) + m.b(F.relu(x)) + m.c(x), a=nn.Linear(6, 6), b=nn.Linear(6, 6), c=nn.Linear(6, 6)
    )

    def shared(m, x):
        y = F.relu(x)
        return m.a(y) + m.b(y)

    trace = trace_model(
        Wrap(shared, a=nn.Linear(6, 6), b=nn.Linear(6, 6)), torch.zeros(1, 6), quantization=FOUR,
        calibration=torch.randn(20, 6),
    )  # fmt: skip
    assert sum(isinstance(n.op, Quantize) for n in trace.nodes) == 1
    trace = trace_model(model, torch.zeros(1, 6), quantization=FOUR, calibration=torch.randn(20, 6))
    assert sum(isinstance(n.op, Quantize) for n in trace.nodes) == 3


def test_weight_grid_is_odd_and_close():
    torch.manual_seed(0)
    layer = nn.Linear(50, 5)
    trace = trace_model(nn.Sequential(layer), torch.zeros(1, 50), quantization=FOUR, calibration=torch.rand(9, 50))
    op = trace["0"].op
    assert isinstance(op, Linear)
    assert np.all(op.weights.values % 2 == 1)
    assert np.abs(op.weights.values).max() <= 15
    error = op.weights.values * op.weights.scale[:, None] - layer.weight.detach().numpy()
    # a uniform grid of 16 levels over [-max, max] has a step of max / 7.5, so an rms error near step / sqrt(12)
    assert np.sqrt(np.square(error).mean()) < 1.1 * float(layer.weight.detach().abs().max()) / 7.5 / np.sqrt(12)
    assert op.bias.tolist() == layer.bias.tolist()


def test_calibration_chooses_scale_from_data():
    model = nn.Sequential(nn.Linear(6, 3))
    small, large = (
        trace_model(model, torch.zeros(1, 6), quantization=FOUR, calibration=torch.rand(500, 6) * peak)
        for peak in (1.0, 10.0)
    )
    scales = [t["input.quantize"].op.scale for t in (small, large)]
    assert scales[0] == pytest.approx(1 / 15, rel=0.1)
    assert scales[1] == pytest.approx(10 / 15, rel=0.1)


@pytest.mark.parametrize(
    "body",
    [
        lambda _, x: torch.flatten(x, 1),
        lambda _, x: x.view(x.size(0), -1),
        lambda _, x: x.reshape(x.shape[0], 6),
        lambda _, x: x.flatten(start_dim=1),
    ],
)
def test_flatten_in_all_words(body):
    trace = trace_model(Wrap(body), torch.zeros(1, 2, 3, 1))
    assert [n.op.kind for n in trace.nodes] == ["flatten", "sign", "linear"]


@pytest.mark.parametrize(
    ("body", "op"),
    [
        (lambda _, x: F.max_pool2d(x, 2).flatten(1), Pool("max", (2, 2), (2, 2), (0, 0))),
        (lambda _, x: F.max_pool2d(x, (2, 2), padding=1, stride=3).flatten(1), Pool("max", (2, 2), (3, 3), (1, 1))),
        (lambda _, x: F.avg_pool2d(x, 2, stride=2).flatten(1), Pool("avg", (2, 2), (2, 2), (0, 0))),
        (lambda _, x: F.adaptive_avg_pool2d(x, 2).flatten(1), Pool("avg", (2, 2), (2, 2), (0, 0))),
    ],
)
def test_pools(body, op):
    trace = trace_model(Wrap(body, inputs=4), torch.zeros(1, 1, 4, 4))
    got = trace.nodes[0].op
    assert vars(got) == vars(op)


@pytest.mark.parametrize(
    "body", [lambda _, x: x.mean((2, 3)), lambda _, x: torch.mean(x, dim=[-1, -2], keepdim=True).flatten(1)]
)
def test_spatial_mean(body):
    trace = trace_model(Wrap(body), torch.zeros(1, 6, 3, 5))
    assert [n.op.kind for n in trace.nodes] == ["pool", "flatten", "sign", "linear"]
    assert trace.nodes[0].op.kernel == (3, 5)


def test_functional_dropout_counts_even_when_the_model_evaluates():
    model = Wrap(lambda m, x: F.dropout(m.s(x), 0.5, m.training), s=bnn.Sign()).eval()
    assert [n.op.p for n in trace_model(model, torch.zeros(1, 6)).stochastic_nodes()] == [0.5]


def test_shared_module_used_twice_gets_two_names():
    trace = trace_model(
        Wrap(lambda m, x: m.s(m.lin(m.s(m.lin(m.s(x))))), lin=bnn.BinaryLinear(6, 6), s=bnn.Sign()), torch.zeros(1, 6)
    )
    assert [n.name for n in trace.crossbar_nodes()] == ["lin", "lin@2", "fc"]


def test_conv_parameters():
    model = nn.Sequential(bnn.Sign(), bnn.BinaryConv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2))
    op = trace_model(model, torch.zeros(1, 4, 9))["1"].op
    assert isinstance(op, Conv)
    assert (op.stride, op.padding, op.dilation, op.groups) == ((2,), (2,), (2,), 2)
    assert op.weights.values.shape == (6, 2, 3)


def nan_norm() -> nn.Module:
    norm = nn.BatchNorm1d(6)
    norm.running_mean.fill_(float("nan"))
    return norm


def nan_layer() -> nn.Module:
    layer = bnn.BinaryLinear(6, 6)
    nn.init.constant_(layer.weight, float("nan"))
    return layer


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (flat(nn.GELU()), r"module '1' \(GELU\) cannot be traced.*supported: .*ReLU"),
        (Wrap(lambda _, x: F.gelu(x)), "function 'gelu' cannot be traced"),
        (Wrap(lambda _, x: x.cumsum(1)), r"method '.cumsum\(\)' cannot be traced"),
        (Wrap(lambda _, x: torch.sign(x)), "torch.sign.0. is 0"),
        (Wrap(lambda _, x: x if x.sum() > 0 else -x), "control flow"),
        (Wrap(lambda m, x: F.dropout(x, 0.5) if m.training else x), "in training but"),
        (Wrap(lambda m, x: x * m.fc.weight[0]), "function 'getitem'|parameter 'fc.weight'"),
        (Wrap(lambda _, x: x.view(-1, 3, 2).flatten(1)), "reshapes .6,. to .3, 2."),
        (Wrap(lambda _, x: x.mean(1, keepdim=True), inputs=1), "a mean over axes 1"),
        (Wrap(lambda _, x: F.hardtanh(x, 0.0, 6.0)), "hardtanh between 0.0 and 6.0"),
        (Wrap(lambda _, x: x / 0), "divides by zero"),
        (Wrap(lambda _, x: F.softmax(x, 0)), "class axis"),
        (nn.Sequential(bnn.BinaryLinear(6, 2)), "input is real-valued"),
        (nn.Sequential(nn.Linear(6, 2)), r"module '0' \(Linear\): a plain torch layer.*quantization="),
        (flat(nn.BatchNorm1d(6, track_running_stats=False), bnn.Sign()), "without running statistics"),
        (flat(nan_norm(), bnn.Sign()), "NaN"),
        (flat(nan_layer(), bnn.Sign()), "weights hold NaN"),
        (nn.Sequential(nn.ReLU()), "no layer that can be placed"),
        (flat(bnn.BinaryLinear(7, 6)), "module '1' cannot run the example"),
        (flat(nn.AlphaDropout(0.1)), "AlphaDropout"),
        (flat(nn.Dropout(1.0)), "dropout rate must be in"),
        (Wrap(lambda _, x: x + torch.ones(6)), "can be added|get_attr|parameter"),
    ],
)
def test_what_cannot_be_traced_is_named(model, message):
    with pytest.raises(TraceError, match=message):
        trace_model(model, torch.zeros(1, 6))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.MaxPool2d(2, ceil_mode=True), "ceil_mode"),
        (nn.MaxPool2d(2, dilation=2), "dilated"),
        (nn.AvgPool2d(2, padding=1), "count_include_pad"),
        (nn.AdaptiveAvgPool2d(3), "windows would overlap"),
        (nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"), "padding mode 'reflect'"),
        (nn.Conv2d(1, 1, 2, padding="same"), "lopsided"),
        (nn.Linear(4, 4), "flatten it first"),
    ],
)
def test_layer_options_that_hardware_lacks(layer, message):
    model = nn.Sequential(bnn.Sign(), layer)
    with pytest.raises(TraceError, match=message):
        trace_model(model, torch.zeros(1, 1, 4, 4), quantization=FOUR)


def test_plain_model_needs_calibration():
    with pytest.raises(TraceError, match=r"'input.quantize' need scales: give calibration="):
        trace_model(nn.Sequential(nn.Linear(6, 2)), torch.zeros(1, 6), quantization=FOUR)


def test_example_needs_a_batch_axis():
    with pytest.raises(TraceError, match="batch axis"):
        trace_model(flat(), torch.zeros(6))


def test_model_must_take_one_input_and_return_one_tensor():
    class Two(nn.Module):
        def forward(self, x, y):
            return x + y

    class Pair(nn.Module):
        def forward(self, x):
            return x, x

    with pytest.raises(TraceError, match="takes 2 inputs"):
        trace_model(Two(), torch.zeros(1, 6))
    with pytest.raises(TraceError, match="one tensor"):
        trace_model(Pair(), torch.zeros(1, 6))


def test_quantization_bits_are_checked():
    with pytest.raises(TraceError, match="weight_bits"):
        Quantization(0, 4)


def test_a_random_scale_stands_between_layer_and_threshold():
    """The batch norm behind it is folded, into a threshold on its real result; the scale itself is not."""
    torch.manual_seed(0)
    model = flat(bnn.BinaryLinear(6, 6), bnn.ScaleDropout(6, 0.25), nn.BatchNorm1d(6), bnn.Sign()).eval()
    trace = trace_model(model, torch.zeros(1, 6))
    assert [n.op.kind for n in trace.nodes] == ["sign", "linear", "scale_dropout", "threshold", "linear"]
    np.testing.assert_array_equal(trace["2"].op.scale, model[2].scale.detach().numpy())
    assert trace["2"].op.p == 0.25
    assert trace["4"].inputs == ("2",)
    assert report_of(trace)["2"] == "stochastic"


def test_inverted_norm_is_affine_dropout_and_normalisation():
    norm = bnn.InvertedNorm(6, 0.3, size=2.0)
    trace = trace_model(flat(bnn.BinaryLinear(6, 6), norm, bnn.Sign()), torch.zeros(1, 6))
    assert [(n.name, n.op.kind) for n in trace.nodes[2:5]] == [
        ("2.0", "affine_dropout"), ("2.1", "normalise"), ("3", "sign"),
    ]  # fmt: skip
    np.testing.assert_array_equal(trace["2.0"].op.shift, 2 * norm[0].shift.detach().numpy())
    assert (trace["2.1"].op.over, trace["2.1"].op.epsilon) == ("layer", 1e-5)


def test_a_frozen_layer_becomes_copies_with_one_step():
    layer = bnn.BayesianConv2d(1, 3, 2, 2, bits=3, copies=4)
    layer.freeze()
    model = nn.Sequential(bnn.Sign(), layer, nn.Flatten())
    op = trace_model(model, torch.zeros(1, 1, 4, 4))["1"].op
    assert [w.bits for w in op.copies] == [3] * 4
    assert all(w.scale == np.float32(0.25) for w in op.copies)
    np.testing.assert_array_equal([w.values for w in op.copies], layer.copies.numpy())
    assert op.stride == (2, 2)
    with pytest.raises(TraceError, match=r"module '1' \(BayesianLinear\): its weights are Gaussians"):
        trace_model(nn.Sequential(bnn.Sign(), bnn.BayesianLinear(4, 2)), torch.zeros(1, 4))


class Jitter(bnn.Stochastic):
    """A method of a user's own, of which `operation` decides what is traced."""

    def __init__(self, operation=None, active=True):
        super().__init__()
        self.is_active = active
        if operation:
            self.operation = operation

    @property
    def active(self):
        return self.is_active

    def noise(self, x):
        return (torch.randn(x.shape[:2]),)

    def perturb(self, x, *noise):
        return x + noise[0]


def test_a_module_of_ones_own_is_what_its_operation_says():
    op = GaussianScale(np.ones(6, np.float32), np.ones(6, np.float32))

    def network(module):
        return trace_model(flat(bnn.BinaryLinear(6, 6), module, bnn.Sign()), torch.zeros(1, 6))

    assert network(Jitter(lambda: op))["2"].op is op
    assert report_of(network(Jitter(lambda: op, active=False)))["2"] == "inactive"
    with pytest.raises(TraceError, match=r"module '2' \(Jitter\): has no method 'operation'"):
        network(Jitter())
    with pytest.raises(TraceError, match=r"operation\(\) returned a dict"):
        network(Jitter(dict))


def test_a_stochastic_layer_must_keep_the_shape():
    class Shrink(Jitter):
        def perturb(self, x, *noise):
            return (x + noise[0])[:, :3]

    op = GaussianScale(np.ones(3, np.float32), np.ones(3, np.float32))
    model = flat(bnn.BinaryLinear(6, 6), Shrink(lambda: op), bnn.Sign(), inputs=3)
    with pytest.raises(TraceError, match=r"changes the shape from \(6,\) to \(3,\)"):
        trace_model(model, torch.zeros(1, 6))
