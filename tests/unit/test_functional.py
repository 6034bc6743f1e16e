from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from archsim.errors import ConfigError, DataError, MappingError, TraceError
from archsim.functional import Converter, LayerEncoding, compute, dropout_mask, ideal_encodings
from archsim.workload.trace import (
    Activation,
    Affine,
    Conv,
    Dropout,
    Flatten,
    Linear,
    Node,
    Pool,
    Quantize,
    Sign,
    Softmax,
    Threshold,
    Trace,
    Weights,
)

ONE = np.ones(1, np.float32)


def weights(rng, *shape):
    return Weights(rng.choice(np.array([-1, 1], np.int8), shape), 1, ONE)


def network(first=None, p=0.25, granularity="element", pool_dropped=False):
    """1 x 8 x 8 -> conv 5 (3 x 3, padding 1) -> pool -> dropout -> conv 6 -> flatten -> dropout -> 10."""
    rng = np.random.default_rng(7)
    plain = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1)}
    nodes = [
        Node("in", first or Sign(), ("input",), (1, 8, 8)),
        Node("c1", Conv(weights(rng, 5, 1, 3, 3), **plain), ("in",), (5, 8, 8)),
        Node("t1", Threshold(np.zeros(5, np.float32), np.ones(5, np.int8)), ("c1",), (5, 8, 8)),
        Node("d1", Dropout(p, granularity), ("t1",), (5, 8, 8)),
        Node("p1", Pool("max", (2, 2), (2, 2), (0, 0)), ("d1",), (5, 4, 4)),
        Node("c2", Conv(weights(rng, 6, 5, 3, 3), **plain), ("p1",), (6, 4, 4)),
        Node("t2", Threshold(np.full(6, 0.5, np.float32), np.ones(6, np.int8)), ("c2",), (6, 4, 4)),
        Node("f", Flatten(), ("t2",), (96,)),
        Node("d2", Dropout(p, granularity, maps=6), ("f",), (96,)),
        Node("out", Linear(weights(rng, 10, 96)), ("d2",), (10,)),
    ]
    return Trace("small", (1, 8, 8), tuple(nodes))


def coarse(trace, size=20, converter=None):
    out = {}
    for node in trace.crossbar_nodes():
        rows = node.op.weights.values[0].size
        out[node.name] = LayerEncoding(
            tuple(np.split(np.arange(rows), range(size, rows, size))), converter or Converter(3)
        )
    return out


def images(count, shape=(1, 8, 8)):
    return np.random.default_rng(1).standard_normal((count, *shape)).astype(np.float32)


@pytest.mark.parametrize("granularity", ["element", "channel"])
def test_batch_split_and_memory_do_not_change_a_bit(granularity):
    trace = network(granularity=granularity)
    encodings, x = coarse(trace), images(13)
    whole = compute(trace, encodings, x, 5, seed=3)
    tiny = compute(trace, encodings, x, 5, seed=3, max_bytes=1)
    some = compute(trace, encodings, x, 5, seed=3, max_bytes=30_000)
    parts = [compute(trace, encodings, x[a:b], 5, seed=3, first_image=a) for a, b in ((0, 4), (4, 5), (5, 13))]
    np.testing.assert_array_equal(tiny.logits, whole.logits)
    np.testing.assert_array_equal(some.logits, whole.logits)
    np.testing.assert_array_equal(np.concatenate([p.logits for p in parts], axis=1), whole.logits)
    assert tiny.activity == some.activity == whole.activity
    assert {n: sum((p.activity[n] for p in parts[1:]), parts[0].activity[n]) for n in whole.activity} == whole.activity
    assert np.ptp(whole.logits, axis=0).any()


def test_a_prefix_of_passes_is_the_run_with_fewer_passes():
    trace = network()
    long = compute(trace, coarse(trace), images(3), 6, seed=3)
    short = compute(trace, coarse(trace), images(3), 2, seed=3)
    np.testing.assert_array_equal(long.logits[:2], short.logits)


def test_the_seed_matters():
    trace = network()
    a, b = (compute(trace, coarse(trace), images(3), 2, seed=s).logits for s in (1, 2))
    assert (a != b).any()


def test_thread_count_does_not_change_a_bit():
    numba = pytest.importorskip("numba")
    trace = network()
    most = numba.get_num_threads()
    runs = []
    try:
        for threads in sorted({1, min(2, most)}):
            numba.set_num_threads(threads)
            runs.append(compute(trace, coarse(trace), images(9), 4, seed=3))
    finally:
        numba.set_num_threads(most)
    for run in runs[1:]:
        np.testing.assert_array_equal(run.logits, runs[0].logits)
        assert run.activity == runs[0].activity


