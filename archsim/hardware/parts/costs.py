"""`costs:` of a part: figures that an architecture states itself, in place of those of the component library."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import GetJsonSchemaHandler, Strict, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from archsim.config import Area, Energy, Model, Power, Time
from archsim.hardware.component import Figure

Q = TypeVar("Q", bound=float)

Grade = Literal["READ", "RERUN", "DERIVED", "RECALLED", "ASSUMED"]


class Quote(Model, Generic[Q]):
    """A quantity with its plausible range, its grade and the library's keys of its sources.

    In a file the value may stand alone: it is then ASSUMED, without a range.
    """

    value: Q
    range: Annotated[tuple[Q, Q], Strict(False)] | None = None  # a list: `_value_alone` hides that it was JSON
    grade: Grade = "ASSUMED"
    source: Annotated[tuple[str, ...], Strict(False)] = ("none",)
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _value_alone(cls, data: Any) -> Any:
        return data if isinstance(data, dict | Quote) else {"value": data}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler(schema)
        text = handler.resolve_ref_schema(full)["properties"]["value"]
        return {"anyOf": [text, full]}

    @model_validator(mode="after")
    def _value_in_range(self) -> Self:
        low, high = self.range or (self.value, self.value)
        if not low <= self.value <= high:
            raise ValueError("value must lie inside its range, and the range be [low, high]")
        return self

    def figure(self) -> Figure:
        """Return what the architecture states as a figure."""
        low, high = self.range or (self.value, self.value)
        return Figure(self.value, low, high, self.grade, self.source, self.note)


class EnergyQuote(Quote[Energy]):
    """An energy with its origin."""


class TimeQuote(Quote[Time]):
    """A time with its origin."""


class AreaQuote(Quote[Area]):
    """An area with its origin."""


class PowerQuote(Quote[Power]):
    """A power with its origin."""


class ActionCosts(Model):
    """What one action costs; a figure that is not given comes from the component library."""

    energy: EnergyQuote | None = None
    latency: TimeQuote | None = None


_ACTION = ActionCosts()


class Costs(Model):
    """Area and leakage of one instance; subclasses add the part's actions."""

    area: AreaQuote | None = None
    leakage: PowerQuote | None = None


class ReadWriteCosts(Costs):
    """Costs of a memory."""

    read: ActionCosts = _ACTION
    write: ActionCosts = _ACTION


class DriveCosts(Costs):
    """Costs of a word-line driver."""

    drive: ActionCosts = _ACTION


class SelectCosts(Costs):
    """Costs of a column multiplexer."""

    select: ActionCosts = _ACTION


class SampleCosts(Costs):
    """Costs of a sample-and-hold circuit."""

    sample: ActionCosts = _ACTION


class ConvertCosts(Costs):
    """Costs of a converter."""

    convert: ActionCosts = _ACTION


class DecodeCosts(Costs):
    """Costs of a row decoder."""

    decode: ActionCosts = _ACTION


class ComputeCosts(Costs):
    """Costs of a parity tree."""

    compute: ActionCosts = _ACTION


class ApplyCosts(Costs):
    """Costs of an element-wise unit."""

    apply: ActionCosts = _ACTION


class AddCosts(Costs):
    """Costs of an adder."""

    add: ActionCosts = _ACTION


class PoolCosts(Costs):
    """Costs of a pooling unit."""

    compare: ActionCosts = _ACTION
    add: ActionCosts = _ACTION


class SoftmaxCosts(Costs):
    """Costs of the softmax unit, for a class and for all of them."""

    apply: ActionCosts = _ACTION
    reciprocal: ActionCosts = _ACTION


class AveragerCosts(Costs):
    """Costs of the Monte-Carlo averager."""

    accumulate: ActionCosts = _ACTION
    finish: ActionCosts = _ACTION


class TransferCosts(Costs):
    """Costs of one tile pitch of a link."""

    transfer: ActionCosts = _ACTION


class HopCosts(Costs):
    """Costs of a router."""

    hop: ActionCosts = _ACTION


class DrawCosts(Costs):
    """Costs of a random-bit module."""

    draw: ActionCosts = _ACTION


class CountCosts(Costs):
    """Costs of a counter of bits."""

    count: ActionCosts = _ACTION


class StatisticsCosts(Costs):
    """Costs of the unit that measures mean and variance: for a value, and for the end of a statistic."""

    accumulate: ActionCosts = _ACTION
    finish: ActionCosts = _ACTION
