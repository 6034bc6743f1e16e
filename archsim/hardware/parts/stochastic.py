"""Random-bit modules: spintronic SET, READ, RESET, and their CMOS rivals; counters that sum bits to Gaussians."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, log2
from typing import Literal

from pydantic import Field

from archsim.config import Model
from archsim.hardware.component import Component, Figure
from archsim.hardware.figures import inverse
from archsim.hardware.parts.costs import CountCosts, DrawCosts
from archsim.hardware.parts.site import Action, Part, Site, build

Scope = Literal["crossbar", "tile", "chip"]


class Stochastic(Model):
    """`count` modules in every crossbar or tile, or on the whole chip; bits may be drawn `ahead` passes early.

    stt_mtj and sot_mtj: one junction is SET with the wanted probability, READ and RESET. lfsr: a 16-bit shift register
    and an 8-bit comparison. trng: a true random generator in CMOS.

    `gaussian` says how a Gaussian is made, None where the chip makes none; "popcount" counts the ones among
    `gaussian_bits` fair bits, in one counter for every so many modules. A sum of n bits has steps of 2 / sqrt(n) of its
    deviation and ends sqrt(n) deviations from its mean. 16 bits (ASSUMED; 8 to 64 is worth sweeping): steps of half a
    deviation and tails to 4; 8 bits are coarse, 64 cost four times the energy for tails to 8.
    """

    kind: Literal["stt_mtj", "sot_mtj", "lfsr", "trng"]
    scope: Scope
    count: int = Field(ge=1, le=10_000_000)
    ahead: int = Field(default=0, ge=0, le=1000)
    gaussian: Literal["popcount"] | None = None
    gaussian_bits: int = Field(default=16, ge=8, le=64)
    costs: DrawCosts = DrawCosts()
    popcount_costs: CountCosts = CountCosts()

    @property
    def counters(self) -> int:
        """Counters in every crossbar or tile, or on the chip: one for as many modules as a Gaussian has bits."""
        return ceil(self.count / self.gaussian_bits)

    def parts(self, site: Site) -> Iterator[Part]:
        """Yield the modules, one bit a draw, and the counters that sum their bits."""
        yield Part(self._component(site), self.scope, self.count)
        if self.gaussian == "popcount":
            yield Part(self._popcount(site), self.scope, self.counters)

    def _popcount(self, site: Site) -> Component:
        """Return one counter: registers for its bits and a tree of adders, from NeuroSim's 64-input tree (DERIVED).

        Energy and area go with the inputs, the delay with the depth.
        """
        tree, register = "digital.popcount_tree_64", "digital.dff"
        share = self.gaussian_bits / 64

        def energy() -> Figure:
            bits = site.figure(f"{register}.energy", "energy") * self.gaussian_bits
            return site.clocked(site.figure(f"{tree}.energy", "energy") * share + bits)

        def area() -> Figure:
            bits = site.figure(f"{register}.area", "area") * self.gaussian_bits
            return site.figure(f"{tree}.area", "area") * share + bits

        depth = log2(self.gaussian_bits) / log2(64)
        count = Action(energy, lambda: site.cycles(site.figure(f"{tree}.latency", "time") * depth))
        return build(
            site, "popcount", self.popcount_costs, {"count": count},
            area=area, leakage=lambda: site.logic_leakage(area()),
        )  # fmt: skip

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
