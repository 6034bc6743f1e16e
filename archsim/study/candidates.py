"""What a search may propose: places in the axes, as distributions to choose from, and the points behind them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim import units
from archsim.errors import ConfigError, UnitError
from archsim.study.axis import Axis
from archsim.study.points import DesignPoint, Space, Values

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

BELOW_ONE = math.nextafter(1.0, 0.0)

Places = Mapping[str, Any]
"""By the name of a group of axes, a place in it: the number of a value, or a share of a continuous range."""


class Candidates:
    """The combinations of a space. Each is several points if the study averages over some axes, one for each value.

    Raises `ConfigError` for a continuous range to be averaged over, and where nothing is left to choose.
    """

    def __init__(self, space: Space, average: Iterable[str], where: str) -> None:
        self._space, over = space, frozenset(average)
        self._repeated = [g for g in space.groups if any(a.path in over for a in g)]
        self._groups = {" + ".join(a.path for a in g): g for g in space.groups if g not in self._repeated}
        for axis in (a for group in self._repeated for a in group if a.span is not None):
            raise ConfigError(f"{where}: axes.{axis.path}: to be averaged over it needs values, such as `points`")
        if not self._groups:
            raise ConfigError(f"{where}: a search needs axes to choose from")

    @property
    def size(self) -> int | None:
        """How many candidates there are, those included that conditions leave out; None where a range is continuous."""
        axes = [group[0] for group in self._groups.values()]
        return None if any(a.span is not None for a in axes) else math.prod(len(a.values) for a in axes)

    @property
    def repeats(self) -> int:
        """How many points one candidate is at most."""
        return math.prod(len(group[0].values) for group in self._repeated)

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return what Optuna is to choose from.

        A list of rising or falling numbers is ordered, so that neighbours are near each other; other lists are not. A
        continuous range is a share of it.
        """
        return {name: _distribution(group) for name, group in self._groups.items()}

    def drawn(self, rng: np.random.Generator) -> dict[str, Any]:
        """Return a candidate at random, each as likely as any other."""
        return {
            name: float(rng.random()) if group[0].span is not None else int(rng.integers(len(group[0].values)))
            for name, group in self._groups.items()
        }

    def key(self, places: Places) -> str:
        """Return what is the same for the same candidate, however it was proposed."""
        return json.dumps(list(self._values(places).values()))

    def points(self, places: Places, first: int) -> list[DesignPoint]:
        """Return the points of a candidate, numbered from `first`; those that conditions leave out are not there."""
        points: list[DesignPoint] = []
        for repeat in self._repetitions():
            values = {**self._values(places), **repeat}
            in_order = {a.path: values[a.path] for a in self._space.axes}
            if (point := self._space.point(first + len(points), in_order)) is not None:
                points.append(point)
        return points

    def _values(self, places: Places) -> Values:
        return {a.path: _at(a, places[name]) for name, group in self._groups.items() for a in group}

    def _repetitions(self) -> Iterator[Values]:
        for chosen in product(*(range(len(group[0].values)) for group in self._repeated)):
            pairs = zip(self._repeated, chosen, strict=True)
            yield {a.path: a.values[i] for group, i in pairs for a in group}


def _at(axis: Axis, place: Any) -> Any:
    return axis.at(place) if axis.span is not None else axis.values[place]


def _distribution(group: tuple[Axis, ...]) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if group[0].span is not None:
        return FloatDistribution(0.0, BELOW_ONE)
    count = len(group[0].values)
    if all(_is_ordered(a) for a in group):
        return IntDistribution(0, count - 1)
    return CategoricalDistribution(range(count))


def _is_ordered(axis: Axis) -> bool:
    """Tell whether values are numbers, or quantities of one kind, that rise or fall throughout."""
    try:
        read = [_quantity(value) for value in axis.values]
    except UnitError:
        return False
    steps = np.diff([q.value for q in read])
    return len({q.powers for q in read}) == 1 and bool((steps > 0).all() or (steps < 0).all())


def _quantity(value: Any) -> units.Quantity:
    if isinstance(value, str):
        return units.read(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnitError(f"{value!r} is no number")
    return units.Quantity(float(value), units.PURE)
