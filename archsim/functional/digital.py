"""The operations between crossbars, one small function each, on values of any kind.

Real arithmetic is float32 in the order in which torch does it, so that equal inputs give equal bits wherever torch
does the same operations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.errors import TraceError
from archsim.functional.values import Grid, Reals, Signs, Value, Words, as_reals, layout, to_channels_first
from archsim.kernels import packing
from archsim.kernels.constants import words_for
from archsim.workload.trace import Activation, Affine, Node, Normalise, Pool, Quantize, Sign, Threshold

Float = npt.NDArray[np.float32]


def threshold(op: Threshold | Sign, value: Value) -> Signs:
    """Compare with a level per channel and pack."""
    x = np.ascontiguousarray(as_reals(value))
    channels = x.shape[-1]
    level, direction = np.zeros(1, np.float32), np.ones(1, np.int8)
    if isinstance(op, Threshold):
        level, direction = op.level, op.direction
    level, rising = np.broadcast_to(level, channels), np.broadcast_to(direction > 0, channels)
    levels = _real_levels(level, rising) if x.dtype == np.float32 else _whole_levels(level, rising, x.dtype)
    flip = np.zeros(words_for(channels), np.uint16)
    for c in np.flatnonzero(~rising):
        flip[c // 16] |= np.uint16(1 << c % 16)
    bits = np.empty((*x.shape[:-1], len(flip)), np.uint16)
    packing.pack_at_least(x.reshape(-1, channels), levels, flip, bits.reshape(-1, len(flip)))
    return Signs(bits, channels)


def _real_levels(level: Float, rising: npt.NDArray[np.bool_]) -> Float:
    """Return t such that x <= level is not (x >= t) where the threshold falls."""
    return np.where(rising, level, np.nextafter(level, np.float32(np.inf))).astype(np.float32)


def _whole_levels(level: Float, rising: npt.NDArray[np.bool_], dtype: np.dtype[np.signedinteger]) -> Reals:
    """Return the same for whole x; the largest number of the type, which no sum reaches, stands for infinity."""
    limits: np.iinfo[Any] = np.iinfo(dtype)
    exact = level.astype(np.float64)
    levels = np.where(rising, np.ceil(exact), np.floor(exact) + 1)
    return np.clip(levels, limits.min, limits.max).astype(dtype)


def quantize(op: Quantize, value: Value) -> Grid:
    """Round to the quantiser's grid, halves to even."""
    steps = np.rint(as_reals(value).astype(np.float32) / np.float32(op.scale))
    return Grid(np.clip(steps, op.low, op.high).astype(np.int32), op)


def affine(op: Affine, value: Value) -> Float:
    """Scale and shift per channel."""
    return np.asarray(as_reals(value).astype(np.float32) * op.scale + op.shift, np.float32)


def activation(op: Activation, value: Value) -> Reals:
    """Apply an element-wise function. Raises `TraceError` for an unknown one."""
    x = as_reals(value)
    if op.function == "relu":
        return np.asarray(np.maximum(x, 0), x.dtype)
    if op.function == "hardtanh":
        return np.asarray(np.clip(x, -1, 1), x.dtype)
    real = x.astype(np.float32)
    if op.function == "tanh":
        return np.tanh(real)
    if op.function == "sigmoid":
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-real)), np.float32)
    raise TraceError(f"activation '{op.function}' is not one of {Activation.FUNCTIONS}")


def add(values: list[Value]) -> Reals:
    """Add values in the order of the node's inputs."""
    arrays = [as_reals(v) for v in values]
    kind = np.int32 if all(a.dtype.kind == "i" for a in arrays) else np.float32
    total = arrays[0].astype(kind)
    for array in arrays[1:]:
        total += array.astype(kind, copy=False)
    return total


def softmax(node: Node, value: Value) -> Float:
    """Softmax over the last axis of the node's shape."""
    x = as_reals(value).astype(np.float32)
    axis = -1 if len(node.shape) == 1 else 2
    power = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(power / power.sum(axis=axis, keepdims=True), np.float32)


def normalise(node: Node, value: Value) -> Float:
    """Subtract each sample's mean and divide by its deviation.

    The mean and the variance are summed in float64, so that the order of summing does not show, and rounded to float32.
    Raises `TraceError` for an unknown set of values, and for sets of one value, which all become 0.
    """
    op = node.op
    assert isinstance(op, Normalise)
    x = as_reals(value).astype(np.float32)
    if op.over not in Normalise.OVER:
        raise TraceError(f"node '{node.name}': cannot normalise over '{op.over}'; known: {', '.join(Normalise.OVER)}")
    axes = (1, 2, 3) if op.over == "layer" else (1, 2)
    if all(x.shape[axis] == 1 for axis in axes):
        raise TraceError(f"node '{node.name}': normalising over '{op.over}' leaves nothing of a single value")
    centred: Float = x - x.mean(axis=axes, keepdims=True, dtype=np.float64).astype(np.float32)
    variance = np.mean(centred * centred, axis=axes, keepdims=True, dtype=np.float64)
    centred /= np.sqrt(variance + op.epsilon).astype(np.float32)
    return centred


