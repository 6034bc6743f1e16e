"""Stochastic operations, arbiters and normalisation against formulas written out in NumPy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np
import pytest

from archsim.errors import ConfigError, MappingError, TraceError
from archsim.functional import Chance, LayerActivity, ReadModel, compute, dropout_mask, ideal_encodings, node_noise
from archsim.functional.executor import Program
from archsim.kernels import reference
from archsim.workload.trace import (
    AffineDropout,
    Conv,
    Draw,
    Dropout,
    Flatten,
    GaussianScale,
    Linear,
    Node,
    Normalise,
    Pool,
    Quantize,
    ScaleDropout,
    Sign,
    Stochastic,
    Trace,
    Weights,
)

SEED, IMAGES, PASSES = 5, 6, 7
C, H, W = 3, 4, 5
RNG = np.random.default_rng(0)
SCALE, SHIFT = RNG.normal(1, 0.3, C).astype(np.float32), RNG.normal(0, 2, C).astype(np.float32)
X = RNG.standard_normal((IMAGES, 1, H, W)).astype(np.float32)


def binary(*shape, scale=1.0):
    return Weights(RNG.choice(np.array([-1, 1], np.int8), shape), 1, np.full(1, scale, np.float32))


CONV = Conv(binary(C, 1, 3, 3), (1, 1), (1, 1), (1, 1))


@dataclass(frozen=True, eq=False)
class Jitter(Stochastic):
    """A user's own: adds to each value what a chosen row of a table says, where a bit of its own is 1."""

    kind: ClassVar[str] = "jitter"
    table: np.ndarray

    def draws(self, shape):
        return Draw("bit", prod(shape), 0.3), Draw("index", 1, choices=4)

    def apply(self, x, *noise):
        on, row = noise
        x += np.where(on.reshape(x.shape), self.table[row[..., 0]], np.float32(0))
        return x


TABLE = RNG.standard_normal((4, C)).astype(np.float32)


def operation(op, passes=PASSES, chances=None, x=X, shape=(C, H, W)):
    """Return what goes into `op` and what comes out: (images, ...), (passes, images, ...)."""
    head = (Node("s", Sign(), ("input",), (1, H, W)), Node("c", CONV, ("s",), (C, H, W)))
    flat = Node("f", Flatten(), ("c",), (C * H * W,))
    body = (Node("op", op, ("c",), (C, H, W)), replace(flat, inputs=("op",)))
    before = Trace("before", (1, H, W), (*head, flat))
    after = Trace("after", (1, H, W), (*head, *body))
    given = compute(before, ideal_encodings(before), x, 1, SEED).logits[0]
    run = compute(after, ideal_encodings(after), x, passes, SEED, chances=chances)
    return given.reshape(-1, *shape), run.logits.reshape(passes, -1, *shape), run


def per_channel(values):
    return np.reshape(values, (1, -1, 1, 1))


def bit(values):
    return values[:, 0, None, None, None]


def jittered(x, on, row):
    """`on` comes in the order in which the operation sees its values: pixel by pixel, channels last."""
    add = np.where(on.reshape(-1, H, W, C), TABLE[row][:, :, None], 0)
    return x + add.transpose(0, 3, 1, 2)


