"""Which axes move a figure: one at a time, or by their shares of its variance (Sobol indices)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from archsim.errors import ConfigError, nearest
from archsim.study.points import space_of
from archsim.study.spec import OneAtATime, Saltelli
from archsim.study.tables import StudyData

Floats = npt.NDArray[np.float64]
RESAMPLES = 1000
LEVEL = 0.95
MOST_NAMED = 3


@dataclass(frozen=True)
class Swing:
    """What one axis does alone: the figure where it is at its first and at its last value, all others at the base.

    `at_low`, `at_base`, `at_high`: values of the axis, as the study's table has them. `low`, `high`: the figure there,
    NaN where that point failed; `error` then says why.
    """

    axis: str
    at_low: Any
    at_base: Any
    at_high: Any
    low: float
    high: float
    error: str = ""

    def reach(self, base: float) -> float:
        """Return the largest change from the base, in the figure's unit; 0 where both ends are unknown."""
        changes = [abs(end - base) for end in (self.low, self.high) if not math.isnan(end)]
        return max(changes, default=0.0)


@dataclass(frozen=True)
class Tornado:
    """One axis at a time: what it does to a figure, the axis with the largest change first."""

    figure: str
    base: float
    swings: tuple[Swing, ...]

    def table(self) -> pd.DataFrame:
        """Return a row for each axis; `low_change` and `high_change` are relative to the base (0.1: a tenth more)."""
        rows = pd.DataFrame([vars(s) for s in self.swings]).set_index("axis")
        if self.base:
            rows["low_change"], rows["high_change"] = rows["low"] / self.base - 1, rows["high"] / self.base - 1
        return rows


@dataclass(frozen=True)
class Index:
    """Sobol indices of one axis with 95 % bootstrap intervals over the rows of the sample.

    As the sample is more even than random rows are, the intervals are rather too wide than too narrow.
    `first`: share of the variance that the axis explains alone. `total`: share that is left when all others are known.
    """

    axis: str
    first: float
    first_low: float
    first_high: float
    total: float
    total_low: float
    total_high: float


@dataclass(frozen=True)
class SobolIndices:
    """How the variance of a figure divides among the axes, the largest total first.

    `mean`, `deviation`: of the figure over the axes' ranges. `rows`: pairs of base samples.
    """

    figure: str
    mean: float
    deviation: float
    rows: int
    indices: tuple[Index, ...]

    def table(self) -> pd.DataFrame:
        """Return a row for each axis."""
        return pd.DataFrame([vars(i) for i in self.indices]).set_index("axis")


def sensitivity(data: StudyData, figure: str) -> Tornado | SobolIndices:
    """Return which axes of a study move a figure; the study is sampled `one_at_a_time` or by `saltelli`.

    Axes that go together count as one, named "a + b".

    Raises:
        ConfigError: another sampling, an unknown figure (names the nearest), points that failed or are not there yet
            (of one at a time only the base is needed), a figure that does not vary.
    """
    sampling, where = data.config.sampling, str(data.file)
    if figure not in data.figures:
        raise ConfigError(f"'{figure}' is no figure of this study{nearest(figure, data.figures)}")
    if not isinstance(sampling, OneAtATime | Saltelli):
        raise ConfigError(
            f"{where}: sampling: '{sampling.kind}' tells nothing about single axes; take one_at_a_time or saltelli"
        )
    groups = [tuple(a.path for a in group) for group in space_of(data.config, where).groups]
    if isinstance(sampling, OneAtATime):
        return _tornado(data, figure, groups)
    count = sampling.points * (len(groups) + 2)
    found = _all_values(data, figure, count).reshape(sampling.points, len(groups) + 2)
    return _sobol(figure, [" + ".join(g) for g in groups], found, sampling.seed)


def _tornado(data: StudyData, figure: str, groups: Sequence[tuple[str, ...]]) -> Tornado:
    base = float(_all_values(data, figure, 1)[0])
    column = {path: c for c, path in data.labels.items()}
    swings = []
    for g, paths in enumerate(groups):
        columns = [column.get(path, path) for path in paths]
        ends = [1 + 2 * g, 2 + 2 * g]
        low, high = (_value(data, figure, number) for number in ends)
        at = [_setting(data, number, columns) for number in (ends[0], 0, ends[1])]
        error = next((str(data.failed.loc[n, "error"]) for n in ends if n in data.failed.index), "")
        swings.append(Swing(" + ".join(paths), at[0], at[1], at[2], low, high, error))
    return Tornado(figure, base, tuple(sorted(swings, key=lambda s: -s.reach(base))))


