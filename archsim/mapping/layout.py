"""What follows from where the crossbars of a layer stand: reads of its inputs, and sums that leave a tile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.mapping.tiling import Tiling


@dataclass(frozen=True)
class Layout:
    """Crossbars stand in the order copy, replica, convolution group, column tile, row tile.

    Of the copies that an arbiter chooses among one works in a pass: each stands together like a layer of its own, so
    that its partial sums travel no further than those of a layer without copies. Replicas work side by side.

    `first`, `crossbars`: the numbers on the chip. `columns`: column tiles, over all convolution groups; `depth`: row
    tiles. Averages over copies and replicas, for one output position: `crossings`: for each tile of the layer but the
    last, how often partial sums of a column tile go on from it to the next; `rows_read`: rows that the input buffers
    read, where column tiles on one tile share a read. Of the first copy, whose tiles stand for those of all of them in
    time: `own_crossings`. `busiest_rows`: rows that the busiest tile of any copy reads when each replica computes one
    position.
    """

    first: int
    crossbars: int
    crossings: tuple[float, ...]
    rows_read: float
    busiest_rows: int
    own_crossings: tuple[float, ...]
    columns: int
    depth: int
    copies: int

    def column(self, crossbar: int) -> int:
        """Return which column tile a crossbar of the chip belongs to."""
        return (crossbar - self.first) // self.depth % self.columns

    def copy(self, crossbar: int) -> int:
        """Return which copy a crossbar of the chip belongs to."""
        return (crossbar - self.first) * self.copies // self.crossbars


def lay_out(tiling: Tiling, column_tiles: int, replicas: int, first: int, per_tile: int) -> Layout:
    """Return what follows from placing some column tiles of a layer at crossbar `first`."""
    depth = len(tiling.row_tiles)
    count = tiling.copies * replicas * tiling.blocks * column_tiles * depth
    tile = ((first + np.arange(count)) // per_tile).reshape(tiling.copies, replicas, tiling.blocks, column_tiles, depth)
    reads = np.ones(tile.shape, dtype=bool)
    reads[..., 1:, :] = np.diff(tile, axis=3) > 0  # a column tile on the tile of the last one reads with it
    rows = np.broadcast_to([t.size for t in tiling.row_tiles], tile.shape)
    busiest = max(np.bincount(t[r], weights=n[r]).max() for t, r, n in zip(tile, reads, rows, strict=True))
    return Layout(
        first=first,
        crossbars=count,
        crossings=_crossings(tile, tiling.copies * replicas),
        rows_read=float(rows[reads].sum()) / (tiling.copies * replicas),
        busiest_rows=int(busiest),
        own_crossings=_crossings(tile[0], replicas),
        columns=tiling.blocks * column_tiles,
        depth=depth,
        copies=tiling.copies,
    )


def _crossings(tile: npt.NDArray[np.int64], positions: int) -> tuple[float, ...]:
    """Return how often sums go from each tile to the next, for one of so many positions that are computed at once."""
    steps = range(tile.min(), tile.max())
    return tuple(int(((tile[..., 0] <= t) & (tile[..., -1] > t)).sum()) / positions for t in steps)


def blocks_of(layout: Layout, size: int, copy: int | None = None) -> range:
    """Return which blocks of `size` crossbars (tiles, cores) a layer, or one copy of it, lies in."""
    length = layout.crossbars if copy is None else layout.crossbars // layout.copies
    first = layout.first if copy is None else layout.first + copy * length
    return range(first // size, (first + length - 1) // size + 1)
