"""Plots of studies: what they draw is what was found."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import LogNorm

from archsim.report.plots import to_png, to_svg
from archsim.report.plots.study import plots_of_study
from archsim.report.plots.study.convergence import converged
from archsim.report.plots.study.curves import curves
from archsim.report.plots.study.failures import failures
from archsim.report.plots.study.fronts import fronts
from archsim.report.plots.study.heatmaps import heat_maps
from archsim.report.plots.study.parallel import parallel
from archsim.report.plots.study.rulers import Ruler
from archsim.report.plots.study.sensitivity import sensitivities
from archsim.report.plots.style import styled
from archsim.report.study.columns import Column, figure_column
from archsim.report.study.findings import findings
from tests.studies import frame_of, grid, study_of

THREE = {"energy_j_per_image": "min", "latency_s_per_image": "min", "area_m2": "min"}


def only(make, found):
    with styled():
        (plot,) = make(found)
    return plot


def drawn_lines(axes):
    return [line.get_xydata() for line in axes.get_lines()]


def test_the_front_is_drawn_as_steps_through_its_points():
    found = findings(grid())
    axes = only(fronts, found).figure.axes[0]
    steps = next(line for line in axes.get_lines() if line.get_drawstyle() == "steps-post")
    rows = found.front.sort_values("energy_j_per_image")
    assert steps.get_ydata() == pytest.approx(rows["nll"].to_numpy())
    assert steps.get_xdata() == pytest.approx(1e9 * rows["energy_j_per_image"].to_numpy())  # in nJ
    assert axes.get_xlabel() == "Energy of an image (nJ, log scale)"
    (cloud,) = (c for c in axes.collections if isinstance(c, PathCollection))
    assert len(cloud.get_offsets()) == 24
    ends = {t.get_text() for t in axes.texts}
    assert {f"#{rows.index[0]}", f"#{rows.index[-1]}"} <= ends


def test_where_more_is_better_the_steps_turn():
    found = findings(grid(), {"area_m2": "max", "nll": "min"})
    axes = only(fronts, found).figure.axes[0]
    assert any(line.get_drawstyle() == "steps-pre" for line in axes.get_lines())


def test_three_objectives_are_drawn_in_pairs_with_the_third_as_colour():
    found = findings(grid(), THREE)
    axes = only(fronts, found).figure.axes
    pairs = [(a.get_xlabel().partition(" (")[0], a.get_ylabel().partition("\n")[0]) for a in axes[:3]]
    energy, latency, area = ("Energy of an image", "Latency of an image", "Area")
    assert pairs == [(energy, latency), (energy, area), (latency, area)]
    colours = [np.asarray(c.get_array()) for a in axes[:3] for c in a.collections if c.get_array() is not None]
    assert [len(c) for c in colours] == [len(found.front)] * 3
    assert colours[0] == pytest.approx(1e6 * found.front["area_m2"].to_numpy())  # mm^2: what the first panel leaves out


def test_of_four_objectives_quality_is_among_the_three_that_are_drawn():
    found = findings(grid(), {**THREE, "nll": "min"})
    plot = only(fronts, found)
    assert "NLL (nat)" in plot.figure.axes[1].get_ylabel().replace("\n", " ")
    assert "Of 4 objectives, three are drawn" in plot.caption


def test_a_front_for_each_value_has_a_colour_of_its_own():
    found = findings(grid(), by=["kind"])
    figure = only(fronts, found).figure
    steps = [line for line in figure.axes[0].get_lines() if line.get_drawstyle().startswith("steps")]
    assert len({line.get_color() for line in steps}) == 2
    assert {"kind sot", "kind stt"} <= {t.get_text() for t in figure.legends[0].get_texts()}


def test_a_cell_of_a_map_is_the_best_over_the_rest():
    found = findings(grid())
    with styled():
        maps = {p.name: p for p in heat_maps(found)}
    assert set(maps) == {"map_energy_j_per_image", "map_nll"}
    figure = maps["map_nll"].figure
    (mesh,) = (c for a in figure.axes[:1] for c in a.collections if isinstance(c, QuadMesh))
    values = np.asarray(mesh.get_array()).reshape(3, 4)  # bits up, rows across
    expected = [[r / 1000 + 2.0**-b for r in (32, 64, 128, 256)] for b in (3, 4, 5)]
    assert values == pytest.approx(np.array(expected))
    assert "for each kind" in maps["map_nll"].caption
    assert [a.get_title(loc="left") for a in figure.axes[:2]] == ["kind sot", "kind stt"]


def test_a_map_over_two_of_four_axes_takes_the_least_over_the_fourth():
    rows = [
        {"a": a, "b": b, "c": c, "d": d, "nll": 100 * a + 10 * b + c + 0.1 * d}
        for a in (1, 2, 3) for b in (1, 2) for c in (1, 2) for d in (5, 1, 3)
    ]  # fmt: skip
    data = study_of(frame_of(rows), {k: k for k in "abcd"}, objectives={"nll": "min"})
    plot = only(heat_maps, findings(data))
    first = np.asarray(plot.figure.axes[0].collections[0].get_array()).reshape(2, 3)
    assert first == pytest.approx(np.array([[100 * a + 10 * b + 1 + 0.1 for a in (1, 2, 3)] for b in (1, 2)]))
    assert "the best over d" in plot.caption
    highest = study_of(data.frame, data.labels, objectives={"nll": "max"})
    assert only(heat_maps, findings(highest)).figure.axes[0].collections[0].get_array().max() == pytest.approx(321.5)


def test_cells_whose_points_all_failed_are_hatched():
    plot = only(lambda f: [p for p in heat_maps(f) if p.name == "map_nll"], findings(grid(failing=True)))
    hatched = [(axes, p.get_xy()) for axes in plot.figure.axes for p in axes.patches if p.get_hatch()]
    titles = {axes.get_title(loc="left") for axes, _ in hatched}
    assert len(hatched) == 3
    assert titles == {"kind stt"}
    assert {x for _, (x, _) in hatched} == {3}  # 256 rows


def test_far_apart_values_have_colours_by_their_ratios():
    rows = [{"a": a, "b": b, "nll": 10.0 ** (a + b)} for a in (0, 1) for b in (0, 1, 2)]
    plot = only(heat_maps, findings(study_of(frame_of(rows), {"a": "a", "b": "b"}, objectives={"nll": "min"})))
    assert isinstance(plot.figure.axes[0].collections[0].norm, LogNorm)


def test_curves_follow_the_only_axis_with_intervals():
    rows = [
        {"passes": t, "nll": 1 / t, "nll_low": 0.5 / t, "nll_high": 2 / t, "energy_j_per_image": 1e-9 * t}
        for t in (100, 1, 10)
    ]  # fmt: skip
    data = study_of(frame_of(rows), {"passes": "passes"}, objectives={"energy_j_per_image": "min", "nll": "min"})
    plot = only(curves, findings(data))
    _, nll = plot.figure.axes
    line = nll.containers[0].lines[0]
    assert line.get_xydata().tolist() == [[1, 1], [10, 0.1], [100, 0.01]]
    bars = nll.containers[0].lines[2][0].get_segments()
    assert [tuple(s[:, 1]) for s in bars] == [(0.5, 2), pytest.approx((0.05, 0.2)), pytest.approx((0.005, 0.02))]
    assert nll.get_xscale() == "log"


def test_a_second_axis_makes_a_family_of_curves_and_words_make_rows():
    rows = [{"passes": t, "stopping": s, "nll": t + len(s)} for s in ("none", "margin") for t in (1, 2, 3)]
    labels = {"passes": "passes", "stopping": "stopping"}
    plot = only(curves, findings(study_of(frame_of(rows), labels, objectives={"nll": "min"})))
    assert [t.get_text() for t in plot.figure.legends[0].get_texts()] == ["stopping none", "stopping margin"]
    words = study_of(frame_of(rows[:1] + rows[3:4]), {"stopping": "stopping"}, objectives={"nll": "min"})
    only_words = only(curves, findings(words)).figure.axes[0]
    assert [t.get_text() for t in only_words.get_yticklabels()] == ["none", "margin"]
    assert not list(curves(findings(grid())))  # three axes


def test_parallel_lines_are_thinned_with_a_statement():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.random((3000, 4)), columns=["a", "b", "nll", "area_m2"])
    data = study_of(rows.rename_axis("point"), {"a": "a", "b": "b"}, objectives={"nll": "min", "area_m2": "min"})
    plot = only(parallel, findings(data))
    texts = [t.get_text() for t in plot.figure.legends[0].get_texts()]
    assert any(re.fullmatch(r"400 of 2 9\d\d other points", t) for t in texts)
    assert sorted(len(c.get_segments()) for c in plot.figure.axes[0].collections)[-1] == 400


def test_reasons_of_failures_are_counted():
    found = findings(grid(failing=True))
    plot = only(failures, found)
    assert [bar.get_width() for bar in plot.figure.axes[0].patches] == [3]
    assert "Why 3 of 24 points" in plot.caption
    assert not list(failures(findings(grid())))


def test_a_search_shows_its_best_so_far():
    rows = [{"a": i, "nll": v, "area_m2": w} for i, (v, w) in enumerate([(5, 5), (3, 6), (9, 9), (2, 2)])]
    goals = {"nll": "min", "area_m2": "min"}
    data = study_of(frame_of(rows), {"a": "a"}, objectives=goals, search={"trials": 4})
    volume, size, nll, _ = only(converged, findings(data)).figure.axes
    assert drawn_lines(nll)[1].tolist() == [[1, 5], [2, 3], [3, 3], [4, 2]]
    assert drawn_lines(size)[0][:, 1].tolist() == [1, 2, 2, 1]
    heights = drawn_lines(volume)[0][:, 1]
    assert heights[-1] == pytest.approx(1)  # one point is the best in both
    assert (np.diff(heights) >= 0).all()
    for swept in ({}, {"search": {"trials": 3}}):  # more points than a search would have tried
        assert not list(converged(findings(study_of(frame_of(rows), {"a": "a"}, objectives=goals, **swept))))


def one_at_a_time(fails: bool = False):
    """y = 2 a + b at a, b = 1 +- 1: base 3, so a moves it by 67 % and b by 33 %."""
    places = [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)]
    rows = [{"workload.a": a, "workload.b": b, "power_w": 2.0 * a + b} for a, b in places]
    frame, lost = frame_of(rows), None
    if fails:
        lost = frame.loc[[4], ["workload.a", "workload.b"]].assign(error="b is too large")
        frame = frame.drop(index=4)
    return study_of(
        frame, {"workload.a": "workload.a", "workload.b": "workload.b"}, lost,
        axes={"workload.a": [0, 1, 2], "workload.b": [0, 1, 2]}, sampling={"kind": "one_at_a_time"},
        objectives={"power_w": "min"},
    )  # fmt: skip


def test_a_tornado_shows_changes_from_the_base():
    plot = only(sensitivities, findings(one_at_a_time()))
    axes = plot.figure.axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["workload.a", "workload.b"]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([-200 / 3, 200 / 3, -100 / 3, 100 / 3])
    assert axes.get_xlabel() == "Power: change from 3\N{NO-BREAK SPACE}W (%)"
    lost = only(sensitivities, findings(one_at_a_time(fails=True)))
    assert "last failed" in {t.get_text() for t in lost.figure.axes[0].texts}


def test_studies_of_axes_show_no_front():
    names = {p.name for p in plots_of_study(findings(one_at_a_time(fails=True)))}
    assert names == {"sensitivity_power_w", "failures"}


def test_names_are_unique_and_every_plot_can_be_written():
    plots = list(plots_of_study(findings(grid(failing=True))))
    assert len({p.name for p in plots}) == len(plots) >= 4
    for plot in plots:
        assert to_svg(plot.figure, plot.title).startswith("<svg")
        assert plot.caption.endswith(".")
    assert to_png(plots[0].figure)[:4] == b"\x89PNG"


def test_a_hundred_thousand_points_make_a_small_picture():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.random((100_000, 3)), columns=["a", "energy_j_per_image", "nll"]).rename_axis("point")
    found = findings(study_of(frame, {"a": "a"}, objectives={"energy_j_per_image": "min", "nll": "min"}))
    assert len(to_svg(only(fronts, found).figure)) < 500_000


@pytest.mark.parametrize(
    ("values", "log"), [([64, 128, 256], True), ([4, 5, 6, 7], False), ([1, 2, 100], True), ([0, 1, 100], False)]
)
def test_an_axis_is_logarithmic_where_values_are_spaced_so(values, log):
    assert Ruler.of(Column("a", "a"), pd.Series(values)).log == log


def test_rulers_write_values_in_the_unit_of_their_axis():
    ruler = Ruler.of(Column("clock_hz", "clock", "Hz"), pd.Series([250e6, 500e6, 1e9]))
    assert ruler.words == "clock (GHz)"
    assert [ruler.name(v) for v in ruler.known] == ["0.25", "0.5", "1"]
    area = Ruler.of(figure_column("area_m2"), pd.Series([2e-6, 3e-6]))
    assert area.at(pd.Series([2.5e-6])) == pytest.approx([2.5])
    mixed = Ruler.of(Column("x", "x"), pd.Series([1, "auto", None, 1], dtype=object))
    assert mixed.known == (1, "auto")
    assert mixed.at(pd.Series(["auto", None], dtype=object)) == pytest.approx([1, np.nan], nan_ok=True)
