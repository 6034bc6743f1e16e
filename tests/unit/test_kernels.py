from __future__ import annotations

import hashlib
import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from archsim.errors import ConfigError, MappingError
from archsim.functional.encoding import Converter, LayerEncoding, check_encoding
from archsim.functional.layer import compile_layer, run_layer
from archsim.functional.values import Samples, Signs, from_channels_first, pack
from archsim.kernels import crossbar, reference
from archsim.kernels.lanes import by_blocks, pack_weights, panels, plan_lanes
from archsim.workload.trace import Conv, Linear, Node, Weights

ONE = np.ones(1, np.float32)
QUIET = Samples(0, np.empty(0, np.int64), np.empty(0, np.int64))  # a packed layer draws no random numbers


def linear(values, bits=1):
    values = np.asarray(values)
    return Node("fc", Linear(Weights(values, bits, ONE)), ("input",), (len(values),))


def run(node, x, encoding, kept=None):
    """Run a fully connected layer on x (vectors, rows) of -1 and +1."""
    value = Signs(pack(from_channels_first(x) > 0), x.shape[1],
                  None if kept is None else pack(from_channels_first(kept)))  # fmt: skip
    return run_layer(compile_layer(node, encoding, (x.shape[1],)), value, QUIET)[0].reshape(len(x), -1)


def cut(rows, size):
    return tuple(np.split(np.arange(rows), range(size, rows, size)))


@pytest.mark.parametrize("size", [16, 48, 100, 300])
@pytest.mark.parametrize("converter", [Converter(None), Converter(9)])
def test_every_row_counts_in_the_remainder_group_too(size, converter):
    rows = 300
    x = np.ones((rows + 1, rows), int)
    x[np.arange(rows), np.arange(rows)] = -1  # vector r flips row r; the last flips none
    w = np.random.default_rng(0).choice([-1, 1], (5, rows))
    out = run(linear(w), x, LayerEncoding(cut(rows, size), converter))
    np.testing.assert_array_equal(out[:-1] - out[-1], -2 * w.T)


def test_a_dropped_row_contributes_nothing():
    rows = 100
    x, w = np.ones((rows, rows), int), np.ones((3, rows), int)
    kept = ~np.eye(rows, dtype=bool)
    out = run(linear(w), x, LayerEncoding(cut(rows, 32), Converter(7)), kept)
    np.testing.assert_array_equal(out, rows - 1)


@pytest.mark.parametrize(("bits", "step", "expected"), [
    # 64 matching rows: d = 32; code = clip((32 + half) >> step, low, high); 2 x (code << step)
    (8, 0, 64), (6, 0, 64), (5, 0, 32), (4, 0, 16), (4, 2, 64), (3, 2, 32), (1, 0, 2),
])  # fmt: skip
def test_a_full_match_is_clipped_at_the_highest_code(bits, step, expected):
    one = np.ones((1, 64), int)
    assert run(linear(one), one, LayerEncoding(cut(64, 64), Converter(bits, step)))[0, 0] == expected


@pytest.mark.parametrize(("bits", "step", "expected"), [
    # 64 mismatches: d = -32, and the lowest code is 1 - 2**(bits - 1)
    (8, 0, -64), (6, 0, -62), (5, 0, -30), (4, 2, -56), (1, 0, 0),
])  # fmt: skip
def test_a_full_mismatch_is_clipped_at_the_lowest_code(bits, step, expected):
    one = np.ones((1, 64), int)
    assert run(linear(one), -one, LayerEncoding(cut(64, 64), Converter(bits, step)))[0, 0] == expected


def test_a_sense_amplifier_reads_single_rows_exactly():
    rng = np.random.default_rng(1)
    x, w = rng.choice([-1, 1], (20, 37)), rng.choice([-1, 1], (18, 37))
    kept = rng.random(x.shape) < 0.6
    out = run(linear(w), x, LayerEncoding(cut(37, 1), Converter(1)), kept)
    np.testing.assert_array_equal(out, (x * kept) @ w.T)


