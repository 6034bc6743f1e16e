"""Every plot, made of real results: it carries their numbers, names its units, fits its frame, and makes no warning."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator

from archsim.baselines import Origin
from archsim.comparison import compare
from archsim.pipeline import evaluate, evaluate_chips
from archsim.report.plots import Plot, occupancy, platforms, plots_of
from archsim.report.plots.scores import SCORES
from archsim.report.plots.style import COLOURS, INK, MARKERS, SOFT
from archsim.sim.station import CAUSES
from archsim.uncertainty import evaluate_uncertainty

ROOT = Path(__file__).parents[2]
ARCH, WORKLOADS = ROOT / "arch_configs", ROOT / "workloads"
STT, SOT = ARCH / "spatial_spindrop_stt.yaml", ARCH / "spatial_spindrop_sot.yaml"
LENET = WORKLOADS / "lenet5_digits.yaml"
FEW = {"images": 60, "passes": 4}
SHIFTS = {"ood": ["uniform_noise", "blur:5"], "corruptions": ["blur", "salt_pepper"], "rotation_step": 60}
SMALL_CHIP = ["organisation={columns: 1, rows: 1, crossbars_per_core: 3}", "mapping.overflow=reprogram"]
LONG = "lenet5_digits on spatial_spindrop_stt"
CASES = ["one", "two", "chips", "regression", "costs", "reprogrammed", "compared", "across"]

COSTS = [
    "energy_by_part", "energy_by_layer", "area_by_part", "latency", "critical_path", "utilisation", "stalls", "memory",
    "roofline",
]  # fmt: skip
QUALITY = ["reliability", "ood", "rotation", "corruptions", "risk_coverage", "adaptive"]

Results = list[tuple[str, dict]]


def stored(found) -> dict:
    """Return what result.json would hold."""
    return json.loads(json.dumps(found.to_dict(), allow_nan=False))


@pytest.fixture(scope="module")
def data() -> dict[str, Results]:
    """Plain data of real runs, by case."""
    stt, sot = (stored(evaluate(arch, LENET, **FEW)) for arch in (STT, SOT))
    judged = stored(evaluate_uncertainty(STT, LENET, **FEW, **SHIFTS, adaptive=True))
    other = stored(evaluate_uncertainty(SOT, LENET, **FEW, **SHIFTS, adaptive=True))
    varied = ARCH / "spindrop_stt_varied.yaml", WORKLOADS / "mlp_digits.yaml"
    affine = ARCH / "inverted_norm_sot.yaml", WORKLOADS / "diabetes_affine.yaml"
    few = {"images": 20, "passes": 4, "function": False}
    baselines = ["modelled:jetson_agx_orin", "modelled:h100", "record:spindrop", "record:bayes2imc"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is doubtful about these chips is not at stake
        return {
            "one": [("STT", stt), ("STT", judged)],
            "two": [(LONG, stt), ("SOT", sot), (LONG, judged), ("SOT", other)],
            "chips": [
                ("A", stored(evaluate_chips(*varied, 3, **FEW))),
                (
                    "B",
                    stored(
                        evaluate_uncertainty(
                            *varied, **FEW, chips=2, ood=["uniform_noise"], corruptions=["none"], rotation_step=90
                        )
                    ),
                ),
            ],
            "regression": [
                ("A", stored(evaluate(*affine, **FEW))),
                ("A", stored(evaluate_uncertainty(*affine, **FEW, ood=["uniform_noise"], corruptions=["noise"]))),
            ],
            "costs": [
                ("A", stored(evaluate(STT, LENET, images=1, passes=1, function=False, schedule="layer_by_layer")))
            ],
            "reprogrammed": [("A", stored(evaluate(STT, LENET, **few, overrides=SMALL_CHIP)))],
            "compared": [("A", stored(compare(STT, LENET, baselines, **few, rate=100.0)))],
            "across": [("A", stored(compare(STT, LENET, baselines[:1], **few, allow=["boundary"])))],
        }


@pytest.fixture(scope="module")
def drawn(data) -> dict[str, dict[str, Plot]]:
    """Their plots by name; a warning of matplotlib is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return {case: {plot.name: plot for plot in plots_of(results)} for case, results in data.items()}


