"""A trace says what torch computes; a slow NumPy interpreter, under the masks that torch was given, is the judge."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from torch import nn
from torch.nn import functional as F

from archsim import nn as bnn
from archsim.workload import trace as tr
from archsim.workload.trace import INPUT, Trace
from archsim.workload.tracer import Quantization, trace_model


def windows(x: np.ndarray, kernel, stride, padding, dilation, fill: float) -> np.ndarray:
    """(C, *spatial) -> (C, *out, *kernel)."""
    x = np.pad(x, [(0, 0), *((p, p) for p in padding)], constant_values=fill)
    span = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    view = sliding_window_view(x, span, axis=tuple(range(1, x.ndim)))
    steps = (slice(None), *(slice(None, None, s) for s in stride), *(slice(None, None, d) for d in dilation))
    return view[steps]


def convolve(op: tr.Conv, x: np.ndarray) -> np.ndarray:
    w = op.weights.values.astype(np.float64)
    patches = windows(x, w.shape[2:], op.stride, op.padding, op.dilation, 0.0)
    rank, per_in, per_out = w.ndim - 2, w.shape[1], w.shape[0] // op.groups
    sums = []
    for g in range(op.groups):
        part = patches[g * per_in : (g + 1) * per_in]
        axes = (0, *range(1 + rank, 1 + 2 * rank))
        sums.append(np.tensordot(w[g * per_out : (g + 1) * per_out], part, axes=(range(1, rank + 2), axes)))
    return np.concatenate(sums)


def per_channel(values: np.ndarray, x: np.ndarray) -> np.ndarray:
    return values.reshape(-1, *(1,) * (x.ndim - 1))


def interpret(trace: Trace, image: np.ndarray, noise_of: Callable[[str], list[np.ndarray]]) -> np.ndarray:
    """Run one image (C, ...) through a trace; integers are carried in float64, where they are exact."""
    values = {INPUT: image.astype(np.float64)}
    for node in trace.nodes:
        x, op = values[node.inputs[0]], node.op
        match op:
            case tr.Linear():
                y = selected(node, noise_of).values.astype(np.float64) @ x
            case tr.Conv():
                y = convolve(replace(op, weights=selected(node, noise_of)), x)
            case tr.Threshold():
                y = np.where(per_channel(op.direction, x) * (x - per_channel(op.level, x)) >= 0, 1.0, -1.0)
            case tr.Sign():
                y = np.where(x >= 0, 1.0, -1.0)
            case tr.Affine():
                y = per_channel(op.scale, x) * x + per_channel(op.shift, x)
            case tr.Activation():
                y = {
                    "relu": lambda v: np.maximum(v, 0),
                    "hardtanh": lambda v: np.clip(v, -1, 1),
                    "tanh": np.tanh,
                    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
                }[op.function](x)
            case tr.Quantize():
                y = np.clip(np.rint(x.astype(np.float32) / np.float32(op.scale)), op.low, op.high) * op.scale
            case tr.Pool():
                reduce, fill = (np.max, -np.inf) if op.function == "max" else (np.mean, np.nan)
                view = windows(x, op.kernel, op.stride, op.padding, (1,) * len(op.kernel), fill)
                y = (reduce if op.function == "max" else np.nanmean)(view, axis=tuple(range(x.ndim, view.ndim)))
            case tr.Flatten():
                y = x.ravel()
            case tr.Add():
                y = sum(values[i] for i in node.inputs)
            case tr.Dropout():
                (dropped,) = noise_of(node.name)
                y = np.where(np.repeat(dropped, x.size // dropped.size).reshape(x.shape), 0, x) * op.gain
            case tr.ScaleDropout():
                (dropped,) = noise_of(node.name)
                y = x if dropped[0] else np.float32(x) * per_channel(op.scale, x)
            case tr.AffineDropout():
                no_scale, no_shift = noise_of(node.name)
                y = np.float32(x) if no_scale[0] else np.float32(x) * per_channel(op.scale, x)
                y = y if no_shift[0] else y + per_channel(op.shift, x)
            case tr.GaussianScale():
                (g,) = noise_of(node.name)
                y = np.float32(x) * per_channel(op.mean + op.deviation * g, x)
            case tr.Normalise():
                axes = tuple(range(op.over == "channel", x.ndim))
                y = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + op.epsilon)
            case _:
                raise AssertionError(f"no interpretation of {op}")
        if isinstance(op, tr.Linear | tr.Conv):
            y = y * per_channel(op.weights.scale, y)
            y = y if op.bias is None else y + per_channel(op.bias, y)
        assert y.shape == node.shape, node.name
        values[node.name] = y
    return values[trace.nodes[-1].name]


def selected(node: tr.Node, noise_of: Callable[[str], list[np.ndarray]]) -> tr.Weights:
    return node.op.copies[noise_of(node.name)[0][0]] if node.op.alternatives else node.op.weights


def numbers(draw: tr.Draw, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return random numbers (samples, count) as an operation wants them."""
    shape = (samples, draw.count)
    return {
        "bit": lambda: rng.random(shape) < draw.p,
        "gaussian": lambda: rng.standard_normal(shape, np.float32),
        "index": lambda: rng.integers(0, draw.choices, shape),
    }[draw.kind]()