OPERATIONS = {
    "scale dropout": (ScaleDropout(SCALE, 0.4), lambda x, d: np.where(bit(d), x, x * per_channel(SCALE))),
    "affine dropout": (
        AffineDropout(SCALE, SHIFT, 0.4, 0.6),
        lambda x, a, b: np.where(bit(a), x, x * per_channel(SCALE)) + np.where(bit(b), 0, per_channel(SHIFT)),
    ),
    "gaussian scale": (
        GaussianScale(SCALE, np.abs(SHIFT)),
        lambda x, g: x * (per_channel(SCALE) + per_channel(np.abs(SHIFT)) * g[:, :, None, None]),
    ),
    "a user's own": (Jitter(TABLE), jittered),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("gaussian_bits", [None, 8])
def test_an_operation_is_its_formula_under_the_noise_it_says_it_draws(name, gaussian_bits):
    op, formula = OPERATIONS[name]
    node = Node("op", op, ("c",), (C, H, W))
    chances = (Chance(gaussian_bits=gaussian_bits),) * len(node.draws())
    x, out, _ = operation(op, chances={"op": chances})
    for t in range(PASSES):
        noise = node_noise(node, SEED, np.arange(IMAGES), t, chances)
        np.testing.assert_allclose(out[t], formula(x, *noise), rtol=1e-6, atol=1e-6)
    assert np.ptp(out, axis=0).any()


@pytest.mark.parametrize("over", ["layer", "channel"])
def test_normalise_is_its_formula(over):
    epsilon = 0.01
    x, (out,), _ = operation(Normalise(over, epsilon), passes=1)
    axes = (1, 2, 3) if over == "layer" else (2, 3)
    exact = x.astype(np.float64)
    mean, variance = exact.mean(axis=axes, keepdims=True), exact.var(axis=axes, keepdims=True)
    np.testing.assert_allclose(out, (x - mean) / np.sqrt(variance + epsilon), rtol=1e-5, atol=1e-6)
    assert np.abs(out.mean(axis=axes)).max() < 1e-6
    assert np.abs(out.std(axis=axes) - 1).max() < 0.01


def test_normalise_is_steady_unless_something_before_it_is_not():
    _, out, _ = operation(Normalise("layer"))
    assert not np.ptp(out, axis=0).any()


@pytest.mark.parametrize(("op", "message"), [
    (Normalise("batch"), r"'op'.*'batch'; known: layer, channel"),
    (Normalise("channel"), "'op'.*leaves nothing of a single value"),
])  # fmt: skip
def test_a_normalisation_without_sense_is_refused(op, message):
    nodes = (Node("s", Sign(), ("input",), (4,)), Node("fc", Linear(binary(3, 4)), ("s",), (3,)),
             Node("op", op, ("fc",), (3,)))  # fmt: skip
    trace = Trace("flat", (4,), nodes)
    with pytest.raises(TraceError, match=message):
        compute(trace, ideal_encodings(trace), np.ones((1, 4)), 1, seed=0)


@dataclass(frozen=True, eq=False)
class Wrong(Stochastic):
    kind: ClassVar[str] = "wrong"
    answer: object

    def draws(self, _shape):
        return (Draw("bit", 1),)

    def apply(self, x, *_noise):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer(x)


@pytest.mark.parametrize(("answer", "message"), [
    (lambda x: x.astype(np.float64), r"'op': the operation 'wrong' must return float32 .*, not float64"),
    (lambda x: x[:, :1], r"'op'.*must return float32 \(\d+, 4, 5, 3\), not float32 \(\d+, 1, 5, 3\)"),
    (lambda x: x.tolist(), "'op'.*not list"), (lambda _: None, "'op'.*not NoneType"),
    (lambda x: x / np.float32(np.nan), "'op'.*NaN or infinite"),
    (IndexError("no such row"), "'op'.*failed: IndexError: no such row"),
])  # fmt: skip
def test_an_operation_that_breaks_its_contract_is_named(answer, message):
    with pytest.raises(TraceError, match=message):
        operation(Wrong(answer))


def test_an_operation_may_change_its_input_in_place_without_changing_that_of_others():
    """The layer's sums feed the jitter and, beside it, the output."""
    from archsim.workload.trace import Add

    nodes = (Node("s", Sign(), ("input",), (1, H, W)), Node("c", CONV, ("s",), (C, H, W)),
             Node("op", ScaleDropout(SCALE, 0.5), ("c",), (C, H, W)), Node("j", Jitter(TABLE), ("op",), (C, H, W)),
             Node("a", Add(), ("op", "j"), (C, H, W)), Node("f", Flatten(), ("a",), (C * H * W,)))  # fmt: skip
    trace = Trace("beside", (1, H, W), nodes)
    both = compute(trace, ideal_encodings(trace), X, 2, SEED).logits
    scaled, jitter = (
        compute(t, ideal_encodings(t), X, 2, SEED).logits
        for t in (
            replace(trace, nodes=(*nodes[:3], replace(nodes[5], inputs=("op",)))),
            replace(trace, nodes=(*nodes[:4], replace(nodes[5], inputs=("j",)))),
        )
    )
    np.testing.assert_array_equal(both, scaled + jitter)


# Arbiters


def arbitrated(copies=4, scales=(1.0, 0.5, 2.0, 0.25), kind="conv", quantize=False):
    """A network with a dropout before a layer of several copies, and one more layer behind it."""
    first = Quantize(3, True, 0.5) if quantize else Sign()
    weights = [binary(C, 1, 3, 3, scale=s) if kind == "conv" else binary(C, H * W, scale=s) for s in scales[:copies]]
    nodes = [Node("s", first, ("input",), (1, H, W)), Node("d", Dropout(0.3, "element"), ("s",), (1, H, W))]
    if kind == "conv":
        plain = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1)}
        op = Conv(weights[0], **plain, alternatives=tuple(weights[1:]))
        nodes += [Node("layer", op, ("d",), (C, H, W)), Node("f", Flatten(), ("layer",), (C * H * W,))]
    else:
        op = Linear(weights[0], np.array([1, 2, 3], np.float32), alternatives=tuple(weights[1:]))
        nodes += [Node("f", Flatten(), ("d",), (H * W,)), Node("layer", op, ("f",), (C,))]
    return Trace("arbitrated", (1, H, W), tuple(nodes))


