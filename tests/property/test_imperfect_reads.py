"""Layers on imperfect arrays equal their slow twin bit for bit, read noise included, over random geometries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.functional.encoding import Converter, LayerEncoding, ReadModel, fixed_point, nominal_lines
from archsim.functional.layer import compile_layer, run_layer
from archsim.functional.randomness import stream_of
from archsim.functional.values import Grid, Samples, Signs, from_channels_first, pack
from archsim.kernels import imperfect_reference as twin
from archsim.kernels import reference
from archsim.workload.trace import Conv, Node, Quantize, Weights

SETTINGS = settings(max_examples=60, deadline=None)


@st.composite
def cases(draw):
    """A random convolution with its encoding, an input and the samples it is of."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    parts, bits = draw(st.sampled_from([1, 1, 1, 2, 3])), draw(st.sampled_from([1, 1, 2, 4]))
    inputs, outputs = draw(st.integers(1, 37)), draw(st.integers(1, 70))
    is_1d = draw(st.booleans())
    kernel = (1 if is_1d else draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    stride = (1 if is_1d else draw(st.integers(1, 2)), draw(st.integers(1, 3)))
    padding = (0 if is_1d else draw(st.integers(0, 2)), draw(st.integers(0, 2)))
    dilation = (1 if is_1d else draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = [max(1, r - 2 * p) + draw(st.integers(0, 4)) for r, p in zip(reach, padding, strict=True)]
    if is_1d:
        size[0] = 1
    out = [(n + 2 * p - r) // s + 1 for n, p, r, s in zip(size, padding, reach, stride, strict=True)]
    from_axis = 1 if is_1d else 0
    peak = 2**bits - 1
    values = rng.integers(0, peak + 1, (outputs * parts, inputs, *kernel[from_axis:])) * 2 - peak
    geometry = [tuple(t[from_axis:]) for t in (stride, padding, dilation)]
    op = Conv(Weights(values, bits, np.ones(1, np.float32)), *geometry, parts)
    node = Node("layer", op, ("input",), (outputs * parts, *out[from_axis:]))
    rows = inputs * kernel[0] * kernel[1]
    order = rng.permutation(rows) if draw(st.booleans()) else np.arange(rows)
    cuts = sorted(draw(st.sets(st.integers(1, max(1, rows - 1)), max_size=4)))
    groups = tuple(g for g in np.split(order, [c for c in cuts if c < rows]) if len(g))
    resolution = draw(st.sampled_from([None, 1, 2, 3, 5, 8]))
    converter = Converter(resolution, 0 if resolution is None else draw(st.integers(0, 3)))
    encoding = LayerEncoding(groups, converter, draw(st.sampled_from([s for s in (1, 2, 4) if bits % s == 0])))
    count = draw(st.integers(1, 30))
    samples = Samples(draw(st.integers(0, 9)), rng.integers(0, 10**9, count), rng.integers(0, 50, count))
    return node, encoding, values_for(draw, rng, (count, inputs * parts, *size[from_axis:])), samples, rng


def values_for(draw, rng, shape):
    """Signs or multi-bit integers, with or without dropout."""
    kept = rng.random(shape) < 0.7 if draw(st.booleans()) else None
    packed = None if kept is None else from_channels_first(kept)
    if draw(st.booleans()):
        x = rng.choice(np.array([-1, 1]), shape)
        return Signs(pack(from_channels_first(x) > 0), shape[1], None if packed is None else pack(packed)), x, kept
    quantizer = Quantize(draw(st.integers(1, 4)), draw(st.booleans()), 1.0)
    x = rng.integers(quantizer.low, quantizer.high + 1, shape) * (1 if kept is None else kept)
    return Grid(from_channels_first(x).astype(np.int32), quantizer, packed), x, kept


def imperfect(rng, node, encoding, *, spread, noisy, droop, static):
    """A read model; `spread`: of the cells, None for nominal ones."""
    op = node.op
    cells = op.weights.bits // encoding.slices_per_cell
    lines = None
    if spread is not None:
        parts = [replace(op.weights, values=v) for v in np.split(op.weights.values, op.groups)]
        lines = tuple(
            tuple(fixed_point(u + spread * rng.standard_normal(u.shape), "layer")
                  for u in nominal_lines(w, encoding.slices_per_cell)) for w in parts
        )  # fmt: skip
    shape = (len(encoding.groups), cells, len(op.weights.values))
    return ReadModel(
        lines=lines,
        sigma_on=0.3 * noisy,
        sigma_off=0.1 * noisy,
        offset=rng.normal(0, 0.5, shape).astype(np.float32) if static else None,
        gain=rng.normal(0, 0.05, shape).astype(np.float32) if static else None,
        droop=0.002 * droop,
        floor=0.7 * droop,
    )


def by_twin(node, encoding, value, x, kept, samples):
    """The layer by its twin: (samples, out height, out width, outputs)."""
    op, read, converter = node.op, encoding.read, encoding.converter
    slices, bits, outputs = encoding.slices_per_cell, op.weights.bits, len(op.weights.values)
    flat = [a if a.ndim == 4 else a[:, :, None] for a in (x, np.ones_like(x) if kept is None else kept)]
    kernel, *geometry = (
        (d, *t)[-2:] for t, d in ((op.weights.values.shape[2:], 1), (op.stride, 1), (op.padding, 0), (op.dilation, 1))
    )
    stream, columns = stream_of(samples.seed, node.name, "read"), outputs // op.groups
    lines = read.lines or [
        [u << 8 for u in nominal_lines(replace(op.weights, values=v), slices)]
        for v in np.split(op.weights.values, op.groups)
    ]
    parts = []
    for part in range(op.groups):
        mine = [np.split(a, op.groups, axis=1)[part] for a in flat]
        rows, on = (reference.windows(a, kernel, *geometry) for a in mine)
        shape, per_image = rows.shape[:3], rows.shape[1] * rows.shape[2]
        rows, on = rows.reshape(-1, rows.shape[-1]), on.reshape(-1, on.shape[-1])
        image_of, pass_of = samples.images.repeat(per_image), samples.passes.repeat(per_image)
        position = np.tile(np.arange(per_image), len(samples.images))
        total = np.zeros((len(rows), columns), np.int64)
        for plane, (binary, driven, worth) in enumerate(planes(value, rows, on)):
            for cell in range(bits // slices):
                here = slice(part * columns, (part + 1) * columns)
                none = np.zeros((len(encoding.groups), columns), np.float32)
                gain, offset = (none if e is None else e[:, cell, here] for e in (read.gain, read.offset))
                readout = twin.Readout(
                    converter.low, converter.high, converter.lsb_log2, gain, offset, read.droop, read.floor,
                    read.sigma_on, read.sigma_off,
                )  # fmt: skip
                draw = twin.read_noise(
                    stream, image_of, pass_of, plane * (bits // slices) + cell, position, len(encoding.groups),
                    np.arange(outputs)[here], outputs,
                )  # fmt: skip
                table = np.asarray(lines[part][cell], np.int64)
                sums = twin.multiply(binary, driven, table, slices, encoding.groups, readout, draw)
                total += (worth << cell * slices) * sums
        parts.append(total.reshape(*shape, columns))
    return np.concatenate(parts, axis=-1)


def planes(value, rows, on):
    """The binary inputs and what each counts."""
    if isinstance(value, Signs):
        return [(rows, on == 1, 1)]
    bits, signed = value.quantizer.bits, value.quantizer.signed
    ones = np.ones_like(rows)
    return [(ones, (rows >> b & 1) == 1, -(2**b) if signed and b == bits - 1 else 2**b) for b in range(bits)]


def shape_of(x):
    return x.shape[1:]


@SETTINGS
@given(cases(), st.booleans())
def test_arrays_without_imperfections_answer_as_ideal_ones(case, by_cells):
    node, encoding, (value, x, _), samples, rng = case
    read = imperfect(rng, node, encoding, spread=0.0 if by_cells else None, noisy=False, droop=False, static=False)
    ideal, activity = run_layer(compile_layer(node, encoding, shape_of(x)), value, samples)
    imperfect_encoding = replace(encoding, read=read)
    assert imperfect_encoding.tier == ("conductance" if by_cells else "noise")
    out, same = run_layer(compile_layer(node, imperfect_encoding, shape_of(x)), value, samples)
    np.testing.assert_array_equal(out, ideal)
    assert same == activity


@SETTINGS
@given(cases(), st.booleans(), st.booleans(), st.booleans(), st.sampled_from([None, 0.0, 0.1, 3.0]))
def test_imperfect_layer_equals_its_twin(case, noisy, droop, static, spread):
    node, encoding, (value, x, kept), samples, rng = case
    read = imperfect(rng, node, encoding, spread=spread, noisy=noisy, droop=droop, static=static)
    encoding = replace(encoding, read=read)
    out, _ = run_layer(compile_layer(node, encoding, shape_of(x)), value, samples)
    np.testing.assert_array_equal(out, by_twin(node, encoding, value, x, kept, samples))
