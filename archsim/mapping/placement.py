"""How many copies of each layer, on which tiles; and what to do when the network is larger than the chip."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from archsim.errors import MappingError


@dataclass(frozen=True)
class Demand:
    """What one layer asks for: crossbars and column tiles a replica, output positions, the time of one vector."""

    name: str
    crossbars: int
    column_tiles: int
    positions: int
    vector_ps: int


def replicate(demands: Sequence[Demand], capacity: int) -> list[int]:
    """Return how many replicas of each layer balance a pipeline within a number of crossbars.

    Greedy: as long as it fits, the slowest layer gets one more replica; a layer never has more than positions.
    """
    replicas = [1] * len(demands)
    left = capacity - sum(d.crossbars for d in demands)
    queue = [(-d.positions * d.vector_ps, i) for i, d in enumerate(demands)]
    heapq.heapify(queue)
    while queue:
        _, i = heapq.heappop(queue)
        demand = demands[i]
        if demand.crossbars > left or replicas[i] >= demand.positions:
            break  # the slowest cannot become faster, so nothing else would help
        left -= demand.crossbars
        replicas[i] += 1
        heapq.heappush(queue, (-(-(-demand.positions // replicas[i])) * demand.vector_ps, i))
    return replicas


@dataclass(frozen=True)
class Share:
    """The part of a layer that one round holds: its column tiles [first, last)."""

    layer: int
    first: int
    last: int


def segment(demands: Sequence[Demand], capacity: int, overflow: str, chip: str) -> list[list[Share]]:
    """Return what is on the chip in each round.

    One round when everything fits. Otherwise `overflow` decides: "refuse" raises `MappingError` with the numbers,
    "reprogram" fills the chip as often as needed, in order, cutting layers between column tiles. A layer one of
    whose columns alone is larger than the chip is refused, as its partial sums would have to wait off the chip.
    """
    needed = sum(d.crossbars for d in demands)
    if needed <= capacity:
        return [[Share(i, 0, d.column_tiles) for i, d in enumerate(demands)]]
    if overflow == "refuse":
        raise MappingError(
            f"the network needs {needed} crossbars, chip '{chip}' has {capacity}"
            " (mapping.overflow: reprogram would rewrite the chip while it runs)"
        )
    rounds: list[list[Share]] = [[]]
    left = capacity
    for i, demand in enumerate(demands):
        column = demand.crossbars // demand.column_tiles
        if column > capacity:
            raise MappingError(
                f"one column tile of layer '{demand.name}' needs {column} crossbars, chip '{chip}' has {capacity};"
                " use more or larger crossbars"
            )
        first = 0
        while first < demand.column_tiles:
            fit = min(demand.column_tiles - first, left // column)
            if fit == 0:
                rounds.append([])
                left = capacity
                continue
            rounds[-1].append(Share(i, first, first + fit))
            left -= fit * column
            first += fit
    return rounds


def place(crossbars: Sequence[int], per_tile: int, tiles: int, placement: str) -> list[range]:
    """Return the tiles that each layer occupies, in order.

    "packed": layers follow each other crossbar by crossbar and may share a tile. "tile_per_layer": each layer
    starts on a tile of its own. Raises `MappingError` when the tiles run out.
    """
    out: list[range] = []
    at = 0
    for count in crossbars:
        if placement == "tile_per_layer":
            at = -(-at // per_tile) * per_tile
        out.append(range(at // per_tile, (at + count - 1) // per_tile + 1))
        at += count
    if at > per_tile * tiles:
        raise MappingError(
            f"placing each layer on tiles of its own needs {-(-at // per_tile)} tiles, the chip has {tiles}"
            " (mapping.placement: packed lets layers share tiles)"
        )
    return out
