"""Shared bus, H-tree, 2-D mesh: which links a transfer takes, and when it arrives.

A transfer takes its links one after the other as virtual cut-through does: each link is held for the serialisation
time, starting when the head gets there. Links are booked when the transfer starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from archsim.hardware.chip import Chip
from archsim.sim.ledger import Operation
from archsim.sim.station import Engine, Station
from archsim.sim.timing import link_cycle_ps

PORT = -1  # where the global buffer and the off-chip memory meet the interconnect: beside tile 0


@dataclass(frozen=True, eq=False)
class Route:
    """A way over the interconnect. `pitches`: tile pitches of wire for a bit; `hops`: routers it passes.

    `link_ps`: what the head takes for a link. `spread_ps`: from the first of several targets to the last.
    """

    links: tuple[Station, ...]
    link_ps: int
    spread_ps: int
    width: int
    cycle_ps: int
    pitches: float
    hops: int

    def send(self, op: Operation, bits: int, earliest: int) -> tuple[int, int]:
        """Book a transfer; return when its tail has left the source and when it has arrived."""
        if not self.links:
            return earliest, earliest
        serial = ceil(bits / self.width) * self.cycle_ps
        head = earliest
        left = 0
        for i, link in enumerate(self.links):
            end = link.book(op, bits if i == 0 else 0, serial, head)
            left = left or end
            head = end - serial + self.link_ps
        return left, head + serial + self.spread_ps


class Interconnect:
    """The links of a chip as stations, and the routes over them."""

    def __init__(self, engine: Engine, chip: Chip) -> None:
        net = chip.arch.interconnect
        self.columns = chip.arch.organisation.columns
        self.rows = chip.arch.organisation.rows
        self.width = net.width
        self.kind = net.kind
        self.cycle_ps = link_cycle_ps(chip)
        self.engine = engine
        self.wire_ps = chip.components["wire"].actions["transfer"].latency_ps
        self.hop_ps = chip.components["router"].actions["hop"].latency_ps if self.kind == "mesh" else 0
        self._links: dict[tuple[int, ...], Station] = {}
        self._routes: dict[tuple[int, range], Route] = {}

    def route(self, source: int, targets: range) -> Route:
        """Return the route from a tile (or `PORT`) to one or more tiles that hear the same transfer."""
        key = (source, targets)
        if key not in self._routes:
            build = {"bus": self._bus, "htree": self._tree, "mesh": self._mesh}[self.kind]
            self._routes[key] = build(source, targets)
        return self._routes[key]

    def _link(self, *key: int) -> Station:
        if key not in self._links:
            name = f"{self.kind} " + " ".join("port" if k == PORT else str(k) for k in key)
            self._links[key] = Station(self.engine, name.strip(), "interconnect")
        return self._links[key]

    def _at(self, tile: int) -> tuple[int, int]:
        return (0, 0) if tile == PORT else divmod(tile, self.columns)[::-1]

    def _bus(self, source: int, targets: range) -> Route:
        if source != PORT and targets == range(source, source + 1):
            return self._route((), 0.0, 0)
        return self._route((self._link(),), float(self.columns * self.rows), 0)  # a bus passes every tile

    def _tree(self, source: int, targets: range) -> Route:
        """Up to the least common subtree and down again; a transfer to several tiles fans out on the way."""
        if source != PORT and targets == range(source, source + 1):
            return self._route((), 0.0, 0)
        levels = max(1, ceil((self.columns * self.rows - 1).bit_length() / 2))
        top = levels
        if source != PORT:
            top = next(n for n in range(1, levels + 1) if len({self._block(t, n) for t in (source, *targets)}) == 1)
        links: list[Station] = []
        pitches = 0.0
        for n in range(top):
            if source != PORT:
                links.append(self._link(0, n, self._block(source, n)))
                pitches += 2.0**n / 2
        for n in reversed(range(top)):
            blocks = sorted({self._block(t, n) for t in targets})
            links.append(self._link(1, n, blocks[0]))
            pitches += len(blocks) * 2.0**n / 2
        return self._route(tuple(links), pitches, 0)

    def _block(self, tile: int, level: int) -> int:
        """Return which 2^level x 2^level square of tiles a tile lies in."""
        x, y = self._at(tile)
        return (y >> level) * self.columns + (x >> level)

    def _mesh(self, source: int, targets: range) -> Route:
        """Along the row, then along the column (XY), to the first tile; from there to its neighbours in order."""
        path = self._walk(source, targets[0])
        extra = [step for a, b in zip(targets, targets[1:], strict=False) for step in self._walk(a, b)]
        if source == PORT:
            path = [(PORT, 0), *path]
        elif not path and not extra:
            return self._route((), 0.0, 0)
        links = tuple(self._link(*step) for step in path or extra[:1])
        hops = len(path) + len(extra)
        routers = hops if source == PORT else hops + 1
        return self._route(links, float(hops), routers, len(extra))

    def _walk(self, source: int, target: int) -> list[tuple[int, int]]:
        (x, y), (x1, y1) = self._at(source), self._at(target)
        tile = y * self.columns + x
        steps = []
        while (x, y) != (x1, y1):
            x, y = (x + (x1 > x) - (x1 < x), y) if x != x1 else (x, y + (y1 > y) - (y1 < y))
            steps.append((tile, y * self.columns + x))
            tile = steps[-1][1]
        return steps

    def _route(self, links: Sequence[Station], pitches: float, hops: int, spread: int = 0) -> Route:
        wire_ps = round(self.wire_ps * pitches / (len(links) + spread)) if links else 0
        link_ps = self.hop_ps + wire_ps
        return Route(tuple(links), link_ps, link_ps * spread, self.width, self.cycle_ps, pitches, hops)
