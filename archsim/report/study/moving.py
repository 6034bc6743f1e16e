"""Which axes move what, on a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from archsim.report.layout import Cell, heading, table
from archsim.report.study.columns import Column
from archsim.report.study.findings import Findings
from archsim.study.sensitivity import SobolIndices, Tornado

LISTED = 10


def moving(found: Findings) -> Iterator[RenderableType]:
    """Yield, for each objective, the axes that move it most; nothing for a study that was not sampled for this."""
    for target in found.targets:
        told = found.sensitivities.get(target.name)
        if isinstance(told, Tornado):
            yield heading(f"What moves {target.words}, from {target.say(told.base)} at the base, one axis at a time")
            yield table(["", "first", "", "last", ""], _swings(found, told), right=[2, 4])
            still = sum(not s.error and s.reach(told.base) == 0 for s in told.swings)
            yield from _more(sum(1 for _ in told.swings) - still - LISTED, still)
        elif isinstance(told, SobolIndices):
            yield heading(
                f"What moves {target.words}: {target.say(told.mean)} on average, standard deviation"
                f" {target.say(told.deviation)}"
            )
            yield table(["", "alone", "95 % interval", "in all", "95 % interval"], _indices(told), right=[1, 3])
            yield from _more(len(told.indices) - LISTED, 0)
    for names, why in found.untold:
        yield heading(f"What moves {names}")
        yield Text(f"cannot be told: {why}", "yellow")


def _swings(found: Findings, told: Tornado) -> Iterator[list[Cell]]:
    for swing in told.swings[:LISTED]:
        if swing.reach(told.base) > 0 or swing.error:
            column = found.axis(swing.axis)
            ends = ((swing.at_low, swing.low), (swing.at_high, swing.high))
            yield [swing.axis, *(cell for at, value in ends for cell in _end(column, at, value, told.base))]


def _end(column: Column | None, at: object, value: float, base: float) -> Iterator[Cell]:
    yield column.say(at) if column else str(at)
    yield Text("failed", "yellow") if math.isnan(value) else f"{100 * (value / base - 1):+.3g} %" if base else ""


def _indices(told: SobolIndices) -> Iterator[list[Cell]]:
    for i in told.indices[:LISTED]:
        yield [
            i.axis,
            f"{i.first:.3f}",
            f"{i.first_low:.3f} to {i.first_high:.3f}",
            f"{i.total:.3f}",
            f"{i.total_low:.3f} to {i.total_high:.3f}",
        ]


def _more(less: int, still: int) -> Iterator[Text]:
    said = [f"{less} more move it less"] if less > 0 else []
    said += [f"{still} do not move it"] if still else []
    if said:
        yield Text(f"  and {'; '.join(said)}", "dim")
