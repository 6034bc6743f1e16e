"""Where parts are built: one library, corner, supply, temperature and clock; and how a `Component` is put together.

Each figure of a component is taken from the first place that has it: the `costs:` of the architecture, the
`peripheral.blocks` of the library (which states whole blocks, as papers do), or the part's own formula over other
figures of the library.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from archsim.errors import ConfigError
from archsim.hardware.component import ActionCost, Component, Figure
from archsim.hardware.figures import product
from archsim.hardware.library import Library
from archsim.hardware.parts.costs import ActionCosts, Costs, Quote
from archsim.units import picoseconds

Formula = Callable[[], Figure]

BLOCKS = "peripheral.blocks"
NO_DELAY = 1e-9  # of a cycle: what counts as fitting into it


@dataclass(frozen=True)
class Site:
    """The conditions under which every part of one chip works."""

    library: Library
    corner: str
    supply: float
    temperature: float
    clock: float

    def figure(self, path: str, dimension: str) -> Figure:
        """Return a figure of the library, in SI units."""
        return self.library.figure(path, dimension)

    def number(self, path: str) -> Figure:
        """Return a dimensionless figure of the library."""
        return self.library.number(path)

    def dynamic(self, energy: Figure) -> Figure:
        """Return a switching energy at this supply: it goes with the square of the voltage."""
        return energy * (self.supply / self.library.technology.supply) ** 2

    def clocked(self, energy: Figure) -> Figure:
        """Return the energy of synchronous logic, its clock tree included."""
        return product(self.dynamic(energy), self.number("digital.clock_overhead_factor"))

    def analog_energy(self, energy: Figure) -> Figure:
        """Return the energy of an analog compute-in-memory circuit in this corner, at this supply."""
        return self.dynamic(energy) * self.library.corner(self.corner).cim_energy

    def analog_latency(self, latency: Figure) -> Figure:
        """Return the latency of an analog compute-in-memory circuit in this corner."""
        return latency * self.library.corner(self.corner).cim_latency

    def array_energy(self, energy: Figure) -> Figure:
        """Return the energy of memory cells in this corner; their read voltage does not follow the supply."""
        return energy * self.library.corner(self.corner).cim_energy

    def leaky(self, power: Figure) -> Figure:
        """Return a leakage at this temperature: P(T) = P(300 K) 2^((T - 300 K) / T_d), from CACTI 7 (DERIVED)."""
        doubling = self.figure("digital.leakage_doubling_K", "temperature")
        steps = self.temperature - self.library.technology.temperature
        growth = sorted(2 ** (steps / d) for d in (doubling.low, doubling.high))
        nominal = 2 ** (steps / doubling.value)
        return Figure(
            power.value * nominal, power.low * growth[0], power.high * growth[1],
            power.grade, tuple(dict.fromkeys(power.sources + doubling.sources)), power.note,
        )  # fmt: skip

    def sram_leakage(self, power: Figure) -> Figure:
        """Return the leakage of SRAM in this corner, at this temperature."""
        return self.leaky(power) * self.library.corner(self.corner).sram_leakage

    def logic_leakage(self, area: Figure) -> Figure:
        """Return the leakage of logic of some area, at this temperature."""
        return self.leaky(product(area, self.figure("digital.logic_leakage_density", "power_per_area")))

    def cycles(self, latency: Figure) -> Figure:
        """Return a latency rounded up to whole clock cycles, at least one."""
        value, low, high = (
            max(1, math.ceil(t * self.clock - NO_DELAY)) / self.clock
            for t in (latency.value, latency.low, latency.high)
        )
        return Figure(value, low, high, latency.grade, latency.sources, latency.note)

    def stated(self, name: str, key: str, dimension: str, quote: Quote[float] | None) -> Figure | None:
        """Return a figure that the architecture or the library's `peripheral.blocks` state, or None."""
        if quote is not None:
            return self._checked(quote.figure())
        path = f"{BLOCKS}.{name}.{key}"
        return self.figure(path, dimension) if path in self.library.entries else None

    def _checked(self, figure: Figure) -> Figure:
        for key in figure.sources:
            self.library.source(key)  # refuses an unknown key
        return figure

    def resolve(self, name: str, key: str, dimension: str, quote: Quote[float] | None, formula: Formula) -> Figure:
        """Return a figure from the first place that has it."""
        stated = self.stated(name, key, dimension, quote)
        return formula() if stated is None else stated


@dataclass(frozen=True)
class Action:
    """How a part computes the cost of an action from the library, where nothing states it."""

    energy: Formula
    latency: Formula


def build(
    site: Site, name: str, costs: Costs, actions: dict[str, Action], area: Formula, leakage: Formula
) -> Component:
    """Return the component of that name, each figure from the first place that has it."""
    priced = {}
    for action, formulas in actions.items():
        quotes: ActionCosts = getattr(costs, action)
        energy = site.resolve(name, f"{action}.energy", "energy", quotes.energy, formulas.energy)
        latency = site.resolve(name, f"{action}.latency", "time", quotes.latency, formulas.latency)
        priced[action] = ActionCost(energy, picoseconds(latency.value), latency)
    return Component(
        name, priced,
        site.resolve(name, "area", "area", costs.area, area),
        site.resolve(name, "leakage", "power", costs.leakage, leakage),
    )  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A component with its place: `count` of them in every block of a level (crossbar, core, tile or chip).

    One instance serves `at_once` units (bits of a word, columns, rows) in one latency, and takes the next ones after
    `interval_ps` (after the latency itself where None).
    """

    component: Component
    level: str
    count: int
    at_once: int = 1
    interval_ps: int | None = None


def refuse_outside(what: str, value: float, low: float, high: float, unit: str) -> None:
    """Raise `ConfigError` where a formula is used outside the range in which its source fitted it."""
    if not low <= value <= high:
        raise ConfigError(f"{what}: {value:.0f} {unit}, but the cost model holds from {low:.0f} to {high:.0f} {unit}")
