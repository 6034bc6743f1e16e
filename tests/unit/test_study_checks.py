"""What is wrong with an axis is said before anything runs, and at which value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archsim.config import validate
from archsim.errors import ArchsimError, ConfigError, DataError
from archsim.study import StudyConfig, load_study_file
from archsim.study.checks import check_data, check_study

ROOT = Path(__file__).parents[2]
HEAD = {
    "schema": "archsim/study@1",
    "name": "s",
    "arch": str(ROOT / "arch_configs" / "spatial_spindrop_sot.yaml"),
    "workload": str(ROOT / "workloads" / "lenet5_digits.yaml"),
}


def check(**more):
    check_study(validate(StudyConfig, HEAD | more, "study.yaml"), "study.yaml")


def test_what_is_right_passes():
    check(
        axes={
            "crossbar.rows": [64, 128],
            "converter.bits": "3..8",
            "clock": {"from": "100 MHz", "to": "1 GHz", "scale": "log"},
            "library.peripheral.sense_amp.energy": ["3 fJ", "6 fJ"],
            "workload.dataset.split": ["train", "test"],
            "passes": [1, 20],
            "method": {"one": {"stochastic.count": 8}, "none": {}},
        },
        average=["passes"],
    )


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ({"crossbar.rowz": [64]}, r"axes\.crossbar\.rowz: .*unknown key; did you mean 'rows'"),
        ({"crosbar.rows": [64]}, "no setting of a chip, a workload or a run; did you mean 'crossbar'"),
        ({"crossbar.rows": [64, -1]}, r"axes\.crossbar\.rows: .*greater than or equal to 1"),
        ({"crossbar.rows": ["many"]}, "many"),
        ({"clock": [500]}, "clock: .*unit"),
        ({"clock": ["500 pJ"]}, "clock"),
        ({"schedule_": ["pipelined_passes"]}, "did you mean 'schedule'"),
        ({"library.peripheral.sense_am.energy": ["3 fJ"]}, "did you mean 'peripheral.sense_amp.energy'"),
        ({"workload.pases": [3]}, "did you mean 'passes'"),
        ({"workload": ["nowhere.yaml"]}, "no such file"),
        ({"arch": [3]}, "expected the name of a file"),
        ({"method": {"a": {"crossbar.rowz": 3}}}, r"axes\.method: .*crossbar\.rowz"),
    ],
)
def test_what_is_wrong_is_said_with_its_axis(axes, said):
    with pytest.raises(ConfigError, match=said):
        check(axes=axes)


def test_all_problems_are_said_at_once():
    with pytest.raises(ConfigError) as error:
        check(axes={"crossbar.rowz": [64], "clock": [500]}, overrides={"converter.bit": 3}, average=["chp"])
    assert len(error.value.problems) == 4


def test_what_other_axes_may_mend_is_left_to_the_points():
    check(axes={"converter.kind": ["sense_amplifier"], "crossbar.parallel_rows": [1]})
    check(axes={"crossbar.parallel_rows": [256], "crossbar.rows": [256]})


def test_a_trace_has_no_settings(tmp_path):
    from archsim.workload.cache import trace_of
    from archsim.workload.spec import load_workload
    from archsim.workload.tracefile import save_trace

    trace = tmp_path / "net.trace"
    save_trace(trace_of(load_workload(HEAD["workload"])), trace)
    check(workload=str(trace), axes={"passes": [1]})
    with pytest.raises(ArchsimError, match="a trace has no settings"):
        check(workload=str(trace), axes={"workload.dataset.split": ["train"]})


def test_missing_images_are_said_before_anything_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("ARCHSIM_DATA", str(tmp_path))
    config = validate(
        StudyConfig, HEAD | {"workload": str(ROOT / "workloads" / "lenet5_mnist_spatial.yaml")}, "study.yaml"
    )
    with pytest.raises(DataError, match="mnist"):
        check_data(config)
    check_data(config.model_copy(update={"quality": False}))


@pytest.mark.parametrize(
    ("setting", "section", "key", "value"),
    [
        ("axes.crossbar.rows=[64]", "axes", "crossbar.rows", [64]),
        ("axes.converter.bits=4..5", "axes", "converter.bits", "4..5"),
        ("overrides.converter.lsb_cells=2", "overrides", "converter.lsb_cells", 2),
        ("images=7", "images", None, 7),
    ],
)
def test_keys_that_are_paths_are_set_whole(setting, section, key, value):
    config = load_study_file(ROOT / "studies" / "digits.yaml", [setting])
    found = getattr(config, section)
    assert (found[key] if key else found) == value
    assert len(config.axes) == 3


def test_what_is_inside_an_axis_is_set_there(tmp_path):
    study = tmp_path / "s.yaml"
    study.write_text(json.dumps(HEAD | {"axes": {"crossbar.rows": {"from": 16, "to": 64, "points": 3}}}))
    config = load_study_file(study, ["axes.crossbar.rows.points=2", "axes.clock=[1 GHz]"])
    assert config.axes["crossbar.rows"].points == 2
    assert config.axes["clock"] == ["1 GHz"]
    with pytest.raises(ConfigError, match=r"expected path\.to\.key=value"):
        load_study_file(study, ["axes.clock"])
