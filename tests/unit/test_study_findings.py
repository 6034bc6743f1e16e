"""What a study found: names and units of its columns, fronts, influence, reasons, the terminal."""

from __future__ import annotations

import json
import math

import pytest
from rich.console import Console

from archsim.errors import ConfigError
from archsim.report.study.columns import axis_column, figure_column, wide
from archsim.report.study.findings import findings
from archsim.report.study.influence import influence
from archsim.report.study.reasons import reasons
from archsim.report.study.terminal import commands_report, pareto_data, pareto_report
from archsim.study.spec import Limit
from tests.studies import frame_of, grid, study_of


def shown(renderables) -> str:
    console = Console(width=100, record=True, highlight=False, markup=False, file=open("/dev/null", "w"))  # noqa: SIM115
    for each in renderables:
        console.print(each)
    return console.export_text()


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        (figure_column("energy_j_per_image"), 1.58e-6, "1.58 uJ"),
        (figure_column("energy_j_per_image.crossbar_cells"), 2e-9, "2 nJ"),
        (figure_column("area_m2"), 2.78e-6, "2.78 mm^2"),
        (figure_column("area_m2.adc"), 4e-12, "4 um^2"),
        (figure_column("accuracy"), 0.984, "98.4 %"),
        (figure_column("throughput_images_per_s"), 37148.0, "37 148 images/s"),
        (figure_column("latency_gain"), 2.07, "2.07 x"),
        (figure_column("nll"), math.nan, "-"),
        (figure_column("auroc.uniform_noise"), 0.9876, "0.9876"),
        (figure_column("something_new"), 3.0, "3"),
        (axis_column("clock_hz", "clock"), 250e6, "250 MHz"),
        (axis_column("supply_v", "supply"), 0.9, "900 mV"),
        (axis_column("temperature_k", "temperature"), 350.0, "350 K"),
        (axis_column("global_buffer.capacity_bit", "global_buffer.capacity"), 32768, "4 KiB"),
        (axis_column("library.x.energy_j_per_bit", "library.x.energy"), 8e-12, "8 pJ/bit"),
        (axis_column("library.x.energy_j_per_image", "library.x.energy_j_per_image"), 2, "2"),
        (axis_column("arch", "arch"), "../arch_configs/isaac_like.yaml", "isaac_like"),
        (axis_column("mapping.on", "mapping.on"), True, "true"),
        (axis_column("converter.lsb_cells", "converter.lsb_cells"), None, "null"),
    ],
)
def test_values_are_written_with_their_units(column, value, text):
    assert column.say(value) == text


def test_columns_of_quality_have_intervals_of_chance():
    assert all(figure_column(n).is_quality for n in ("nll", "accuracy", "crps", "auroc.kmnist"))
    assert not any(figure_column(n).is_quality for n in ("energy_j_per_image", "area_m2", "mean_passes"))


def test_far_apart_values_ask_for_a_logarithmic_axis():
    assert wide([1.0, 20.0])
    assert not wide([1.0, 19.0])
    assert not wide([0.0, 20.0])
    assert not wide([-1.0, 20.0])
    assert wide([1.0, math.nan, 30.0])
    assert not wide([])


def test_the_front_is_that_of_the_objectives_sorted_by_the_first():
    found = findings(grid())
    assert list(found.front["energy_j_per_image"]) == sorted(found.front["energy_j_per_image"])
    assert set(found.front["kind"]) == {"sot"}  # the same answers for half of the energy
    assert (found.front["nll"].diff().dropna() < 0).all()
    best = dict(found.best())
    assert found.frame.loc[best["energy_j_per_image"], ["crossbar.rows", "converter.bits"]].tolist() == [256, 3]
    assert found.frame.loc[best["nll"], ["crossbar.rows", "converter.bits"]].tolist() == [32, 5]


def test_limits_and_goals_given_take_the_place_of_those_of_the_study():
    limits = {"nll": Limit(at_most=0.15)}
    found = findings(grid(), {"latency_s_per_image": "max"}, limits)
    assert list(found.front["latency_s_per_image"]) == pytest.approx([5e-6], rel=1e-9)
    assert (found.within()["nll"] <= 0.15).all()
    assert len(findings(grid(limits={"nll": {"at_most": 0.01}})).front) == 0


def test_a_front_for_each_value_of_an_axis():
    found = findings(grid(), by=["kind"])
    fronts = dict(found.fronts())
    assert set(fronts) == {"kind sot", "kind stt"}
    assert set(fronts["kind stt"]["kind"]) == {"stt"}
    assert len(fronts["kind sot"]) == len(fronts["kind stt"]) == len(findings(grid()).front)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (({"energy_per_image": "min"},), "'energy_per_image' is no figure.*did you mean 'energy_j_per_image'"),
        (({"nll": "min"}, {"nil": Limit(at_most=1)}), "'nil' is no figure.*'nll'"),
        (({"nll": "min"}, {}, ["crossbar.row"]), "'crossbar.row' is no axis.*'crossbar.rows'"),
    ],
)
def test_wrong_names_are_refused_with_the_nearest(arguments, said):
    with pytest.raises(ConfigError, match=said):
        findings(grid(), *arguments)


