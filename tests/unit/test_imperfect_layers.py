from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from archsim.errors import MappingError
from archsim.functional import Converter, LayerEncoding, compute
from archsim.functional.encoding import LOSSLESS, ReadModel, check_encoding, fixed_point, nominal_lines
from archsim.functional.layer import compile_layer, run_layer
from archsim.functional.values import Samples, Signs, from_channels_first, pack
from archsim.workload.trace import Conv, Linear, Node, Sign, Threshold, Trace, Weights

ONE = np.ones(1, np.float32)


def linear(values, bits=1):
    return Node("fc", Linear(Weights(np.asarray(values), bits, ONE)), ("input",), (len(values),))


def run(node, x, encoding, seed=0, images=None, passes=None):
    """Run a fully connected layer on x (vectors, rows) of -1 and +1."""
    count = len(x)
    images = np.arange(count) if images is None else images
    samples = Samples(seed, images, np.zeros(count, np.int64) if passes is None else passes)
    value = Signs(pack(from_channels_first(x) > 0), x.shape[1])
    return run_layer(compile_layer(node, encoding, (x.shape[1],)), value, samples)[0].reshape(count, -1)


def cut(rows, size):
    return tuple(np.split(np.arange(rows), range(size, rows, size)))


def spread_lines(rng, weights, slices=1, sigma=0.1):
    cells = nominal_lines(weights, slices)
    return (tuple(fixed_point(u + sigma * rng.standard_normal(u.shape), "fc") for u in cells),)


def mlp(rng):
    nodes = (
        Node("in", Sign(), ("input",), (64,)),
        Node("a", Linear(Weights(rng.choice([-1, 1], (90, 64)), 1, ONE)), ("in",), (90,)),
        Node("t", Threshold(np.zeros(90, np.float32), np.ones(90, np.int8)), ("a",), (90,)),
        Node("b", Linear(Weights(rng.choice([-1, 1], (10, 90)), 1, ONE)), ("t",), (10,)),
    )
    return Trace("mlp", (64,), nodes)


def test_nominal_lines_are_complementary_and_add_up_to_the_weight():
    weights = Weights(np.array([[-15, -3, 1, 15]]), 4, ONE)
    for slices in (1, 2, 4):
        peak, total = 2**slices - 1, np.zeros(4, int)
        for cell, u in enumerate(nominal_lines(weights, slices)):
            assert u.shape == (8, 1)
            np.testing.assert_array_equal(u[::2] + u[1::2], peak)
            total += (u[::2] - u[1::2])[:, 0] << cell * slices
        np.testing.assert_array_equal(total, weights.values[0])


@pytest.mark.parametrize("size", [16, 100, 300])
def test_every_line_of_every_row_counts(size):
    """Cells of whole conductances, so that the converter reads them exactly: flipping row r swaps its two lines."""
    rng = np.random.default_rng(0)
    rows, columns = 300, 37
    lines = rng.integers(-3, 9, (2 * rows, columns))
    x = np.ones((rows + 1, rows), int)
    x[np.arange(rows), np.arange(rows)] = -1  # vector r flips row r; the last flips none
    read = ReadModel(((fixed_point(lines, "fc"),),))
    node = linear(rng.choice([-1, 1], (columns, rows)))
    out = run(node, x, LayerEncoding(cut(rows, size), LOSSLESS, read=read))
    np.testing.assert_array_equal(out[-1], 2 * lines[::2].sum(axis=0) - rows)
    np.testing.assert_array_equal(out[:-1] - out[-1], 2 * (lines[1::2] - lines[::2]))


@pytest.mark.parametrize("size", [16, 100, 300])
def test_every_row_counts_under_noise(size):
    """Noise too small to change a code."""
    rows = 300
    x = np.ones((rows + 1, rows), int)
    x[np.arange(rows), np.arange(rows)] = -1
    w = np.random.default_rng(0).choice([-1, 1], (5, rows))
    out = run(linear(w), x, LayerEncoding(cut(rows, size), Converter(9), read=ReadModel(None, 1e-4, 1e-4)))
    np.testing.assert_array_equal(out[:-1] - out[-1], -2 * w.T)


