"""How data travels between tiles: a shared bus, an H-tree, or a mesh of routers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from archsim.config import Data, Frequency, Model
from archsim.hardware.component import Component, Figure
from archsim.hardware.figures import constant, product
from archsim.hardware.parts.costs import HopCosts, TransferCosts
from archsim.hardware.parts.site import Action, Part, Site, build
from archsim.units import picoseconds


class Interconnect(Model):
    """Links of `width` bits that take one word a cycle of `clock` (the chip's where left out).

    In a mesh a hop takes `router_cycles` in the router and `link_cycles` on the link; left out, the library's.
    """

    kind: Literal["bus", "htree", "mesh"]
    width: Data = Field(gt=0, le=4096)
    clock: Frequency | None = Field(default=None, gt=0, le=10e9)
    router_cycles: int | None = Field(default=None, ge=1, le=64)
    link_cycles: int | None = Field(default=None, ge=1, le=64)
    costs: TransferCosts = TransferCosts()
    router_costs: HopCosts = HopCosts()

    def period(self, site: Site) -> float:
        """Return the time of one word on a link, in seconds."""
        return 1 / (self.clock or site.clock)

    def parts(self, site: Site, columns: int, rows: int, pitch: Figure) -> Iterator[Part]:
        """Yield the wires (one instance is one tile pitch of link) and, in a mesh, one router a tile."""
        interval = picoseconds(self.period(site))
        count = self.links(columns, rows)
        yield Part(self._wire(site, pitch), "chip", count, self.width, interval)
        if self.kind == "mesh":
            yield Part(self.router(site), "tile", 1, self.width, interval)

    def links(self, columns: int, rows: int) -> int:
        """Return the length of all links in tile pitches; a mesh has one link in either direction."""
        if self.kind == "mesh":
            return 2 * (2 * columns * rows - columns - rows)
        return columns * rows - 1 if self.kind == "bus" else int(htree_pitches(columns, rows))

    def _wire(self, site: Site, pitch: Figure) -> Component:
        """Return one tile pitch: 0.25 pJ/mm a transition at an activity of 0.4, repeated wire in CACTI 7 (DERIVED)."""

        def delay() -> Figure:
            raw = product(site.figure("interconnect.wire_delay", "time_per_length"), pitch)
            if self.kind != "mesh":
                return raw
            cycles = self.link_cycles or site.number("interconnect.link_latency").value
            at_least = cycles * self.period(site)
            return raw if raw.value > at_least else constant(at_least, raw.grade, raw.sources)

        energy = Action(
            lambda: site.dynamic(product(site.figure("interconnect.wire_energy", "energy_per_bit_length"), pitch)),
            delay,
        )
        nothing = constant(0.0, "ASSUMED", ("none",), "above the cells, repeaters not counted")
        return build(site, "wire", self.costs, {"transfer": energy}, area=lambda: nothing, leakage=lambda: nothing)

    def router(self, site: Site) -> Component:
        """Return the router of a tile (from ISAAC, PUMA and the MIT mesh, DERIVED)."""

        def hop() -> Figure:
            cycles = self.router_cycles or site.number("interconnect.router_latency").value
            return constant(cycles * self.period(site), "DERIVED", ("mit_noc",))

        action = Action(lambda: site.dynamic(site.figure("interconnect.router_energy", "energy_per_bit")), hop)
        return build(
            site, "router", self.router_costs, {"hop": action},
            area=lambda: site.figure("interconnect.router_area", "area"),
            leakage=lambda: site.leaky(site.figure("interconnect.router_leakage", "power")),
        )  # fmt: skip


def htree_pitches(columns: int, rows: int) -> float:
    """Return the wire length of an H-tree over a grid of tiles, in tile pitches.

    Each level joins the centres of two halves of the longer side.
    """
    if columns * rows <= 1:
        return 0.0
    long, short = max(columns, rows), min(columns, rows)
    first = long // 2
    return long / 2 + htree_pitches(first, short) + htree_pitches(long - first, short)
