"""The points that no other point beats, and how much of the space they take."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from archsim.errors import ConfigError, nearest
from archsim.study.spec import Goal, Limit

Floats = npt.NDArray[np.float64]
COSTS = ("energy_j_per_image", "latency_s_per_image", "area_m2")


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
    return feasible(frame, limits) & np.isfinite(costs(frame, objectives).to_numpy(float)).all(axis=1)


def feasible(frame: pd.DataFrame, limits: Mapping[str, Limit]) -> pd.Series[bool]:
    """Tell for every row whether it keeps all limits; NaN keeps none. ConfigError for a name that is no figure."""
    able = pd.Series(True, index=frame.index)
    for name, limit in limits.items():
        figure = _figure(frame, name)
        low = -np.inf if limit.at_least is None else limit.at_least
        high = np.inf if limit.at_most is None else limit.at_most
        able &= figure.between(low, high)
    return able


def nondominated(points: Floats) -> npt.NDArray[np.intp]:
    """Return the places, in rising order, of the rows of (N, k) that no other row beats; all numbers, less is better.

    Of equal rows the first stands for all. O(n log n) for up to three objectives, O(n x front) for more.
    """
    if len(points) == 0:
        return np.zeros(0, np.intp)
    distinct, first = np.unique(points, axis=0, return_index=True)  # by the first objective, then the second, ...
    if points.shape[1] == 1:
        kept = np.zeros(1, np.intp)
    elif points.shape[1] == 2:
        lowest = np.minimum.accumulate(distinct[:, 1])
        kept = np.flatnonzero(np.r_[True, distinct[1:, 1] < lowest[:-1]])
    elif points.shape[1] == 3:
        kept = _of_three(distinct[:, 1:])
    else:
        kept = _of_many(distinct)
    return np.sort(first[kept])


def _of_three(rest: Floats) -> npt.NDArray[np.intp]:
    """Return the rows, sorted by a first objective, that no earlier row beats in the other two.

    What earlier rows leave open is a staircase: `xs` rising, `ys` falling.
    """
    xs: list[float] = []
    ys: list[float] = []
    kept = []
    for place, (x, y) in enumerate(rest.tolist()):
        step = bisect_right(xs, x)
        if step and ys[step - 1] <= y:
            continue
        kept.append(place)
        start = end = bisect_left(xs, x)
        while end < len(ys) and ys[end] >= y:
            end += 1
        xs[start:end], ys[start:end] = [x], [y]
    return np.array(kept, np.intp)


def _of_many(distinct: Floats) -> npt.NDArray[np.intp]:
    """Return the rows, in lexicographic order and without repeats, that no row beats: only an earlier one can."""
    best, kept = np.empty_like(distinct), list[int]()
    for place, row in enumerate(distinct):
        if not (best[: len(kept)] <= row).all(axis=1).any():
            best[len(kept)] = row
            kept.append(place)
    return np.array(kept, np.intp)


def hypervolume(points: Floats, reference: Floats) -> float:
    """Return the volume that points of shape (N, k) beat, up to a reference point; less is better. Exact.

    What lies beyond the reference in any objective counts for nothing. Sliced along the last objective: a point adds
    what it beats of a space of one dimension less and earlier points do not (While, Bradstreet & Barone 2012, WFG).
    """
    inside = points[(points < reference).all(axis=1)]
    if len(inside) == 0:
        return 0.0
    if points.shape[1] == 1:
        return float(reference[0] - inside.min())
    best = inside[nondominated(inside)]
    if points.shape[1] == 2:
        best = best[np.argsort(best[:, 0])]
        widths = np.append(best[1:, 0], reference[0]) - best[:, 0]
        return float(widths @ (reference[1] - best[:, 1]))
    best = best[np.argsort(best[:, -1], kind="stable")]
    lower, end = best[:, :-1], reference[:-1]
    return sum(
        float(reference[-1] - best[i, -1]) * (float(np.prod(end - lower[i])) - _shared(lower[:i], lower[i], end))
        for i in range(len(best))
    )


def contribution(point: Floats, others: Floats, reference: Floats) -> float:
    """Return by how much a point of shape (k,) raises the hypervolume of `others`, shape (N, k)."""
    if not (point < reference).all():
        return 0.0
    return max(0.0, float(np.prod(reference - point)) - _shared(others, point, reference))


def convergence(frame: pd.DataFrame, objectives: Mapping[str, Goal], limits: Mapping[str, Limit]) -> pd.DataFrame:
    """Return how a front grew, point by point in the order of the frame: `front` (its size) and `hypervolume`.

    The hypervolume is a share of the box from the best to the worst value of every objective among all feasible points
    of the frame; so the last row is comparable with other searches only within one box. An objective that is the same
    everywhere does not count; where all are, there is no volume.
    """
    able = comparable(frame, objectives, limits)
    values = costs(frame, objectives).to_numpy(float)
    found = values[able.to_numpy()]
    if len(found) == 0:
        return pd.DataFrame({"front": 0, "hypervolume": 0.0}, index=frame.index)
    low, high = found.min(axis=0), found.max(axis=0)
    varied = high > low
    low, high = low[varied], high[varied]
    scaled = (values[:, varied] - low) / (high - low)
    one, best = np.ones(int(varied.sum())), np.empty((0, int(varied.sum())))
    sizes, volumes, volume = [], [], 0.0
    for row, counts in zip(scaled, able, strict=True):
        if counts and not (best <= row).all(axis=1).any():
            volume += contribution(row, best, one) if len(row) else 0.0
            best = np.vstack([best[~(row <= best).all(axis=1)], row])
        sizes.append(len(best))
        volumes.append(volume)
    return pd.DataFrame({"front": sizes, "hypervolume": volumes}, index=frame.index)


def _shared(others: Floats, point: Floats, reference: Floats) -> float:
    """Return how much of what a point beats, up to a reference, others beat as well."""
    return hypervolume(np.maximum(others, point), reference)


def _figure(frame: pd.DataFrame, name: str) -> pd.Series[float]:
    numeric = [str(c) for c in frame.columns if pd.api.types.is_numeric_dtype(frame[c])]
    if name not in numeric:
        raise ConfigError(f"'{name}' is no figure of this study{nearest(name, numeric)}")
    return frame[name].astype(float)
