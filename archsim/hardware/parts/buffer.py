"""Memories: SRAM buffers on the chip, DRAM beside it."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from archsim.config import Bandwidth, Data, Model
from archsim.hardware.component import Component, Figure
from archsim.hardware.figures import constant, product
from archsim.hardware.parts.costs import ReadWriteCosts
from archsim.hardware.parts.site import Action, Site, build, refuse_outside

KIBIBYTE = 8 * 1024


class Buffer(Model):
    """An SRAM of some capacity with one port of `width` bits; one word a clock cycle where the array is fast enough."""

    capacity: Data = Field(gt=0, le=2**40)
    width: Data = Field(gt=0, le=4096)
    costs: ReadWriteCosts = ReadWriteCosts()

    @model_validator(mode="after")
    def _holds_a_word(self) -> Self:
        if self.capacity < self.width:
            raise ValueError(f"a capacity of {self.capacity} bit does not hold one word of {self.width} bit")
        return self

    def component(self, site: Site, name: str) -> Component:
        """Return the buffer: closed forms fitted to CACTI 7, LSTP, 28 nm (DERIVED); energies are per bit.

        E = a C^b (w/64)^c, cycle = u0 + u1 sqrt(C), area = A1 C + A0, with C in KiB and w in bits. Raises
        `ConfigError` outside the range of the fit.
        """

        def energy(a: str, b: str, c: str) -> Figure:
            size, words = self._size(site, name), self.width / 64
            scale = size ** model(b) * words ** model(c) / self.width
            word = product(site.figure(f"models.sram.{a}", "energy"), site.number("models.sram.energy_multiplier"))
            return site.dynamic(word * scale)

        def cycle() -> Figure:
            fixed, slope = (site.figure(f"models.sram.{key}", "time") for key in ("u0", "u1"))
            seconds = fixed + slope * math.sqrt(self._size(site, name))
            return site.cycles(product(seconds, site.number("models.sram.time_multiplier")))

        def area() -> Figure:
            slope, fixed = (site.figure(f"models.sram.{key}", "area") for key in ("A1", "A0"))
            return product(slope * self._size(site, name) + fixed, site.number("models.sram.area_multiplier"))

        def leakage() -> Figure:
            return site.sram_leakage(site.figure("models.sram.leak", "power")) * self._size(site, name)

        def model(key: str) -> float:
            return site.number(f"models.sram.{key}").value

        actions = {
            "read": Action(lambda: energy("a_r", "b_r", "c_r"), cycle),
            "write": Action(lambda: energy("a_w", "b_w", "c_w"), cycle),
        }
        return build(site, name, self.costs, actions, area=area, leakage=leakage)

    def _size(self, site: Site, name: str) -> float:
        """Return the capacity in KiB, inside the fitted range."""
        formula = site.library.formula("models.sram")
        size = self.capacity / KIBIBYTE
        for what, value in (("capacity", self.capacity), ("width", self.width)):
            refuse_outside(f"{name}.{what}", value, *formula.limits(what), "bit")
        return size


class OffChipMemory(Model):
    """DRAM beside the chip; `bandwidth` defaults to a x32 channel of its kind."""

    WORD: ClassVar[int] = 512  # bits of one burst: sixteen beats of 32 bits

    kind: Literal["lpddr4", "lpddr5"]
    bandwidth: Bandwidth | None = Field(default=None, gt=0)
    costs: ReadWriteCosts = ReadWriteCosts()

    def rate(self, site: Site) -> Figure:
        """Return the bandwidth, in bit/s."""
        if self.bandwidth is not None:
            return constant(self.bandwidth, "ASSUMED", ("none",), "stated by the architecture")
        return site.figure(f"memory.{self.kind}.bandwidth_x32", "bandwidth")

    def component(self, site: Site) -> Component:
        """Return the memory; its area is not the chip's, its background power is booked as leakage."""
        own = f"memory.{self.kind}"
        action = Action(
            lambda: site.figure(f"{own}.energy_per_bit", "energy_per_bit"),
            lambda: site.figure(f"{own}.latency", "time"),
        )
        return build(
            site, "memory", self.costs, {"read": action, "write": action},
            area=lambda: constant(0.0, "READ", ("none",), "not on the chip"),
            leakage=lambda: site.figure("memory.lpddr4.background_power", "power"),
        )  # fmt: skip