def axes_of(plot: Plot, number: int = 0) -> Axes:
    return plot.figure.axes[number]


def rows_of(axes: Axes) -> list[str]:
    """Return the names of the rows, which only the leftmost of axes side by side has."""
    named = [[t.get_text() for t in s.get_yticklabels()] for s in axes.get_shared_y_axes().get_siblings(axes)]
    return max(named, key=len)


def bars(axes: Axes) -> Iterator[tuple[float, Rectangle]]:
    """Yield the middle and the rectangle of each horizontal bar, outlines of limits left out."""
    for patch in axes.patches:
        if isinstance(patch, Rectangle) and to_hex(patch.get_edgecolor()) != SOFT:
            yield patch.get_y() + patch.get_height() / 2, patch


def lengths(axes: Axes) -> dict[str, float]:
    """Return the length of each row's bars, one after the other."""
    found = dict.fromkeys(rows_of(axes), 0.0)
    for y, bar in bars(axes):
        found[rows_of(axes)[round(y)]] += bar.get_width()
    return found


def whiskers(axes: Axes) -> list[tuple[float, float, float]]:
    """Return place and ends of each horizontal whisker."""
    lines = [c for c in axes.collections if isinstance(c, LineCollection)]
    segments = [np.asarray(s) for line in lines for s in line.get_segments()]
    return [(s[0, 1], s[0, 0], s[1, 0]) for s in segments if s[0, 1] == s[1, 1]]


def upright(axes: Axes) -> list[tuple[float, float, float]]:
    """Return place and ends of each vertical whisker."""
    lines = [c for c in axes.collections if isinstance(c, LineCollection)]
    segments = [np.asarray(s) for line in lines for s in line.get_segments()]
    return [(s[0, 0], s[0, 1], s[1, 1]) for s in segments if s[0, 0] == s[1, 0]]


def marked(axes: Axes, *, marker: str, hollow: bool = False) -> list[tuple[float, float]]:
    """Return the places of single markers of a kind."""
    lines = [line for line in axes.lines if line.get_marker() == marker and len(line.get_xdata()) == 1]
    return [(line.get_xdata()[0], line.get_ydata()[0]) for line in lines if is_hollow(line) == hollow]


def is_hollow(line: Line2D) -> bool:
    return to_rgba(line.get_markerfacecolor())[3] == 0


