"""`imperfections:` of an architecture: how its chips differ from the design. Left out, everything is ideal.

A value is a number or the word `library`, which takes the component library's figure with its source; a section may be
that word as a whole. Each field says what it multiplies, its unit, and when it is drawn:

* chip: once for every sampled chip; programming: when weights are written, once for every sampled chip as well;
* read: afresh at every conversion; pass: with the random bits of a pass.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from archsim.config import Model, Time

LIBRARY: Literal["library"] = "library"
Spread = Annotated[float, Field(ge=0, le=1)] | Literal["library"]
Chance = Annotated[float, Field(ge=0, le=0.5)] | Literal["library"]
Steps = Annotated[float, Field(ge=0, le=1000)] | Literal["library"]
Exponent = Annotated[float, Field(ge=0, le=10)] | Literal["library"]
Repeat = Annotated[float, Field(ge=0, lt=1)]
When = Literal["chip", "programming", "read", "pass"]


def knob(meaning: str, unit: str, drawn: When, entry: str | None = None) -> Any:
    """Return a field that is 0, which is off, unless it is given.

    `entry`: where the component library has it, "{device}" standing for the device of the cells or modules.
    """
    return Field(default=0.0, description=meaning, json_schema_extra={"unit": unit, "drawn": drawn, "library": entry})


class Section(Model):
    """A group of imperfections; the word `library` stands for all of it, as far as the library goes."""

    @classmethod
    def knobs(cls) -> dict[str, dict[str, Any]]:
        """Return unit, time of drawing and library entry of each imperfection, by field."""
        found = {}
        for name, field in cls.model_fields.items():
            extra = field.json_schema_extra
            if isinstance(extra, dict) and "drawn" in extra:
                found[name] = {**extra, "meaning": field.description}
        return found

    @model_validator(mode="before")
    @classmethod
    def _all_from_library(cls, data: Any) -> Any:
        return {name: LIBRARY for name, k in cls.knobs().items() if k["library"]} if data == LIBRARY else data

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"const": LIBRARY}, handler(schema)]}


class Cells(Section):
    """Imperfections of the memory cells; those of a complementary pair are independent devices."""

    spread: Spread = knob(
        "deviation of the resistance from cell to cell", "relative", "chip", "devices.{device}.sigma_R_P"
    )
    tmr_spread: Spread = knob(
        "deviation of the tunnel magnetoresistance from cell to cell", "relative", "chip", "devices.stt_mtj.sigma_TMR"
    )
    read_noise: Spread = knob(
        "deviation of the current from read to read", "relative", "read", "devices.stt_mtj.c2c_read_noise"
    )
    stuck_parallel: Chance = knob(
        "chance that a cell is always low-resistive", "probability", "chip", "devices.stt_mtj.stuck_at_P"
    )
    stuck_antiparallel: Chance = knob(
        "chance that a cell is always high-resistive", "probability", "chip", "devices.stt_mtj.stuck_at_AP"
    )
    write_error: Chance = knob(
        "chance that a bit is written wrong", "probability", "programming", "devices.{device}.write_error_rate"
    )
    delta_spread: Spread = knob(
        "deviation of the energy barrier from cell to cell, for losses with time and reads",
        "relative", "chip", "devices.stt_mtj.sigma_Delta",
    )  # fmt: skip
    current_spread: Spread = knob(
        "deviation of the critical current from cell to cell, for losses with reads",
        "relative", "chip", "devices.stt_mtj.sigma_Ic0",
    )  # fmt: skip
    age: Time = knob("time since the weights were written, at the chip's temperature", "s", "programming")
    inferences: Annotated[float, Field(ge=0)] = knob(
        "images since the weights were written, each of which reads the cells", "images", "programming"
    )


class ConverterErrors(Section):
    """Static errors of the converters, normally distributed over them; columns that share one share its errors."""

    offset: Steps = knob("deviation of the zero", "steps of the converter", "chip", "peripheral.adc_sar.offset_sigma")
    gain: Spread = knob("deviation of the gain", "relative", "chip", "peripheral.adc_sar.gain_sigma")


class RandomBits(Section):
    """Imperfections of spintronic random-bit modules: their bits are 1 with a probability of their own.

    `trim`: whether each module has a write current of its own, trimmed to the wanted probability at 300 K, or all share
    that of a nominal one. `temperature_drift`: whether that current stays as it is at the chip's temperature, or
    follows it. `current_exponent`: kappa of the critical current I_c0 ~ m(T)^kappa, which decides how far it drifts.
    """

    trim: Literal["each", "shared"] = "each"
    temperature_drift: bool = False
    current_exponent: Exponent = LIBRARY
    delta_spread: Spread = knob(
        "deviation of the energy barrier from module to module", "relative", "chip", "devices.stt_mtj.sigma_Delta"
    )
    current_spread: Spread = knob(
        "deviation of the critical current from module to module", "relative", "chip", "devices.stt_mtj.sigma_Ic0"
    )
    trim_error: Spread = knob(
        "deviation of the probability that trimming leaves, stated for a probability of one half",
        "probability", "chip", "rng.stt_set_read_reset.sigma_p_calibrated",
    )  # fmt: skip
    correlation: Repeat = knob("chance that a module repeats its bit of the pass before", "probability", "pass")


class Imperfections(Model):
    """How the chips of a design differ from it, and from each other."""

    cells: Cells = Cells()
    converter: ConverterErrors = ConverterErrors()
    random_bits: RandomBits = RandomBits()
