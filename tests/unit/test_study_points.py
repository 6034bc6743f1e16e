"""Study files: axes, formulas, conditions, sampling."""

from __future__ import annotations

from itertools import product

import pytest

from archsim.config import validate
from archsim.errors import ConfigError
from archsim.study import StudyConfig, design_points, load_study_file
from archsim.study.axis import Range, axis
from archsim.study.expression import Expression

HEAD = {"schema": "archsim/study@1", "name": "s", "arch": "a.yaml", "workload": "w.yaml"}


def study(**more):
    return validate(StudyConfig, HEAD | more, "study.yaml")


def values(**more):
    return [dict(p.values) for p in design_points(study(**more), "study.yaml")]


def ranged(**given):
    return axis("x", Range.model_validate(given), "here").values


# --- axes ---


def test_ranges_of_whole_numbers_lists_and_quantities():
    assert axis("x", "4..8", "here").values == (4, 5, 6, 7, 8)
    assert axis("x", [64, "off", 1.5], "here").values == (64, "off", 1.5)
    assert ranged(**{"from": 1, "to": 9, "step": 4}) == (1, 5, 9)
    assert ranged(**{"from": 0.0, "to": 0.3, "step": 0.1}) == pytest.approx((0, 0.1, 0.2, 0.3))
    assert ranged(**{"from": "1 ns", "to": "100 ns", "points": 3, "scale": "log"}) == ("1 ns", "10 ns", "100 ns")
    assert ranged(**{"from": 8, "to": 128, "points": 5, "scale": "log"}) == (8, 16, 32, 64, 128)


def test_a_range_without_steps_is_continuous():
    whole = axis("x", Range.model_validate({"from": 1, "to": 4}), "here")
    assert [whole.at(s) for s in (0.0, 0.24, 0.26, 0.999)] == [1, 1, 2, 4]
    times = axis("x", Range.model_validate({"from": "1 ns", "to": "100 ns", "scale": "log"}), "here")
    assert times.at(0.5) == "10 ns"
    assert axis("x", [3, 1], "here").at(0.5) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"from": 4, "to": 1}, "the first must be the smaller"),
        ({"from": "1 ns", "to": "2 pJ"}, "different kinds"),
        ({"from": "1 ns", "to": 3}, "different kinds"),
        ({"from": 0, "to": 4, "scale": "log"}, "above 0"),
        ({"from": 0, "to": 4, "points": 3, "step": 1}, "not both"),
        ({"from": "1 parsec", "to": "2 parsec"}, "parsec"),
        ({"from": 1, "to": 4, "pionts": 3}, "did you mean 'points'"),
    ],
)
def test_what_is_no_range(given, said):
    with pytest.raises(ConfigError, match=said):
        study(axes={"x": given})


@pytest.mark.parametrize("given", ["8..4", "4..", "four", []])
def test_what_is_no_axis(given):
    with pytest.raises(ConfigError, match=r"axes\.x"):
        values(axes={"x": given})


# --- combinations ---


def test_a_grid_is_every_combination_the_last_axis_fastest():
    found = values(axes={"crossbar.rows": [64, 128], "converter.bits": "4..6"})
    assert [(v["crossbar.rows"], v["converter.bits"]) for v in found] == [*product((64, 128), (4, 5, 6))]
    assert [p.number for p in design_points(study(axes={"x": "1..3"}), "s")] == [0, 1, 2]


def test_axes_that_go_together():
    found = values(axes={"a": [1, 2]}, zipped=[{"b": [10, 20, 30], "c": ["x", "y", "z"]}])
    assert len(found) == 6
    assert {(v["b"], v["c"]) for v in found} == {(10, "x"), (20, "y"), (30, "z")}
    with pytest.raises(ConfigError, match="as many values each"):
        values(zipped=[{"b": [1, 2], "c": [1]}])


def test_no_axes_are_one_point():
    assert values() == [{}]


def test_derived_settings_and_conditions():
    found = values(
        axes={"crossbar.rows": [64, 128, 256], "converter.bits": "5..8"},
        derive={"crossbar.parallel_rows": "crossbar.rows // 2"},
        keep=["converter.bits <= log2(crossbar.parallel_rows) + 1"],
        skip=[{"crossbar.rows": 256, "converter.bits": 8}],
    )
    assert [(v["crossbar.rows"], v["converter.bits"]) for v in found] == [
        (64, 5), (64, 6), (128, 5), (128, 6), (128, 7), (256, 5), (256, 6), (256, 7),
    ]  # fmt: skip
    assert all(v["crossbar.parallel_rows"] == v["crossbar.rows"] // 2 for v in found)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"keep": ["converter.bist > 3"]}, "'converter.bist' is no axis of this study; did you mean 'converter.bits'"),
        ({"skip": [{"rows": 3}]}, "'rows' is no axis"),
        ({"derive": {"converter.bits": "3"}}, "'converter.bits' is given twice"),
        ({"derive": {"y": "z + 1"}}, "'z' is no axis"),
        ({"keep": ["converter.bits > 99"]}, "leave no point"),
        ({"keep": ["converter.bits > 'four'"]}, "has no value"),
        ({"sampling": {"kind": "sobl", "points": 3}}, "sobl"),
        ({"axis": {}}, "did you mean 'axes'"),
    ],
)
def test_conditions_that_mean_nothing_are_refused(more, said):
    with pytest.raises(ConfigError) as error:
        values(axes={"converter.bits": "4..8"}, **more)
    assert said in str(error.value)


