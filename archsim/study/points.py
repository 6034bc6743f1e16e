"""The points of a study: every combination of its axes, or a sample of them, less what its conditions leave out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from archsim.errors import ConfigError, nearest
from archsim.study.axis import Axis, axis
from archsim.study.base import Base
from archsim.study.expression import Expression
from archsim.study.ranges import with_ranges
from archsim.study.spec import Grid, OneAtATime, Saltelli, Sampled, StudyConfig

Values = Mapping[str, Any]


@dataclass(frozen=True)
class DesignPoint:
    """One combination, and its number among those of the study.

    `values`: of every axis and of what is derived, as tables show them. `settings`: what they set, by path; the same
    but for names that stand for several settings.
    """

    number: int
    values: Values
    settings: Values


@dataclass(frozen=True)
class Space:
    """All axes, in groups that go together, and the conditions on their combinations.

    A group of several axes takes their first values together, then their second ones, and so on.
    """

    groups: tuple[tuple[Axis, ...], ...]
    derive: Mapping[str, Expression]
    keep: tuple[Expression, ...]
    skip: tuple[Values, ...]

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Every axis, in the order of the file."""
        return tuple(a for group in self.groups for a in group)

    def point(self, number: int, values: Values) -> DesignPoint | None:
        """Return the point of a combination; None where a condition leaves it out."""
        settings = {path: v for a in self.axes for path, v in a.settings(values[a.path]).items()}
        known = {**settings, **values}
        for path, formula in self.derive.items():
            known[path] = settings[path] = formula.value(known)
        if any(all(known.get(p) == v for p, v in combination.items()) for combination in self.skip):
            return None
        if not all(condition.value(known) for condition in self.keep):
            return None
        return DesignPoint(number, {**values, **{path: known[path] for path in self.derive}}, settings)

    def combinations(self) -> Iterator[Values]:
        """Yield every combination of all values, the last axis fastest."""
        places = (range(len(group[0].values)) for group in self.groups)
        for chosen in product(*places):
            pairs = zip(self.groups, chosen, strict=True)
            yield {a.path: a.values[i] for group, i in pairs for a in group}

    def at(self, place: Sequence[float]) -> Values:
        """Return the combination at a place in the unit cube, with one coordinate for each group."""
        pairs = zip(self.groups, place, strict=True)
        return {a.path: a.at(share) for group, share in pairs for a in group}


def space_of(config: StudyConfig, where: str) -> Space:
    """Return the space of a study, its `ranges` among the axes; ConfigError for what does not go together."""
    config = with_ranges(config, where)
    groups: list[tuple[Axis, ...]] = [
        (axis(path, given, f"{where}: axes.{path}"),) for path, given in config.axes.items()
    ]
    for i, together in enumerate(config.zipped):
        group = tuple(axis(path, given, f"{where}: zipped.{i}.{path}") for path, given in together.items())
        counts = sorted({len(a.values) for a in group})
        if len(counts) != 1 or counts[0] == 0:
            raise ConfigError(f"{where}: zipped.{i}: axes that go together need as many values each, got {counts}")
        groups.append(group)
    space = Space(
        tuple(groups),
        {path: Expression(text, f"{where}: derive.{path}") for path, text in config.derive.items()},
        tuple(Expression(text, f"{where}: keep.{i}") for i, text in enumerate(config.keep)),
        tuple(config.skip),
    )
    _check(space, where)
    return space


def design_points(config: StudyConfig, where: str) -> Iterator[DesignPoint]:
    """Yield the points of a study, numbered in order; those that its conditions leave out have no number.

    The same file gives the same points. ConfigError where it gives none, or where an axis without steps is to be taken
    whole.
    """
    config = with_ranges(config, where)
    space, number = space_of(config, where), 0
    complete = isinstance(config.sampling, OneAtATime | Saltelli)
    for values in _candidates(space, config, where):
        if (point := space.point(number, values)) is not None:
            yield point
            number += 1
        elif complete:
            kind = config.sampling.kind
            raise ConfigError(
                f"{where}: sampling '{kind}' needs every point, but keep or skip leave out point {number}"
            )
    if not number:
        raise ConfigError(f"{where}: its conditions leave no point")