def with_copy(trace, i):
    nodes = [
        replace(n, op=replace(n.op, weights=n.op.copies[i], alternatives=())) if n.name == "layer" else n
        for n in trace.nodes
    ]
    return replace(trace, nodes=tuple(nodes))


def total(activities):
    return sum(activities, LayerActivity())


@pytest.mark.parametrize("kind", ["conv", "linear"])
@pytest.mark.parametrize("quantize", [False, True])
@pytest.mark.parametrize("scales", [(1.0,) * 4, (1.0, 0.5, 2.0, 0.25)])
def test_an_arbitrated_layer_answers_as_the_copy_it_chose(kind, quantize, scales):
    trace = arbitrated(kind=kind, quantize=quantize, scales=scales)
    run = compute(trace, ideal_encodings(trace), X, PASSES, SEED)
    singles = [compute(with_copy(trace, i), ideal_encodings(trace), X, PASSES, SEED).logits for i in range(4)]
    chosen = np.stack([node_noise(trace["layer"], SEED, np.arange(IMAGES), t)[0][:, 0] for t in range(PASSES)])
    assert set(np.unique(chosen)) == {0, 1, 2, 3}
    expected = np.choose(chosen[..., None], singles)
    np.testing.assert_array_equal(run.logits, expected)
    assert run.bits_drawn == {"d": PASSES * IMAGES * H * W, "layer": PASSES * IMAGES * 2}


def test_the_activity_of_all_copies_adds_up_to_that_of_one():
    """What is driven depends on the input alone, so every copy drives the same rows."""
    trace = arbitrated()
    several, one = (compute(t, ideal_encodings(t), X, PASSES, SEED).activity for t in (trace, with_copy(trace, 0)))
    assert several == one
    assert several["layer"].evaluations == PASSES * IMAGES


def test_copies_on_cells_of_their_own_need_a_read_model_each():
    trace = arbitrated(copies=2)
    lines = ((np.zeros((18, C), np.int16),),)
    ideal = ideal_encodings(trace)["layer"]
    for encoding in (
        replace(ideal, read=ReadModel(lines=lines)),
        replace(ideal, read=ReadModel(lines=lines), alternatives=(None, None)),
    ):
        with pytest.raises(MappingError, match=r"'layer': 2 copies .* not [13]"):
            compute(trace, {"layer": encoding}, X, 1, seed=0)


# Random bits that are not as nominal


@pytest.mark.parametrize("granularity", ["element", "channel"])
@pytest.mark.parametrize(("p", "kept"), [(0.0, True), (1.0, False)])
def test_a_module_that_never_or_always_drops(granularity, p, kept):
    node = Node("d", Dropout(0.5, granularity), ("input",), (20, 4, 6))
    mask = dropout_mask(node, node.shape, SEED, np.arange(200), 0, (Chance(np.array([p], np.float32)),))
    assert (mask == kept).all()


def test_modules_count_elements_pixel_by_pixel():
    """Of three modules one always drops: of 5 channels, it draws elements 2, 5, 8, ... of pixels x 5 + channel."""
    node = Node("d", Dropout(0.5, "element"), ("input",), (5, 2, 3))
    chance = Chance(np.array([0, 0, 1], np.float32))
    mask = dropout_mask(node, node.shape, SEED, np.arange(4), 0, (chance,))
    element = np.arange(30).reshape(2, 3, 5).transpose(2, 0, 1)
    np.testing.assert_array_equal(mask, np.broadcast_to(element % 3 != 2, (4, 5, 2, 3)))


def test_modules_draw_whole_maps():
    node = Node("d", Dropout(0.5, "channel", maps=4), ("input",), (12,))
    chance = Chance(np.array([1, 0], np.float32))
    mask = dropout_mask(node, node.shape, SEED, 0, 0, (chance,))
    np.testing.assert_array_equal(mask, [False] * 3 + [True] * 3 + [False] * 3 + [True] * 3)