# --- samples ---


@pytest.mark.parametrize("kind", ["random", "sobol", "latin_hypercube"])
def test_a_sample_has_as_many_points_repeats_and_changes_with_the_seed(kind):
    axes = {"a": [1, 2, 3, 4], "b": {"from": "1 ns", "to": "1 us", "scale": "log"}}
    first = values(axes=axes, sampling={"kind": kind, "points": 12})
    assert len(first) == 12
    assert first == values(axes=axes, sampling={"kind": kind, "points": 12})
    assert first != values(axes=axes, sampling={"kind": kind, "points": 12, "seed": 1})
    assert {v["a"] for v in first} == {1, 2, 3, 4}


@pytest.mark.parametrize("kind", ["sobol", "latin_hypercube"])
def test_even_samples_take_each_value_as_often(kind):
    found = [v["a"] for v in values(axes={"a": [1, 2, 3, 4], "b": "1..4"}, sampling={"kind": kind, "points": 16})]
    assert [found.count(a) for a in (1, 2, 3, 4)] == [4, 4, 4, 4]


def test_a_continuous_axis_needs_a_sample():
    with pytest.raises(ConfigError, match="a grid needs `points` or `step`"):
        values(axes={"a": {"from": 1.0, "to": 2.0}})


def test_axes_that_go_together_are_sampled_together():
    found = values(zipped=[{"b": [10, 20], "c": ["x", "y"]}], sampling={"kind": "random", "points": 50})
    assert {(v["b"], v["c"]) for v in found} == {(10, "x"), (20, "y")}


# --- formulas ---


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b + 2 * c", 13), ("a.b < c <= 5", True), ("not a.b == 3 or c > 9", False), ("c in [4, 5]", True),
        ("min(a.b, c) - 2 ** 0 if False else 1", None), ("ceil(a.b / 2)", 2), ("-c", -5), ("'x'", "x"),
    ],
)  # fmt: skip
def test_formulas(text, value):
    if value is None:
        with pytest.raises(ConfigError, match="cannot stand in a formula"):
            Expression(text, "here")
    else:
        assert Expression(text, "here").value({"a.b": 3, "c": 5}) == value


@pytest.mark.parametrize(
    "text",
    ["__import__('os')", "a.b()", "[x for x in y]", "lambda: 1", "a[0]", "1 +", "f'{a}'", "2 ** 9 ** 9", "x" * 999],
)
def test_formulas_run_no_code(text):
    with pytest.raises(ConfigError):
        Expression(text, "here")


def test_division_by_zero_is_an_error_of_the_file():
    with pytest.raises(ConfigError, match="here: '1 / a' has no value"):
        Expression("1 / a", "here").value({"a": 0})


# --- files ---


def test_files_are_relative_to_the_study(tmp_path):
    file = tmp_path / "studies" / "s.yaml"
    file.parent.mkdir()
    file.write_text("schema: archsim/study@1\nname: s\narch: ../a.yaml\nworkload: w.yaml\naxes: {passes: 1..3}\n")
    config = load_study_file(file)
    assert config.file(config.arch).resolve() == tmp_path / "a.yaml"
    assert [p.values for p in design_points(config, str(file))] == [{"passes": 1}, {"passes": 2}, {"passes": 3}]


# --- names that stand for several settings ---

METHODS = {
    "spatial": {"arch": "a.yaml", "workload": "w.yaml", "stochastic.count": 15},
    "spindrop": {"arch": "b.yaml", "workload": "v.yaml"},
}


def test_a_name_stands_for_several_settings():
    found = [*design_points(study(axes={"method": METHODS, "passes": [1, 20]}), "s")]
    assert [dict(p.values) for p in found[:2]] == [{"method": "spatial", "passes": n} for n in (1, 20)]
    assert dict(found[1].settings) == {**METHODS["spatial"], "passes": 20}
    assert dict(found[3].settings) == {**METHODS["spindrop"], "passes": 20}


def test_conditions_see_names_and_what_all_of_them_set():
    kept = study(axes={"method": METHODS, "passes": [1, 20]}, keep=["passes > 1 or method == 'spatial'"])
    assert [(p.values["method"], p.values["passes"]) for p in design_points(kept, "s")] == [
        ("spatial", 1), ("spatial", 20), ("spindrop", 20),
    ]  # fmt: skip
    assert len(values(axes={"method": METHODS}, skip=[{"arch": "b.yaml"}])) == 1
    with pytest.raises(ConfigError, match=r"'stochastic\.count' is no axis"):
        values(axes={"method": METHODS}, keep=["stochastic.count > 3"])
    with pytest.raises(ConfigError, match="'arch' is given twice"):
        values(axes={"method": METHODS, "arch": ["c.yaml"]})


def test_sobol_indices_need_a_power_of_two():
    with pytest.raises(ConfigError, match="12 is none"):
        study(sampling={"kind": "saltelli", "points": 12})