def words(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def ends(values: dict) -> tuple[float, float, float]:
    return values["value"], values["low"], values["high"]


# --- all of them ------------------------------------------------------------------------------------------------------


def test_each_kind_of_data_has_its_plots(drawn):
    assert list(drawn["one"]) == COSTS + QUALITY
    assert list(drawn["two"]) == COSTS + QUALITY
    assert list(drawn["chips"]) == [
        *COSTS,
        "chips",
        "reliability",
        "ood",
        "rotation",
        "risk_coverage",
        "evaluated_chips",
    ]
    assert list(drawn["regression"]) == [*COSTS, "ood", "corruptions"]
    assert list(drawn["costs"]) == COSTS
    assert list(drawn["reprogrammed"]) == [c for c in COSTS if c != "critical_path"]
    assert list(drawn["compared"]) == ["platforms_latency", "platforms_energy", "platforms_energy_at_rate", "gains"]


@pytest.mark.parametrize("case", CASES)
def test_they_say_what_they_are(drawn, case):
    for name, plot in drawn[case].items():
        assert plot.title, name
        assert plot.caption.endswith("."), name
        assert plot.kind.startswith("archsim/"), name


@pytest.mark.parametrize("case", CASES)
def test_every_axis_has_a_unit(drawn, case):
    for name, plot in drawn[case].items():
        for axes in plot.figure.axes:
            for axis, joined in ((axes.xaxis, axes.get_shared_x_axes()), (axes.yaxis, axes.get_shared_y_axes())):
                if isinstance(axis.get_major_locator(), FixedLocator):
                    assert rows_of(axes), name  # named rows
                    continue
                siblings = [*joined.get_siblings(axes)]
                labels = [(s.xaxis if axis is axes.xaxis else s.yaxis).label for s in siblings]
                shown = [label.get_text() for label in labels if label.get_visible() and label.get_text()]
                assert shown, f"{name}: an axis without a label"
                assert all(label.endswith(")") and "(" in label for label in shown), f"{name}: {shown}"


@pytest.mark.parametrize("case", CASES)
def test_colours_are_those_of_the_palette(drawn, case):
    allowed = {to_rgba(c)[:3] for c in (*COLOURS, INK, SOFT, "white")}
    for name, plot in drawn[case].items():
        for axes in plot.figure.axes:
            used = [patch.get_facecolor() for patch in axes.patches] + [patch.get_edgecolor() for patch in axes.patches]
            for line in axes.lines:
                drawn_line = line.get_linestyle() != "None"
                used.append(to_rgba(line.get_color() if drawn_line else line.get_markeredgecolor()))
            used += [colour for c in axes.collections for colour in c.get_edgecolor()]
            assert {tuple(c)[:3] for c in used if c[3] > 0} <= allowed, name


@pytest.mark.parametrize("case", [c for c in CASES if c not in ("costs", "reprogrammed")])
def test_nothing_is_cut_off_and_ticks_do_not_cover_each_other(drawn, case):
    for name, plot in drawn[case].items():
        if case in ("chips", "regression") and name in COSTS:
            continue  # as in "one"
        plot.figure.draw_without_rendering()
        width, height = plot.figure.get_size_inches()
        box = plot.figure.get_tightbbox()
        assert min(box.x0, box.y0, width - box.x1, height - box.y1) >= -0.01, name
        for axes in plot.figure.axes:
            for axis, (low, high) in ((axes.xaxis, sorted(axes.get_xlim())), (axes.yaxis, sorted(axes.get_ylim()))):
                ticks = [t for t in axis.get_major_ticks() if low <= t.get_loc() <= high and t.label1.get_visible()]
                boxes = [t.label1.get_window_extent() for t in ticks if t.label1.get_text()]
                assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i]), f"{name}: {axis.label}"


def test_plots_know_all_words_of_the_simulator(data):
    assert set(CAUSES) == set(occupancy.CAUSES)
    assert set(get_args(Origin)) == set(platforms.ORIGINS)
    for _, found in (*data["one"], *data["regression"]):
        assert {score for s in found.get("ood", ()) for score in s["detection"]} <= SCORES.keys()


def test_a_result_has_the_same_colour_everywhere(drawn):
    plots = drawn["two"]
    legends = {name: plot.figure.legends[0] for name, plot in plots.items() if plot.figure.legends}
    found = set()
    for legend in legends.values():
        for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True):
            if text.get_text() in (LONG, "SOT"):
                colour = handle.get_facecolor() if hasattr(handle, "get_facecolor") else handle.get_color()
                found.add((text.get_text(), to_hex(colour)))
    assert found == {(LONG, COLOURS[0]), ("SOT", COLOURS[1])}
    assert {"energy_by_part", "memory", "roofline", "reliability", "ood", "rotation", "adaptive"} <= legends.keys()


# --- costs ------------------------------------------------------------------------------------------------------------


def test_energy_by_part_carries_values_leakage_and_ranges(data, drawn):
    energy = data["one"][0][1]["energy_j_per_image"]
    axes = axes_of(drawn["one"]["energy_by_part"])
    assert axes.get_xlabel() == "Energy of an image (nJ)"
    shown = lengths(axes)
    assert len(shown) == 9
    named = {name: part for part in energy["by_part"] if (name := part.replace("_", " ")) in shown}
    assert len(named) == 8
    smallest = min(energy["by_part"][part]["value"] for part in named.values())
    for row, (name, part) in enumerate(named.items()):
        value, low, high = ends(energy["by_part"][part])
        assert shown[name] == pytest.approx(value * 1e9)
        place = rows_of(axes).index(name)
        drawn_ends = [(a, b) for y, a, b in whiskers(axes) if round(y) == place]
        assert drawn_ends == [pytest.approx((low * 1e9, high * 1e9))], row
        hatched = sum(bar.get_width() for y, bar in bars(axes) if bar.get_hatch() and round(y) == place)
        leaked = energy["by_action"].get(f"{part}.leakage", {"value": 0.0})["value"]
        assert hatched == pytest.approx(leaked * 1e9)
    assert all(v["value"] <= smallest for part, v in energy["by_part"].items() if part not in named.values())
    assert sum(shown.values()) == pytest.approx(energy["value"] * 1e9)  # with the others
    assert f"{100 * shown['converter'] / sum(shown.values()):.1f} %" in words(axes)[0] + words(axes)[1]