def both(model: nn.Module, images: torch.Tensor, seed: int = 0, **options) -> tuple[np.ndarray, np.ndarray, Trace]:
    """Return torch's and the interpreter's scores under the same random masks, (N, classes) each."""
    trace = trace_model(model, images[:1], **options)
    rng, drawn = np.random.default_rng(seed), {}

    def provider(name, module, shape):
        drawn[name] = [numbers(draw, shape[0], rng) for draw in trace[name].draws()]
        return tuple(torch.from_numpy(noise) for noise in drawn[name])

    model.eval()
    with bnn.masks(model, provider), torch.no_grad():
        expected = model(images).numpy()
    assert set(drawn) == {n.name for n in trace.stochastic_nodes()}
    got = [
        interpret(trace, image, lambda name, i=i: [noise[i] for noise in drawn[name]])
        for i, image in enumerate(images.numpy())
    ]
    return expected, np.array(got), trace


def random_norm(layer: nn.Module, generator: torch.Generator) -> nn.Module:
    """Make statistics hostile: integer means, zero and negative gains, zero shifts, tiny variances."""

    def draw(choices: list[float]) -> torch.Tensor:
        index = torch.randint(len(choices), layer.running_mean.shape, generator=generator)
        return torch.tensor(choices)[index]

    layer.running_mean.copy_(draw([0.0, 1.0, -3.0, 0.37, 7.25, -1.9]))
    layer.running_var.copy_(draw([1.0, 1e-4, 37.0, 0.1]))
    with torch.no_grad():
        layer.weight.copy_(draw([1.0, -1.0, 0.0, 0.01, -3.3]))
        layer.bias.copy_(draw([0.0, 0.0, 0.5, -2.0, 1e-3]))
    return layer


def frozen(layer: nn.Module, generator: torch.Generator) -> nn.Module:
    layer.freeze(generator)
    return layer


CHANCE = (
    lambda _: [],
    lambda channels: [bnn.ScaleDropout(channels, 0.5)],
    lambda channels: [bnn.GaussianScale(channels)],
    lambda channels: [bnn.AffineDropout(channels, 0.4, 0.6, size=3.0)],
)


@st.composite
def binary_networks(draw) -> tuple[nn.Module, torch.Tensor]:
    seed = draw(st.integers(0, 2**31))
    generator = torch.Generator().manual_seed(seed)
    rank = draw(st.sampled_from([1, 2]))
    conv, bayesian, norm, pool = (
        (bnn.BinaryConv1d, bnn.BayesianConv1d, nn.BatchNorm1d, nn.MaxPool1d),
        (bnn.BinaryConv2d, bnn.BayesianConv2d, nn.BatchNorm2d, nn.MaxPool2d),
    )[rank - 1]
    groups = draw(st.sampled_from([1, 1, 2]))
    channels, size = groups * draw(st.integers(1, 3)), draw(st.integers(4, 7))
    first = [bnn.Sign()] if draw(st.booleans()) else [bnn.Quantize(draw(st.integers(1, 4)), scale=0.125)]
    layers = [*first]
    for _ in range(draw(st.integers(0, 2))):
        out = groups * draw(st.integers(1, 4))
        kernel, stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
        padding = dilation * (kernel - 1)
        geometry = (channels, out, kernel, stride, padding, dilation, groups)
        if draw(st.booleans()):
            layers.append(conv(*geometry, standardise=draw(st.booleans())))
        else:
            layers.append(frozen(bayesian(*geometry, bits=draw(st.integers(1, 3)), copies=2), generator))
        if draw(st.booleans()):
            layers.append(pool(2, stride=draw(st.integers(1, 2)), padding=draw(st.integers(0, 1))))
        layers += draw(st.sampled_from(CHANCE))(out)
        layers += [random_norm(norm(out), generator), *([nn.Hardtanh()] if draw(st.booleans()) else []), bnn.Sign()]
        layers.append(draw(st.sampled_from([bnn.SpinDrop, bnn.SpatialSpinDrop]))(draw(st.sampled_from([0.0, 0.3]))))
        channels = out
    images = torch.randn((3, groups * layers_in(layers, channels), *(size,) * rank), generator=generator)
    layers.append(nn.Flatten())
    try:
        with torch.no_grad():
            flat = nn.Sequential(*layers).eval()(images).shape[1]
    except RuntimeError as error:  # a map smaller than the pooling window
        assert "too small" in str(error) or "output size: 0" in str(error)  # noqa: PT017
        reject()
    layers.append(bnn.SpatialSpinDrop(0.2, maps=draw(st.sampled_from([None, flat, 1]))))
    hidden = draw(st.integers(1, 9))
    layers += [
        frozen(bnn.BayesianLinear(flat, hidden, bits=2, copies=4), generator),
        *draw(st.sampled_from(CHANCE))(hidden),
    ]
    layers += [random_norm(nn.BatchNorm1d(hidden), generator), bnn.Sign()]
    layers += [bnn.SpinDrop(0.4), bnn.BinaryLinear(hidden, 4)]
    model = nn.Sequential(*layers)
    for p in model.parameters():
        if p.dim() > 1:
            nn.init.normal_(p, generator=generator)
    return model, images