def test_a_module_that_always_gives_1_fixes_indices_and_gaussians():
    ones = np.array([1], np.float32)
    arbiter = Node("layer", arbitrated()["layer"].op, ("d",), (C, H, W))
    assert node_noise(arbiter, SEED, np.arange(9), 0, (Chance(ones),))[0].tolist() == [[3]] * 9
    g = Node("g", GaussianScale(SCALE, SCALE), ("c",), (C, H, W))
    (drawn,) = node_noise(g, SEED, np.arange(9), 0, (Chance(ones, gaussian_bits=16),))
    np.testing.assert_array_equal(drawn, np.full((9, C), (16 - 8) / np.sqrt(16 / 4), np.float32))


@pytest.mark.parametrize("given", [None, (Chance(),), (Chance(np.array([0.25] * 7, np.float32)),)])
@pytest.mark.parametrize(("shape", "granularity"), [
    ((5, 3, 3), "element"), ((16, 2, 1), "element"), ((40, 2, 5), "channel"), ((33,), "element"), ((7, 9), "element"),
])  # fmt: skip
def test_masks_are_those_of_the_plain_definition(shape, granularity, given):
    """The twin of the kernel, fed by hand: one uniform for each pixel and channel, 16 channels a word."""
    from archsim.functional.randomness import stream_of

    node = Node("drop.1", Dropout(0.25, granularity), ("input",), shape)
    images, t = np.array([3, 0, 8]), 4
    channels, pixels = shape[0], prod(shape[1:]) if granularity == "element" else 1
    pitch = -(-channels // 16) * 16
    limits = np.full(pixels * pitch, 0.75 * 2**16 - 1, np.uint16)
    kept = reference.keep_bits(stream_of(SEED, "drop.1"), images, np.full(3, t), limits)
    kept = kept.reshape(3, pixels, pitch)[..., :channels].transpose(0, 2, 1)
    extra = (1,) * (len(shape) - 1)
    expected = np.broadcast_to(kept.reshape(3, channels, *(shape[1:] if pixels > 1 else extra)), (3, *shape))
    np.testing.assert_array_equal(dropout_mask(node, shape, SEED, images, t, given), expected)


def test_chances_reach_every_kind_of_node():
    """With p = 1 everywhere, all is dropped and the last copy is chosen: the outcome is known."""
    trace = arbitrated()
    one = Chance(np.ones(1, np.float32))
    run = compute(trace, ideal_encodings(trace), X, 2, SEED, chances={"d": (one,), "layer": (one,)})
    assert not run.logits.any()
    assert run.activity["layer"].rows_driven == 0
    x, out, run = operation(ScaleDropout(SCALE, 0.0), chances={"op": (one,)})
    np.testing.assert_array_equal(out, np.broadcast_to(x, out.shape))
    x, out, run = operation(GaussianScale(SCALE, SCALE), chances={"op": (replace(one, gaussian_bits=4),)})
    np.testing.assert_allclose(out, np.broadcast_to(x * 3 * per_channel(SCALE), out.shape), rtol=1e-6)
    assert run.bits_drawn == {"op": PASSES * IMAGES * C * 4}


@pytest.mark.parametrize(("chances", "message"), [
    ({"layr": (Chance(),)}, "no node 'layr' draws random numbers; did you mean 'layer'"),
    ({"f": (Chance(),)}, "no node 'f' draws"), ({"d": ()}, "node 'd': 1 draws, but 0 chances"),
    ({"d": (Chance(np.array([0.5, 1.5], np.float32)),)}, "node 'd', draw 0: p must be"),
    ({"d": (Chance(np.array([np.nan], np.float32)),)}, "node 'd', draw 0: p must be"),
    ({"d": (Chance(np.empty(0, np.float32)),)}, "node 'd', draw 0: p must be"),
    ({"d": (Chance(correlation=-0.1),)}, "node 'd', draw 0: correlation"),
    ({"d": (Chance(gaussian_bits=0),)}, "node 'd', draw 0: gaussian_bits"),
])  # fmt: skip
def test_chances_that_do_not_fit_are_refused(chances, message):
    trace = arbitrated()
    with pytest.raises(ConfigError, match=message):
        compute(trace, ideal_encodings(trace), X, 1, SEED, chances=chances)


def test_noise_of_one_image_is_that_of_several():
    node = Node("a", AffineDropout(SCALE, SHIFT, 0.4, 0.6), ("c",), (C, H, W))
    several = node_noise(node, SEED, np.array([4, 2]), 3)
    single = node_noise(node, SEED, 2, 3)
    assert [v.shape for v in single] == [(1,), (1,)]
    assert [v[1, 0] for v in several] == [v[0] for v in single]
    assert node_noise(Node("f", Flatten(), ("c",), (60,)), SEED, 2, 3) == ()


# Noisy reads, 1-D networks, regression


def test_a_noisy_layer_and_all_behind_it_are_computed_in_every_pass():
    trace = arbitrated(copies=1)
    quiet, noisy = (Program(trace, {}, frozenset(names), {}) for names in ((), ("layer",)))
    assert [n.name for n in quiet.steady] == [n.name for n in noisy.steady] == ["s"]
    plain = replace(trace, nodes=(trace["s"], replace(trace["layer"], inputs=("s",)), trace["f"]))
    assert Program(plain, {}, frozenset(), {}).varying == ()
    assert [n.name for n in Program(plain, {}, frozenset(["layer"]), {}).varying] == ["layer", "f"]


def one_dimensional():
    """A heartbeat network that ends in one number: two 1-D convolutions, inverted normalisation, an arbiter."""
    rng = np.random.default_rng(3)
    conv1 = Conv(Weights(rng.choice(np.array([-3, -1, 1, 3], np.int8), (4, 1, 5)), 2, np.full(4, 0.5, np.float32)),
                 (2,), (2,), (1,))  # fmt: skip
    scale, shift = rng.normal(1, 0.3, 4).astype(np.float32), rng.normal(0, 1, 4).astype(np.float32)
    out = [Weights(rng.choice(np.array([-1, 1], np.int8), (1, 20)), 1, np.full(1, 0.1, np.float32)) for _ in range(2)]
    nodes = (
        Node("q", Quantize(4, True, 0.25), ("input",), (1, 20)),
        Node("conv", conv1, ("q",), (4, 10)),
        Node("affine", AffineDropout(scale, shift, 0.3, 0.3), ("conv",), (4, 10)),
        Node("norm", Normalise("layer"), ("affine",), (4, 10)),
        Node("sign", Sign(), ("norm",), (4, 10)),
        Node("pool", Pool("max", (2,), (2,), (0,)), ("sign",), (4, 5)),
        Node("drop", Dropout(0.2, "channel"), ("pool",), (4, 5)),
        Node("flat", Flatten(), ("drop",), (20,)),
        Node("out", Linear(out[0], np.array([0.5], np.float32), alternatives=(out[1],)), ("flat",), (1,)),
    )
    return Trace("heart", (1, 20), nodes)


def by_hand(trace, x, t):
    """The network above in plain NumPy on (N, C, L) arrays."""
    noise = {n.name: node_noise(n, SEED, np.arange(len(x)), t) for n in trace.stochastic_nodes()}
    op = {n.name: n.op for n in trace.nodes}
    v = np.clip(np.rint(x / 0.25), -8, 7)
    rows = reference.windows(v[:, :, None], (1, 5), (1, 2), (0, 2), (1, 1))[:, 0]
    v = (rows @ op["conv"].weights.values.reshape(4, -1).T).transpose(0, 2, 1) * 0.25 * 0.5
    no_scale, no_shift = (n[:, :, None] for n in noise["affine"])
    v = np.where(no_scale, v, v * op["affine"].scale[:, None]) + np.where(no_shift, 0, op["affine"].shift[:, None])
    v = (v - v.mean(axis=(1, 2), keepdims=True)) / np.sqrt(v.var(axis=(1, 2), keepdims=True) + 1e-5)
    v = np.where(v >= 0, 1, -1).reshape(len(x), 4, 5, 2).max(axis=3)
    v = (v * ~noise["drop"][0][:, :, None]).reshape(len(x), -1)
    copies = np.stack([w.values[0] for w in op["out"].copies])
    return (v * copies[noise["out"][0][:, 0]]).sum(axis=1, keepdims=True) * 0.1 + 0.5


def test_a_one_dimensional_regression_network_from_end_to_end():
    trace = one_dimensional()
    x = np.random.default_rng(1).standard_normal((9, 1, 20)).astype(np.float32)
    run = compute(trace, ideal_encodings(trace), x, 4, SEED)
    assert run.logits.shape == (4, 9, 1)
    for t in range(4):
        np.testing.assert_allclose(run.logits[t], by_hand(trace, x, t), rtol=1e-5, atol=1e-6)
    assert run.bits_drawn == {"affine": 36 * 2, "drop": 36 * 4, "out": 36}
    assert run.activity["out"].bits_drawn == 36 * 4