def test_a_whisker_that_leaves_the_axes_says_where_it_ends(data, drawn):
    axes = axes_of(drawn["one"]["energy_by_layer"])
    high = data["one"][0][1]["energy_j_per_image"]["by_layer"]["(whole chip)"]["high"]
    assert high * 1e9 > axes.get_xlim()[1]
    assert f"to {high * 1e9:.3g}" in words(axes)


def test_energy_by_layer_hatches_the_leakage_alone(data, drawn):
    layers = data["one"][0][1]["energy_j_per_image"]["by_layer"]
    axes = axes_of(drawn["one"]["energy_by_layer"])
    hatched = {rows_of(axes)[round(y)]: bar.get_width() for y, bar in bars(axes) if bar.get_hatch()}
    assert hatched == {"leakage of the chip": pytest.approx(layers["(whole chip)"]["value"] * 1e9)}
    assert lengths(axes)["conv2"] == pytest.approx(layers["conv2"]["value"] * 1e9)


def test_area_is_in_square_millimetres(data, drawn):
    area = data["one"][0][1]["area_m2"]
    axes = axes_of(drawn["one"]["area_by_part"])
    assert axes.get_xlabel() == "Area (mm²)"
    assert sum(lengths(axes).values()) == pytest.approx(area["value"] * 1e6)


def test_bars_of_two_results_lie_side_by_side(data, drawn):
    axes = axes_of(drawn["two"]["energy_by_part"])
    row = rows_of(axes).index("output buffer")
    found = sorted(((y, bar) for y, bar in bars(axes) if round(y) == row and not bar.get_hatch()), key=lambda f: f[0])
    for (_, bar), (_, result), colour in zip(found, data["two"], COLOURS, strict=False):
        by_action = result["energy_j_per_image"]["by_action"]
        dynamic = sum(by_action[f"output_buffer.{action}"]["value"] for action in ("write", "read"))
        assert bar.get_width() == pytest.approx(dynamic * 1e9)
        assert to_hex(bar.get_facecolor()) == colour


def test_latency_is_the_sum_of_its_parts(data, drawn):
    for (_, result), bars_of in zip(data["two"], (0, 1), strict=False):
        axes = axes_of(drawn["two"]["latency"])
        widths = [bar.get_width() for y, bar in bars(axes) if round(y) == bars_of]
        assert len(widths) == 3
        assert widths[0] == pytest.approx(result["first_pass_s"] * 1e6)
        assert sum(widths) == pytest.approx(result["latency_s_per_image"] * 1e6)
        assert min(widths) >= 0


def test_one_pass_has_no_further_ones(data, drawn):
    first, further, _ = (bar.get_width() for _, bar in bars(axes_of(drawn["costs"]["latency"])))
    assert first > 0
    assert further == 0


def test_critical_path_adds_up(data, drawn):
    steps = data["one"][0][1]["critical_path"]
    axes = axes_of(drawn["one"]["critical_path"])
    shown = lengths(axes)
    assert sum(shown.values()) == pytest.approx(sum(s["seconds"] for s in steps) * 1e6)
    longest = max(steps, key=lambda s: s["seconds"])
    assert rows_of(axes)[0] == f"{longest['layer']}: {longest['operation']}"
    assert shown[rows_of(axes)[0]] == pytest.approx(longest["seconds"] * 1e6)


def test_queues_longer_than_the_run_are_written_at_the_edge(data):
    result = json.loads(json.dumps(data["one"][0][1]))
    station = max(result["stations"], key=lambda s: s["busy_s"])
    station["queued_s"] = 7 * result["total_s"]
    plot = next(p for p in plots_of([("A", result)]) if p.name == "utilisation")
    assert words(axes_of(plot)) == ["700 %"]
    assert axes_of(plot).get_xlim() == (0, 103)


