"""Runs one crossbar layer: feeds its input bit by bit to arrays that were compiled once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from archsim.errors import MappingError, TraceError
from archsim.functional.activity import LayerActivity
from archsim.functional.encoding import MAX_COUNT, LayerEncoding, weight_rows
from archsim.functional.randomness import stream_of
from archsim.functional.tiers import Imperfect, Packed, Vectors, compile_arrays
from archsim.functional.values import Grid, Reals, Samples, Signs, Value, Words, pack
from archsim.functional.window import Window, window_of
from archsim.kernels import maps, packing
from archsim.kernels.constants import words_for
from archsim.workload.trace import Conv, Linear, Node

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Layer:
    """A crossbar layer ready to run."""

    node: Node
    encoding: LayerEncoding
    window: Window
    arrays: Packed | Imperfect

    @cached_property
    def undropped(self) -> npt.NDArray[np.uint32]:
        """The driven rows of an image where nothing is dropped: ones, and zeros for the padding."""
        channels = self.op.weights.values.shape[1] * self.window.parts
        return _spread(pack(np.ones((1, *self.window.size, channels), np.bool_)), self.window)

    @property
    def op(self) -> Linear | Conv:
        """The operation."""
        assert isinstance(self.node.op, Linear | Conv)
        return self.node.op


def compile_layer(node: Node, encoding: LayerEncoding, input_shape: tuple[int, ...]) -> Layer:
    """Prepare a layer. `input_shape`: of one sample, channels first."""
    assert isinstance(node.op, Linear | Conv)
    window = window_of(node, input_shape)
    return Layer(node, encoding, window, compile_arrays(node.op.weights, encoding, window))


def run_layer(layer: Layer, value: Value, samples: Samples) -> tuple[Reals, LayerActivity]:
    """Apply a layer to its input. Returns its output and what it did (`bits_drawn` apart).

    `samples`: whose read noise is drawn, one for each sample of `value`; only a noisy layer looks at them.
    """
    node, op, window = layer.node, layer.op, layer.window
    if isinstance(value, np.ndarray):
        raise TraceError(f"node '{node.name}': its input is real-valued; a crossbar needs bits or quantised integers")
    planes = list(_planes(value))
    count = len(planes[0][0])
    bound = layer.arrays.bound * sum(abs(weight) for *_, weight in planes)
    if bound >= 2**31 - 1:
        raise MappingError(f"layer '{node.name}': its sums need more than 32 bits")
    out = np.empty((count * window.out[0] * window.out[1], len(op.weights.values)),
                   np.int16 if bound < MAX_COUNT else np.int32)  # fmt: skip
    draws = np.uint64(stream_of(samples.seed, node.name, "read")), samples.images, samples.passes
    driven = sum(_multiply(layer, i, draws, *plane, out) for i, plane in enumerate(planes))
    activity = _activity(layer, value, count, len(planes), driven)
    return _scaled(layer, value, out.reshape(count, *window.out, -1)), activity


def _planes(value: Signs | Grid) -> Iterator[tuple[Words, Words | None, int]]:
    """Yield the binary vectors an input is fed as: bits, mask of driven rows, and what they count."""
    if isinstance(value, Signs):
        yield value.bits, value.kept, 1
        return
    quantizer = value.quantizer
    *shape, channels = value.values.shape
    for plane in range(quantizer.bits):
        bits = np.empty((*shape, words_for(channels)), np.uint16)
        packing.pack_plane(value.values.reshape(-1, channels), plane, bits.reshape(-1, bits.shape[-1]))
        is_sign = quantizer.signed and plane == quantizer.bits - 1
        yield bits, bits, -(2**plane) if is_sign else 2**plane


def _multiply(
    layer: Layer, index: int, draws: tuple[np.uint64, Ints, Ints], bits: Words, kept: Words | None, weight: int,
    out: Reals,
) -> int:  # fmt: skip
    """Compute input bit number `index` of every sample, for all parts and weight cells; return the rows driven."""
    window, arrays = layer.window, layer.arrays
    reach = window.taps[-1]
    geometry = (*window.out, *window.stride, *window.padding, *reach.tolist())
    x = _spread(bits, window)
    mask = layer.undropped if kept is None else x if kept is bits else _spread(kept, window)
    vectors = Vectors((x, mask, kept is not None, geometry), index, draws)
    driven = 0
    for part in range(window.parts):
        for cell in range(arrays.layout.cells):
            worth = weight << cell * arrays.layout.slices
            counted = arrays.multiply(vectors, part, cell, worth, out, index > 0 or cell > 0)
        driven += counted
    return driven


def _spread(words: Words, window: Window) -> npt.NDArray[np.uint32]:
    """Return packed maps as the kernel reads them, padding included."""
    images, height, width, per_pixel = words.shape
    pad_y, pad_x = window.padding
    out = np.empty((images, height + 2 * pad_y, width + 2 * pad_x, per_pixel - 1), np.uint32)
    maps.spread(words, pad_y, pad_x, out)
    return out


def _scaled(layer: Layer, value: Signs | Grid, sums: Reals) -> Reals:
    """Return sums x scales + bias in float32, or the whole numbers themselves where there is nothing to scale."""
    op = layer.op
    scale = np.float32(value.gain) if isinstance(value, Signs) else value.scale
    if scale == 1 and np.all(op.weights.scale == 1) and op.bias is None:
        return sums
    out = sums.astype(np.float32)
    out *= op.weights.scale * scale
    if op.bias is not None:
        out += op.bias
    return out


def _activity(layer: Layer, value: Signs | Grid, samples: int, planes: int, driven: int) -> LayerActivity:
    window = layer.window
    rows = weight_rows(layer.node) * window.parts
    vectors = samples * window.out[0] * window.out[1] * planes
    inputs = layer.op.weights.values.shape[1] * window.parts
    padded = vectors * rows - samples * planes * inputs * int(window.coverage.sum())
    off = vectors * rows - padded - driven
    dropped = 0
    if value.kept is not None:
        dropped = off
        if isinstance(value, Grid):
            dropped = planes * int(((~value.kept).sum(axis=(0, 3)) * window.coverage).sum())
    return LayerActivity(
        evaluations=samples,
        vectors=vectors,
        rows_driven=driven,
        rows_dropped=dropped,
        rows_padded=padded,
        rows_idle=off - dropped,
        group_reads=vectors * len(layer.encoding.groups) * layer.arrays.layout.cells * window.parts,
    )
