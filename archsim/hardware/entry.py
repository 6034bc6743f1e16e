"""What a component library holds: entries with value, range, grade and source; formulas, corners, published macros."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, model_validator

from archsim import units
from archsim.config import Area, Length, Model, Temperature, Time, Voltage
from archsim.errors import UnitError
from archsim.hardware.component import Figure

Grade = Literal["READ", "RERUN", "DERIVED", "RECALLED", "ASSUMED"]
Amount = float | str
Count = Literal["ratio", "probability", "count", "cycles", "levels", "kT", "F^2", "dwell times", "exponent", "op/s"]
Factor = Annotated[float, Field(gt=0)]
Span = tuple[float, float]


class Entry(Model):
    """One number of the library.

    `range` is the published or plausible spread, for sweeps and intervals; it is not a standard deviation.
    """

    value: Amount = Field(description="quantity with its unit, or a plain number that `unit` explains")
    range: tuple[Amount, Amount]
    unit: Count | None = Field(None, description="what a plain number counts; kT is taken at 300 K")
    per: str = Field("", description="what it is spent on each time, where the unit does not say so")
    grade: Grade
    source: tuple[str, ...] = Field(min_length=1)
    note: str = ""

    @model_validator(mode="after")
    def _holds_together(self) -> Entry:
        amounts = (self.range[0], self.value, self.range[1])
        try:
            low, value, high = (quantity(amount) for amount in amounts)
            kinds = {units.dimension_of(read) for read in (low, value, high)}
        except UnitError as error:
            raise ValueError(str(error)) from None
        if len(kinds) > 1:
            raise ValueError(f"value and range are of different kinds: {', '.join(sorted(kinds))}")
        if not low.value <= value.value <= high.value:
            raise ValueError(f"the value {self.value} lies outside its range [{self.range[0]}, {self.range[1]}]")
        if (self.unit is None) != all(isinstance(amount, str) for amount in amounts):
            raise ValueError("a plain number needs `unit:` (what it counts), and a quantity has its unit in the text")
        return self

    @cached_property
    def dimension(self) -> str:
        """The name of its dimension; plain numbers are of dimension `ratio`."""
        return units.dimension_of(quantity(self.value))

    @cached_property
    def figure(self) -> Figure:
        """The entry in SI units."""
        low, value, high = (quantity(amount).value for amount in (self.range[0], self.value, self.range[1]))
        note = "; ".join(part for part in (f"per {self.per}" if self.per else "", self.note) if part)
        return Figure(value, low, high, self.grade, self.source, note)

    def restated(self, value: Amount) -> Entry:
        """Return the entry with another value of the same kind, within its range: ASSUMED, as no source states it."""
        note = "; ".join(part for part in (self.note, f"set to {value}, the library states {self.value}") if part)
        known = {name: getattr(self, name) for name in type(self).model_fields}
        return Entry.model_construct(**{**known, "value": value, "grade": "ASSUMED", "note": note})


class Formula(Model):
    """A closed form that the constants beside it belong to, and where it holds."""

    text: str
    validity: dict[str, tuple[Amount, Amount]] = Field({}, description="variable -> lowest and highest value")
    note: str = ""

    def limits(self, variable: str) -> Span:
        """Return the lowest and highest SI value of a variable for which the formula was made."""
        return self._limits[variable]

    @cached_property
    def _limits(self) -> dict[str, Span]:
        ends = self.validity.items()
        return {name: (quantity(low).value, quantity(high).value) for name, (low, high) in ends}

    @model_validator(mode="after")
    def _limits_are_quantities(self) -> Formula:
        try:
            wrong = [name for name in self.validity if not self.limits(name)[0] <= self.limits(name)[1]]
        except UnitError as error:
            raise ValueError(str(error)) from None
        if wrong:
            raise ValueError(f"validity of {', '.join(wrong)}: the lower end is above the upper end")
        return self


class Corner(Model):
    """Factors on the nominal energy and latency of the analog compute-in-memory parts, and on SRAM leakage."""

    cim_energy: Factor
    cim_latency: Factor
    sram_leakage: Factor
    grade: Grade
    source: tuple[str, ...] = Field(min_length=1)
    note: str = ""


class Macro(Model):
    """A published compute-in-memory macro, to compare results with; 1 MAC counts as 2 operations."""

    kind: Literal[
        "silicon_analog", "silicon_analog_resistance_sum", "silicon_analog_current", "silicon_near_memory",
        "silicon_digital", "simulated",
    ]  # fmt: skip
    node: Length
    array: str = ""
    rows_used: int | None = Field(None, gt=0)
    adc_bits: int | None = Field(None, gt=0)
    supply: Voltage | None = None
    precision: str = Field("", description="bits of inputs, weights and outputs, as published")
    read_time: tuple[Time, Time] | None = None
    tops_per_watt: tuple[Factor, Factor]
    tops_per_watt_grade: Grade
    tops_per_mm2: Factor | None = None
    accuracy: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field({})
    grade: Grade
    source: tuple[str, ...] = Field(min_length=1)


class Technology(Model):
    """The process that every entry is stated for."""

    node: Length
    supply: Voltage
    temperature: Temperature
    feature_area: Area = Field(description="F^2, the unit of cell areas")


def quantity(amount: Amount) -> units.Quantity:
    """Return an amount in SI units; UnitError where its text is no quantity."""
    return units.read(amount) if isinstance(amount, str) else units.Quantity(float(amount), units.PURE)
