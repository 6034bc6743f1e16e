"""What the formats are made of: parts of files, and numbers that JSON could not hold, for which null stands."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from archsim.config import Model


def _or(missing: float) -> BeforeValidator:
    return BeforeValidator(lambda value: missing if value is None else value)


Number = Annotated[float, _or(math.nan)]


class Part(Model):
    """A part of a file, of which other keys are ignored."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=True)


class Range(Part):
    """A figure with the ends of its range or interval; NaN where it is unknown, infinite where an end is."""

    value: Number
    low: Annotated[float, _or(-math.inf)]
    high: Annotated[float, _or(math.inf)]
    method: str = ""


FIGURES = (
    "accuracy", "nll", "brier", "ece", "adaptive_ece", "entropy", "expected_entropy", "mutual_information",
    "confidence", "rmse", "crps", "coverage_50", "coverage_90", "deviation", "model_deviation",
)  # fmt: skip


class Judged(Part):
    """Something whose figures of quality stand among its other keys; here they are together."""

    figures: dict[str, Range] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {**data, "figures": {name: data[name] for name in FIGURES if isinstance(data.get(name), dict)}}
