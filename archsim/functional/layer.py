"""Runs one crossbar layer: compiles its weights into lanes once, then multiplies packed inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from archsim.errors import MappingError, TraceError
from archsim.functional.activity import LayerActivity
from archsim.functional.encoding import LOSSLESS, MAX_COUNT, Converter, LayerEncoding, weight_rows
from archsim.functional.values import Grid, Reals, Samples, Signs, Value, Words, layout, pack
from archsim.kernels import crossbar, maps, packing
from archsim.kernels.constants import LANE, PANEL_LANES, words_for
from archsim.kernels.lanes import LanePlan, by_blocks, column_blocks, pack_weights, panels, plan_lanes
from archsim.workload.trace import Conv, Linear, Node

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Window:
    """The geometry of a layer as a 2-D convolution; sizes are (vertical, horizontal)."""

    size: tuple[int, int]
    out: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    parts: int

    @cached_property
    def taps(self) -> Ints:
        """Where each kernel position reads, relative to the first: (positions, 2)."""
        return np.array([(y * self.dilation[0], x * self.dilation[1]) for y, x in np.ndindex(*self.kernel)])

    @cached_property
    def coverage(self) -> Ints:
        """How often each input pixel is read by one evaluation: (height, width)."""
        axes = []
        for n, out, k, s, p, d in zip(
            self.size, self.out, self.kernel, self.stride, self.padding, self.dilation, strict=True
        ):
            reads = np.arange(out)[:, None] * s - p + np.arange(k) * d
            axes.append(np.bincount(reads[(reads >= 0) & (reads < n)], minlength=n))
        return np.outer(*axes)


def window_of(node: Node, input_shape: tuple[int, ...]) -> Window:
    """Return a layer's geometry. Raises `TraceError` where the shapes of node, weights and input disagree."""
    op = node.op
    height, width, channels = layout(input_shape)
    out = layout(node.shape)[:2]

    def pair(values: tuple[int, ...], default: int) -> tuple[int, int]:
        vertical, horizontal = (default, default, *values)[-2:]
        return vertical, horizontal

    if isinstance(op, Linear):
        window = Window((height, width), out, (1, 1), (1, 1), (0, 0), (1, 1), 1)
    else:
        assert isinstance(op, Conv)
        kernel = pair(op.weights.values.shape[2:], 1)
        window = Window((height, width), out, kernel, pair(op.stride, 1), pair(op.padding, 0), pair(op.dilation, 1),
                        op.groups)  # fmt: skip
    fits = isinstance(op, Linear) == (len(input_shape) == 1) and all(
        (n + 2 * p - d * (k - 1) - 1) // s + 1 == o
        for n, o, k, s, p, d in zip(
            window.size, out, window.kernel, window.stride, window.padding, window.dilation, strict=True
        )
    )
    values = op.weights.values
    if not fits or values.shape[1] * window.parts != channels or len(values) != node.shape[0]:
        raise TraceError(
            f"node '{node.name}': input {input_shape}, weights {values.shape} and output {node.shape} do not fit"
        )
    return window


@dataclass(frozen=True, eq=False)
class Layer:
    """A crossbar layer ready to run. `plans`, `weights`: for each part of a grouped convolution (and each cell).

    `adc`: step, lowest and highest code that can occur. `panels`, `blocks`: how groups and columns are cut for the
    kernel. `bound`: no result is larger, before the weights of input bits.
    """

    node: Node
    encoding: LayerEncoding
    window: Window
    plans: tuple[LanePlan, ...]
    weights: tuple[tuple[Words, ...], ...]
    adc: tuple[int, int, int]
    panels: Ints
    blocks: Ints
    bound: int

    @property
    def cells(self) -> int:
        """Cells (complementary pairs) that hold one weight."""
        return len(self.weights[0])

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
    op = node.op
    assert isinstance(op, Linear | Conv)
    if encoding.tier != "packed":
        raise MappingError(f"layer '{node.name}': the {encoding.tier} tier cannot be computed")
    window = window_of(node, input_shape)
    peak = 2**encoding.slices_per_cell - 1
    groups, converter = _merged(encoding, weight_rows(node), peak, int(np.prod(window.kernel)))
    step, low, high = converter.lsb_log2, *_range(max(len(g) for g in groups), converter, peak)
    codes = np.array([max(np.abs(_range(len(g), converter, peak))) for g in groups])
    values = op.weights.values.reshape(len(op.weights.values), -1)
    inputs = op.weights.values.shape[1]
    channels = inputs * window.parts
    pixels = window.taps @ (window.size[1] + 2 * window.padding[1], 1) * (words_for(channels) - 1)
    plans = tuple(plan_lanes(groups, pixels, channels, part * inputs) for part in range(window.parts))
    packed = [pack_weights(v, op.weights.bits, p) for v, p in zip(np.split(values, window.parts), plans, strict=True)]
    cells = range(0, op.weights.bits, encoding.slices_per_cell)
    return Layer(
        node=node,
        encoding=encoding,
        window=window,
        plans=plans,
        weights=tuple(tuple(by_blocks(part[i : i + encoding.slices_per_cell]) for i in cells) for part in packed),
        adc=(step, low, high),
        panels=panels(plans[0].group_lanes, high - low, MAX_COUNT),
        blocks=column_blocks(packed[0].shape[2]),
        bound=int(((codes << step + 1) + peak).sum()) * (2**op.weights.bits - 1) // peak,
    )