@pytest.mark.parametrize("largest", [1.0, 5.0, 127.99, 128.0])
def test_sums_of_large_conductances_do_not_overflow(largest):
    """A short conducts far more than a nominal cell; 16 bits hold few of them, added in a row."""
    rng = np.random.default_rng(1)
    rows, columns = 200, 150
    table = np.floor(rng.uniform(-largest, largest, (2 * rows, columns)) * 256).astype(np.int16)
    table[:, 0] = round(-largest * 256)
    table[:, 1] = min(round(largest * 256), 32767)
    x = rng.choice([-1, 1], (20, rows))
    node = linear(rng.choice([-1, 1], (columns, rows)))
    out = run(node, x, LayerEncoding((np.arange(rows),), LOSSLESS, read=ReadModel(((table,),))))
    lines = np.where(x > 0, 0, 1) + 2 * np.arange(rows)
    sums = np.array([table[of].sum(axis=0, dtype=np.int64) for of in lines])
    np.testing.assert_array_equal(out, 2 * np.floor(sums / 256 - rows // 2 + 0.5))


def test_offset_and_gain_by_hand():
    """64 matches of 64 rows: d = 32. Read as 32 x 1.25 + offset; group 1 has other converters than group 0."""
    one = np.ones((3, 128), int)
    offset = np.array([[[0.0, 0.4, -0.6]], [[3.0, 0.0, 0.0]]])
    gain = np.array([[[0.25, 0.25, 0.25]], [[0.0, -0.5, 0.01]]])
    read = ReadModel(None, offset=offset, gain=gain)
    out = run(linear(one), one[:1], LayerEncoding(cut(128, 64), Converter(9), read=read))
    np.testing.assert_array_equal(out[0], [2 * (40 + 35), 2 * (40 + 16), 2 * (39 + 32)])


def test_droop_by_hand():
    """n = 100 driven rows, m matches, floor 0.5: S = m + 50, S / (1 + S / 1000), less the same of m = 50."""
    w = np.where(np.arange(100) < np.array([[0], [20], [50], [80], [100]]), 1, -1)
    read = ReadModel(None, droop=0.001, floor=0.5)
    out = run(linear(w), np.ones((1, 100), int), LayerEncoding((np.arange(100),), Converter(9), read=read))[0]
    s = np.array([50.0, 70, 100, 130, 150])
    d = s / (1 + s / 1000) - 100 / 1.1
    np.testing.assert_array_equal(out, 2 * np.floor(d + 0.5))
    assert out[2] == 0
    assert abs(out[4]) < abs(out[0]) < 100  # compressed, the more the more conducts


def test_static_errors_stay_while_read_noise_is_fresh():
    rng = np.random.default_rng(2)
    rows, columns = 100, 20
    node = linear(rng.choice([-1, 1], (columns, rows)))
    static = ReadModel(
        spread_lines(rng, node.op.weights), offset=rng.normal(0, 1, (1, 1, columns)), gain=np.full((1, 1, columns), 0.1)
    )
    x = np.repeat(rng.choice([-1, 1], (1, rows)), 50, axis=0)
    encoding = LayerEncoding((np.arange(rows),), Converter(8), read=static)
    reads = run(node, x, encoding, passes=np.arange(50))
    assert not encoding.is_noisy
    assert (reads == reads[0]).all()
    np.testing.assert_array_equal(run(node, x, encoding, seed=9), reads)
    noisy = replace(encoding, read=replace(static, sigma_on=0.1))
    fresh = run(node, x, noisy, passes=np.arange(50))
    assert noisy.is_noisy
    assert np.ptp(fresh, axis=0).all()
    ideal = run(node, x[:1], replace(encoding, read=None))
    assert (reads[0] != ideal[0]).any()


@pytest.mark.parametrize("by_cells", [False, True])
def test_what_is_read_depends_on_image_and_pass_and_on_nothing_else_of_the_batch(by_cells):
    rng = np.random.default_rng(3)
    op = Conv(Weights(rng.choice([-1, 1], (20, 7, 3, 3)), 1, ONE), (1, 1), (1, 1), (1, 1))
    node = Node("conv", op, ("input",), (20, 6, 6))
    lines = spread_lines(rng, op.weights) if by_cells else None
    encoding = LayerEncoding(cut(63, 20), Converter(4), read=ReadModel(lines, 0.2, 0.1))
    layer = compile_layer(node, encoding, (7, 6, 6))
    words = pack(from_channels_first(rng.choice([-1, 1], (23, 7, 6, 6))) > 0)
    images, passes = rng.integers(0, 10**6, 23), rng.integers(0, 99, 23)

    def read(index):
        return run_layer(layer, Signs(words[index], 7), Samples(4, images[index], passes[index]))[0]

    whole, order = read(np.arange(23)), rng.permutation(23)
    np.testing.assert_array_equal(read(order), whole[order])
    for one in range(23):
        np.testing.assert_array_equal(read(np.array([one])), whole[[one]])


def test_threads_and_batch_split_do_not_change_a_bit():
    numba = pytest.importorskip("numba")
    rng = np.random.default_rng(5)
    trace = mlp(rng)
    encodings = {
        "a": LayerEncoding(cut(64, 30), Converter(4), read=ReadModel(None, 0.3, 0.2)),
        "b": LayerEncoding(
            cut(90, 40), Converter(5), read=ReadModel(spread_lines(rng, trace["b"].op.weights), 0.3, 0.2)
        ),
    }
    x = rng.standard_normal((70, 64)).astype(np.float32)
    whole = compute(trace, encodings, x, 4, seed=3)
    assert np.ptp(whole.logits, axis=0).any()
    most = numba.get_num_threads()
    try:
        numba.set_num_threads(min(2, most))
        again = compute(trace, encodings, x, 4, seed=3, max_bytes=3000)
        numba.set_num_threads(1)
        parts = [
            compute(trace, encodings, x[a:b], 4, seed=3, first_image=a).logits for a, b in ((0, 1), (1, 33), (33, 70))
        ]
    finally:
        numba.set_num_threads(most)
    np.testing.assert_array_equal(again.logits, whole.logits)
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole.logits)
    assert (compute(trace, encodings, x, 4, seed=4).logits != whole.logits).any()


def test_the_tier_is_that_of_the_copy_that_takes_most():
    cells, noise = ReadModel(((np.zeros((2, 1), np.int16),),)), ReadModel(None, 0.1)
    for read, others, tier in (
        (None, (), "packed"), (None, (None,), "packed"), (noise, (), "noise"), (None, (noise,), "noise"),
        (cells, (), "conductance"), (None, (noise, cells), "conductance"),
    ):  # fmt: skip
        assert LayerEncoding((np.arange(1),), read=read, alternatives=others).tier == tier


def read_of(**changes):
    table = np.zeros((20, 2), np.int16)
    return replace(ReadModel(((table, table),)), **changes)


@pytest.mark.parametrize(("changes", "message"), [
    ({"sigma_on": -0.1}, "sigma_on of its arrays must be at least 0 and finite, got -0.1"),
    ({"sigma_off": np.nan}, "sigma_off"),
    ({"droop": np.inf}, "droop"),
    ({"floor": -1.0}, "floor"),
    ({"offset": np.zeros((1, 2, 3))}, r"offset must hold \(1, 2, 2\) finite numbers .*shape \(1, 2, 3\)"),
    ({"gain": np.full((1, 2, 2), np.nan)}, "gain must hold"),
    ({"lines": ((np.zeros((20, 2), np.int16),),)}, "1 x 2 parts and cells"),
    ({"lines": ((np.zeros((20, 2)),) * 2,)}, r"int16 of shape \(20, 2\), not float64"),
    ({"lines": ((np.zeros((10, 2), np.int16),) * 2,)}, r"not int16 of shape \(10, 2\)"),
])  # fmt: skip
def test_read_models_that_do_not_fit_name_the_layer(changes, message):
    node = linear(np.ones((2, 10), int), 2)
    check_encoding(node, LayerEncoding((np.arange(10),), Converter(4), read=read_of()))
    with pytest.raises(MappingError, match=f"'fc'.*{message}"):
        check_encoding(node, LayerEncoding((np.arange(10),), Converter(4), read=read_of(**changes)))


def test_a_group_too_large_for_an_imperfect_read_is_refused():
    node, groups = linear(np.ones((1, 20_000), int)), (np.arange(20_000),)
    check_encoding(node, LayerEncoding(groups))
    with pytest.raises(MappingError, match="20000 rows is too large"):
        check_encoding(node, LayerEncoding(groups, read=ReadModel(None, 0.1)))


@pytest.mark.parametrize("value", [128.0, -129.0, np.nan, np.inf])
def test_conductances_out_of_range_name_the_layer(value):
    with pytest.raises(MappingError, match=f"layer 'fc': a cell conducts {value:g} times"):
        fixed_point([0.0, value], "fc")
    np.testing.assert_array_equal(fixed_point([0.25, -0.5, 127.9], "fc"), [64, -128, 32742])
