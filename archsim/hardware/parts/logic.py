"""Synchronous digital parts: their latencies are whole clock cycles, their energies include the clock tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from types import MappingProxyType

from pydantic import Field

from archsim.config import Model
from archsim.hardware.component import Component, Figure
from archsim.hardware.figures import constant, spread_like
from archsim.hardware.parts.costs import (
    AddCosts,
    ApplyCosts,
    AveragerCosts,
    Costs,
    PoolCosts,
    SoftmaxCosts,
    StatisticsCosts,
)
from archsim.hardware.parts.site import Action, Part, Site, build

Terms = tuple[str, ...]


@dataclass(frozen=True)
class Recipe:
    """What a unit is made of: entries of the library's `digital` section that add up."""

    area: Terms
    actions: Mapping[str, tuple[Terms, Terms]]  # action -> entries of energy, entries of delay


ADDER16_AREA: Terms = ("adder_8b.area", "adder_8b.area")
MULTIPLIER16_AREA: Terms = ("multiplier_8b.area", "multiplier_8b.area")
SCALE_DELAY: Terms = ("multiplier_8b.latency", "adder_16b.latency")
ACCUMULATE: tuple[Terms, Terms] = (("accumulate_16b.energy",), ("accumulate_16b.latency",))

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "threshold": Recipe(
            ("bn_sign_threshold_16b.area",),
            {"apply": (("bn_sign_threshold_16b.energy",), ("bn_sign_threshold_16b.latency",))},
        ),
        "affine": Recipe(
            MULTIPLIER16_AREA + ADDER16_AREA,
            {"apply": (("scale_multiply_8x16b.energy", "adder_16b.energy"), SCALE_DELAY)},
        ),
        "activation": Recipe(("exp_lut.area",), {"apply": (("exp_lut.energy",), ("exp_lut.latency",))}),
        "quantizer": Recipe(  # a multiplication by 1 / scale, and a comparison with either end of the grid
            MULTIPLIER16_AREA + ADDER16_AREA,
            {
                "apply": (
                    ("scale_multiply_8x16b.energy", "comparator_16b.energy", "comparator_16b.energy"),
                    SCALE_DELAY,
                )
            },
        ),
        "adder": Recipe(("accumulate_16b.area",), {"add": ACCUMULATE}),
        "pool": Recipe(  # a comparison is a subtraction, so it takes as long
            ("maxpool_4x8b.area", "accumulate_16b.area"),
            {"compare": (("comparator_16b.energy",), ("adder_16b.latency",)), "add": ACCUMULATE},
        ),
        "softmax": Recipe(  # for each class exp, sum and product; the reciprocal of the sum once for all of them
            ("exp_lut.area", *ADDER16_AREA, *MULTIPLIER16_AREA),
            {
                "apply": (
                    ("exp_lut.energy", "adder_16b.energy", "multiplier_8b.energy"),
                    ("exp_lut.latency", "adder_16b.latency", "multiplier_8b.latency"),
                ),
                "reciprocal": (("reciprocal.energy",), ("reciprocal.latency",)),
            },
        ),
        "averager": Recipe(  # finish: divide by T, then p log p for the predictive entropy
            ("accumulate_16b.area", "exp_lut.area", *MULTIPLIER16_AREA, *ADDER16_AREA),
            {
                "accumulate": ACCUMULATE,
                "finish": (
                    ("scale_multiply_8x16b.energy", "exp_lut.energy", "multiplier_8b.energy", "adder_16b.energy"),
                    ("multiplier_8b.latency", "exp_lut.latency", "multiplier_8b.latency", "adder_16b.latency"),
                ),
            },
        ),
        "statistics": Recipe(  # 32-bit sums of values and of squares; finish: E[x^2] - E[x]^2 and 1 / sqrt of it
            (*("accumulate_16b.area",) * 4, *MULTIPLIER16_AREA),
            {
                "accumulate": (
                    ("multiplier_16b.energy", *("accumulate_16b.energy",) * 4),
                    ("multiplier_8b.latency", "adder_32b.latency"),
                ),
                "finish": (
                    ("multiplier_16b.energy", "adder_32b.energy", "reciprocal_sqrt.energy"),
                    ("multiplier_8b.latency", "adder_32b.latency", "reciprocal_sqrt.latency"),
                ),
            },
        ),
        "accumulator": Recipe(("accumulate_16b.area",), {"add": ACCUMULATE}),
    }
)


def unit(site: Site, name: str, costs: Costs) -> Component:
    """Return one unit of a recipe."""
    recipe = RECIPES[name]

    def total(terms: Terms, dimension: str) -> Figure:
        return reduce(add, (site.figure(f"digital.{term}", dimension) for term in terms))

    def action(energy: Terms, delay: Terms) -> Action:
        return Action(lambda: site.clocked(total(energy, "energy")), lambda: site.cycles(total(delay, "time")))

    return build(
        site, name, costs, {key: action(*terms) for key, terms in recipe.actions.items()},
        area=lambda: total(recipe.area, "area"),
        leakage=lambda: site.logic_leakage(total(recipe.area, "area")),
    )  # fmt: skip