def test_utilisation_shows_the_busiest_stations_and_their_queues(data, drawn):
    result = data["one"][0][1]
    busiest = sorted(result["stations"], key=lambda s: -s["busy_s"])[:8]
    axes = axes_of(drawn["one"]["utilisation"])
    assert rows_of(axes) == [s["name"] for s in busiest]
    for station in busiest:
        assert lengths(axes)[station["name"]] == pytest.approx(100 * station["utilisation"])
    queued = {
        rows_of(axes).index(s["name"]): pytest.approx(100 * s["queued_s"] / result["total_s"])
        for s in busiest
        if s["queued_s"] > 1e-3 * result["total_s"]
    }
    assert queued
    assert {round(y): x for x, y in marked(axes, marker="D", hollow=True)} == queued


def test_stalls_are_stacked_by_cause(data, drawn):
    result = data["reprogrammed"][0][1]
    axes = axes_of(drawn["reprogrammed"]["stalls"])
    for process, length in lengths(axes).items():
        waited = sum(s["waited_s"] for s in result["stalls"] if s["process"] == process)
        assert length == pytest.approx(100 * waited / result["total_s"], abs=0.3)  # less what is negligible
    assert sum(s["process"] == "averaging" for s in result["stalls"]) == 3  # once a round, added up
    causes = [text.get_text() for text in drawn["reprogrammed"]["stalls"].figure.legends[0].get_texts()]
    looks = {(to_hex(bar.get_facecolor()), bar.get_hatch()) for _, bar in bars(axes)}
    assert len(looks) == len(causes) > 1


def test_memory_shows_peaks_within_what_is_granted(data, drawn):
    result = data["one"][0][1]
    footprint, buffers = drawn["one"]["memory"].figure.axes
    bits = result["memory_bits"]
    assert lengths(footprint)["weight cells"] == pytest.approx(bits["weight_cells"] / 1e3)
    assert lengths(footprint)["buffers"] == pytest.approx(sum(bits["buffers"].values()) / 1e3)
    outlines = {
        rows_of(buffers)[round(p.get_y() + p.get_height() / 2)]: p.get_width()
        for p in buffers.patches
        if to_hex(p.get_edgecolor()) == SOFT
    }
    for buffer in result["buffers"]:
        name = buffer["name"].replace("->", "→")
        if name in outlines:
            assert outlines[name] == pytest.approx(buffer["granted_bits"] / 1e3)
            assert lengths(buffers)[name] == pytest.approx(buffer["peak_bits"] / 1e3)
            assert lengths(buffers)[name] <= outlines[name]
    assert len(outlines) == 8


def test_roofline_has_a_point_and_a_ceiling_for_each_layer(data, drawn):
    roof = data["one"][0][1]["roofline"]
    axes = axes_of(drawn["one"]["roofline"])
    assert marked(axes, marker="o") == [(p["intensity"], p["attained"]) for p in roof["points"]]
    assert marked(axes, marker="_") == [(p["intensity"], p["ceiling"]) for p in roof["points"]]
    slanted = [line for line in axes.lines if line.get_linestyle() in ("--", ":")]
    slopes = sorted(line.get_ydata()[1] / line.get_xdata()[1] for line in slanted)
    assert slopes == pytest.approx([roof["link"], roof["link"] * roof["tiles"]])
    assert max(line.get_ydata()[1] for line in slanted) <= roof["arrays"] * (1 + 1e-12)
    assert {p["layer"] for p in roof["points"]} <= set(words(axes))


# --- quality ----------------------------------------------------------------------------------------------------------


def test_reliability_shows_bins_with_their_intervals(data, drawn):
    bins = data["one"][1][1]["reliability"]
    upper, lower = drawn["one"]["reliability"].figure.axes
    assert sorted(p.get_height() for p in upper.patches) == pytest.approx(
        sorted(100 * b["accuracy"]["value"] for b in bins)
    )
    assert [p.get_height() for p in lower.patches] == [b["images"] for b in bins]
    spans = [(100 * b["confidence"], 100 * b["accuracy"]["low"], 100 * b["accuracy"]["high"]) for b in bins]
    assert upright(upper) == [pytest.approx(s) for s in spans]


