"""What follows from where the crossbars of a layer stand: reads of its inputs, and sums that leave a tile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from archsim.mapping.tiling import Tiling

Crossbars = npt.NDArray[np.int64]  # numbers of crossbars, or of the tiles that they stand on


@dataclass(frozen=True)
class Layout:
    """Crossbars stand in the order replica, copy, convolution group, column tile, row tile.

    Of the copies that an arbiter chooses among one works in a pass. Each of them stands together, so that its partial
    sums travel no further than those of a layer without copies; and the copies of a replica stand beside each other, so
    that replicas spread over tiles and their digital units whichever copy works.

    `first`, `crossbars`: the numbers on the chip. `columns`: column tiles, over all convolution groups; `depth`: row
    tiles. Averages over copies and replicas, for one output position: `crossings`: for each tile of the layer but the
    last, how often partial sums of a column tile go on from it to the next; `rows_read`: rows that the input buffers
    read, where column tiles on one tile share a read. Of the first copy, whose tiles stand for those of all of them in
    time: `own_crossings`, for each of its tiles but the last. `busiest_rows`: rows that the busiest tile of any copy
    reads when each replica computes one position.
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
        return (crossbar - self.first) // (self.depth * self.columns) % self.copies

    def of_copy(self, copy: int) -> Crossbars:
        """Return the numbers of the crossbars of a copy, in all replicas."""
        grid = self.first + np.arange(self.crossbars).reshape(-1, self.copies, self.depth * self.columns)
        return grid[:, copy].ravel()


def lay_out(tiling: Tiling, column_tiles: int, replicas: int, first: int, per_tile: int) -> Layout:
    """Return what follows from placing some column tiles of a layer at crossbar `first`."""
    depth = len(tiling.row_tiles)
    shape = (replicas, tiling.copies, tiling.blocks, column_tiles, depth)
    count = prod(shape)
    tile = ((first + np.arange(count)) // per_tile).reshape(shape)
    reads = np.ones(shape, dtype=bool)
    reads[..., 1:, :] = np.diff(tile, axis=3) > 0  # a column tile on the tile of the last one reads with it
    rows = np.broadcast_to([t.size for t in tiling.row_tiles], shape)
    of_copies = [(tile[:, c][reads[:, c]], rows[:, c][reads[:, c]]) for c in range(tiling.copies)]
    everywhere = range(tile.min(), tile.max() + 1)
    return Layout(
        first=first,
        crossbars=count,
        crossings=_crossings(tile, everywhere, replicas * tiling.copies),
        rows_read=float(rows[reads].sum()) / (replicas * tiling.copies),
        busiest_rows=int(max(np.bincount(where, weights=read).max() for where, read in of_copies)),
        own_crossings=_crossings(tile[:, 0], np.unique(tile[:, 0]), replicas),
        columns=tiling.blocks * column_tiles,
        depth=depth,
        copies=tiling.copies,
    )


def _crossings(tile: Crossbars, tiles: Iterable[int], positions: int) -> tuple[float, ...]:
    """Return how often sums go from each of some tiles to the next, for one of the positions computed at once."""
    inside = list(tiles)[:-1]
    return tuple(int(((tile[..., 0] <= t) & (tile[..., -1] > t)).sum()) / positions for t in inside)


def blocks_of(layout: Layout, size: int) -> range:
    """Return which blocks of `size` crossbars (tiles, cores) a layer lies in."""
    return range(layout.first // size, (layout.first + layout.crossbars - 1) // size + 1)


def blocks_at_work(layout: Layout, size: int, copy: int = 0) -> dict[int, int]:
    """Return how many crossbars of a copy lie in each of those blocks that hold any, in order."""
    blocks, counts = np.unique(layout.of_copy(copy) // size, return_counts=True)
    return dict(zip(blocks.tolist(), counts.tolist(), strict=True))