def flatten(value: Value) -> Value:
    """Reorder maps into one channel-major vector."""
    if isinstance(value, Signs):
        kept = None if value.kept is None else _flat_bits(value.kept, value.channels)
        height, width = value.bits.shape[1:3]
        return Signs(_flat_bits(value.bits, value.channels), value.channels * height * width, kept, value.gain)
    if isinstance(value, Grid):
        kept_values = None if value.kept is None else _flat(value.kept)
        return Grid(np.asarray(_flat(value.values), np.int32), value.quantizer, kept_values, value.gain)
    return _flat(value)


def _flat(x: Reals) -> Reals:
    return np.ascontiguousarray(to_channels_first(x, (x.shape[3], *x.shape[1:3]))).reshape(len(x), 1, 1, -1)


def _flat_bits(bits: Words, channels: int) -> Words:
    samples, height, width, words = bits.shape
    if height * width == 1:
        return bits
    out = np.empty((samples, words_for(channels * height * width)), np.uint16)
    packing.flatten_bits(bits.reshape(samples, -1, words), channels, out)
    return out.reshape(samples, 1, 1, -1)


def pool(node: Node, value: Value) -> Value:
    """Maximum or mean over windows; what lies outside the map neither wins nor counts."""
    op = node.op
    assert isinstance(op, Pool)
    out = layout(node.shape)[:2]
    if op.function == "avg":
        return _mean(as_reals(value), op, out)
    if op.function != "max":
        raise TraceError(f"node '{node.name}': pooling by '{op.function}' is not supported; known: max, avg")
    if isinstance(value, Signs):
        return _max_signs(value, op, out)
    if isinstance(value, Grid):
        return Grid(_max(value.values, op, out), value.quantizer, None, value.gain)
    return _max(value, op, out)


def _windows(
    op: Pool, size: tuple[int, int], out: tuple[int, int]
) -> list[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Return, for each kernel position, which outputs it reaches inside the map and the inputs they read."""

    def axis(n: int, outputs: int, offset: int, stride: int, padding: int) -> tuple[slice, slice]:
        first = max(0, -((offset - padding) // stride))
        last = min(outputs - 1, (n - 1 - offset + padding) // stride)
        start = first * stride + offset - padding
        return slice(first, last + 1), slice(start, start + max(0, last - first) * stride + 1, stride)

    kernel, stride, padding = ((d, *t)[-2:] for t, d in ((op.kernel, 1), (op.stride, 1), (op.padding, 0)))
    pairs = []
    for offsets in np.ndindex(*kernel):
        (oy, iy), (ox, ix) = map(axis, size, out, offsets, stride, padding)
        if oy.start < oy.stop and ox.start < ox.stop:
            pairs.append(((oy, ox), (iy, ix)))
    return pairs


def _max(x: Reals, op: Pool, out: tuple[int, int]) -> Reals:
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    best = np.full((len(x), *out, x.shape[-1]), lowest, x.dtype)
    for (oy, ox), (iy, ix) in _windows(op, x.shape[1:3], out):
        part = best[:, oy, ox]
        np.maximum(part, x[:, iy, ix], out=part)
    return best


def _mean(x: Reals, op: Pool, out: tuple[int, int]) -> Float:
    total = np.zeros((len(x), *out, x.shape[-1]), np.float32)
    count = np.zeros((*out, 1), np.float32)
    for (oy, ox), (iy, ix) in _windows(op, x.shape[1:3], out):
        total[:, oy, ox] += x[:, iy, ix]
        count[oy, ox] += 1
    return total / count


def _max_signs(value: Signs, op: Pool, out: tuple[int, int]) -> Signs:
    """+1 if any kept +1; else 0 if any was dropped (0 > -1); else -1."""
    shape = (len(value.bits), *out, value.bits.shape[-1])
    any_one, all_kept = np.zeros(shape, np.uint16), np.full(shape, 0xFFFF, np.uint16)
    ones = value.bits if value.kept is None else value.bits & value.kept
    for (oy, ox), (iy, ix) in _windows(op, value.bits.shape[1:3], out):
        any_one[:, oy, ox] |= ones[:, iy, ix]
        if value.kept is not None:
            all_kept[:, oy, ox] &= value.kept[:, iy, ix]
    return Signs(any_one, value.channels, None if value.kept is None else any_one | all_kept, value.gain)