def test_ood_shows_areas_detections_and_false_alarms(data, drawn):
    sets = data["one"][1][1]["ood"]
    left, right = drawn["one"]["ood"].figure.axes
    areas = sorted(d["auroc"]["value"] for s in sets for d in s["detection"].values())
    points = sorted(line.get_xdata()[0] for line in left.lines if line.get_marker() in MARKERS)
    assert points == pytest.approx(areas)
    called = sorted(100 * d["detected"]["value"] for s in sets for d in s["detection"].values())
    alarms = sorted(100 * d["false_alarms"]["value"] for d in sets[0]["detection"].values())
    markers = [line for line in right.lines if line.get_marker() in MARKERS]
    assert sorted(m.get_xdata()[0] for m in markers if not is_hollow(m)) == pytest.approx(called)
    assert sorted(m.get_xdata()[0] for m in markers if is_hollow(m)) == pytest.approx(alarms)
    assert {round(m.get_ydata()[0]) for m in markers if is_hollow(m)} == {rows_of(right).index("test set")}


def test_rotation_begins_at_the_test_set(data, drawn):
    found = data["one"][1][1]
    axes = axes_of(drawn["one"]["rotation"])
    angles = [0.0, 60.0, 120.0, 180.0]
    right = [found["test"], *found["rotation_degrees"]]
    assert [*axes.lines[0].get_xdata()] == angles
    assert [*axes.lines[0].get_ydata()] == pytest.approx([100 * s["accuracy"]["value"] for s in right])
    spans = [(a, 100 * s["accuracy"]["low"], 100 * s["accuracy"]["high"]) for a, s in zip(angles, right, strict=True)]
    assert upright(axes) == [pytest.approx(s) for s in spans]


def test_corruptions_have_a_panel_each(data, drawn):
    for case, name, scale in (("one", "accuracy", 100), ("regression", "rmse", 1)):
        found = data[case][1][1]
        panels = {axes.get_title(loc="left"): axes for axes in drawn[case]["corruptions"].figure.axes}
        assert panels.keys() == {s["set"].replace("_", " ") for s in found["corruptions"]}
        for title, axes in panels.items():
            sets = [found["test"], *(s for s in found["corruptions"] if s["set"].replace("_", " ") == title)]
            assert [*axes.lines[0].get_ydata()] == pytest.approx([scale * s[name]["value"] for s in sets])


def test_risk_coverage_shows_the_stored_points(data, drawn):
    stored_curves = data["one"][1][1]["risk_coverage"]
    axes = axes_of(drawn["one"]["risk_coverage"])
    curves = [line for line in axes.lines if line.get_marker() in MARKERS]
    wanted = [
        [100 * c[k]["value"] for k in sorted(c, key=float)]
        for c in (s["risk_at_coverage"] for s in stored_curves.values())
    ]
    assert [[*line.get_ydata()] for line in curves] == [pytest.approx(w) for w in wanted]
    assert all(line.get_xdata() == pytest.approx([50, 60, 70, 80, 90, 95, 100], abs=1) for line in curves)


def test_adaptive_sets_quality_against_energy(data, drawn):
    rules = data["one"][1][1]["adaptive"]
    axes = axes_of(drawn["one"]["adaptive"], 1)
    spent = [r["energy_j_per_image"]["value"] * 1e9 for r in rules]
    change = [r["minus_all_passes"]["nll"]["value"] for r in rules]
    assert marked(axes, marker="o") == [pytest.approx(p) for p in zip(spent, change, strict=True)]
    fixed = [r["minus_all_passes"]["nll"]["value"] - r["minus_fixed_passes"]["nll"]["value"] for r in rules]
    places = [r["minus_fixed_passes"]["energy_j_per_image"]["value"] * 1e9 for r in rules]
    assert marked(axes, marker="o", hollow=True) == [pytest.approx(p) for p in zip(places, fixed, strict=True)]
    full = rules[0]["minus_all_passes"]["energy_j_per_image"]["value"] * 1e9
    assert marked(axes, marker="*") == [pytest.approx((full, 0))]