def test_reusing_the_steady_prefix_changes_no_answer():
    """A dropout that never drops, put in front, makes every node vary: everything is computed for every pass."""
    trace = network()
    slow_nodes = (Node("d0", Dropout(0.0, "element"), ("input",), (1, 8, 8)), replace(trace.nodes[0], inputs=("d0",)))
    slow = replace(trace, nodes=slow_nodes + trace.nodes[1:])
    a, b = (compute(t, coarse(t), images(4), 3, seed=5) for t in (trace, slow))
    np.testing.assert_array_equal(a.logits, b.logits)
    assert (a.activity["c1"].evaluations, b.activity["c1"].evaluations) == (4, 12)
    assert a.activity["c2"] == b.activity["c2"]


def test_activity_by_hand():
    """4 images, 3 passes. Padding of a 3 x 3 kernel on 8 x 8: 64 * 9 - 22 * 22 = 92 reads fall outside."""
    trace = network(granularity="channel")
    run = compute(trace, coarse(trace), images(4), 3, seed=5)
    c1, c2, out = (run.activity[n] for n in ("c1", "c2", "out"))
    assert (c1.evaluations, c1.vectors, c1.group_reads) == (4, 4 * 64, 4 * 64)
    assert (c1.rows_driven, c1.rows_padded, c1.rows_dropped, c1.rows_idle) == (4 * 484, 4 * 92, 0, 0)
    assert (c2.evaluations, c2.vectors, c2.group_reads) == (12, 12 * 16, 12 * 16 * 3)
    assert c2.rows_padded == 12 * 5 * (16 * 9 - 100)
    assert c2.rows_driven + c2.rows_dropped == 12 * 5 * 100
    assert (c1.bits_drawn, c2.bits_drawn, out.bits_drawn) == (0, 12 * 5, 12 * 6)
    kept = sum(
        int(dropout_mask(trace["d2"], (96,), 5, i, t).sum()) for i in range(4) for t in range(3)
    )  # fmt: skip
    assert (out.rows_driven, out.rows_dropped) == (kept, 12 * 96 - kept)
    assert run.bits_drawn == {"d1": 12 * 5, "d2": 12 * 6}


def test_activity_of_bit_serial_inputs():
    trace = network(first=Quantize(3, False, 0.25))
    x = np.zeros((1, 1, 8, 8), np.float32)
    x[0, 0, 4, 4] = 1.25  # five steps: bits 0 and 2; an inner pixel is read by nine windows
    c1 = compute(trace, ideal_encodings(trace), x, 1, seed=0).activity["c1"]
    assert (c1.vectors, c1.group_reads) == (3 * 64, 3 * 64)
    assert (c1.rows_driven, c1.rows_padded) == (18, 3 * 92)
    assert c1.rows_idle == 3 * 64 * 9 - 18 - 3 * 92


def test_masks_are_independent_of_how_many_are_asked_for():
    node = network()["d1"]
    several = dropout_mask(node, (5, 8, 8), 9, np.array([4, 2, 7]), 3)
    assert several.shape == (3, 5, 8, 8)
    for mask, image in zip(several, (4, 2, 7), strict=True):
        np.testing.assert_array_equal(mask, dropout_mask(node, (5, 8, 8), 9, image, 3))


def test_channel_masks_drop_whole_maps():
    mask = dropout_mask(network(p=0.5, granularity="channel")["d1"], (5, 8, 8), 9, np.arange(40), 0)
    assert (mask == mask[:, :, :1, :1]).all()
    flat = dropout_mask(network(p=0.5, granularity="channel")["d2"], (96,), 9, np.arange(40), 0).reshape(40, 6, 16)
    assert (flat == flat[:, :, :1]).all()
    assert 0 < flat.mean() < 1


def digital(*ops):
    """A 2 -> 2 layer, (a + b, a - b), followed by digital operations."""
    layer = Linear(Weights(np.array([[1, 1], [1, -1]]), 1, ONE))
    nodes = [Node("s", Sign(), ("input",), (2,)), Node("fc", layer, ("s",), (2,))]
    for i, op in enumerate(ops):
        nodes.append(Node(f"op{i}", op, (nodes[-1].name,), (2,)))
    return Trace("digital", (2,), tuple(nodes))


@pytest.mark.parametrize(("op", "expected"), [
    (Activation("relu"), [[2, 0], [0, 0]]), (Activation("hardtanh"), [[1, 0], [0, -1]]),
    (Activation("tanh"), np.tanh([[2, 0], [0, -2]])), (Activation("sigmoid"), 1 / (1 + np.exp([[-2, 0], [0, 2]]))),
    (Affine(np.array([2, 3], np.float32), np.array([1, -1], np.float32)), [[5, -1], [1, -7]]),
    (Softmax(), np.exp([[2, 0], [0, -2]]) / np.exp([[2, 0], [0, -2]]).sum(1, keepdims=True)),
    (Quantize(2, True, 0.75), [[0.75, 0], [0, -1.5]]), (Sign(), [[1, 1], [1, -1]]),
])  # fmt: skip
def test_digital_operations(op, expected):
    """x = (+, +) gives (2, 0), and x = (-, +) gives (0, -2)."""
    trace = digital(op)
    run = compute(trace, ideal_encodings(trace), [[1, 1], [-1, 1]], 1, seed=0)
    np.testing.assert_allclose(run.logits[0], expected, rtol=1e-6)


