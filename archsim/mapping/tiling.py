"""How a weight matrix is cut into crossbars, and which rows are converted together."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt

from archsim.workload.trace import Conv, Linear, Node

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tiling:
    """The crossbars of one replica of a layer, `copies` times where an arbiter chooses among copies of the weights.

    Rows are inputs (word-line pairs), numbered canonically: channel x kernel positions + kernel position.
    `row_tiles`: the rows of each crossbar, in physical order; each is shared by all `column_tiles`.
    `groups`: the same rows cut into the parts that are driven and converted together.
    `columns`: physical columns of one convolution group (outputs x cells for the bits of a weight).
    `blocks`: convolution groups; each has its own crossbars.
    `slices`: columns that hold one weight; `bits_per_cell` weight bits sit in each.
    """

    row_tiles: tuple[Rows, ...]
    groups: tuple[Rows, ...]
    columns: int
    column_tiles: int
    blocks: int
    slices: int
    bits_per_cell: int
    steps: int
    copies: int

    @property
    def rows(self) -> int:
        """Inputs of one convolution group."""
        return sum(t.size for t in self.row_tiles)

    @property
    def crossbars(self) -> int:
        """Crossbars of one replica, all copies of the weights included."""
        return self.copies * self.crossbars_per_copy

    @property
    def crossbars_per_copy(self) -> int:
        """Crossbars of one replica that work on a position: those of one copy."""
        return self.blocks * len(self.row_tiles) * self.column_tiles

    @property
    def cells_used(self) -> int:
        """Cells (complementary pairs, or multi-level cells) that hold a weight bit, in one copy of one replica."""
        return self.blocks * self.rows * self.columns


def row_order(node: Node, strategy: str) -> list[Rows]:
    """Return the row numbers of a layer in physical order, cut where the mapping strategy forces a new crossbar.

    "unrolled": a kernel is one column and a feature map takes K x K consecutive rows (strategy 1 of the
    Spatial-SpinDrop paper). "subarrays": one C_in x C_out array for each kernel position (strategy 2).
    """
    assert isinstance(node.op, Linear | Conv)
    shape = node.op.weights.values.shape
    channels, positions = shape[1], int(np.prod(shape[2:], dtype=np.int64))
    grid = np.arange(channels * positions, dtype=np.int64).reshape(channels, positions)
    if strategy == "subarrays":
        return [grid[:, k].copy() for k in range(positions)]
    return [grid.ravel()]


def tile_layer(node: Node, *, rows: int, columns: int, parallel_rows: int, bits_per_cell: int, strategy: str) -> Tiling:
    """Cut a layer's weights into crossbars of `rows` x `columns`, of which `parallel_rows` are driven at a time."""
    assert isinstance(node.op, Linear | Conv)
    row_tiles = [part[i : i + rows] for part in row_order(node, strategy) for i in range(0, part.size, rows)]
    groups = [t[i : i + parallel_rows] for t in row_tiles for i in range(0, t.size, parallel_rows)]
    blocks = node.op.groups if isinstance(node.op, Conv) else 1
    bits = node.op.weights.bits
    per_cell = max(n for n in range(1, bits_per_cell + 1) if bits % n == 0)  # a cell never mixes two weights
    slices = bits // per_cell
    physical = node.op.weights.values.shape[0] // blocks * slices
    return Tiling(
        row_tiles=tuple(row_tiles),
        groups=tuple(groups),
        columns=physical,
        column_tiles=ceil(physical / columns),
        blocks=blocks,
        slices=slices,
        bits_per_cell=per_cell,
        steps=max(ceil(t.size / parallel_rows) for t in row_tiles),
        copies=len(node.op.copies),
    )
