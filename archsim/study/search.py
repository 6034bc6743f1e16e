"""Looks for the best points of a study: Optuna proposes candidates batch by batch, and is told what came of them.

What is proposed depends on the study, on its seed and on its batch alone, for a batch is told as a whole and in the
order in which it was proposed. To go on after an interruption is therefore to search again from the start, with an
evaluation that knows what has been found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from archsim.errors import ConfigError, nearest
from archsim.study.candidates import Candidates, Places
from archsim.study.objectives import objectives_of, wrong_names
from archsim.study.points import DesignPoint, space_of
from archsim.study.spec import Limit, Search, StudyConfig
from archsim.study.task import Outcome
from archsim.study.volume import hypervolume, in_box, nondominated

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial

STALE = 2  # proposals in a row that are nothing new, for each of a batch, before the rest of it is drawn at random
DRAWS = 200  # at random, for each of a batch, before the space counts as used up
FALLBACK = 1  # the seed's stream for these draws; the sampler has the seed itself

Evaluate: TypeAlias = Callable[[Sequence[DesignPoint]], Mapping[int, Outcome]]
"""Returns the outcomes of some points, by number."""


@dataclass(frozen=True)
class Searched:
    """How far a search is: candidates tried, of how many wanted, and `failed` ones among them.

    `points`: evaluated; as many as candidates unless the study averages. `repeated`, `left_out`: proposals that had
    been tried before, and that a condition refuses; they cost nothing. `front`: how many feasible candidates no other
    beats. `hypervolume`: of them, as a share of the box that all feasible candidates so far span (`volume.in_box`).
    """

    tried: int
    wanted: int
    failed: int = 0
    points: int = 0
    repeated: int = 0
    left_out: int = 0
    front: int = 0
    hypervolume: float = 0.0

    @property
    def used_up(self) -> bool:
        """Whether nothing new was left to be tried; to be asked when the search has ended."""
        return self.tried < self.wanted


def search_of(config: StudyConfig, where: str) -> Search:
    """Return how a study is to be searched; ConfigError if it does not say."""
    if config.search is None:
        raise ConfigError(f"{where}: has no `search`; add `search: {{trials: 500}}`, or give --trials")
    return config.search


def run_search(
    config: StudyConfig, where: str, evaluate: Evaluate, progress: Callable[[Searched], None] = lambda _: None
) -> Searched:
    """Search a study; `progress` hears how far it is after each batch.

    Raises:
        ConfigError: no `search`, nothing to choose, an objective or a limit that points do not have (with the nearest
            that they have): said before anything runs if no point can have it, else after the first one.
    """
    wanted, rounds = search_of(config, where), _Rounds(config, where)
    with _quietly():
        while rounds.tried < wanted.trials and (batch := rounds.proposed(wanted.trials - rounds.tried)):
            if not rounds.tried:
                rounds.check(evaluate(batch[0].points[:1]).values())
            rounds.tell(batch, evaluate([point for candidate in batch for point in candidate.points]))
            progress(rounds.standing(wanted.trials))
    return rounds.standing(wanted.trials)


def first_points(config: StudyConfig, where: str) -> list[DesignPoint]:
    """Return the points that a search tries first."""
    wanted = search_of(config, where)
    with _quietly():
        return [p for candidate in _Rounds(config, where).proposed(wanted.trials) for p in candidate.points]


@dataclass(frozen=True)
class _Proposed:
    trial: Trial
    points: list[DesignPoint]


@dataclass
class _Scale:
    """Brings figures near 1, as samplers take tiny differences for none: each is divided by the first of its kind."""

    units: dict[str, float] = field(default_factory=dict)

    def of(self, name: str, value: float) -> float:
        return value / self.units.setdefault(name, abs(value) or 1.0)


class _Rounds:
    """The conversation with Optuna."""

    def __init__(self, config: StudyConfig, where: str) -> None:
        import optuna

        if problems := [*wrong_names(config, where)]:
            raise ConfigError(problems)
        self._where, self._search = where, search_of(config, where)
        self._objectives, self._limits = objectives_of(config), dict(config.limits)
        self._candidates = Candidates(space_of(config, where), config.average, where)
        self._distributions = self._candidates.distributions()
        self._rng = np.random.default_rng([self._search.seed, FALLBACK])
        self._seen: set[str] = set()
        self._scale = _Scale()
        self._found: list[list[float]] = []
        self._failed = self._points = self._repeated = self._left_out = self.tried = 0
        with _quietly():
            self._study: Study = optuna.create_study(
                directions=["minimize" if goal == "min" else "maximize" for goal in self._objectives.values()],
                sampler=_sampler(self._search),
            )

    def proposed(self, most: int) -> list[_Proposed]:
        """Return the next batch, at most so many new candidates; none where nothing new is found any more."""
        batch: list[_Proposed] = []
        stale = 0
        while len(batch) < min(most, self._search.batch) and len(self._seen) != self._candidates.size:
            if stale < STALE * self._search.batch:
                trial = self._study.ask(self._distributions)
                points = self._points_if_new(trial.params)
                stale = 0 if points else stale + 1
            else:
                places, points = self._drawn()
                if not points:
                    break
                self._study.enqueue_trial(dict(places))
                trial = self._study.ask(self._distributions)
            if points:
                batch.append(_Proposed(trial, points))
            else:
                self._refuse(trial)
        return batch

    def check(self, outcomes: Iterable[Outcome]) -> None:
        """Raise `ConfigError` if outcomes have figures, but not those that the search is after."""
        for known in (outcome.figures for outcome in outcomes if not outcome.error):
            for name in (*self._objectives, *self._limits):
                if name not in known:
                    raise ConfigError(f"{self._where}: '{name}' is no figure of this study{nearest(name, known)}")

    def tell(self, batch: Sequence[_Proposed], outcomes: Mapping[int, Outcome]) -> None:
        """Tell what came of a batch."""
        for candidate in batch:
            figures = self._figures([outcomes[point.number] for point in candidate.points])
            self.tried += 1
            if figures is None:
                self._failed += 1
                self._refuse(candidate.trial)
                continue
            violations = {name: by for n, limit in self._limits.items() for name, by in _violations(n, limit, figures)}
            for name, by in violations.items():
                candidate.trial.set_constraint(name, by)
            values = [self._scale.of(name, figures[name]) for name in self._objectives]
            self._study.tell(candidate.trial, values)
            if all(by <= 0 for by in violations.values()):
                signs = (-1.0 if goal == "max" else 1.0 for goal in self._objectives.values())
                self._found.append([sign * value for sign, value in zip(signs, values, strict=True)])

    def standing(self, wanted: int) -> Searched:
        """Return how far the search is."""
        points = np.array(self._found).reshape(-1, len(self._objectives))
        best, placed = nondominated(points), in_box(points)
        volume = hypervolume(placed[best], np.ones(placed.shape[1])) if placed.size else 0.0
        return Searched(
            self.tried, wanted, self._failed, self._points, self._repeated, self._left_out, len(best), volume
        )  # fmt: skip

    def _points_if_new(self, places: Places) -> list[DesignPoint]:
        """Return the points of a candidate; none of one that was here before, or that conditions leave out."""
        key = self._candidates.key(places)
        if key in self._seen:
            self._repeated += 1
            return []
        self._seen.add(key)
        points = self._candidates.points(places, self._points)
        self._points += len(points)
        self._left_out += not points
        return points

    def _drawn(self) -> tuple[Places, list[DesignPoint]]:
        """Return a new candidate at random, without points if none was found."""
        for _ in range(DRAWS * self._search.batch):
            places = self._candidates.drawn(self._rng)
            if points := self._points_if_new(places):
                return places, points
        return {}, []

    def _refuse(self, trial: Trial) -> None:
        from optuna.trial import TrialState

        self._study.tell(trial, state=TrialState.FAIL)

    def _figures(self, outcomes: Sequence[Outcome]) -> dict[str, float] | None:
        """Return objectives and limited figures, means over the points of a candidate; None where one has none."""
        self.check(outcomes)
        if any(outcome.error for outcome in outcomes):
            return None
        names = dict.fromkeys([*self._objectives, *self._limits])
        means = {name: math.fsum(o.figures[name] for o in outcomes) / len(outcomes) for name in names}
        return means if all(map(math.isfinite, means.values())) else None


def _sampler(search: Search) -> BaseSampler:
    from optuna import samplers

    if search.sampler == "random":
        return samplers.RandomSampler(seed=search.seed)
    if search.sampler == "tpe":
        return samplers.TPESampler(seed=search.seed)
    return samplers.NSGAIISampler(population_size=max(2, search.batch), seed=search.seed)


def _violations(name: str, limit: Limit, figures: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Yield by how much each end of a limit is missed, relative to it; 0 or less where it is kept."""
    value = figures[name]
    if limit.at_least is not None:
        yield f"{name} at least", (limit.at_least - value) / (abs(limit.at_least) or 1.0)
    if limit.at_most is not None:
        yield f"{name} at most", (value - limit.at_most) / (abs(limit.at_most) or 1.0)


@contextmanager
def _quietly() -> Iterator[Any]:
    """Keep Optuna from writing a line for each trial."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
