"""Sensitivity and averages, through the real samples and the real store, against known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import sobol_indices
from typer.testing import CliRunner

import archsim
from archsim.cli.app import app
from archsim.config import dump, validate
from archsim.errors import ConfigError
from archsim.study import Outcome, StudyConfig, Task, design_points
from archsim.study.pareto import averaged, default_objectives
from archsim.study.sensitivity import estimate, sensitivity
from archsim.study.store import Store
from archsim.study.tables import read_study
from tests.sweeps import NETWORK, ROOT, study

HEAD = {"schema": "archsim/study@1", "name": "s", "arch": "a.yaml", "workload": "w.yaml"}


@pytest.fixture
def found(tmp_path):
    """Store what a function makes of the values of each point, and read it back."""

    def run(function, **more):
        config = validate(StudyConfig, HEAD | more, "s.yaml")
        points = list(design_points(config, "s.yaml"))
        tasks = [Task(p.number, f"{p.number:064x}", "a", "w") for p in points]
        with Store.open(tmp_path / "s", study=dump(config), file=tmp_path / "s.yaml", resume=False) as store:
            store.plan(zip(tasks, points, strict=True))
            for task, point in zip(tasks, points, strict=True):
                made = function(point.number, point.values)
                if made is not None:
                    texts = made.pop("texts", {})
                    error = made.pop("error", "")
                    store.commit([Outcome(task.number, task.key, made, texts, error=error)])
        return read_study(tmp_path / "s")

    return run


# --- Sobol indices ---

ANGLE = {"from": -math.pi, "to": math.pi}


def ishigami(_, v):
    return {"y": math.sin(v["a"]) + 7 * math.sin(v["b"]) ** 2 + 0.1 * v["c"] ** 4 * math.sin(v["a"])}


def test_sobol_indices_of_the_ishigami_function(found):
    data = found(ishigami, axes=dict.fromkeys("abc", ANGLE), sampling={"kind": "saltelli", "points": 1024})
    told = sensitivity(data, "y")
    # Ishigami & Homma 1990, a = 7, b = 0.1: D = a^2/8 + b pi^4/5 + b^2 pi^8/18 + 1/2
    whole = 49 / 8 + 0.1 * math.pi**4 / 5 + 0.01 * math.pi**8 / 18 + 0.5
    a_alone = 0.5 * (1 + 0.1 * math.pi**4 / 5) ** 2
    with_c = 8 * 0.01 * math.pi**8 / 225
    truth = {
        "a": (a_alone / whole, (a_alone + with_c) / whole),
        "b": (49 / 8 / whole, 49 / 8 / whole),
        "c": (0.0, with_c / whole),
    }
    assert told.mean == pytest.approx(3.5, abs=0.05)
    assert told.deviation == pytest.approx(math.sqrt(whole), rel=0.02)
    assert [i.axis for i in told.indices] == ["a", "b", "c"]  # by their totals
    for index in told.indices:
        first, total = truth[index.axis]
        assert index.first == pytest.approx(first, abs=0.03)
        assert index.total == pytest.approx(total, abs=0.03)
        assert index.first_low <= first <= index.first_high
        assert index.total_low <= total <= index.total_high
        assert index.total_high - index.total_low < 0.2
    assert list(told.table().index) == ["a", "b", "c"]


def test_sobol_indices_of_a_linear_model_in_joules(found):
    weights = {"a": 1.0, "b": 3.0, "c": 0.0}
    axes = {**{name: {"from": 0.0, "to": 1.0} for name in "ac"}, "b": {"from": "0 V", "to": "1 V"}}

    def energy(_, v):
        return {"y": 1e-12 * (5 + v["a"] + 3 * float(v["b"].split()[0]) * (1e-3 if "mV" in v["b"] else 1))}

    told = sensitivity(found(energy, axes=axes, sampling={"kind": "saltelli", "points": 256}), "y")
    for index in told.indices:
        share = weights[index.axis] ** 2 / 10
        assert index.first == pytest.approx(share, abs=0.03)
        assert index.total == pytest.approx(share, abs=0.01)
    assert told.indices[0].axis == "b"
    assert told.deviation == pytest.approx(1e-12 * math.sqrt(10 / 12), rel=0.01, abs=0)


def test_estimators_agree_with_scipy():
    rng = np.random.default_rng(3)
    values = rng.random((64, 6))
    theirs = sobol_indices(
        func={"f_A": values[None, :, 0], "f_B": values[None, :, 1], "f_AB": values[:, 2:].T[:, None, :]}, n=64
    )
    first, total = estimate(values)
    assert first == pytest.approx(theirs.first_order)
    assert total == pytest.approx(theirs.total_order)


def test_axes_that_go_together_are_one(found):
    data = found(
        lambda _, v: {"y": v["a"] * v["b"] + v["c"]},
        zipped=[{"a": [1, 2, 3, 4], "b": [1.0, 2.0, 3.0, 4.0]}], axes={"c": [0, 8]},
        sampling={"kind": "saltelli", "points": 64},
    )  # fmt: skip
    told = sensitivity(data, "y")
    # squares 1, 4, 9, 16 have the variance 32.25, {0, 8} has 16
    assert {i.axis: i.total for i in told.indices} == pytest.approx({"a + b": 32.25 / 48.25, "c": 16 / 48.25}, abs=0.06)


def test_sobol_indices_need_every_point(found, tmp_path):
    sampling = {"kind": "saltelli", "points": 4}
    data = found(
        lambda n, v: {"error": "too hot"} if n in (3, 7) else {"y": v["a"]},
        axes={"a": [1, 2, 3, 4]}, sampling=sampling,
    )  # fmt: skip
    with pytest.raises(ConfigError, match="2 failed: point 3: too hot; point 7: too hot; narrow the axes"):
        sensitivity(data, "y")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda n, v: None if n == 5 else {"y": v["a"]}, "1 of 12 points have not been evaluated yet"),
        (lambda n, v: {"y": math.nan if n == 5 else v["a"]}, "point 5 has no number for 'y'"),
        (lambda *_: {"y": 3.0}, "'y' does not vary"),
        (lambda *_: {"yy": 3.0}, "'y' is no figure of this study; did you mean 'yy'"),
    ],
)
def test_sobol_indices_are_refused(found, function, said):
    data = found(function, axes={"a": [1, 2, 3, 4]}, sampling={"kind": "saltelli", "points": 4})
    with pytest.raises(ConfigError, match=said):
        sensitivity(data, "y")


def test_a_grid_tells_nothing_about_single_axes(found):
    with pytest.raises(ConfigError, match="take one_at_a_time or saltelli"):
        sensitivity(found(lambda *_: {"y": 1.0}, axes={"a": [1, 2]}), "y")


# --- one at a time ---

ONE = {
    "axes": {"passes": [10, 20, 40], "seed": [0, 1], "method": {"x": {}, "y": {"chip": 3}}},
    "passes": 20, "sampling": {"kind": "one_at_a_time"},
}  # fmt: skip


@pytest.fixture
def chip():
    """Files that a study may start from."""
    return {"arch": str(ROOT / "arch_configs/spatial_spindrop_stt.yaml"), "workload": str(NETWORK)}


def test_one_at_a_time_by_hand(found, chip):
    def energy(n, v):
        return {"e": v["passes"] * (2.0 if v["method"] == "y" else 1.0)}

    told = sensitivity(found(energy, **ONE, **chip), "e")
    assert told.base == 20
    rows = told.table()
    assert list(rows.index) == ["passes", "method", "seed"]  # both of the first two reach 20 from 20
    assert rows.loc["passes", ["at_low", "at_base", "at_high", "low", "high"]].tolist() == [10, 20, 40, 10, 40]
    assert rows.loc["passes", ["low_change", "high_change"]].tolist() == [-0.5, 1.0]
    assert rows.loc["method", ["at_low", "at_base", "at_high", "low", "high"]].tolist() == ["x", "x", "y", 20, 40]
    assert rows.loc["seed", ["low", "high"]].tolist() == [20, 20]


def test_one_at_a_time_tells_what_it_can(found, chip):
    def energy(n, v):
        return {"error": "no such chip"} if v["passes"] == 40 else {"e": float(v["passes"])}

    told = sensitivity(found(energy, **ONE, **chip), "e")
    swing = told.swings[0]
    assert (swing.axis, swing.low, swing.error) == ("passes", 10, "no such chip")
    assert math.isnan(swing.high)
    assert swing.at_high == 40


def test_one_at_a_time_needs_its_base(found, chip):
    with pytest.raises(ConfigError, match="point 0: no such chip"):
        sensitivity(found(lambda n, _: {"e": 1.0} if n else {"error": "no such chip"}, **ONE, **chip), "e")


def test_one_at_a_time_needs_to_be_finished(found, chip):
    with pytest.raises(ConfigError, match="point 3 has not been evaluated yet"):
        sensitivity(found(lambda n, _: {"e": 1.0} if n != 3 else None, **ONE, **chip), "e")


# --- averages ---


def test_averages_by_hand(found):
    def figures(n, v):
        if (v["bits"], v["chip"]) == (5, 2):
            return {"error": "broken"}
        nll = v["bits"] + v["chip"] / 10
        gain = math.nan if v["chip"] == 1 else 2.0
        text = {"bottleneck": "adc" if v["bits"] == 4 else f"adc{v['chip']}"}
        return {"nll": nll, "nll_low": nll - 1, "nll_high": nll + 1, "gain": gain, "area_m2": 3.0, "texts": text}

    data = found(figures, axes={"chip": [0, 1, 2], "bits": [4, 5]}, average=["chip"])
    rows = averaged(data)
    assert list(rows.index) == [0, 1]
    assert rows.index.name == "point"
    assert rows["bits"].tolist() == [4, 5]
    assert "chip" not in rows.columns
    assert rows["averaged"].tolist() == [3, 2]
    assert rows["nll"].tolist() == pytest.approx([4.1, 5.05])
    assert rows["nll_low"].tolist() == pytest.approx([3.1, 4.05])
    assert rows["nll_high"].tolist() == pytest.approx([5.1, 6.05])
    assert rows["nll_std"].tolist() == pytest.approx([0.1, 0.1 / math.sqrt(2)])
    assert rows["gain"].isna().all()  # one of the points has none
    assert "area_m2_std" not in rows.columns
    assert rows["bottleneck"].tolist() == ["adc", ""]


def test_averages_over_everything_and_over_nothing(found, tmp_path):
    data = found(lambda _, v: {"nll": float(v["chip"])}, axes={"chip": [0, 1, 2]}, average=["chip"])
    assert averaged(data)["nll"].tolist() == [1.0]
    assert averaged(data)["averaged"].tolist() == [3]


def test_without_an_average_points_stay_as_they_are(found):
    data = found(lambda *_: {"nll": 1.0}, axes={"chip": [0, 1, 2]})
    assert averaged(data) is data.frame


def test_default_objectives_are_those_that_are_there():
    assert default_objectives(["nll", "energy_j_per_image", "accuracy"]) == {"energy_j_per_image": "min", "nll": "min"}


# --- the whole way ---


def test_a_component_range_through_the_real_command(tmp_path):
    modules = "rng.stt_set_read_reset"
    file = study(
        tmp_path, quality=False, arch=str(ROOT / "arch_configs/spatial_spindrop_stt.yaml"), axes={}, derive={},
        ranges=[f"{modules}.*"], sampling={"kind": "one_at_a_time"},
    )  # fmt: skip
    done = CliRunner().invoke(app, ["sweep", str(file), "--out", str(tmp_path / "s"), "--workers", "1"])
    assert done.exit_code == 0, done.stderr
    rows = sensitivity(read_study(tmp_path / "s"), "energy_j_per_image").table()
    assert {f"library.{modules}.energy", f"library.{modules}.area"} <= set(rows.index)
    library = archsim.load_library(ROOT / "arch_configs/components_28nm.yaml")
    entry = library.entries[f"{modules}.energy"]
    for end, written in zip(("low", "high"), entry.range, strict=True):
        alone = archsim.evaluate(
            ROOT / "arch_configs/spatial_spindrop_stt.yaml", NETWORK, passes=2, images=10, function=False,
            overrides=["converter.lsb_cells=null", f"library.{modules}.energy={written}"],
        )  # fmt: skip
        assert rows.loc[f"library.{modules}.energy", end] == alone.energy_j_per_image.value
        assert rows.loc[f"library.{modules}.energy", f"at_{end}"] == getattr(entry.figure, end)
