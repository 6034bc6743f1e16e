"""Operating points as they are written in a record: every quantity as text with its unit, and nothing lost by it."""

from __future__ import annotations

import math
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import Field, model_validator

from archsim.baselines.platform import Mode, OperatingPoint
from archsim.config import Model, QuantityField, validate
from archsim.metrics.intervals import Estimate
from archsim.units import write

Time = Annotated[float, QuantityField("time", signed=True)]
Energy = Annotated[float, QuantityField("energy", signed=True)]
Power = Annotated[float, QuantityField("power", signed=True)]
Duration = Annotated[float, QuantityField("time")]
Quantity = TypeVar("Quantity", bound=float)

SETTINGS = ("passes", "batch", "mode", "software", "precision", "power_mode")
"""What is chosen for a point; two points of one network differ in at least one of them."""


class Span(Model, Generic[Quantity]):
    """A quantity with its interval. An end may be below zero (the energy above a noisy idle) or null (not bounded)."""

    value: Quantity
    low: Quantity | None
    high: Quantity | None
    method: str = Field(description="how the interval was made")

    @model_validator(mode="after")
    def _holds_its_value(self) -> Self:
        if self.estimate().value not in self.estimate():
            raise ValueError("the value lies outside its interval")
        return self

    def estimate(self) -> Estimate:
        """Return it in SI units; an end that is null is infinite."""
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return Estimate(self.value, low, high, self.method)


class TimeSpan(Span[Time]):
    """A time with its interval."""


class EnergySpan(Span[Energy]):
    """An energy with its interval."""


class PowerSpan(Span[Power]):
    """A power with its interval."""


class Point(Model):
    """One way to run a network and what it took, as in `OperatingPoint`; energies are of one image with all passes."""

    passes: Annotated[int, Field(ge=1)] | None = Field(description="null: a publication does not say")
    batch: int = Field(ge=1)
    mode: Mode | None = Field(description="null: a publication does not say")
    software: str
    precision: str
    power_mode: str | None = None
    latency: TimeSpan | None = Field(None, description="of a call, with all its images")
    interval: Duration | None = Field(None, description="between images in a long run, where calls overlap")
    energy: EnergySpan | None = Field(None, description="of an image, idle power included")
    dynamic_energy: EnergySpan | None = Field(None, description="of an image, above idle")
    idle_power: PowerSpan | None = None
    percentiles: dict[str, Duration] = Field(default_factory=dict, description="of the latency")
    terms: dict[str, float] = Field(default_factory=dict, description="SI numbers; each name ends in its unit")

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        spans = {"latency": self.latency, "energy": self.energy, "idle_power": self.idle_power}
        wrong = [f"{name} must not be negative" for name, span in spans.items() if span is not None and span.value < 0]
        times = (self.interval, self.latency.value if self.latency else None)
        wrong += ["a time must not be zero" for seconds in times if seconds == 0]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @classmethod
    def of(cls, point: OperatingPoint) -> Point:
        """Return an operating point as it is written; `ConfigError` where it is none that can be."""
        data = {name: getattr(point, name) for name in SETTINGS} | {
            "latency": _span(point.latency_s, "time"),
            "interval": None if point.interval_s is None else write(point.interval_s, "time"),
            "energy": _span(point.energy_j, "energy"),
            "dynamic_energy": _span(point.dynamic_j, "energy"),
            "idle_power": _span(point.idle_w, "power"),
            "percentiles": {name: write(seconds, "time") for name, seconds in point.percentiles.items()},
            "terms": dict(point.terms),
        }
        return validate(cls, data, "operating point")

    def operating_point(self) -> OperatingPoint:
        """Return it in SI units."""
        spans = (self.latency, self.energy, self.dynamic_energy, self.idle_power)
        latency, energy, dynamic, idle = (span.estimate() if span else None for span in spans)
        return OperatingPoint(
            **{name: getattr(self, name) for name in SETTINGS},
            latency_s=latency,
            interval_s=self.interval,
            energy_j=energy,
            dynamic_j=dynamic,
            idle_w=idle,
            percentiles=self.percentiles,
            terms=self.terms,
        )


def settings(point: Point | OperatingPoint) -> tuple[Any, ...]:
    """Return what was chosen for a point, the values of `SETTINGS`."""
    return tuple(getattr(point, name) for name in SETTINGS)


def _span(estimate: Estimate | None, dimension: str) -> dict[str, str | None] | None:
    if estimate is None:
        return None
    ends = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    texts = {name: write(end, dimension) if math.isfinite(end) else None for name, end in ends.items()}
    return texts | {"method": estimate.method}
