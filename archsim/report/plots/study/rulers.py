"""How the values of a column of a study lie along an axis: numbers in a fitting unit, words one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray
from pandas import Series
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from archsim.report.plots.marks import shorten
from archsim.report.plots.style import (
    NATS,
    ONE,
    PERCENT,
    SQUARE_MILLIMETRES,
    TIMES,
    LogTicks,
    Scale,
    name_axis,
    scale_for,
)
from archsim.report.study.columns import Column, wide

TICKS = 5
FEW = 9  # values of an axis that are all written
_SCALES: Mapping[str, Scale] = MappingProxyType(
    {
        "": ONE,
        "%": PERCENT,
        "m^2": SQUARE_MILLIMETRES,
        "nat": NATS,
        "x": Scale(1.0, TIMES),
        "images/s": Scale(1.0, "images/s"),
        "target sd": Scale(1.0, "target sd"),
        "K": Scale(1.0, "K"),
    }
)


@dataclass(frozen=True)
class Ruler:
    """A column along an axis.

    `known`: its different values in order, of words as they come first. `numeric`: whether they are numbers. `log`:
    whether the axis is logarithmic, as `scale` and `known` ask for.
    """

    column: Column
    known: tuple[Any, ...]
    numeric: bool
    log: bool
    scale: Scale

    @staticmethod
    def of(column: Column, values: Series[Any]) -> Ruler:
        """Return the ruler that fits all values."""
        present = values.dropna()
        if is_bool_dtype(present) or not is_numeric_dtype(present):
            return Ruler(column, tuple(dict.fromkeys(map(_hashable, present))), False, False, ONE)
        known = tuple(np.unique(present.to_numpy(float)).tolist())
        log = wide(known) or _geometric(known)
        largest = max((abs(v) for v in known), default=0.0)
        scale = _SCALES.get(column.unit) or scale_for(largest, column.unit)
        return Ruler(column, known, True, log, scale)

    @property
    def words(self) -> str:
        """What it is, with its unit."""
        return f"{self.column.words} ({self.scale.unit})" if self.scale.unit else self.column.words

    def at(self, values: Series[Any]) -> NDArray[np.float64]:
        """Return where values lie on the axis; NaN for none."""
        if self.numeric:
            return values.to_numpy(float) * self.scale.factor
        places = {value: i for i, value in enumerate(self.known)}
        return np.array([places.get(_hashable(v), np.nan) for v in values], float)

    def share(self, values: Series[Any]) -> NDArray[np.float64]:
        """Return where values lie between the least (0) and the largest (1), on a logarithmic axis by their ratios."""
        places, ends = self.at(values), self.ends
        if self.log:
            places, ends = np.log(places), np.log(ends)
        return (places - ends[0]) / (ends[1] - ends[0]) if ends[1] > ends[0] else np.full_like(places, 0.5)

    @property
    def ends(self) -> NDArray[np.float64]:
        """Return the places of the least and of the largest value."""
        if not self.numeric:
            return np.array([0.0, max(1.0, len(self.known) - 1.0)])
        return np.array([self.known[0], self.known[-1]]) * self.scale.factor

    def name(self, value: Any) -> str:
        """Return a value in the unit of the axis, without the unit."""
        if not self.numeric:
            return shorten(self.column.say(value), 24)
        scaled = float(value) * self.scale.factor
        return f"{scaled:.0f}" if abs(scaled) >= 1000 else f"{scaled:.3g}"

    def draw(self, axes: Axes, which: str) -> None:
        """Set up an axis: its label, its scale, and its ticks where there are few values."""
        unit = ", ".join(filter(None, [self.scale.unit, "log scale" if self.log else ""]))
        name_axis(axes, which, self.column.words, Scale(1.0, unit))
        axis = axes.xaxis if which == "x" else axes.yaxis
        if which == "y":
            axis.set_label_text("\n(".join(axis.get_label_text().rsplit(" (", 1)))
        if self.log:
            axes.set_xscale("log") if which == "x" else axes.set_yscale("log")
            axis.set_major_locator(LogTicks())
            axis.set_major_formatter(FuncFormatter(_tick))
            axis.set_minor_formatter(NullFormatter())
        elif self.numeric:
            axis.set_major_locator(MaxNLocator(TICKS))

    def mark(self, axes: Axes, which: str) -> None:
        """Write each of a few values at its place, as is right for what was varied rather than found."""
        self.draw(axes, which)
        if len(self.known) <= FEW or not self.numeric:
            axis = axes.xaxis if which == "x" else axes.yaxis
            places = [v * self.scale.factor for v in self.known] if self.numeric else range(len(self.known))
            axis.set_ticks([*places], [self.name(v) for v in self.known])
            axis.set_minor_locator(NullLocator())


def _geometric(known: Sequence[float]) -> bool:
    """Tell whether values grow by nearly equal factors, such as 64, 128, 256."""
    if len(known) < 3 or known[0] <= 0:
        return False
    steps = np.diff(np.log(known))
    return bool(steps.max() < 1.2 * steps.min() and np.ptp(np.diff(known)) > 0.2 * np.diff(known).max())


def _tick(value: float, _: int | None = None) -> str:
    return f"{value:,.0f}".replace(",", " ") if value >= 1000 else f"{value:g}"


def _hashable(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) else str(value)