def test_a_study_without_a_result_is_refused():
    data = grid(failing=True)
    empty = study_of(data.frame.head(0), data.labels, data.failed)
    with pytest.raises(ConfigError, match="no point has a result; all 3 failed"):
        findings(empty)


def test_axes_that_follow_from_others_are_not_drawn():
    rows = [
        {"crossbar.rows": r, "crossbar.columns": 2 * r, "capped": min(r, 64), "bits": b, "fixed": 1, "nll": r * b}
        for r in (32, 64, 128) for b in (3, 4)
    ]  # fmt: skip
    labels = {c: c for c in ("crossbar.rows", "crossbar.columns", "capped", "bits", "fixed")}
    config = {
        "derive": {"capped": "min(crossbar.rows, 64)"},
        "zipped": [{"crossbar.rows": [32, 64, 128], "crossbar.columns": [64, 128, 256]}],
    }
    data = study_of(frame_of(rows), labels, objectives={"nll": "min"}, **config)
    found = findings(data)
    assert [a.name for a in found.axes] == ["crossbar.rows", "crossbar.columns", "capped", "bits"]
    assert [a.name for a in found.varied] == ["crossbar.rows", "bits"]


def test_means_over_an_axis_say_over_how_many_values():
    rows = [{"rows": r, "chip": c, "nll": r + c} for r in (1, 2) for c in (0, 1, 5)]
    data = study_of(frame_of(rows), {"rows": "rows", "chip": "chip"}, average=["chip"], objectives={"nll": "min"})
    found = findings(data)
    assert list(found.frame["nll"]) == [3.0, 4.0]
    assert [a.name for a in found.axes] == ["rows"]
    assert found.averaged == "Means over chip (3 values)."
    with pytest.raises(ConfigError, match="'chip' is no axis of this study that is not averaged over"):
        findings(data, by=["chip"])


def test_influence_is_the_share_of_variance_between_groups():
    """y = 10 a + b: a explains 100 Var(a) of 100 Var(a) + Var(b)."""
    rows = [{"b": b, "a": a, "y": 10 * a + b} for b in (0, 1, 2) for a in (0, 1, 2)]
    data = study_of(frame_of(rows), {"b": "b", "a": "a"}, objectives={"y": "min"})
    found = findings(data)
    assert [c.name for c in influence(found, "y")] == ["a", "b"]
    data.frame["y"] = data.frame["a"] + 10 * data.frame["b"]
    assert [c.name for c in influence(findings(data), "y")] == ["b", "a"]


def test_reasons_that_differ_in_numbers_and_names_are_one():
    errors = [
        "/a/b/chip.yaml: 256 rows lose 12.5 % of it", "/a/c/chip.yaml: 512 rows lose 30 % of it",
        "layer 'conv1' is lost", "layer 'fc' is lost\nsecond line", "1e-9 s is short",
    ]  # fmt: skip
    found = reasons(zip([3, 5, 8, 9, 11], errors, strict=True))
    assert [(r.text, r.count, r.first) for r in found] == [
        ("chip.yaml: 256 rows lose 12.5 % of it", 2, 3), ("layer 'conv1' is lost", 2, 8), ("1e-9 s is short", 1, 11),
    ]  # fmt: skip


def test_the_terminal_shows_the_front_failures_and_what_is_missing():
    found = findings(grid(failing=True))
    text = shown(pareto_report(found, top=4))
    assert "24 of 24 points, 3 failed" in text
    assert "3 x chip.yaml: 256 rows lose 3 % of the voltage" in text
    assert f"Front: {len(found.front)} points, the first 4" in text
    first = found.front.iloc[0]
    assert f"#{found.front.index[0]}" in text
    assert figure_column("energy_j_per_image").say(first["energy_j_per_image"]) in text
    assert "crossbar.rows 256, converter.bits 3, kind sot" in text
    partly = grid()
    some = study_of(partly.frame.head(7), partly.labels, waiting=17, objectives={"nll": "min"})
    assert "7 of 24 points; 17 are still to be computed" in shown(pareto_report(findings(some), 5))


def test_an_empty_front_is_said():
    assert "no point keeps all limits" in shown(pareto_report(findings(grid(limits={"nll": {"at_most": 0.01}})), 5))


def test_commands_that_are_not_known_say_why():
    text = "\n".join(commands_report(findings(grid())))
    assert "is not known: /nowhere/made" in text


def test_plain_data_has_no_nan_and_all_of_the_front():
    data = grid()
    data.frame["nothing"] = math.nan
    found = findings(data)
    plain = json.loads(json.dumps(pareto_data(found), allow_nan=False))
    assert [p["point"] for p in plain["front"]] == found.front.index.tolist()
    assert plain["front"][0]["nothing"] is None
    assert plain["front"][0]["command"] is None
    assert plain["objectives"] == {"energy_j_per_image": "min", "nll": "min"}
    assert plain["best"]["nll"]["nll"] == pytest.approx(0.032 + 2**-5)
