"""When the converters of a layer convert, where each crossbar has its own.

They are no station: nobody else asks for them, and what they take is inside the time of the arrays. The timing of the
mapping says where: a group of rows is read, its columns are converted in turn, and with sample-and-hold the next group
is read meanwhile.
"""

from __future__ import annotations

from math import ceil
from typing import Any, NamedTuple

from archsim.mapping.plan import Mapping, Placed
from archsim.sim.machine import label_of
from archsim.sim.station import Served


class Conversion(NamedTuple):
    """From the first conversion of a chunk to the last, and what a viewer should know of it."""

    start_ps: int
    duration_ps: int
    args: dict[str, Any]


class Conversions:
    """Derives the conversions of the layers of a mapping from the uses of their arrays."""

    def __init__(self, mapping: Mapping) -> None:
        self._layers = {label_of(p): p for p in mapping.placed() if p.timing.convert_ps}

    def __contains__(self, layer: str) -> bool:
        """Return whether the crossbars of a layer have converters of their own."""
        return layer in self._layers

    def during(self, served: Served, counted: int) -> Conversion:
        """Return the conversions in a use of a layer's arrays.

        `counted`: the positions of the layer in the book, those of this use included. `busy_ps` of a conversion is how
        long the converter is busy that has most to do. That is not longer than the time shown, unless the port of an
        input buffer sets the pace: a use that makes up for one before it is then shorter than its own work.
        """
        placed = self._layers[served.op.layer]
        timing = placed.timing
        end = (counted - 1) % placed.stage.positions + 1
        busy = timing.convert_ps * _vectors(placed, end - served.units, end) * steps(placed)
        last = served.end_ps + timing.fill_ps
        start = min(served.start_ps + timing.read_ps, last)
        each = next(times for part, action, times in served.op.actions if (part, action) == ("converter", "convert"))
        args = {"image": served.image, "pass": served.turn, "conversions": served.units * each, "busy_ps": busy}
        return Conversion(start, last - start, args)


def steps(placed: Placed) -> int:
    """Return how often the columns of a crossbar are converted for one input vector."""
    return placed.stage.input_bits * placed.tiling.steps


def _vectors(placed: Placed, first: int, end: int) -> int:
    """Return how many of some positions the busiest replica computes."""
    return ceil(end / placed.replicas) - ceil(first / placed.replicas)
