"""On ideal arrays a network gives torch's logits bit for bit, under the same dropout masks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.functional import compute, dropout_mask, ideal_encodings
from archsim.workload.trace import (
    Add,
    Affine,
    Conv,
    Dropout,
    Flatten,
    Linear,
    Node,
    Pool,
    Quantize,
    Sign,
    Threshold,
    Trace,
    Weights,
)  # fmt: skip

SEED, PASSES = 11, 3
CONV = {1: F.conv1d, 2: F.conv2d}
MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d}


class Builder:
    """Builds a trace and, step by step, the torch function of the same network."""

    def __init__(self, shape: tuple[int, ...], seed: int) -> None:
        self.shape = shape
        self.input_shape = shape
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Node] = []
        self.values: dict[str, torch.Tensor] = {}
        self.steps: list[Callable[[torch.Tensor, np.ndarray, int], torch.Tensor]] = []

    def add(self, op, function, inputs=None) -> Node:
        with torch.no_grad():
            self.shape = tuple(function(torch.zeros(1, *self.shape), np.zeros(1, int), 0).shape[1:])
        last = self.nodes[-1].name if self.nodes else "input"
        self.nodes.append(Node(f"n{len(self.nodes)}", op, inputs or (last,), self.shape))
        self.steps.append(function)
        return self.nodes[-1]

    def weights(self, *shape: int) -> Weights:
        return Weights(self.rng.choice(np.array([-1, 1], np.int8), shape), 1, np.ones(1, np.float32))

    def conv(self, outputs, kernel, stride, padding, dilation, groups) -> None:
        w = self.weights(outputs * groups, self.shape[0] // groups, *kernel)
        real = torch.from_numpy(w.values.astype(np.float32))
        conv = CONV[len(kernel)]
        self.add(Conv(w, stride, padding, dilation, groups),
                 lambda x, *_: conv(x, real, None, stride, padding, dilation, groups))  # fmt: skip

    def linear(self, outputs) -> None:
        w = self.weights(outputs, *self.shape)
        real = torch.from_numpy(w.values.astype(np.float32))
        self.add(Linear(w), lambda x, *_: x @ real.T)

    def pool(self, kernel, stride, padding) -> None:
        self.add(Pool("max", kernel, stride, padding),
                 lambda x, *_: MAX_POOL[len(kernel)](x, kernel, stride, padding))  # fmt: skip

    def threshold(self) -> None:
        channels = self.shape[0]
        level = self.rng.choice(np.array([-2.5, -1, 0, 0.25, 3, np.inf, -np.inf], np.float32), channels)
        direction = self.rng.choice(np.array([-1, 1], np.int8), channels)
        shape = (1, channels) + (1,) * (len(self.shape) - 1)
        t, d = (torch.from_numpy(a.astype(np.float32)).reshape(shape) for a in (level, direction))
        self.add(Threshold(level, direction), lambda x, *_: torch.where(d * (x - t) >= 0, 1.0, -1.0))

    def dropout(self, p, granularity, maps=None) -> None:
        def function(x, images, pass_index):
            mask = dropout_mask(node, x.shape[1:], SEED, images, pass_index)
            return x * torch.from_numpy(mask.astype(np.float32))

        node = Node(f"n{len(self.nodes)}", Dropout(p, granularity, 1.0, maps), ("input",), self.shape)
        self.add(node.op, function)

    def flatten(self) -> None:
        self.add(Flatten(), lambda x, *_: x.flatten(1))

    def trace(self) -> Trace:
        return Trace("random", self.input_shape, tuple(self.nodes))

    def torch(self, images: np.ndarray) -> np.ndarray:
        passes = []
        for t in range(PASSES):
            x = torch.from_numpy(images)
            for node, step in zip(self.nodes, self.steps, strict=True):
                x = self.values[node.name] = step(x, np.arange(len(images)), t)
            passes.append(x.numpy())
        return np.stack(passes)


@st.composite
def networks(draw) -> Builder:
    axes = draw(st.sampled_from([1, 2, 2]))

    def sizes(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    b = Builder((draw(st.integers(1, 3)), *sizes(3, 9)), draw(st.integers(0, 2**32)))
    bits = draw(st.sampled_from([None, None, 1, 4, 8]))
    if bits is None:
        b.add(Sign(), lambda x, *_: torch.where(x >= 0, 1.0, -1.0))
    else:
        q = Quantize(bits, draw(st.booleans()), 0.25)
        b.add(q, lambda x, *_: torch.clamp(torch.round(x / 0.25), q.low, q.high) * 0.25)
    for _ in range(draw(st.integers(1, 2))):
        kernel, padding, dilation = sizes(1, 3), sizes(0, 2), sizes(1, 2)
        reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        if any(n + 2 * p < r for n, p, r in zip(b.shape[1:], padding, reach, strict=True)):
            continue
        groups = draw(st.sampled_from([g for g in (1, 1, 2, 3) if b.shape[0] % g == 0]))
        b.conv(draw(st.integers(1, 20)), kernel, sizes(1, 2), padding, dilation, groups)
        pooled = draw(st.booleans()) and min(b.shape[1:]) >= 2
        before = draw(st.booleans())
        if pooled and before:
            b.pool((2,) * axes, sizes(1, 2), sizes(0, 1))
        b.threshold()
        if draw(st.booleans()):
            b.dropout(draw(st.floats(0, 0.9)), draw(st.sampled_from(["element", "channel"])))
        if pooled and not before:
            b.pool((2,) * axes, sizes(1, 2), sizes(0, 1))
    maps = b.shape[0]
    b.flatten()
    if draw(st.booleans()):
        b.dropout(draw(st.floats(0, 0.9)), draw(st.sampled_from(["element", "channel"])), maps)
    b.linear(draw(st.integers(1, 12)))
    if draw(st.booleans()):
        b.threshold()
        b.dropout(draw(st.floats(0, 0.9)), "element")
        b.linear(draw(st.integers(1, 4)))
    return b


def images_for(builder: Builder, count: int) -> np.ndarray:
    images = builder.rng.standard_normal((count, *builder.input_shape)) * 4
    images[0] = 0  # the sign of zero is +1
    return images.astype(np.float32)


@settings(max_examples=50, deadline=None)
@given(networks())
def test_random_networks_equal_torch_bit_for_bit(builder):
    images = images_for(builder, 4)
    trace = builder.trace()
    run = compute(trace, ideal_encodings(trace), images, PASSES, SEED)
    np.testing.assert_array_equal(run.logits, builder.torch(images))


def test_a_residual_network_equals_torch():
    """Branches that join, a batch-norm that is not folded, mean pooling over whole numbers."""
    b = Builder((4, 6, 6), 3)
    b.add(Sign(), lambda x, *_: torch.where(x >= 0, 1.0, -1.0))
    b.dropout(0.3, "channel")
    start = b.nodes[-1].name
    b.conv(4, (3, 3), (1, 1), (1, 1), (1, 1), 1)
    b.values[start] = torch.zeros(1, *b.shape)
    b.add(Add(), lambda x, *_: x + b.values[start], (b.nodes[-1].name, start))
    gain, shift = (torch.tensor(v).reshape(1, 4, 1, 1) for v in ([0.5, 2.0, -1.0, 1.5], [0.25, 0.0, 3.0, -1.0]))
    b.add(Affine(gain.numpy().ravel(), shift.numpy().ravel()), lambda x, *_: gain * x + shift)
    b.add(Sign(), lambda x, *_: torch.where(x >= 0, 1.0, -1.0))
    b.conv(8, (3, 3), (1, 1), (1, 1), (1, 1), 2)
    b.add(Pool("avg", (3, 3), (3, 3), (0, 0)), lambda x, *_: F.avg_pool2d(x, 3))
    b.add(Sign(), lambda x, *_: torch.where(x >= 0, 1.0, -1.0))
    b.flatten()
    b.linear(5)
    images = images_for(b, 6)
    trace = b.trace()
    run = compute(trace, ideal_encodings(trace), images, PASSES, SEED)
    expected = b.torch(images)
    np.testing.assert_array_equal(run.logits, expected)
    assert np.ptp(expected, axis=0).any(), "the passes must differ for this test to mean anything"
