"""`archsim evaluate` as a user calls it: what it prints, keeps and refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from archsim.cli.app import app
from archsim.workload.trace import Affine
from archsim.workload.tracefile import save_trace
from tests.networks import Net

ROOT = Path(__file__).parents[2]
CHIP = ROOT / "arch_configs" / "spatial_spindrop_stt.yaml"
QUICK = ["--images", 40, "--passes", 5, "--ood", "uniform_noise", "--corruption", "none", "--rotation", 0]


def call(*arguments: object):
    """Run a command in this process; an unexpected exception is raised here."""
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def refuse(constant: str):
    raise AssertionError(f"{constant} is not JSON")


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    net = Net((1, 8, 8), bits=2).conv("conv1", 8, 3).sign("s1").dropout("d1").flatten().linear("fc1", 10)
    net.put("scale", Affine(np.full(10, 0.2, np.float32), np.zeros(10, np.float32)), (10,))
    made = replace(net.trace(), meta={"dataset": {"name": "digits"}})
    return save_trace(made, tmp_path_factory.mktemp("trace") / "net.safetensors")


def test_json_is_one_object_and_the_same_each_time(trace):
    done = call("evaluate", CHIP, trace, *QUICK, "--seed", 3, "--adaptive", "--json")
    assert done.exit_code == 0, done.stderr
    data = json.loads(done.stdout, parse_constant=refuse)
    assert (data["images"], data["passes"], data["seed"]) == (40, 5, 3)
    assert [s["set"] for s in data["ood"]] == ["uniform_noise"]
    assert (data["rotation_degrees"], data["corruptions"]) == ([], [])
    assert 0 <= data["test"]["adaptive_ece"]["low"] <= data["test"]["adaptive_ece"]["high"] <= 1
    for rule in data["adaptive"]:
        assert rule["latency_s_per_image"] < 1e-3
        assert sum(rule["passes_taken"].values()) == pytest.approx(1)
    assert call("evaluate", CHIP, trace, *QUICK, "--seed", 3, "--adaptive", "--json").stdout == done.stdout


def test_text_is_for_people_and_warnings_go_to_stderr(trace):
    done = call("evaluate", CHIP, trace, *QUICK[2:], "--images", 30)
    assert done.exit_code == 0
    assert done.stdout.startswith("net on spatial_spindrop_stt")
    assert "Unknown images" in done.stdout
    assert "warning: 30 images" in done.stderr


def test_a_folder_keeps_figures_tables_and_what_made_them(trace, tmp_path):
    out = tmp_path / "kept"
    done = call("evaluate", CHIP, trace, *QUICK, "--adaptive", "--json", "--out", out)
    assert done.exit_code == 0, done.stderr
    assert json.loads((out / "result.json").read_text()) == json.loads(done.stdout)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["config_hash"] == json.loads(done.stdout)["config_hash"]
    assert manifest["config"]["sets"] == ["uniform_noise"]
    for name in ("sets", "detection", "reliability", "risk_coverage", "adaptive", "passes_taken"):
        as_text = pd.read_csv(out / f"{name}.csv")
        pd.testing.assert_frame_equal(pd.read_parquet(out / f"{name}.parquet"), as_text)
    again = call("evaluate", CHIP, trace, *QUICK, "--out", out)
    assert again.exit_code == 2
    assert "exists already" in again.stderr


def test_settings_change_the_chip(trace):
    hashes = [
        json.loads(call("evaluate", CHIP, trace, *QUICK, "--json", *more).stdout)["config_hash"]
        for more in ([], ["--set", "converter.bits=3"])
    ]
    assert hashes[0] != hashes[1]


def test_sampled_chips(trace):
    spread = ["--set", "imperfections.cells.spread=0.2", "--chips", 2, "--json"]
    sot = ROOT / "arch_configs" / "spatial_spindrop_sot.yaml"
    data = json.loads(call("evaluate", sot, trace, *QUICK, *spread).stdout)
    assert data["chips"] == 2
    assert len(data["per_chip"]) == 2
    assert data["intervals"] == "least to largest over the chips"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ood", "unifrom_noise"], "did you mean 'uniform_noise'"),
        (["--ood", "blur:7"], "level from 1 to 5, got 7"),
        (["--ood", "ecg5000"], "cannot be brought to the shape"),
        (["--corruption", "blurr"], "did you mean 'blur'"),
        (["--rotation", 200], "0 (none) to 180 degrees"),
        (["--chips", 3], "alike"),
        (["--passes", 1, "--adaptive"], "leave nothing to stop"),
        (["--images", 100000], "360 test images, 100000 were asked for"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(trace, arguments, message):
    done = call("evaluate", CHIP, trace, *arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_wrong_usage_is_2():
    assert call("evaluate", CHIP).exit_code == 2
    assert call("evaluate", CHIP, CHIP, "--rotation", "much").exit_code == 2
