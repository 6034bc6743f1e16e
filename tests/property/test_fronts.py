"""Fronts and volumes against brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.errors import ConfigError
from archsim.study.pareto import convergence, front
from archsim.study.spec import Limit
from archsim.study.volume import contribution, hypervolume, in_box, nondominated

few = st.integers(0, 4).map(float)  # so that ties are common


@st.composite
def clouds(draw, dimensions):
    k = draw(dimensions)
    return np.array(draw(st.lists(st.lists(few, min_size=k, max_size=k), max_size=25)), float).reshape(-1, k)


def beaten(points):
    """The definition: some other row is nowhere worse and somewhere better, or equal and earlier."""
    return [
        any(
            (other <= row).all() and ((other < row).any() or j < i)
            for j, other in enumerate(points)
            if j != i
        )
        for i, row in enumerate(points)
    ]  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(clouds(st.integers(1, 5)))
def test_nondominated_rows_are_those_of_the_definition(points):
    assert nondominated(points).tolist() == [i for i, lost in enumerate(beaten(points)) if not lost]


@settings(deadline=None, max_examples=150)
@given(clouds(st.integers(1, 4)))
def test_hypervolume_counts_the_unit_cells_that_are_beaten(points):
    reference = np.full(points.shape[1], 4.0)  # rows at 4 beat nothing
    cells = product(range(4), repeat=points.shape[1])
    counted = sum(any((p <= cell).all() for p in points) for cell in map(np.array, cells))
    assert hypervolume(points, reference) == pytest.approx(counted)
    if len(points):
        rest = hypervolume(points[1:], reference)
        assert contribution(points[0], points[1:], reference) == pytest.approx(counted - rest, abs=1e-9)


def table(*rows, columns=("a", "b")):
    return pd.DataFrame([dict(zip(columns, row, strict=True)) for row in rows], dtype=float).rename_axis("point")


def test_a_front_by_hand():
    frame = table((1, 5), (2, 3), (2, 3), (3, 4), (4, 1), (float("nan"), 0), (0.5, float("inf")))
    assert list(front(frame, {"a": "min", "b": "min"}).index) == [0, 1, 4]
    assert list(front(frame, {"a": "max", "b": "max"}).index) == [4, 3, 0]
    assert list(front(frame, {"a": "min", "b": "max"}).index) == [0]
    assert list(front(frame, {"b": "min"}).index) == [5]
    assert list(front(frame, {"a": "min", "b": "min"}, {"b": Limit(at_most=3)}).index) == [1, 4]
    assert list(front(frame, {"b": "min"}, {"a": Limit(at_least=0, at_most=2)}).index) == [1]
    assert front(frame, {"a": "min"}, {"a": Limit(at_most=0)}).empty


def test_wrong_names_name_the_nearest():
    frame = table((1, 2), columns=("energy_j_per_image", "area_m2"))
    with pytest.raises(ConfigError, match="did you mean 'energy_j_per_image'"):
        front(frame, {"energy_j": "min"})
    with pytest.raises(ConfigError, match="did you mean 'area_m2'"):
        front(frame, {"area_m2": "min"}, {"area": Limit(at_most=1)})
    with pytest.raises(ConfigError, match="no objectives"):
        front(frame, {})


def test_convergence_by_hand():
    frame = table((1, 1), (4, 0), (0, 4), (2, 2), (1, 1), (float("nan"), 0), (1, 0))
    grown = convergence(frame, {"a": "min", "b": "min"}, {})
    # the box is [0, 4] x [0, 4]: (1, 1) beats 3 x 3 of 16 cells, its ends nothing; (1, 0) beats 3 x 4
    assert grown["hypervolume"].tolist() == pytest.approx([9 / 16, 9 / 16, 9 / 16, 9 / 16, 9 / 16, 9 / 16, 12 / 16])
    assert grown["front"].tolist() == [1, 2, 3, 3, 3, 3, 2]
    limited = convergence(frame, {"a": "min", "b": "min"}, {"a": Limit(at_least=2)})
    assert limited["front"].tolist() == [0, 1, 1, 2, 2, 2, 2]
    assert convergence(frame, {"a": "min"}, {"a": Limit(at_least=9)})["hypervolume"].eq(0).all()


def test_places_in_the_box():
    points = np.array([[0.0, 1.0, -1e-6, 5, -1.0], [1.0, 10.0, -1e-9, 5, 1.0], [4.0, 100.0, -1e-3, 5, 0.0]])
    linear, log, negative, sign = in_box(points).T  # what is the same everywhere is left out
    assert linear.tolist() == [0, 0.25, 1]
    assert log.tolist() == pytest.approx([0, 0.5, 1])
    assert negative.tolist() == pytest.approx([0.5, 1, 0])
    assert sign.tolist() == [0, 1, 0.5]


@settings(deadline=None, max_examples=50)
@given(clouds(st.integers(2, 3)))
def test_convergence_ends_at_the_whole_volume_and_never_falls(points):
    frame = pd.DataFrame(points, columns=[f"f{i}" for i in range(points.shape[1])])
    if len(frame) == 0:
        return
    grown = convergence(frame, dict.fromkeys(frame.columns, "min"), {})
    placed = in_box(points)
    whole = hypervolume(placed, np.ones(placed.shape[1])) if placed.size else 0
    assert grown["hypervolume"].iloc[-1] == pytest.approx(whole, abs=1e-9)
    assert grown["hypervolume"].diff().dropna().ge(-1e-12).all()
    assert grown["front"].iloc[-1] == len(nondominated(points))


def test_a_hundred_thousand_points_of_three_objectives_take_seconds():
    rng = np.random.default_rng(0)
    on_a_sphere = np.abs(rng.normal(size=(20_000, 3)))  # all of them on the front
    on_a_sphere = 1 - on_a_sphere / np.linalg.norm(on_a_sphere, axis=1, keepdims=True)
    inside = 1 + rng.random((80_000, 3))
    assert nondominated(np.vstack([inside, on_a_sphere])).tolist() == list(range(80_000, 100_000))
