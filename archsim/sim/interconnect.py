"""Shared bus, H-tree, 2-D mesh: which links a transfer takes, and how long each holds it up.

A transfer takes its links one after the other as virtual cut-through does: the head asks for a link when it gets
there, first come, first served, and the link is held for the serialisation time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from archsim.hardware.chip import Chip
from archsim.sim.station import Engine, Station
from archsim.sim.timing import link_cycle_ps

PORT = -1  # where the global buffer and the off-chip memory meet the interconnect: beside tile 0, or the tree's root

Box = tuple[int, int, int, int]  # column and row of the first tile, columns, rows


@dataclass(frozen=True, eq=False)
class Hop:
    """Links that a transfer takes at the same time (several where it fans out), and what its head takes for them."""

    links: tuple[Station, ...]
    delay_ps: int


@dataclass(frozen=True, eq=False)
class Route:
    """A way over the interconnect. `pitches`: tile pitches of wire for a bit; `routers`: those it passes.

    `exit_ps`: what follows the last hop.
    """

    hops: tuple[Hop, ...]
    exit_ps: int
    width: int
    cycle_ps: int
    pitches: float
    routers: int

    @property
    def links(self) -> tuple[Station, ...]:
        """All links on the way."""
        return tuple(link for hop in self.hops for link in hop.links)

    def serial_ps(self, bits: int) -> int:
        """Return how long a link is held for some bits."""
        return ceil(bits / self.width) * self.cycle_ps

    def unloaded_ps(self, bits: int) -> int:
        """Return the time from the start of a transfer to its arrival when nothing else is on the way."""
        return self.serial_ps(bits) + sum(h.delay_ps for h in self.hops) + self.exit_ps if self.hops else 0


class Interconnect:
    """The links of a chip as stations, and the routes over them."""

    def __init__(self, engine: Engine, chip: Chip) -> None:
        net = chip.arch.interconnect
        self.engine = engine
        self.columns = chip.arch.organisation.columns
        self.rows = chip.arch.organisation.rows
        self.width = net.width
        self.kind = net.kind
        self.cycle_ps = link_cycle_ps(chip)
        self.wire_ps = chip.components["wire"].actions["transfer"].latency_ps
        self.router_ps = chip.components["router"].actions["hop"].latency_ps if self.kind == "mesh" else 0
        self._links: dict[tuple[object, ...], Station] = {}
        self._before: dict[Station, set[Station | None]] = {}  # what any route takes just before a link

    def follows(self, route: Route) -> tuple[bool, ...]:
        """Return, for each hop of a route, whether whoever takes it has just taken the hop before it.

        Its transfers then come in the order in which they took that one, and at least as far apart: they never queue.
        Meaningful when all routes are known.
        """
        return tuple(
            i > 0
            and len(hop.links) == len(route.hops[i - 1].links) == 1
            and self._before[hop.links[0]] == {route.hops[i - 1].links[0]}
            for i, hop in enumerate(route.hops)
        )

    def route(self, source: int, targets: Sequence[int]) -> Route:
        """Return the route from a tile (or `PORT`) to tiles (or `PORT`) that all hear the same transfer."""
        if list(targets) == [source]:
            return Route((), 0, self.width, self.cycle_ps, 0.0, 0)
        return {"bus": self._bus, "htree": self._tree, "mesh": self._mesh}[self.kind](source, targets)

    def steps(self, tiles: Sequence[int], crossings: Sequence[float]) -> list[Route]:
        """Return the routes from each of some tiles to the next; to itself, where nothing ever crosses."""
        pairs = zip(crossings, pairwise(tiles), strict=True)
        return [self.route(a, [b if times else a]) for times, (a, b) in pairs]

    def _link(self, *key: object) -> Station:
        if key not in self._links:
            name = f"{self.kind} " + " ".join("port" if k == PORT else str(k) for k in key)
            self._links[key] = Station(self.engine, name.strip(), "interconnect")
        return self._links[key]

    def _build(self, hops: Sequence[Hop], pitches: float, routers: int, exit_ps: int) -> Route:
        before: Sequence[Station | None] = (None,)
        for hop in hops:
            for link in hop.links:
                self._before.setdefault(link, set()).update(before)
            before = hop.links
        return Route(tuple(hops), exit_ps, self.width, self.cycle_ps, pitches, routers)

    def _bus(self, source: int, targets: Sequence[int]) -> Route:
        """A bus passes every tile."""
        del source, targets
        pitches = max(1, self.columns * self.rows - 1)
        return self._build([Hop((self._link(),), self.wire_ps * pitches)], float(pitches), 0, 0)

    def _mesh(self, source: int, targets: Sequence[int]) -> Route:
        """Along the row, then along the column (XY), to the first tile; from there to the others in order."""
        stops = [source, *targets]
        steps = [step for a, b in pairwise(stops) for step in self._walk(a, b)]
        hops = [Hop((self._link(*step),), self.wire_ps + (self.router_ps if step[0] != PORT else 0)) for step in steps]
        inside = stops[-1] != PORT  # then it leaves through the router of the last tile
        routers = sum(step[0] != PORT for step in steps) + inside
        return self._build(hops, float(len(steps)), routers, self.router_ps if inside else 0)

    def _walk(self, source: int, target: int) -> list[tuple[int, int]]:
        before = [(PORT, 0)] if source == PORT else []
        after = [(0, PORT)] if target == PORT else []
        (x, y), (x1, y1) = self._at(max(source, 0)), self._at(max(target, 0))
        tiles = [self._tile(x, y)]
        while (x, y) != (x1, y1):
            x, y = (x + (x1 > x) - (x1 < x), y) if x != x1 else (x, y + (y1 > y) - (y1 < y))
            tiles.append(self._tile(x, y))
        return [*before, *pairwise(tiles), *after]

    def _at(self, tile: int) -> tuple[int, int]:
        """Return column and row of a tile. Numbers run to and fro, so that consecutive tiles are neighbours."""
        y, x = divmod(tile, self.columns)
        return (x, y) if y % 2 == 0 else (self.columns - 1 - x, y)

    def _tile(self, x: int, y: int) -> int:
        return y * self.columns + (x if y % 2 == 0 else self.columns - 1 - x)

    def _tree(self, source: int, targets: Sequence[int]) -> Route:
        """Up to the smallest subtree that holds all, and down again; a transfer to several tiles fans out on the way.

        Each node of the tree is a box of tiles; its two halves along the longer side hang on it (as `links` of the
        interconnect's description counts them).
        """
        ends = [list(self._down(t)) for t in (source, *targets)]
        shared = 0
        while all(len(e) > shared for e in ends) and len({e[shared][0] for e in ends}) == 1:
            shared += 1
        hops = []
        pitches = 0.0
        for box, length in reversed(ends[0][shared:]):
            hops.append(Hop((self._link("up", *box),), round(self.wire_ps * length)))
            pitches += length
        for depth in range(shared, max(len(e) for e in ends[1:])):
            level = dict(sorted({e[depth] for e in ends[1:] if len(e) > depth}))
            links = tuple(self._link("down", *box) for box in level)
            hops.append(Hop(links, round(self.wire_ps * max(level.values()))))
            pitches += sum(level.values())
        return self._build(hops, pitches, 0, 0)

    def _down(self, target: int) -> Iterator[tuple[Box, float]]:
        """Yield the boxes from the root to a tile with the wire in front of each; the port hangs on the root."""
        if target == PORT:
            yield (PORT, PORT, 1, 1), 0.0
            return
        tx, ty = self._at(target)
        x, y, w, h = 0, 0, self.columns, self.rows
        yield (x, y, w, h), 0.0
        while (w, h) != (1, 1):
            long = max(w, h)
            first = long // 2
            inside = tx < x + first if w >= h else ty < y + first
            size, start = (first, 0) if inside else (long - first, first)
            length = (long - size) / 2  # from the centre of the box to that of its half
            x, y, w, h = (x + start, y, size, h) if w >= h else (x, y + start, w, size)
            yield (x, y, w, h), length