class Applied(Model):
    """An element-wise unit, which has costs alone."""

    costs: ApplyCosts = ApplyCosts()


class Added(Model):
    """An adder, which has costs alone."""

    costs: AddCosts = AddCosts()


class Pooling(Model):
    """A pooling unit, which has costs alone."""

    costs: PoolCosts = PoolCosts()


class Softmax(Model):
    """The softmax unit, which has costs alone."""

    costs: SoftmaxCosts = SoftmaxCosts()


class Averaging(Model):
    """The Monte-Carlo averager, which has costs alone."""

    costs: AveragerCosts = AveragerCosts()


class Statistics(Model):
    """The unit that measures the mean and variance of a map at run time, which has costs alone."""

    costs: StatisticsCosts = StatisticsCosts()


class Digital(Model):
    """The digital units of a tile, `lanes` of each; softmax and averager are one each on the chip.

    A lane does one of threshold, affine, activation, quantisation and addition at a time; pooling stands beside it, and
    so do `statistics`, where the chip has them: a network that is normalised at run time needs them.
    """

    lanes: int = Field(ge=1, le=4096)
    threshold: Applied = Applied()
    affine: Applied = Applied()
    activation: Applied = Applied()
    quantizer: Applied = Applied()
    adder: Added = Added()
    pool: Pooling = Pooling()
    softmax: Softmax = Softmax()
    averager: Averaging = Averaging()
    statistics: Statistics | None = None

    def parts(self, site: Site) -> Iterator[Part]:
        """Yield every unit."""
        for name in ("threshold", "affine", "activation", "quantizer", "adder", "pool"):
            yield Part(unit(site, name, getattr(self, name).costs), "tile", self.lanes)
        if self.statistics is not None:
            yield Part(unit(site, "statistics", self.statistics.costs), "tile", self.lanes)
        for name in ("softmax", "averager"):
            yield Part(unit(site, name, getattr(self, name).costs), "chip", 1)


LANE = frozenset({"threshold", "affine", "activation", "quantizer", "adder"})  # one of them at a time
SMALLEST = 0.2  # of a 5-bit shift-and-add unit: what one of very few bits is taken to need
APPLIED = MappingProxyType(  # what an operation on a layer's results may use, by unit
    {u: frozenset(RECIPES[u].actions) for u in (*sorted(LANE), "pool", "softmax", "statistics")}
)


class Accumulator(Model):
    """Adds the partial sums of row groups and crossbars: `per_tile` 16-bit adders with their registers."""

    per_tile: int = Field(ge=1, le=65536)
    costs: AddCosts = AddCosts()

    def part(self, site: Site) -> Part:
        """Return the adders of a tile."""
        return Part(unit(site, "accumulator", self.costs), "tile", self.per_tile)


class ShiftAdd(Model):
    """Weighs the conversions of several input or weight bits: `per_core` units."""

    per_core: int = Field(ge=1, le=65536)
    costs: ApplyCosts = ApplyCosts()

    def part(self, site: Site, bits: int) -> Part:
        """Return the units of a core; energy and area on the line through NeuroSim's 5- and 8-bit units (DERIVED).

        Where the two ends are varied apart, the line may fall below zero: it is followed down to a fifth of the
        5-bit unit, the smallest that is taken for the area as well (ASSUMED).
        """
        base = "peripheral.shift_adder"

        def energy() -> Figure:
            five, eight = (site.figure(f"{base}.energy_{b}b", "energy") for b in (5, 8))
            line = five.value + (eight.value - five.value) / 3 * (bits - 5)
            return spread_like(max(line, SMALLEST * five.value), five)

        def area() -> Figure:
            return site.figure(f"{base}.area_5b", "area") * max(SMALLEST, bits / 5)

        action = Action(lambda: site.clocked(energy()), lambda: site.cycles(site.figure(f"{base}.latency_5b", "time")))
        component = build(
            site, "shift_add", self.costs, {"apply": action},
            area=area, leakage=lambda: site.logic_leakage(area()),
        )  # fmt: skip
        return Part(component, "core", self.per_core)


class Controller(Model):
    """The state machines of a tile. They run all the time, so their power is booked as leakage."""

    costs: Costs = Costs()

    def part(self, site: Site) -> Part:
        """Return the controller of a tile: PUMA's control power at 1 GHz, scaled to 28 nm and to this clock."""

        def power() -> Figure:
            return site.clocked(site.figure("digital.control_fsm_per_tile.power", "power")) * (site.clock / 1e9)

        component = build(
            site, "controller", self.costs, {},
            area=lambda: constant(0.0, "ASSUMED", ("none",), "no source gives its area"), leakage=power,
        )  # fmt: skip
        return Part(component, "tile", 1)