def test_scale_bias_and_gain_are_applied():
    values = np.array([[3, -1], [1, 1]])
    op = Linear(Weights(values, 2, np.array([0.5, 2], np.float32)), np.array([10, 20], np.float32))
    nodes = (Node("s", Sign(), ("input",), (2,)), Node("d", Dropout(0.0, "element", gain=4.0), ("s",), (2,)),
             Node("fc", op, ("d",), (2,)))  # fmt: skip
    trace = Trace("scaled", (2,), nodes)
    run = compute(trace, ideal_encodings(trace), [[1, -1]], 2, seed=0)
    np.testing.assert_array_equal(run.logits, [[[10 + 0.5 * 4 * 4, 20]]] * 2)


def test_pooling_a_dropped_value_is_pooling_a_zero():
    """max(-1, 0) = 0: a window of -1 with a dropped element drives no row."""
    trace = network(p=0.5)
    x = images(6)
    run = compute(trace, ideal_encodings(trace), x, 2, seed=3)
    first = Trace("c1", (1, 8, 8), (*trace.nodes[:2], Node("f", Flatten(), ("c1",), (320,))))
    c1 = compute(first, ideal_encodings(first), x, 1, seed=0).logits[0]
    signs = np.where(c1.reshape(6, 5, 8, 8) >= 0, 1, -1)
    pooled = [
        (signs * dropout_mask(trace["d1"], (5, 8, 8), 3, np.arange(6), t)).reshape(6, 5, 4, 2, 4, 2).max(axis=(3, 5))
        for t in range(2)
    ]
    coverage = np.outer([2, 3, 3, 2], [2, 3, 3, 2])
    assert run.activity["c2"].rows_driven == sum(int(((p != 0) * coverage).sum()) for p in pooled)


@pytest.mark.parametrize(("x", "message"), [
    (np.zeros((2, 1, 8, 9)), r"takes images of shape \(1, 8, 8\), got an array of shape \(2, 1, 8, 9\)"),
    (np.zeros((8, 8)), "takes images of shape"), (np.zeros((0, 1, 8, 8)), "no image"),
    (np.full((2, 1, 8, 8), np.nan), "image 0 holds NaN"), ("digits", "not an array of numbers"),
])  # fmt: skip
def test_bad_images_are_refused(x, message):
    trace = network()
    with pytest.raises(DataError, match=message):
        compute(trace, ideal_encodings(trace), x, 1, seed=0)


@pytest.mark.parametrize("passes", [0, -3])
def test_no_passes_is_refused(passes):
    trace = network()
    with pytest.raises(ConfigError, match="passes"):
        compute(trace, ideal_encodings(trace), images(1), passes, seed=0)


def test_a_layer_without_encoding_is_refused():
    trace = network()
    encodings = ideal_encodings(trace)
    del encodings["c2"]
    with pytest.raises(MappingError, match="'c2' has no encoding"):
        compute(trace, encodings, images(1), 1, seed=0)


def test_what_cannot_be_computed_names_the_node():
    trace = network()
    for node, message in (
        (Node("c3", Pool("median", (2, 2), (2, 2), (0, 0)), ("out",), (10,)), "'c3'.*median"),
        (Node("d3", Dropout(0.5, "channel", maps=3), ("out",), (10,)), "'d3'.*3 equal maps"),
        (Node("a3", Activation("swish"), ("out",), (10,)), "swish"),
    ):
        wrong = replace(trace, nodes=(*trace.nodes, node))
        with pytest.raises(TraceError, match=message):
            compute(wrong, ideal_encodings(wrong), images(1), 1, seed=0)


def test_a_network_that_ends_in_maps_is_refused():
    trace = replace(network(), nodes=network().nodes[:2])
    with pytest.raises(TraceError, match=r"'c1'.*vector of scores"):
        compute(trace, ideal_encodings(trace), images(1), 1, seed=0)


def test_shapes_that_disagree_are_refused():
    nodes = list(network().nodes)
    nodes[1] = replace(nodes[1], shape=(5, 7, 8))
    trace = replace(network(), nodes=tuple(nodes))
    with pytest.raises(TraceError, match=r"'c1'.*do not fit"):
        compute(trace, ideal_encodings(trace), images(1), 1, seed=0)


def test_progress_reaches_the_end_and_never_goes_back():
    trace, seen = network(), []
    compute(trace, ideal_encodings(trace), images(5), 3, seed=0, max_bytes=1, progress=lambda *a: seen.append(a))
    assert seen[0] == (0, 15)
    assert seen[-1] == (15, 15)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len(seen) > 1


def test_importing_the_functional_pass_loads_no_compiler():
    code = "import sys, archsim.functional; sys.exit(any(m in sys.modules for m in ('numba', 'torch', 'llvmlite')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
