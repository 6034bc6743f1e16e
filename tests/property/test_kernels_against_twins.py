"""Every kernel equals its slow NumPy twin, over random geometries, partitions, converters and masks."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.functional.encoding import Converter, LayerEncoding
from archsim.functional.layer import compile_layer, run_layer
from archsim.functional.values import Grid, Samples, Signs, from_channels_first, pack
from archsim.kernels import packing, reference
from archsim.kernels.constants import words_for
from archsim.workload.trace import Conv, Node, Quantize, Weights

SETTINGS = settings(max_examples=60, deadline=None)
QUIET = Samples(0, np.empty(0, np.int64), np.empty(0, np.int64))  # a packed layer draws no random numbers


@st.composite
def partitions(draw, rows):
    """A random partition of rows into groups, rows in any order."""
    order = np.array(draw(st.permutations(range(rows)))) if draw(st.booleans()) else np.arange(rows)
    cuts = sorted(draw(st.sets(st.integers(1, max(1, rows - 1)), max_size=4)))
    return tuple(g for g in np.split(order, [c for c in cuts if c < rows]) if len(g))


@st.composite
def layers(draw, weight_bits):
    """A random convolution with its encoding, on an input of a random size."""
    parts = draw(st.sampled_from([1, 1, 1, 2, 3]))
    inputs, outputs = draw(st.integers(1, 37)), draw(st.integers(1, 50))
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    stride = (draw(st.integers(1, 2)), draw(st.integers(1, 3)))
    padding = (draw(st.integers(0, 2)), draw(st.integers(0, 2)))
    dilation = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = [max(1, r - 2 * p) + draw(st.integers(0, 4)) for r, p in zip(reach, padding, strict=True)]
    out = [(n + 2 * p - r) // s + 1 for n, p, r, s in zip(size, padding, reach, stride, strict=True)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    bits = draw(weight_bits)
    peak = 2**bits - 1
    values = rng.integers(0, peak + 1, (outputs * parts, inputs, *kernel)) * 2 - peak
    op = Conv(Weights(values, bits, np.ones(1, np.float32)), stride, padding, dilation, parts)
    node = Node("layer", op, ("input",), (outputs * parts, *out))
    groups = draw(partitions(inputs * kernel[0] * kernel[1]))
    resolution = draw(st.sampled_from([None, 1, 2, 3, 5, 8]))
    converter = Converter(resolution, 0 if resolution is None else draw(st.integers(0, 3)))
    slices = draw(st.sampled_from([s for s in (1, 2, 3) if bits % s == 0]))
    return node, LayerEncoding(groups, converter, slices), (inputs * parts, *size), rng


def twin(node, encoding, x, driven, input_bits, signed):
    """The layer by the twins: x (images, channels, height, width) -> (images, out height, out width, outputs)."""
    op, converter = node.op, encoding.converter
    values = op.weights.values.reshape(len(op.weights.values), -1)
    inputs, outputs = x.shape[1] // op.groups, len(values) // op.groups
    parts = []
    for part in range(op.groups):
        mine = slice(part * inputs, (part + 1) * inputs)
        rows, on = (
            reference.windows(a[:, mine], op.weights.values.shape[2:], op.stride, op.padding, op.dilation)
            for a in (x, driven)
        )
        shape, w = rows.shape[:3], values[part * outputs : (part + 1) * outputs]
        rows, on = rows.reshape(-1, rows.shape[-1]), on.reshape(-1, on.shape[-1])
        if input_bits is None:
            sums = np.zeros((len(rows), outputs), np.int64)
            slices = reference.weight_slices(w, op.weights.bits)
            for low in range(0, op.weights.bits, encoding.slices_per_cell):
                cell = slices[low : low + encoding.slices_per_cell]
                sums += reference.multiply(rows, on, cell, encoding.groups, converter.bits, converter.lsb_log2) << low
        else:
            sums = reference.bit_serial(
                rows, input_bits, signed, w, op.weights.bits, encoding.groups, converter.bits,
                converter.lsb_log2, encoding.slices_per_cell,
            )  # fmt: skip
        parts.append(sums.reshape(*shape, outputs))
    return np.concatenate(parts, axis=-1)


@SETTINGS
@given(layers(st.sampled_from([1, 1, 2, 4])), st.integers(1, 40), st.booleans())
def test_binary_layer_equals_its_twin(layer, images, dropped):
    node, encoding, shape, rng = layer
    x = rng.choice(np.array([-1, 1]), (images, *shape))
    kept = rng.random(x.shape) < 0.7 if dropped else np.ones(x.shape, bool)
    value = Signs(pack(from_channels_first(x) > 0), shape[0], pack(from_channels_first(kept)) if dropped else None)
    out, activity = run_layer(compile_layer(node, encoding, shape), value, QUIET)
    expected = twin(node, encoding, x, kept, None, False)
    np.testing.assert_array_equal(out, expected)
    driven = sum(
        reference.windows(
            part, node.op.weights.values.shape[2:], node.op.stride, node.op.padding, node.op.dilation
        ).sum()
        for part in np.split(kept, node.op.groups, axis=1)
    )
    assert activity.rows_driven == driven
    rows = node.op.weights.values[0].size * node.op.groups
    off = activity.rows_dropped + activity.rows_padded + activity.rows_idle
    assert activity.vectors * rows == activity.rows_driven + off
    assert dropped or activity.rows_dropped == 0


@SETTINGS
@given(layers(st.sampled_from([1, 2, 4])), st.integers(1, 5), st.integers(1, 8), st.booleans(), st.booleans())
def test_bit_serial_layer_equals_its_twin(layer, images, bits, signed, dropped):
    node, encoding, shape, rng = layer
    quantizer = Quantize(bits, signed, 1.0)
    x = rng.integers(quantizer.low, quantizer.high + 1, (images, *shape))
    kept = rng.random(x.shape) < 0.7 if dropped else np.ones(x.shape, bool)
    x = x * kept
    value = Grid(from_channels_first(x).astype(np.int32), quantizer, from_channels_first(kept) if dropped else None)
    out, activity = run_layer(compile_layer(node, encoding, shape), value, QUIET)
    expected = twin(node, encoding, x, np.ones_like(x), bits, signed)
    np.testing.assert_array_equal(out, expected)
    geometry = (node.op.weights.values.shape[2:], node.op.stride, node.op.padding, node.op.dilation)
    lost = sum(reference.windows(1 - p, *geometry).sum() for p in np.split(kept.astype(int), node.op.groups, axis=1))
    assert activity.rows_dropped == bits * lost


@SETTINGS
@given(st.integers(0, 2**32), st.integers(1, 70), st.integers(1, 70), st.sampled_from(["int16", "int32", "float32"]))
def test_threshold_packing_equals_its_twin(seed, pixels, channels, dtype):
    rng = np.random.default_rng(seed)
    values = rng.integers(-4, 5, (pixels, channels)).astype(dtype)
    levels = rng.integers(-4, 5, channels).astype(dtype)
    falling = rng.random(channels) < 0.5
    flip = reference.pack(falling)
    out = np.full((pixels, words_for(channels)), 0xAAAA, np.uint16)
    packing.pack_at_least(values, levels, flip, out)
    np.testing.assert_array_equal(out, reference.pack((values >= levels) ^ falling))


@SETTINGS
@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 40), st.integers(1, 12))
def test_plane_packing_and_flattening_equal_their_twins(seed, images, channels, pixels):
    rng = np.random.default_rng(seed)
    values = rng.integers(-128, 128, (images * pixels, channels)).astype(np.int32)
    for plane in (0, 3, 7):
        out = np.full((len(values), words_for(channels)), 0xAAAA, np.uint16)
        packing.pack_plane(values, plane, out)
        np.testing.assert_array_equal(out, reference.pack((values >> plane & 1).astype(bool)))
    bits = (values > 0).reshape(images, pixels, channels)
    flat = np.full((images, words_for(channels * pixels)), 0xAAAA, np.uint16)
    packing.flatten_bits(reference.pack(bits), channels, flat)
    np.testing.assert_array_equal(flat, reference.pack(bits.transpose(0, 2, 1).reshape(images, -1)))


@SETTINGS
@given(st.integers(0, 2**64 - 1), st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**32))
def test_keep_bits_equal_their_twin(stream, words, periods, seed):
    rng = np.random.default_rng(seed)
    limits = rng.integers(0, 2**16, 32 * periods).astype(np.uint16)
    images, passes = rng.integers(0, 2**40, 6), rng.integers(0, 2**20, 6)
    out = np.empty((6, words), np.uint16)
    packing.keep_bits(np.uint64(stream), images, passes, limits, out)
    bits = reference.unpack(out, words * 16)
    full = np.resize(limits, words * 16)
    np.testing.assert_array_equal(bits, reference.keep_bits(stream, images, passes, full))
