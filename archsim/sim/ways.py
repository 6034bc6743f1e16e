"""What it costs to send a bit from one layer to another, on average over the copies that an arbiter chooses among."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from statistics import fmean

from archsim.mapping.plan import Placed
from archsim.sim.interconnect import PORT, Interconnect


@dataclass(frozen=True)
class Way:
    """Averages for one bit: tile pitches of wire, routers, tiles that hear it."""

    pitches: float
    routers: float
    tiles: float


class Ways:
    """Knows the ways between layers. `net`: an interconnect for prices alone, which no transfer is booked on."""

    def __init__(self, net: Interconnect) -> None:
        self.net = net

    def between(self, source: Placed | None, target: Placed | None) -> Way:
        """Return the way from the home tile of a layer to the tiles of another; None is the port to the memories.

        Only the copies that work in a pass send and hear, any with any.
        """
        sources = [PORT] if source is None else [tiles[0] for tiles in source.copy_tiles]
        targets = [[PORT]] if target is None else [list(tiles) for tiles in target.copy_tiles]
        routes = [(self.net.route(s, t), len(t)) for s, t in product(sources, targets)]
        return Way(
            fmean(route.pitches for route, _ in routes),
            fmean(route.routers for route, _ in routes),
            fmean(tiles for _, tiles in routes),
        )
