"""The three ways to compute the arrays of a layer; which one it is follows from how its arrays are read.

* packed: nothing is imperfect. Counts and codes are whole numbers, exact.
* noise: all cells are nominal, but not their reads. Counts are exact; one Gaussian for each conversion is the sum of
  the read noise of all its cells, exactly in distribution.
* conductance: every cell has a conductance of its own, a whole number of 2**-`FRACTION` cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.functional.encoding import LOSSLESS, MAX_COUNT, Converter, FloatArray, Int16Array, LayerEncoding, ReadModel
from archsim.functional.values import Reals, Words
from archsim.functional.window import Window
from archsim.kernels import conductance, crossbar, noisy
from archsim.kernels.constants import LANE, NOISE_UNIT, PANEL_LANES, words_for
from archsim.kernels.lanes import LanePlan, by_blocks, column_blocks, pack_weights, padded, panels, plan_lanes
from archsim.workload.trace import Weights

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Readout = tuple[int, int, int, Floats, Floats, np.float32, np.float32, np.float32, np.float32]


@dataclass(frozen=True)
class Vectors:
    """One input bit of every sample.

    `maps`: map, mask, whether rows are dropped, and the geometry of the windows, as the kernels take them.
    `plane`: which input bit. `draws`: key of the stream of read noise, image and pass of each sample.
    """

    maps: tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], bool, tuple[int, ...]]
    plane: int
    draws: tuple[np.uint64, Ints, Ints]


@dataclass(frozen=True, eq=False)
class Layout:
    """How weights lie in memory.

    `plans`: by part of a grouped convolution. `columns`: of one part; `blocks`: how they are cut for the kernels.
    `cells`: how many (complementary pairs of) cells hold one weight, of `slices` digits each.
    """

    plans: tuple[LanePlan, ...]
    columns: int
    blocks: Ints
    cells: int
    slices: int


@dataclass(frozen=True, eq=False)
class Packed:
    """Ideal arrays.

    `weights`: [part][cell]. `adc`: step, lowest and highest code that can occur. `panels`: how groups are cut.
    `bound`: no result is larger, before the weights of input bits.
    """

    layout: Layout
    weights: tuple[tuple[Words, ...], ...]
    adc: tuple[int, int, int]
    panels: Ints
    bound: int

    def multiply(self, vectors: Vectors, part: int, cell: int, worth: int, out: Reals, add: bool) -> int:
        """Compute one cell of the weights of a part. Returns how many rows were driven."""
        plan, columns = self.layout.plans[part], self.layout.columns
        counted = crossbar.multiply(
            *vectors.maps,
            (plan.source, plan.pieces, plan.lane_pieces, plan.group_lanes, plan.group_rows, self.panels),
            (self.weights[part][cell], self.layout.slices, *self.adc, worth),
            self.layout.blocks,
            out,
            (part * columns, columns),
            add,
        )
        return int(counted.sum())


@dataclass(frozen=True, eq=False)
class Imperfect:
    """Arrays that differ from ideal ones.

    `kernel`: `noisy.multiply` or `conductance.multiply`. `plans`, `tables`, `readouts`: by part (and cell), its
    arguments `plan`, `cell` (without what it is worth) and `readout`. `bound`: see `Packed`.
    """

    layout: Layout
    kernel: Callable[..., Ints]
    plans: Sequence[tuple[Ints, ...]]
    tables: Sequence[Sequence[tuple[Any, ...]]]
    readouts: Sequence[Sequence[Readout]]
    bound: int

    def multiply(self, vectors: Vectors, part: int, cell: int, worth: int, out: Reals, add: bool) -> int:
        """Compute one cell of the weights of a part. Returns how many rows were driven."""
        first, columns = part * self.layout.columns, self.layout.columns
        counted = self.kernel(
            *vectors.maps,
            self.plans[part],
            (*self.tables[part][cell], self.layout.slices, worth),
            self.readouts[part][cell],
            (*vectors.draws, vectors.plane * self.layout.cells + cell, first, out.shape[1]),
            self.layout.blocks,
            out,
            (first, columns),
            add,
        )
        return int(counted.sum())


def compile_arrays(weights: Weights, encoding: LayerEncoding, window: Window) -> Packed | Imperfect:
    """Prepare the arrays of a layer."""
    return (_packed if encoding.read is None else _imperfect)(weights, encoding, window)


def _packed(weights: Weights, encoding: LayerEncoding, window: Window) -> Packed:
    peak = 2**encoding.slices_per_cell - 1
    groups, converter = _merged(encoding, weights.values[0].size, peak, len(window.taps))
    low, high = _range(max(len(g) for g in groups), converter, peak)
    layout = _layout(weights, encoding, groups, window)
    return Packed(
        layout=layout,
        weights=_packed_weights(weights, layout),
        adc=(converter.lsb_log2, low, high),
        panels=panels(layout.plans[0].group_lanes, high - low, MAX_COUNT),
        bound=_bound([_range(len(g), converter, peak) for g in groups], converter, weights, peak),
    )


def _imperfect(weights: Weights, encoding: LayerEncoding, window: Window) -> Imperfect:
    read, converter, groups = encoding.read, encoding.converter, encoding.groups
    assert read is not None
    peak = 2**encoding.slices_per_cell - 1
    layout = _layout(weights, encoding, groups, window)
    parts, cells = range(window.parts), range(layout.cells)
    plans: list[tuple[Ints, ...]] = [(p.source, p.pieces, p.lane_pieces, p.group_lanes) for p in layout.plans]
    if read.lines is None:
        kernel, tables = noisy.multiply, [[(cell,) for cell in part] for part in _packed_weights(weights, layout)]
    else:
        kernel, tables = conductance.multiply, _line_tables(read.lines)
        plans = [(*plans[i], np.maximum(2 * layout.plans[i].rows, 0)) for i in parts]
    return Imperfect(
        layout=layout,
        kernel=kernel,
        plans=plans,
        tables=tables,
        readouts=[[_readout(read, converter, peak, layout, i, j) for j in cells] for i in parts],
        bound=_bound([(converter.low, converter.high)] * len(groups), converter, weights, peak),
    )


def _layout(weights: Weights, encoding: LayerEncoding, groups: Sequence[Ints], window: Window) -> Layout:
    outputs, inputs = weights.values.shape[:2]
    channels = inputs * window.parts
    pixels = window.taps @ (window.size[1] + 2 * window.padding[1], 1) * (words_for(channels) - 1)
    columns = outputs // window.parts
    return Layout(
        plans=tuple(plan_lanes(groups, pixels, channels, part * inputs) for part in range(window.parts)),
        columns=columns,
        blocks=column_blocks(padded(columns)),
        cells=weights.bits // encoding.slices_per_cell,
        slices=encoding.slices_per_cell,
    )


def _packed_weights(weights: Weights, layout: Layout) -> tuple[tuple[Words, ...], ...]:
    """Return the packed bits of each part and cell."""
    parts = np.split(weights.values.reshape(len(weights.values), -1), len(layout.plans))
    packed = [pack_weights(v, weights.bits, p) for v, p in zip(parts, layout.plans, strict=True)]
    cells = range(0, weights.bits, layout.slices)
    return tuple(tuple(by_blocks(part[i : i + layout.slices]) for i in cells) for part in packed)


def _line_tables(lines: Sequence[Sequence[Int16Array]]) -> list[list[tuple[Any, ...]]]:
    """Return the argument `cell` of `conductance.multiply` for each part and cell."""
    largest = max(1, *(int(np.abs(cell.astype(np.int32)).max()) for part in lines for cell in part))
    at_most = max(1, MAX_COUNT // largest)
    return [[(_by_blocks(cell), len(cell), at_most) for cell in part] for part in lines]


def _by_blocks(lines: Int16Array) -> Int16Array:
    """Return a table (lines, columns) block of columns by block."""
    table = np.zeros((1, len(lines), padded(lines.shape[1])), np.int16)
    table[0, :, : lines.shape[1]] = lines
    return by_blocks(table.view(np.uint16)).view(np.int16)


def _readout(read: ReadModel, converter: Converter, peak: int, layout: Layout, part: int, cell: int) -> Readout:
    """Return the argument `readout` of the kernels."""

    def of_columns(errors: FloatArray | None, nominal: float) -> Floats:
        wide = padded(layout.columns)
        if errors is None:
            return np.full((1, wide), nominal, np.float32)
        mine = errors[:, cell, part * layout.columns : (part + 1) * layout.columns].astype(np.float32)
        return np.pad(mine + np.float32(nominal), ((0, 0), (0, wide - layout.columns)))

    on, off = ((sigma * NOISE_UNIT) ** 2 for sigma in (read.sigma_on, read.sigma_off))
    return (
        converter.lsb_log2,
        converter.low,
        converter.high,
        of_columns(read.gain, 1.0),
        of_columns(read.offset, 0.0),
        np.float32(read.droop),
        np.float32(read.floor),
        np.float32(on - off),
        np.float32(off * peak),
    )


def _bound(ranges: Sequence[tuple[int, int]], converter: Converter, weights: Weights, peak: int) -> int:
    """Return how large a result can be; `ranges`: of the codes of each group."""
    largest = sum((max(-low, high) << converter.lsb_log2 + 1) + peak for low, high in ranges)
    return int(largest * (2**weights.bits - 1) // peak)


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