def _candidates(space: Space, config: StudyConfig, where: str) -> Iterator[Values]:
    sampling = config.sampling
    if isinstance(sampling, Sampled):
        return (space.at(place) for place in _places(sampling, len(space.groups)))
    if isinstance(sampling, Grid):
        endless = [a.path for a in space.axes if a.span is not None]
        if endless:
            raise ConfigError(f"{where}: axes.{endless[0]}: a grid needs `points` or `step`; or sample the range")
        return space.combinations()
    if not space.groups:
        raise ConfigError(f"{where}: sampling '{sampling.kind}' needs axes (or `ranges`) to vary")
    if isinstance(sampling, OneAtATime):
        return one_at_a_time(space, Base(config, where))
    return (space.at(place) for place in saltelli(len(space.groups), sampling.points, sampling.seed))


def one_at_a_time(space: Space, base: Base) -> Iterator[Values]:
    """Yield the base, then for each group of axes its first and its last values with all others at the base.

    So group g (from 0) has the points 1 + 2 g and 2 + 2 g. ConfigError for a setting that the base does not have.
    """
    nominal = {a.path: base.nominal(a) for a in space.axes}
    yield nominal
    for group in space.groups:
        first, last = zip(*(_ends(a) for a in group), strict=True)
        for end in (first, last):
            yield {**nominal, **{a.path: value for a, value in zip(group, end, strict=True)}}


def saltelli(dimensions: int, points: int, seed: int) -> Iterator[Sequence[float]]:
    """Yield places in the unit cube from which Sobol indices are computed (Saltelli et al. 2010, table 2, radial).

    One scrambled Sobol sequence of 2 d dimensions gives `points` pairs of rows a, b. Pair j takes the d + 2 places from
    number j (d + 2) on: a, b, then for each dimension the row a with that coordinate from b.
    """
    from scipy.stats import qmc  # nearly a second, which only a sampled study pays

    sequence = qmc.Sobol(2 * dimensions, rng=np.random.default_rng(seed))
    for row in sequence.random_base2(points.bit_length() - 1).tolist():
        a, b = row[:dimensions], row[dimensions:]
        yield a
        yield b
        for i in range(dimensions):
            yield [*a[:i], b[i], *a[i + 1 :]]


def _ends(axis: Axis) -> tuple[Any, Any]:
    if axis.span is None:
        return axis.values[0], axis.values[-1]
    return axis.span.written(axis.span.start), axis.span.written(axis.span.stop)


def _places(sampling: Sampled, dimensions: int) -> Iterator[Sequence[float]]:
    """Yield points of the unit cube; of a Sobol sequence the first so many of the next power of two."""
    from scipy.stats import qmc  # nearly a second, which only a sampled study pays

    rng = np.random.default_rng(sampling.seed)
    if dimensions == 0:
        yield ()
    elif sampling.kind == "random":
        yield from (rng.random(dimensions).tolist() for _ in range(sampling.points))
    elif sampling.kind == "latin_hypercube":
        yield from qmc.LatinHypercube(dimensions, rng=rng).random(sampling.points).tolist()
    else:
        exponent = max(0, (sampling.points - 1).bit_length())
        yield from qmc.Sobol(dimensions, rng=rng).random_base2(exponent)[: sampling.points].tolist()


def _check(space: Space, where: str) -> None:
    """Refuse settings that are given twice, and conditions on settings that do not vary."""
    paths = [path for a in space.axes for path in _set_by(a, some=True)] + [*space.derive]
    for path in paths:
        if paths.count(path) > 1:
            raise ConfigError(f"{where}: '{path}' is given twice")
    known = [*dict.fromkeys(path for a in space.axes for path in (a.path, *_set_by(a, some=False)))]
    for path, formula in space.derive.items():
        _check_names(formula.names, known, f"{where}: derive.{path}")
        known.append(path)
    for i, condition in enumerate(space.keep):
        _check_names(condition.names, known, f"{where}: keep.{i}")
    for i, combination in enumerate(space.skip):
        _check_names(combination, known, f"{where}: skip.{i}")


def _set_by(axis: Axis, *, some: bool) -> list[str]:
    """Return every path that an axis sets, at all of its values or, where its values are names, at `some` of them."""
    if not axis.choices:
        return [axis.path]
    made = [path for settings in axis.choices.values() for path in settings]
    return [path for path in dict.fromkeys(made) if some or made.count(path) == len(axis.choices)]


def _check_names(names: Iterable[str], known: Sequence[str], where: str) -> None:
    for name in sorted(names):
        if name not in known:
            raise ConfigError(f"{where}: '{name}' is no axis of this study{nearest(name, known)}")
