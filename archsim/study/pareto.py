"""The points that no other point beats, and how much of the space they take."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from archsim.errors import ConfigError, nearest
from archsim.study.objectives import default_objectives
from archsim.study.spec import Goal, Limit
from archsim.study.tables import StudyData
from archsim.study.volume import contribution, in_box, nondominated

__all__ = [
    "averaged", "comparable", "convergence", "costs", "default_objectives", "feasible", "front",
]  # fmt: skip

COUNT = "averaged"


def front(
    frame: pd.DataFrame, objectives: Mapping[str, Goal], limits: Mapping[str, Limit] | None = None
) -> pd.DataFrame:
    """Return the rows that no other row beats, best in the first objective first.

    A row beats another where it is at least as good in every objective and better in one. Of rows that are equal in
    all objectives the first in the frame stands for all. A row with no finite number in an objective, with none
    in a limited figure, or outside a limit takes no part.

    Raises:
        ConfigError: no objectives, or a name that is no numeric column of the frame (names the nearest).
    """
    candidates = costs(frame[comparable(frame, objectives, limits or {})], objectives)
    best = candidates.iloc[nondominated(candidates.to_numpy(float))]
    chosen: pd.DataFrame = frame.loc[best.sort_values(list(best.columns), kind="stable").index]
    return chosen


def costs(frame: pd.DataFrame, objectives: Mapping[str, Goal]) -> pd.DataFrame:
    """Return the objectives of every row, the less the better: what is to be large is negated."""
    if not objectives:
        raise ConfigError("no objectives are named")
    sign = {"min": 1.0, "max": -1.0}
    return pd.DataFrame({name: _figure(frame, name) * sign[goal] for name, goal in objectives.items()})


def comparable(frame: pd.DataFrame, objectives: Mapping[str, Goal], limits: Mapping[str, Limit]) -> pd.Series[bool]:
    """Tell for every row whether it may stand on a front: all limits kept, all objectives finite numbers."""
    finite: npt.NDArray[np.bool_] = np.isfinite(costs(frame, objectives).to_numpy(float)).all(axis=1)
    return feasible(frame, limits) & finite


def feasible(frame: pd.DataFrame, limits: Mapping[str, Limit]) -> pd.Series[bool]:
    """Tell for every row whether it keeps all limits; NaN keeps none. ConfigError for a name that is no figure."""
    able = pd.Series(True, index=frame.index)
    for name, limit in limits.items():
        figure = _figure(frame, name)
        low = -np.inf if limit.at_least is None else limit.at_least
        high = np.inf if limit.at_most is None else limit.at_most
        able &= figure.between(low, high)
    return able


def convergence(frame: pd.DataFrame, objectives: Mapping[str, Goal], limits: Mapping[str, Limit]) -> pd.DataFrame:
    """Return how a front grew, point by point in the order of the frame: `front` (its size) and `hypervolume`.

    The hypervolume is a share of the box from the best to the worst value of every objective among all feasible points
    of the frame (`volume.in_box`); so two searches can be compared in a frame that holds both, not else.
    """
    able = comparable(frame, objectives, limits).to_numpy()
    placed = in_box(costs(frame, objectives).to_numpy(float)[able])
    coming, best, volume, rows = iter(placed), placed[:0], 0.0, []
    for counts in able:
        if counts:
            row = next(coming)
            if not (best <= row).all(axis=1).any():
                volume += contribution(row, best, np.ones(len(row))) if len(row) else 0.0
                best = np.vstack([best[~(row <= best).all(axis=1)], row])
        rows.append((len(best), volume))
    return pd.DataFrame(rows, index=frame.index, columns=["front", "hypervolume"])


def averaged(data: StudyData) -> pd.DataFrame:
    """Return a study's points, averaged over the axes that it names in `average`; as they are where it names none.

    One row for each combination of the other axes, with the number of its first point as index. `averaged`: how many
    points it is the mean of; points that failed are missing there. A figure is the mean, or NaN where one of the points
    has none. `X_low` and `X_high` are the means of the ends: exact bounds for energies and areas, whose ranges are
    common to all points; for figures that were estimated from images, the interval of a typical point, not of the mean.
    `X_std` is the standard deviation between the points (n - 1), for every figure with an interval and for every time,
    where it differs from 0 anywhere. A text stays where all points agree, and is empty elsewhere.
    """
    frame, over = data.frame, {c for c, path in data.labels.items() if path in data.config.average}
    if not over & set(data.axes):
        return frame
    kept = [c for c in data.axes if c not in over]
    figures = list(data.figures)
    texts = [c for c in frame.columns if c not in data.axes and c not in data.figures]
    group = _groups(frame, kept)
    grouped = frame.groupby(group, sort=False)
    size, numbers = grouped.size(), grouped[figures]
    means = numbers.mean().where(numbers.count().eq(size, axis=0))
    spread = numbers.std().where(numbers.count().eq(size, axis=0)).add_suffix("_std")
    told = [f"{f}_std" for f in figures if f"{f}_low" in figures or f.endswith(("_s", "_s_per_image"))]
    agreed = grouped[texts].first().where(grouped[texts].nunique(dropna=False) == 1, "")
    rows = pd.concat(
        [grouped[kept].first(), size.rename(COUNT), means, spread[[c for c in told if (spread[c] > 0).any()]], agreed],
        axis=1,
    )
    first = pd.Series(frame.index, index=frame.index).groupby(group, sort=False).first()
    rows.index = pd.Index(first.loc[rows.index].to_numpy(), name=frame.index.name)
    return rows


def _figure(frame: pd.DataFrame, name: str) -> pd.Series[float]:
    numeric = [str(c) for c in frame.columns if pd.api.types.is_numeric_dtype(frame[c])]
    if name not in numeric:
        raise ConfigError(f"'{name}' is no figure of this study{nearest(name, numeric)}")
    return frame[name].astype(float)


def _groups(frame: pd.DataFrame, columns: list[str]) -> npt.NDArray[np.intp]:
    """Return for every row the number of its combination of values; values that cannot be hashed are told by text."""
    codes = np.zeros((len(frame), 1), np.intp)
    for column in columns:
        values = frame[column].map(repr) if frame[column].dtype == object else frame[column]
        codes = np.column_stack([codes, pd.factorize(values, use_na_sentinel=False)[0]])
    return np.unique(codes, axis=0, return_inverse=True)[1].reshape(-1)
