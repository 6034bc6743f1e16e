"""What follows from where the crossbars of a layer stand: reads of its inputs, and sums that leave a tile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archsim.mapping.tiling import Tiling


@dataclass(frozen=True)
class Layout:
    """Crossbars stand in the order replica, convolution group, column tile, row tile; averages are over replicas.

    `first`, `crossbars`: the numbers on the chip. `crossings`: for each tile but the last, how often partial sums of a
    column tile go on from it to the next tile for one output position. `rows_read`: rows that the input buffers read
    for one position; column tiles on one tile share a read. `busiest_rows`: rows that the busiest tile reads when each
    replica computes one position.
    """

    first: int
    crossbars: int
    crossings: tuple[float, ...]
    rows_read: float
    busiest_rows: int


def lay_out(tiling: Tiling, column_tiles: int, replicas: int, first: int, per_tile: int) -> Layout:
    """Return what follows from placing some column tiles of a layer at crossbar `first`."""
    depth = len(tiling.row_tiles)
    count = replicas * tiling.blocks * column_tiles * depth
    tile = ((first + np.arange(count)) // per_tile).reshape(replicas, tiling.blocks, column_tiles, depth)
    crossings = tuple(
        int(((tile[..., 0] <= t) & (tile[..., -1] > t)).sum()) / replicas for t in range(tile.min(), tile.max())
    )
    reads = np.ones(tile.shape, dtype=bool)
    reads[:, :, 1:, :] = np.diff(tile, axis=2) > 0  # a column tile on the tile of the last one reads with it
    rows = np.broadcast_to([t.size for t in tiling.row_tiles], tile.shape)[reads]
    by_tile = np.bincount(tile[reads], weights=rows)
    return Layout(first, count, crossings, float(rows.sum()) / replicas, int(by_tile.max()))


def blocks_of(layout: Layout, size: int) -> range:
    """Return which blocks of `size` crossbars (tiles, cores) a layer lies in."""
    return range(layout.first // size, (layout.first + layout.crossbars - 1) // size + 1)
