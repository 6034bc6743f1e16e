"""The base of everything that is read from a file, and field types that read `"7.4 ns"` and hold SI numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from archsim import units
from archsim.errors import UnitError


class Model(BaseModel):
    """A frozen record that refuses unknown keys, NaN and silent conversions (such as `"5"` or `true` to a number)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Document(Model):
    """The top level of a file; its first key says which schema it follows, e.g. `schema: archsim/arch@1`.

    A subclass sets `SCHEMA`; `validate` refuses a file with another one before it looks at anything else.
    """

    SCHEMA: ClassVar[str]
    schema_name: str = Field(alias="schema", description="kind and version of this file")


@dataclass(frozen=True)
class QuantityField:
    """Annotation of a number that is written with its unit and held in SI; `signed` ones may be negative.

    Only text with a unit is accepted. A default is given as an SI number. Dumps hold text again, which reads back as
    exactly the same number.
    """

    dimension: str
    signed: bool = False

    def read(self, text: object) -> float:
        """Return the SI value of the text; a pydantic error where it is no such quantity."""
        try:
            value = units.parse(text, self.dimension)  # type: ignore[arg-type]  # refuses anything but text
        except UnitError as error:
            raise PydanticCustomError("quantity", "{reason}", {"reason": str(error)}) from None
        if value < 0 and not self.signed:
            raise PydanticCustomError("quantity", "must not be negative, got '{text}'", {"text": text})
        return value

    def write(self, value: float) -> str:
        """Return the text that `read` turns back into the value."""
        return units.write(value, self.dimension)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        read = _whole(self.read) if source is int else self.read
        return core_schema.no_info_before_validator_function(
            read, handler(source), serialization=core_schema.plain_serializer_function_ser_schema(self.write)
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        del schema, handler  # in a file the number is text
        kind = units.dimension_named(self.dimension)
        sign = "[+-]?" if self.signed else r"\+?"
        return {
            "type": "string",
            "pattern": rf"^\s*{sign}[0-9.]+([eE][+-]?[0-9]+)?\s*[A-Za-z%µμΩ].*$",
            "description": f"{self.dimension.replace('_', ' ')} with its unit ({kind.unit})",
            "examples": [kind.example],
        }


def _whole(read: Any) -> Any:
    """Return a reader of whole numbers of bits."""

    def read_whole(text: object) -> int:
        value = read(text)
        if value != int(value):
            raise PydanticCustomError("quantity", "must be a whole number of bits, got '{text}'", {"text": text})
        return int(value)

    return read_whole


Energy = Annotated[float, QuantityField("energy")]
Time = Annotated[float, QuantityField("time")]
Area = Annotated[float, QuantityField("area")]
Power = Annotated[float, QuantityField("power")]
Length = Annotated[float, QuantityField("length")]
Voltage = Annotated[float, QuantityField("voltage", signed=True)]
Current = Annotated[float, QuantityField("current", signed=True)]
Resistance = Annotated[float, QuantityField("resistance")]
Capacitance = Annotated[float, QuantityField("capacitance")]
Frequency = Annotated[float, QuantityField("frequency")]
Temperature = Annotated[float, QuantityField("temperature")]
Data = Annotated[int, QuantityField("data")]
Bandwidth = Annotated[float, QuantityField("bandwidth")]
EnergyPerBit = Annotated[float, QuantityField("energy_per_bit")]