def _value(data: StudyData, figure: str, number: int) -> float:
    """Return a figure of one point: NaN where it failed; ConfigError where it has not been evaluated yet."""
    if number in data.failed.index:
        return math.nan
    if number not in data.frame.index:
        raise ConfigError(f"{data.folder}: point {number} has not been evaluated yet; finish the study first")
    return float(data.frame.loc[number, figure])  # type: ignore[arg-type]  # a figure's column holds floats


def _setting(data: StudyData, number: int, columns: Sequence[str]) -> Any:
    """Return the value of an axis at a point; of axes that go together, their values as text."""
    frame = data.failed if number in data.failed.index else data.frame
    values = [frame.loc[number, c] if c in frame.columns else None for c in columns]
    return values[0] if len(values) == 1 else ", ".join(map(str, values))


def _all_values(data: StudyData, figure: str, count: int) -> Floats:
    """Return a figure of points 0 to `count` - 1; ConfigError that names those which have none."""
    failed = [n for n in data.failed.index if n < count]
    if failed:
        named = "; ".join(f"point {n}: {data.failed.loc[n, 'error']}" for n in failed[:MOST_NAMED])
        more = f"; and {len(failed) - MOST_NAMED} more" if len(failed) > MOST_NAMED else ""
        raise ConfigError(
            f"{data.folder}: the analysis needs all of points 0 to {count - 1}, but {len(failed)} failed: {named}{more}"
            "; narrow the axes that make them fail"
        )
    rows = data.frame[data.frame.index < count]
    if len(rows) < count:
        raise ConfigError(f"{data.folder}: {count - len(rows)} of {count} points have not been evaluated yet")
    values: Floats = rows[figure].sort_index().to_numpy(float)
    if not np.isfinite(values).all():
        point = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ConfigError(f"{data.folder}: point {point} has no number for '{figure}'")
    return values


def _sobol(figure: str, names: Sequence[str], found: Floats, seed: int) -> SobolIndices:
    """Return the indices from values in rows a, b, ab_1, ..., ab_d."""
    pairs = found[:, :2]
    spread = float(pairs.std())
    if not spread > 1e-12 * abs(float(pairs.mean())):
        raise ConfigError(f"'{figure}' does not vary with the axes of this study")
    scaled = found / spread  # energies of 1e-12 J would square to what is near the smallest number
    first, total = estimate(scaled)
    rng = np.random.default_rng(seed)
    rows = len(found)
    drawn = [estimate(scaled[rng.integers(rows, size=rows)]) for _ in range(RESAMPLES)]
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    first_ends, total_ends = (np.quantile([d[i] for d in drawn], tails, axis=0) for i in (0, 1))
    indices = [
        Index(name, *map(float, (first[i], *first_ends[:, i], total[i], *total_ends[:, i])))
        for i, name in enumerate(names)
    ]
    mean = float(pairs.mean())
    return SobolIndices(figure, mean, spread, rows, tuple(sorted(indices, key=lambda i: -i.total)))


def estimate(found: Floats) -> tuple[Floats, Floats]:
    """Return first-order and total indices, each of shape (d,), from values of shape (n, d + 2): a, b, ab_1, ..., ab_d.

    First order: mean of f(b) (f(ab_i) - f(a)) over the variance (Saltelli et al. 2010, table 2 b). Total: half the mean
    of (f(a) - f(ab_i))^2 over the variance (Jansen 1999). The mean is subtracted first, which lowers the error of the
    first (Sobol & Levitan 1999).
    """
    centred = found - found[:, :2].mean()
    a, b, mixed = centred[:, :1], centred[:, 1:2], centred[:, 2:]
    variance = centred[:, :2].var()
    if variance == 0:
        nothing = np.zeros(mixed.shape[1])
        return nothing, nothing
    return (b * (mixed - a)).mean(axis=0) / variance, ((a - mixed) ** 2).mean(axis=0) / (2 * variance)