@pytest.mark.parametrize("weight_bits", [1, 8])
def test_sums_beyond_16_bits(weight_bits):
    """A layer so tall that neither its result nor one stretch of its counts fits 16 bits."""
    rng = np.random.default_rng(2)
    rows, peak = 70_000, 2**weight_bits - 1
    x = rng.choice([-1, 1], (3, rows))
    w = np.where(rng.random((4, rows)) < 0.5, peak, -peak)
    w[0] = x[0] * peak
    for encoding in (
        LayerEncoding((np.arange(rows),)),
        LayerEncoding(cut(rows, 256), Converter(9)),
        LayerEncoding(cut(rows, 256), Converter(13), slices_per_cell=min(4, weight_bits)),
        LayerEncoding(cut(rows, 64), Converter(15), slices_per_cell=weight_bits),
    ):
        np.testing.assert_array_equal(run(linear(w, weight_bits), x, encoding), x @ w.T)


@pytest.mark.parametrize("columns", [1, 15, 16, 17, 31, 33, 64, 96, 128, 129, 200, 259])
def test_every_number_of_columns(columns):
    rng = np.random.default_rng(columns)
    x, w = rng.choice([-1, 1], (67, 90)), rng.choice([-1, 1], (columns, 90))
    encoding = LayerEncoding(cut(90, 40), Converter(3, 1))
    expected = reference.multiply(x, np.ones(x.shape, bool), w[None], encoding.groups, 3, 1)
    np.testing.assert_array_equal(run(linear(w), x, encoding), expected)


def test_contiguous_rows_fill_their_lanes():
    plan = plan_lanes(cut(1000, 256), np.zeros(1, int), 1000)
    assert plan.lanes == 16 * 3 + 15
    assert len(plan.pieces) == 0
    np.testing.assert_array_equal(plan.source, np.arange(63))
    np.testing.assert_array_equal(np.sort(plan.rows[plan.rows >= 0]), np.arange(1000))


def test_few_channels_share_a_lane():
    """A 5 x 5 kernel on one channel is 25 rows: two lanes, not 25."""
    assert plan_lanes((np.arange(25),), np.arange(25), 1).lanes == 2


def test_weight_slices_add_up():
    values = np.arange(-15, 16, 2).reshape(1, -1)
    np.testing.assert_array_equal((reference.weight_slices(values, 4) << np.arange(4)[:, None, None]).sum(0), values)
    plan = plan_lanes((np.arange(16),), np.zeros(1, int), 16)
    packed = pack_weights(values, 4, plan)
    ones = (packed[:, 0, 0][:, None] >> np.arange(16)) & 1
    np.testing.assert_array_equal(((2 * ones.astype(int) - 1) << np.arange(4)[:, None]).sum(0), values[0])


def test_splitmix_known_answer():
    """First outputs for seed 1234567, as the published reference implementations print them (RECALLED)."""
    gamma = np.uint64(0x9E3779B97F4A7C15)
    states = np.uint64(1234567) + np.arange(1, 6, dtype=np.uint64) * gamma
    assert reference.mix(states).tolist() == [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821,
    ]  # fmt: skip


@pytest.mark.parametrize(("groups", "slices", "message"), [
    ((np.arange(9),), 1, "each of its 10 rows exactly once"),
    ((np.arange(10), np.array([3])), 1, "exactly once"),
    ((np.arange(10), np.array([], int)), 1, "exactly once"),
    ((), 1, "exactly once"),
    ((np.arange(10),), 2, "cells of 2 bits"),
])  # fmt: skip
def test_bad_encodings_name_the_layer(groups, slices, message):
    with pytest.raises(MappingError, match=f"'fc'.*{message}"):
        check_encoding(linear(np.ones((2, 10), int)), LayerEncoding(groups, Converter(4), slices))


def test_a_group_too_large_to_count_is_refused():
    node = linear(np.ones((1, 20_000), int))
    with pytest.raises(MappingError, match="20000 rows is too large"):
        check_encoding(node, LayerEncoding((np.arange(20_000),), Converter(8)))
    check_encoding(node, LayerEncoding((np.arange(20_000),)))