def test_chips_are_points_with_their_mean(data, drawn):
    spread = data["chips"][0][1]["chips"]["accuracy"]
    axes = axes_of(drawn["chips"]["chips"])
    assert axes.get_xlabel() == "Accuracy (%)"
    assert [*axes.lines[0].get_xdata()] == pytest.approx([100 * v for v in spread["values"]])
    assert [x for x, _ in marked(axes, marker="|")][-1] == pytest.approx(100 * spread["mean"])
    low, high = (100 * (spread["mean"] + sign * spread["deviation"]) for sign in (-1, 1))
    assert [(a, b) for _, a, b in whiskers(axes)] == [pytest.approx((low, high))]


# --- platforms --------------------------------------------------------------------------------------------------------


def test_platforms_show_best_and_naive_points_and_what_energy_covers(data, drawn):
    platforms = {p["name"]: p for p in data["compared"][0][1]["comparison"]["platforms"]}
    axes = axes_of(drawn["compared"]["platforms_energy"])
    rows = rows_of(axes)
    assert rows == ["spatial_spindrop_stt", "modelled:jetson_agx_orin", "modelled:h100", "record:spindrop"]
    orin = platforms["modelled:jetson_agx_orin"]
    best, naive = (orin["points"][orin["headline"][role]]["energy_j"] for role in ("energy", "naive_energy"))
    filled = [x for x, y in marked(axes, marker="^") if round(y) == 1]
    hollow = [x for x, y in marked(axes, marker="^", hollow=True) if round(y) == 1]
    assert (filled, hollow) == ([best["value"]], [naive["value"]])
    spans = [(low, high) for y, low, high in whiskers(axes) if round(y) == 1]
    assert spans == [pytest.approx((e["low"], e["high"]), abs=0) for e in (best, naive)]
    said = " ".join(words(axes))
    for name in rows:
        assert f"({platforms[name]['boundary']})" in said
    grey = [line for line in axes.lines if to_hex(line.get_color()) == SOFT and line.get_marker() == "v"]
    assert len(grey) == 1  # another network
    assert axes.get_xscale() == "log"


def test_a_platform_without_a_meter_says_so(data):
    comparison = json.loads(json.dumps(data["compared"][0][1]))
    orin = comparison["comparison"]["platforms"][1]
    orin |= {"no_energy": "this machine has no meter; buy one", "boundary": None}
    for point in orin["points"]:
        point |= dict.fromkeys(("energy_j", "dynamic_j", "idle_w", "energy_at_rate_j"))
    orin["headline"] |= {"energy": None, "energy_at_rate": None}
    plots = {plot.name: plot for plot in plots_of([("A", comparison)])}
    axes = axes_of(plots["platforms_energy"])
    assert "no energy: this machine has no meter" in words(axes)
    assert not [y for _, y in marked(axes, marker="^") if round(y) == 1]


def test_gains_carry_ratios_and_reasons(data, drawn):
    ratios = data["compared"][0][1]["comparison"]["ratios"]
    latency, throughput, energy, at_rate = drawn["compared"]["gains"].figure.axes
    for axes, what in ((latency, "latency"), (throughput, "throughput")):
        wanted = [r for r in ratios if r["what"] == what and r["value"] is not None]
        assert sorted(x for x, _ in marked(axes, marker="o")) == sorted(
            r["value"] for r in wanted if r["role"] == "headline"
        )
        naive = sorted(r["value"] for r in wanted if r["role"] == "naive")
        assert sorted(x for x, _ in marked(axes, marker="o", hollow=True)) == naive
        spans = sorted((a, b) for _, a, b in whiskers(axes))
        assert spans == [pytest.approx(s) for s in sorted((r["low"], r["high"]) for r in wanted)]
    for axes in (energy, at_rate):
        assert words(axes) == ["refused: wall over chip", "refused: board over chip"]
        assert not marked(axes, marker="o")
    assert "record:bayes2imc" in drawn["compared"]["gains"].caption


def test_a_ratio_across_boundaries_says_so(drawn):
    energy = drawn["across"]["gains"].figure.axes[2]
    assert "wall over chip" in words(energy)
    assert len(marked(energy, marker="o")) == 1


def test_several_comparisons_have_plots_of_their_own(data):
    names = [plot.name for plot in plots_of([("A", data["compared"][0][1]), ("B", data["across"][0][1])])]
    assert len(set(names)) == len(names)
    assert {"gains_1", "gains_2", "platforms_energy_at_rate_1"} <= set(names)
