"""One axis of a study: the values that a setting takes, as a list or as a range."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field, model_validator

from archsim import units
from archsim.config import Model
from archsim.errors import ConfigError, UnitError

Amount = int | float | str
Scale = Literal["linear", "log"]
_SPAN = re.compile(r"\s*(-?\d+)\s*\.\.\s*(-?\d+)\s*")
MOST = 1_000_000  # values of an axis


class Range(Model):
    """From one value to another: so many `points`, or every `step`, or (for sampling and search) anything between."""

    start: Amount = Field(alias="from")
    stop: Amount = Field(alias="to")
    points: int | None = Field(None, ge=2, le=MOST)
    step: Amount | None = None
    scale: Scale = "linear"

    @model_validator(mode="after")
    def _is_a_range(self) -> Range:
        Span.of(self)
        return self


Choices = dict[str, dict[str, Any]]
AxisValues = list[Any] | str | Range | Choices


@dataclass(frozen=True)
class Span:
    """A range in plain numbers: ends, and the dimension that its values are written in ("" for pure numbers)."""

    start: float
    stop: float
    dimension: str
    whole: bool

    @staticmethod
    def of(given: Range) -> Span:
        """Read the ends of a range; `ValueError` where they do not go together."""
        try:
            ends = [_read(given.start), _read(given.stop)]
        except UnitError as error:
            raise ValueError(str(error)) from None
        (start, kind), (stop, other) = ends
        if kind != other:
            raise ValueError(f"from {given.start} to {given.stop}: the ends are of different kinds")
        if not start < stop:
            raise ValueError(f"from {given.start} to {given.stop}: the first must be the smaller")
        if given.scale == "log" and start <= 0:
            raise ValueError(f"from {given.start}: a logarithmic range needs a start above 0")
        if given.points is not None and given.step is not None:
            raise ValueError("give points or step, not both")
        whole = isinstance(given.start, int) and isinstance(given.stop, int)
        return Span(start, stop, kind, whole)

    def written(self, value: float) -> Any:
        """Return a value as it stands in a file."""
        if self.dimension:
            return units.write(value, self.dimension)
        return round(value) if self.whole else value


def _read(amount: Amount) -> tuple[float, str]:
    if isinstance(amount, str):
        found = units.read(amount)
        return found.value, units.dimension_of(found)
    return float(amount), ""


@dataclass(frozen=True)
class Axis:
    """A setting, by its path, and what it may be: `values`, or anything within a continuous `span`.

    `choices`: where the values are names, the settings that each of them stands for.
    """

    path: str
    values: tuple[Any, ...]
    span: Span | None = None
    scale: Scale = "linear"
    choices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def settings(self, value: Any) -> Mapping[str, Any]:
        """Return what a value sets, by path."""
        return self.choices[value] if self.choices else {self.path: value}

    def at(self, share: float) -> Any:
        """Return the value at a place in [0, 1): one of the values, or along the span."""
        if self.span is None:
            return self.values[min(int(share * len(self.values)), len(self.values) - 1)]
        start, stop = self.span.start, self.span.stop
        if self.span.whole:
            stop += 1
        log = self.scale == "log"
        value = start * (stop / start) ** share if log else start + share * (stop - start)
        return self.span.written(math.floor(value) if self.span.whole else value)


def axis(path: str, given: AxisValues, where: str) -> Axis:
    """Return the axis that a study file gives; ConfigError for what is none."""
    if isinstance(given, Range):
        return _from_range(path, given)
    if isinstance(given, str):
        found = _SPAN.fullmatch(given)
        if not found or int(found[1]) > int(found[2]):
            raise ConfigError(
                f"{where}: '{given}' is no range; write 4..8, a list, or {{from: 1 ns, to: 1 us, points: 7}}"
            )
        return Axis(path, tuple(range(int(found[1]), int(found[2]) + 1)))
    if not given:
        raise ConfigError(f"{where}: has no values")
    if isinstance(given, dict):
        return Axis(path, tuple(given), choices=given)
    return Axis(path, tuple(given))


def _from_range(path: str, given: Range) -> Axis:
    span = Span.of(given)
    if given.points is None and given.step is None:
        return Axis(path, (), span, given.scale)
    if given.step is not None:
        step, _ = _read(given.step)
        count = math.floor((span.stop - span.start) / step * (1 + 1e-12)) + 1
        numbers = [span.start + i * step for i in range(count)]
    else:
        assert given.points is not None
        shares = [i / (given.points - 1) for i in range(given.points)]
        if given.scale == "log":
            numbers = [span.start * (span.stop / span.start) ** s for s in shares]
        else:
            numbers = [span.start + s * (span.stop - span.start) for s in shares]
    return Axis(path, tuple(dict.fromkeys(span.written(n) for n in numbers)))