def _merged(encoding: LayerEncoding, rows: int, peak: int, positions: int) -> tuple[tuple[Ints, ...], Converter]:
    """Return groups and converter; if they read exactly, any groups do, and few of whole words are the fastest."""
    if not encoding.converter.is_lossless(max(len(g) for g in encoding.groups), peak):
        return encoding.groups, encoding.converter
    largest = min(MAX_COUNT // 2 // peak, PANEL_LANES * LANE)
    by_position = np.arange(rows).reshape(-1, positions).T.ravel()
    return tuple(np.split(by_position, range(largest, rows, largest))), LOSSLESS


def _range(rows: int, converter: Converter, peak: int) -> tuple[int, int]:
    """Return the lowest and highest code that a group of up to so many rows can have."""
    half = 2**converter.lsb_log2 >> 1
    lowest = half - peak * (rows // 2) >> converter.lsb_log2
    highest = half + peak * ((rows + 1) // 2) >> converter.lsb_log2
    return max(converter.low, lowest), min(converter.high, highest)


def run_layer(layer: Layer, value: Value, samples: Samples) -> tuple[Reals, LayerActivity]:
    """Apply a layer to its input. Returns its output and what it did (`bits_drawn` apart)."""
    node, op, window = layer.node, layer.op, layer.window
    if isinstance(value, np.ndarray):
        raise TraceError(f"node '{node.name}': its input is real-valued; a crossbar needs bits or quantised integers")
    planes = list(_planes(value))
    count = len(planes[0][0])
    bound = layer.bound * sum(abs(weight) for *_, weight in planes)
    if bound >= 2**31 - 1:
        raise MappingError(f"layer '{node.name}': its sums need more than 32 bits")
    out = np.empty((count * window.out[0] * window.out[1], len(op.weights.values)),
                   np.int16 if bound < MAX_COUNT else np.int32)  # fmt: skip
    driven = sum(_multiply(layer, *plane, out, add=i > 0) for i, plane in enumerate(planes))
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


def _multiply(layer: Layer, bits: Words, kept: Words | None, weight: int, out: Reals, add: bool) -> int:
    """Compute one input bit of every sample, for all parts and weight cells; return how many rows were driven."""
    window = layer.window
    reach = window.taps[-1]
    geometry = (*window.out, *window.stride, *window.padding, *reach.tolist())
    x = _spread(bits, window)
    mask = layer.undropped if kept is None else x if kept is bits else _spread(kept, window)
    columns = out.shape[1] // window.parts
    per_cell = layer.encoding.slices_per_cell
    driven = 0
    for part, (plan, weights) in enumerate(zip(layer.plans, layer.weights, strict=True)):
        for cell, cell_weights in enumerate(weights):
            counted = crossbar.multiply(
                x,
                mask,
                kept is not None,
                geometry,
                (plan.source, plan.pieces, plan.lane_pieces, plan.group_lanes, plan.group_rows, layer.panels),
                (cell_weights, per_cell, *layer.adc, weight << cell * per_cell),
                layer.blocks,
                out,
                (part * columns, columns),
                add or cell > 0,
            )
        driven += int(counted.sum())
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
        group_reads=vectors * len(layer.encoding.groups) * layer.cells * window.parts,
    )