def layers_in(layers: list[nn.Module], channels: int) -> int:
    convs = [m for m in layers if hasattr(m, "in_channels")]
    return convs[0].in_channels // convs[0].groups if convs else 1


@settings(max_examples=60, deadline=None)
@given(binary_networks())
def test_binary_network_is_exact(case):
    model, images = case
    expected, got, _ = both(model, images)
    np.testing.assert_array_equal(expected, got)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([1, 2]))
def test_threshold_decides_as_torch_for_every_integer(seed, rank):
    """The batch norm itself, run on every integer that a layer could give, in the tensor shapes of real layers."""
    generator = torch.Generator().manual_seed(seed)
    norm = random_norm((nn.BatchNorm1d, nn.BatchNorm2d)[rank - 1](12), generator).eval()
    model = nn.Sequential(bnn.Sign(), (bnn.BinaryConv1d, bnn.BinaryConv2d)[rank - 1](1, 12, 1), norm, bnn.Sign())
    trace = trace_model(
        nn.Sequential(*model, nn.Flatten(), bnn.BinaryLinear(12 * 2**rank, 2)), torch.ones(1, 1, *(2,) * rank)
    )
    op = trace["3"].op
    every = torch.arange(-300.0, 301.0)
    for tail in itertools.islice(((1,), (33,)) if rank == 1 else ((1, 1), (5, 7)), 2):
        x = every.view(-1, 1, *(1,) * rank).expand(-1, 12, *tail).contiguous()
        with torch.no_grad():
            decided = bnn.sign(norm(x)).flatten(2)[..., 0].numpy()
        mine = np.where(op.direction * (every.numpy()[:, None] - op.level) >= 0, 1, -1)
        np.testing.assert_array_equal(decided, mine)


class Residual(nn.Module):
    """Functions and methods of all kinds, and an addition."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding="same", bias=False)
        self.norm, self.fc = nn.BatchNorm1d(4), nn.Linear(4, 3)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        y = F.dropout2d(F.avg_pool2d(x, 2), 0.3, self.training)
        y = F.dropout(y, 0.2)
        y = torch.tanh(self.conv2(y) * 0.5) + F.max_pool2d(x, 2)
        y = self.norm(y.mean((2, 3)))
        return F.log_softmax(self.fc(y.view(y.size(0), -1)), dim=1)


def test_plain_network_agrees_within_quantisation():
    torch.manual_seed(3)
    model, images = Residual(), torch.randn(8, 2, 8, 8)
    with torch.no_grad():
        for _ in range(20):
            model(torch.randn(32, 2, 8, 8))  # gives the norms their statistics
    fine = Quantization(weight_bits=8, input_bits=8)
    expected, got, trace = both(model, images, quantization=fine, calibration=torch.randn(64, 2, 8, 8))
    got = got - np.log(np.exp(got).sum(1, keepdims=True))  # the trace ends with the scores
    assert np.abs(got - expected).max() < 0.05
    coarse = both(model, images, quantization=Quantization(2, 2), calibration=torch.randn(64, 2, 8, 8))[1]
    coarse = coarse - np.log(np.exp(coarse).sum(1, keepdims=True))
    assert np.abs(coarse - expected).max() > np.abs(got - expected).max()
    assert [n.name for n in trace.stochastic_nodes()] == ["F.dropout2d", "F.dropout"]
    assert trace["F.dropout"].op.gain == pytest.approx(1 / 0.8)
