"""Random-bit modules: spintronic SET, READ, RESET, and their CMOS rivals."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from archsim.config import Model
from archsim.hardware.component import Component, Figure
from archsim.hardware.figures import inverse
from archsim.hardware.parts.costs import DrawCosts
from archsim.hardware.parts.site import Action, Part, Site, build

Scope = Literal["crossbar", "tile", "chip"]


class Stochastic(Model):
    """`count` modules in every crossbar or tile, or on the whole chip; bits may be drawn `ahead` passes early.

    stt_mtj and sot_mtj: one junction is SET with the wanted probability, READ and RESET. lfsr: a 16-bit shift register
    and an 8-bit comparison. trng: a true random generator in CMOS.
    """

    kind: Literal["stt_mtj", "sot_mtj", "lfsr", "trng"]
    scope: Scope
    count: int = Field(ge=1, le=10_000_000)
    ahead: int = Field(default=0, ge=0, le=1000)
    costs: DrawCosts = DrawCosts()

    def part(self, site: Site) -> Part:
        """Return the modules, one bit a draw."""
        return Part(self._component(site), self.scope, self.count)

    def _component(self, site: Site) -> Component:
        own = {
            "stt_mtj": "rng.stt_set_read_reset", "sot_mtj": "rng.sot_set_read_reset",
            "lfsr": "rng.cmos_lfsr16", "trng": "rng.cmos_trng",
        }[self.kind]  # fmt: skip
        bit = "energy_per_bit"

        def energy() -> Figure:
            if self.kind == "lfsr":
                return site.clocked(site.figure(f"{own}.bernoulli_8b_sample", "energy"))
            return site.dynamic(site.figure(f"{own}.energy", bit))

        def latency() -> Figure:
            if self.kind == "trng":
                return inverse(site.figure(f"{own}.throughput", "bandwidth"))
            spent = site.figure(f"{own}.latency", "time")
            return site.cycles(spent) if self.kind == "lfsr" else spent

        def area() -> Figure:
            return site.figure(f"{own}.area", "area")

        def leakage() -> Figure:
            if f"{own}.leakage" in site.library.entries:
                return site.leaky(site.figure(f"{own}.leakage", "power"))
            return site.logic_leakage(area())

        return build(site, "stochastic", self.costs, {"draw": Action(energy, latency)}, area=area, leakage=leakage)
