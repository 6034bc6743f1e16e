"""Which points no other point beats, and the volume that they beat: plain numbers, the less the better."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
WIDE = 10  # figures that differ by a larger factor are compared by their logarithms


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


def in_box(points: Floats) -> Floats:
    """Return where points of shape (N, k) lie in the box that they span: from 0, the best, to 1 in each objective.

    By logarithms where an objective is of one sign and differs by more than a factor of ten, so that one outlier does
    not make all else equal. An objective that is the same everywhere is left out: the shape is (N, varied).
    """
    if len(points) == 0:
        return points
    size, one_sign = np.abs(points), (points > 0).all(axis=0) | (points < 0).all(axis=0)
    wide = one_sign & (size.max(axis=0) > WIDE * size.min(axis=0))
    scaled = points.copy()
    scaled[:, wide] = np.sign(points[:, wide]) * np.log(size[:, wide])
    low, high = scaled.min(axis=0), scaled.max(axis=0)
    varied = high > low
    placed: Floats = (scaled[:, varied] - low[varied]) / (high - low)[varied]
    return placed


def contribution(point: Floats, others: Floats, reference: Floats) -> float:
    """Return by how much a point of shape (k,) raises the hypervolume of `others`, shape (N, k)."""
    if not (point < reference).all():
        return 0.0
    return max(0.0, float(np.prod(reference - point)) - _shared(others, point, reference))


def _shared(others: Floats, point: Floats, reference: Floats) -> float:
    """Return how much of what a point beats, up to a reference, others beat as well."""
    return hypervolume(np.maximum(others, point), reference)
