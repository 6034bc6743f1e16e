"""How many copies of each layer, on which crossbars; and what to do when the network is larger than the chip."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from archsim.errors import MappingError


@dataclass(frozen=True)
class Demand:
    """What one layer asks for: crossbars and column tiles a replica, output positions, the time of one vector."""

    name: str
    crossbars: int
    column_tiles: int
    positions: int
    vector_ps: int


@dataclass(frozen=True)
class Share:
    """The part of a layer that one round holds: its column tiles [first, last)."""

    layer: int
    first: int
    last: int


@dataclass(frozen=True)
class Grid:
    """The crossbars of a chip, numbered tile by tile; `own_tiles`: each layer starts on a tile of its own."""

    tiles: int
    per_tile: int
    own_tiles: bool

    @property
    def crossbars(self) -> int:
        """Crossbars on the chip."""
        return self.tiles * self.per_tile

    def aligned(self, crossbars: int) -> int:
        """Return a number of crossbars, rounded up to whole tiles where layers do not share any."""
        return ceil(crossbars / self.per_tile) * self.per_tile if self.own_tiles else crossbars


def replicate(demands: Sequence[Demand], grid: Grid) -> list[int]:
    """Return how many replicas of each layer balance a pipeline on a chip.

    Greedy: as long as it fits, the slowest layer gets one more replica; a layer never has more than positions.
    """
    replicas = [1] * len(demands)
    left = grid.crossbars - sum(grid.aligned(d.crossbars) for d in demands)
    queue = [(-d.positions * d.vector_ps, i) for i, d in enumerate(demands)]
    heapq.heapify(queue)
    while queue:
        _, i = heapq.heappop(queue)
        demand, count = demands[i], replicas[i]
        cost = grid.aligned(demand.crossbars * (count + 1)) - grid.aligned(demand.crossbars * count)
        if cost > left or count >= demand.positions:
            break  # the slowest cannot become faster, so nothing else would help
        left -= cost
        replicas[i] += 1
        heapq.heappush(queue, (-ceil(demand.positions / replicas[i]) * demand.vector_ps, i))
    return replicas


def segment(demands: Sequence[Demand], grid: Grid, overflow: str, chip: str) -> list[list[Share]]:
    """Return what is on the chip in each round.

    One round when everything fits. Otherwise `overflow` decides: "refuse" raises `MappingError` with the numbers,
    "reprogram" fills the chip as often as needed, in order, cutting layers between column tiles. A layer one of
    whose columns alone is larger than the chip is refused, as its partial sums would have to wait off the chip.
    """
    needed = sum(grid.aligned(d.crossbars) for d in demands)
    if needed <= grid.crossbars:
        return [[Share(i, 0, d.column_tiles) for i, d in enumerate(demands)]]
    if overflow == "refuse":
        tiles = "" if not grid.own_tiles else ", each layer on tiles of its own (mapping.placement: packed shares them)"
        raise MappingError(
            f"the network needs {needed} crossbars{tiles}, chip '{chip}' has {grid.crossbars}"
            " (mapping.overflow: reprogram would rewrite the chip while it runs)"
        )
    rounds: list[list[Share]] = [[]]
    left = grid.crossbars
    for i, demand in enumerate(demands):
        column = demand.crossbars // demand.column_tiles
        if column > grid.crossbars:
            raise MappingError(
                f"one column tile of layer '{demand.name}' needs {column} crossbars, chip '{chip}' has"
                f" {grid.crossbars}; use more or larger crossbars"
            )
        first = 0
        while first < demand.column_tiles:
            fit = min(demand.column_tiles - first, left // column)
            if fit == 0:
                rounds.append([])
                left = grid.crossbars
                continue
            rounds[-1].append(Share(i, first, first + fit))
            left -= grid.aligned(fit * column)
            first += fit
    return rounds


def place(crossbars: Sequence[int], grid: Grid) -> list[int]:
    """Return the first crossbar of each layer; layers follow each other."""
    starts = []
    at = 0
    for count in crossbars:
        starts.append(at)
        at += grid.aligned(count)
    assert at <= grid.crossbars, "the layers of a round are chosen to fit"
    return starts
