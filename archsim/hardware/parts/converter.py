"""What turns a column current into a number: analog-to-digital converters, sense amplifiers, sample-and-hold."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from archsim.config import Model
from archsim.hardware.component import Component, Figure
from archsim.hardware.figures import constant
from archsim.hardware.parts.array import ACQUISITION, Crossbar
from archsim.hardware.parts.costs import ConvertCosts, SampleCosts
from archsim.hardware.parts.site import Action, Site, build, refuse_outside


class Adc(Model):
    """A successive-approximation converter of `bits` bits that serves several columns in turn.

    `lsb_cells`: how many cells one step is worth, a power of two; left out, the smallest step whose full scale
    2^bits steps covers all rows of a group. `shared_by` crossbar: each crossbar has one converter for every
    `columns_per_converter` columns; core or tile: `count` converters serve all crossbars of it.
    """

    kind: Literal["adc"]
    bits: int = Field(ge=2, le=14)
    columns_per_converter: int | None = Field(default=None, ge=1, le=65536)
    lsb_cells: int | None = Field(default=None, ge=1, le=65536)
    sample_hold: bool = True
    shared_by: Literal["crossbar", "core", "tile"] = "crossbar"
    count: int | None = Field(default=None, ge=1, le=65536)
    costs: ConvertCosts = ConvertCosts()
    sample_hold_costs: SampleCosts = SampleCosts()

    @model_validator(mode="after")
    def _sharing_is_clear(self) -> Self:
        if self.shared_by == "crossbar" and (self.columns_per_converter is None or self.count is not None):
            raise ValueError("a converter shared by a crossbar needs 'columns_per_converter', and no 'count'")
        if self.shared_by != "crossbar" and (self.count is None or self.columns_per_converter is not None):
            raise ValueError(f"converters shared by a {self.shared_by} need 'count', and no 'columns_per_converter'")
        if self.lsb_cells is not None and self.lsb_cells & (self.lsb_cells - 1):
            raise ValueError(f"lsb_cells must be a power of two, got {self.lsb_cells}")
        return self

    def step(self, crossbar: Crossbar) -> int:
        """Return how many cells one step is worth."""
        if self.lsb_cells is not None:
            return self.lsb_cells
        span = crossbar.parallel_rows * (2**crossbar.bits_per_cell - 1)
        return 1 << max(0, math.ceil(math.log2(span)) - self.bits)

    def conversion(self, site: Site, crossbar: Crossbar) -> Figure:
        """Return the nominal time of one conversion: B (k3 lines + k4), ZigZag-IMC (READ), B >= 2."""
        quote = site.stated("converter", "convert.latency", "time", self.costs.convert.latency)
        if quote is not None:
            return quote
        slope = site.figure("models.adc.k3", "time")
        fixed = site.figure("models.adc.k4", "time")
        return site.number("models.adc.time_multiplier") * ((slope * crossbar.lines + fixed) * self.bits).value

    def component(self, site: Site, crossbar: Crossbar) -> Component:
        """Return one converter: E = (k5 B + k6 4^B) V^2, A = 10^(k1 B + k2) 2^B um^2, as ZigZag-IMC (READ).

        Multipliers carry the ranges; leakage per area is that of the library's five bits.
        """
        action = Action(lambda: self._energy(site), lambda: site.analog_latency(self.conversion(site, crossbar)))
        return build(
            site, "converter", self.costs, {"convert": action},
            area=lambda: self._area(site), leakage=lambda: self._leakage(site),
        )  # fmt: skip

    def _energy(self, site: Site) -> Figure:
        linear = site.figure("models.adc.k5", "capacitance").value * self.bits
        exponential = site.figure("models.adc.k6", "capacitance").value * 4**self.bits
        reference = (linear + exponential) * site.library.technology.supply**2
        spread = site.number("models.adc.energy_multiplier")
        return site.analog_energy(spread * reference)

    def _area(self, site: Site) -> Figure:
        exponent = site.number("models.adc.k1").value * self.bits + site.number("models.adc.k2").value
        area: float = site.figure("models.adc.area_unit", "area").value * 10**exponent * 2**self.bits
        return site.number("models.adc.area_multiplier") * area

    def _leakage(self, site: Site) -> Figure:
        five_bits = site.figure("peripheral.adc_sar.area_5b", "area").value
        leak = site.figure("peripheral.adc_sar.leakage_5b", "power")
        return site.leaky(leak * (self._area(site).value / five_bits))


class SenseAmplifier(Model):
    """A one-bit decision, exact for one row at a time: the digital way to read."""

    kind: Literal["sense_amplifier"]
    columns_per_converter: int = Field(default=1, ge=1, le=65536)
    costs: ConvertCosts = ConvertCosts()

    bits: Literal[1] = 1
    sample_hold: Literal[False] = False
    shared_by: Literal["crossbar"] = "crossbar"
    count: None = None

    def step(self, crossbar: Crossbar) -> int:
        """Return how many cells one step is worth: one."""
        del crossbar
        return 1

    def conversion(self, site: Site, crossbar: Crossbar) -> Figure:
        """Return the nominal time of one decision."""
        del crossbar
        quote = site.stated("converter", "convert.latency", "time", self.costs.convert.latency)
        return site.figure("peripheral.sense_amp.latency", "time") if quote is None else quote

    def component(self, site: Site, crossbar: Crossbar) -> Component:
        """Return one amplifier; it is part of the analog read, so the corner applies to it."""
        del crossbar
        amplifier = "peripheral.sense_amp"
        action = Action(
            lambda: site.analog_energy(site.figure(f"{amplifier}.energy", "energy")),
            lambda: site.analog_latency(site.figure(f"{amplifier}.latency", "time")),
        )
        return build(
            site, "converter", self.costs, {"convert": action},
            area=lambda: site.figure(f"{amplifier}.area", "area"),
            leakage=lambda: site.leaky(site.figure(f"{amplifier}.leakage", "power")),
        )  # fmt: skip


def sample_hold(site: Site, costs: SampleCosts, columns: int) -> Component:
    """Return the circuits that keep the values of all columns of a crossbar until their turn at the converter comes.

    It acquires while the columns settle, so its latency is part of the read's.
    """

    def area() -> Figure:
        return site.figure("peripheral.sample_hold.area", "area") * columns

    action = Action(
        lambda: site.analog_energy(site.figure("peripheral.sample_hold.energy", "energy")),
        lambda: site.analog_latency(ACQUISITION),
    )
    return build(
        site, "sample_hold", costs, {"sample": action},
        area=area, leakage=lambda: constant(0.0, "ASSUMED", ("none",), "a capacitor and its switch"),
    )  # fmt: skip


def check_bits(converter: Adc | SenseAmplifier, crossbar: Crossbar, site: Site) -> None:
    """Refuse a closed form outside its validity; a stated cost needs none."""
    if converter.kind == "adc" and site.stated("converter", "convert.energy", "energy", converter.costs.convert.energy):
        return
    refuse_outside("converter.bits", converter.bits, 1, 10, "bit")
    refuse_outside("crossbar word lines", crossbar.lines, 1, 2048, "cells")
