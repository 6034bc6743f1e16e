"""What a shift is, which kinds of inputs there are, and which severities are allowed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from archsim.errors import DataError
from archsim.workload.data import ImageSet
from archsim.workload.shifts.draws import Draws, Floats
from archsim.workload.shifts.levels import SEVERITIES

Scale = Literal["none", "degrees", "level"]
FULL_TURN = 360.0


class Kind(StrEnum):
    """What an input is, by its shape."""

    FEATURES = "features (F,)"
    SIGNAL = "a signal (C, L)"
    GREY = "a grey image (1, H, W)"
    COLOUR = "a colour image (C, H, W)"


IMAGES = (Kind.GREY, Kind.COLOUR)


def kind_of(shape: tuple[int, ...]) -> Kind:
    """Return what an input of this shape is; `DataError` where it is nothing that can be shifted."""
    if not 1 <= len(shape) <= 3:
        raise DataError(f"inputs of shape {shape} are neither images, signals nor features")
    if len(shape) == 3:
        return Kind.GREY if shape[0] == 1 else Kind.COLOUR
    return Kind.SIGNAL if len(shape) == 2 else Kind.FEATURES


@dataclass(frozen=True)
class Variant:
    """What a shift does to one kind of input, given in [0, 1], and where its strengths come from."""

    apply: Callable[[ImageSet, float, Draws], Floats]
    source: str


@dataclass(frozen=True)
class Shift:
    """A way to move inputs away from those of training.

    `scale`: what a severity is: none is asked for; degrees; or a level from 1 to 5. `keeps_labels`: whether the right
    answer stays what it was; else the shifted inputs belong to no class.
    """

    description: str
    scale: Scale
    variants: Mapping[Kind, Variant]
    keeps_labels: bool = True

    @property
    def ranks(self) -> frozenset[int]:
        """Ranks of the inputs that it fits: 1 features, 2 signals, 3 images."""
        ranks = {Kind.FEATURES: 1, Kind.SIGNAL: 2, Kind.GREY: 3, Kind.COLOUR: 3}
        return frozenset(ranks[kind] for kind in self.variants)


def checked_severity(name: str, scale: Scale, severity: float | None) -> float:
    """Return the severity, 0 where none is asked for; `DataError` for one that is missing, superfluous or outside."""
    if scale == "none":
        if severity is not None:
            raise DataError(f"shift '{name}' takes no severity, got {severity:g}")
        return 0.0
    wanted = "a level from 1 to 5" if scale == "level" else "an angle from -360 to 360 degrees"
    if severity is None:
        raise DataError(f"shift '{name}' needs a severity, {wanted}")
    fits = severity in SEVERITIES if scale == "level" else math.isfinite(severity) and abs(severity) <= FULL_TURN
    if not fits:
        raise DataError(f"shift '{name}': its severity is {wanted}, got {severity:g}")
    return severity