@pytest.mark.parametrize(("bits", "step"), [(0, 0), (33, 0), (4, -1), (4, 13), (None, 1)])
def test_impossible_converters_are_refused(bits, step):
    with pytest.raises(ConfigError, match="converter"):
        Converter(bits, step)


@pytest.mark.parametrize(("converter", "rows", "peak", "expected"), [
    (Converter(None), 9999, 3, True), (Converter(7), 127, 1, True), (Converter(7), 128, 1, False),
    (Converter(8), 128, 1, True), (Converter(8, 1), 2, 1, False), (Converter(1), 1, 1, True),
    (Converter(1), 2, 1, False), (Converter(8), 84, 3, True), (Converter(8), 86, 3, False),
])  # fmt: skip
def test_lossless_is_judged_by_range_and_step(converter, rows, peak, expected):
    assert converter.is_lossless(rows, peak) == expected


def test_a_map_smaller_than_its_kernel():
    w = np.random.default_rng(3).choice([-1, 1], (4, 2, 5, 5))
    node = Node("c", Conv(Weights(w, 1, ONE), (1, 1), (2, 2), (1, 1)), ("input",), (4, 1, 1))
    x = np.ones((1, 2, 1, 1), int)
    value = Signs(pack(from_channels_first(x) > 0), 2)
    out, activity = run_layer(compile_layer(node, LayerEncoding((np.arange(50),)), (2, 1, 1)), value, QUIET)
    np.testing.assert_array_equal(out[0, 0, 0], w[:, :, 2, 2].sum(axis=1))
    assert (activity.rows_driven, activity.rows_padded) == (2, 48)


FOLDER = Path(crossbar.__file__).parent


def imported(name):
    """The kernel files that a kernel file is built with: those it imports, and so on."""
    found = set(re.findall(r"^from archsim\.kernels\.(\w+) import", (FOLDER / f"{name}.py").read_text(), re.MULTILINE))
    return found.union(*map(imported, found))


@pytest.mark.parametrize("name", [p.stem for p in FOLDER.glob("*.py") if "cache=True" in p.read_text()])
def test_kernels_are_compiled_anew_when_the_code_in_them_changes(name):
    """Numba keeps compiled kernels until their own file changes."""
    code = b"".join((FOLDER / f"{n}.py").read_bytes() for n in sorted(imported(name)))
    assert hashlib.sha256(code).hexdigest()[:16] == import_module(f"archsim.kernels.{name}").BUILT_WITH


@pytest.mark.parametrize(("channels", "first_channel", "rows", "direct"), [
    (32, 0, 32, True), (24, 0, 24, True), (32, 0, 24, False), (40, 16, 16, True), (40, 8, 16, False),
])  # fmt: skip
def test_only_lanes_that_are_whole_words_are_read_in_place(channels, first_channel, rows, direct):
    """A word with channels of another group, or shifted, must be gathered."""
    plan = plan_lanes((np.arange(rows),), np.zeros(1, int), channels, first_channel)
    assert (len(plan.pieces) == 0) == direct


def test_panels_are_cut_by_lanes_and_by_the_sum_of_codes():
    lanes = np.arange(0, 201, 10)  # 20 groups of 10 lanes; 96 lanes are 9 groups
    np.testing.assert_array_equal(panels(lanes, 100, 32767), [0, 9, 18, 20])
    np.testing.assert_array_equal(panels(lanes, 100, 450), [0, 4, 8, 12, 16, 20])
    np.testing.assert_array_equal(panels(np.array([0, 500, 600]), 100, 450), [0, 1, 2])


def test_weights_by_blocks_of_columns():
    packed = np.arange(2 * 3 * 176, dtype=np.uint16).reshape(2, 3, 176)
    flat = by_blocks(packed)
    assert flat.ctypes.data % 64 == 0
    at = 0
    for start, width in ((0, 128), (128, 32), (160, 16)):
        part = packed[..., start : start + width]
        np.testing.assert_array_equal(flat[at : at + part.size].reshape(part.shape), part)
        at += part.size
    assert at == flat.size
