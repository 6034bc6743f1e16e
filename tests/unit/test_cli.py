"""The commands as a user calls them: what they print, where, and how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from archsim.cli.app import app
from archsim.config import read_yaml

ROOT = Path(__file__).parents[2]
CHIP = str(ROOT / "arch_configs" / "spatial_spindrop_stt.yaml")
WORKLOAD = str(ROOT / "workloads" / "lenet5_digits.yaml")
COMMAND = [sys.executable, "-c", "from archsim.cli import main; main()"]


def call(*arguments: object):
    """Run a command in this process; an unexpected exception is raised here."""
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    """A trace file of LeNet-5 on digits, and what `archsim trace` said about it."""
    folder = tmp_path_factory.mktemp("trace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHSIM_CACHE", str(folder))
        said = call("trace", WORKLOAD, "-o", folder / "lenet.safetensors")
    assert said.exit_code == 0, said.output
    return folder / "lenet.safetensors", said.stdout


def numbers(data: object):
    """Yield every number of JSON data."""
    if isinstance(data, dict):
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from numbers(item)
    elif isinstance(data, int | float):
        yield data


def refuse(constant: str):
    raise AssertionError(f"{constant} is not JSON")


def test_trace_says_where_every_module_went(trace):
    words = {
        line.split()[0]: line.split() for line in trace[1].split("Where each module")[1].splitlines() if line.split()
    }
    assert words["conv1"][1] == "crossbar"
    assert words["bn1"][1] == "folded"
    assert words["drop1"][1] == "stochastic"
    assert words["pool2"][1] == "digital"


def test_json_is_one_object_with_the_promised_keys(trace):
    done = call("run", CHIP, trace[0], "--images", 12, "--passes", 3, "--seed", 7, "--json")
    assert done.exit_code == 0
    data = json.loads(done.stdout, parse_constant=refuse)
    assert (data["images"], data["passes"], data["seed"]) == (12, 3, 7)
    assert data["energy_j_per_image"]["low"] < data["energy_j_per_image"]["value"] < data["energy_j_per_image"]["high"]
    by_part = sum(part["value"] for part in data["energy_j_per_image"]["by_part"].values())
    assert by_part == pytest.approx(data["energy_j_per_image"]["value"])
    assert data["area_m2"]["value"] == pytest.approx(sum(p["value"] for p in data["area_m2"]["by_part"].values()))
    assert data["throughput_images_per_s"] == pytest.approx(1 / data["image_interval_s"])
    assert 0 <= data["accuracy"]["low"] <= data["accuracy"]["value"] <= data["accuracy"]["high"] <= 1
    assert {"latency_s_per_image", "memory_bits", "nll", "brier", "ece", "events", "config_hash"} <= data.keys()
    assert sum(1 for _ in numbers(data)) > 100


def test_the_same_command_twice_gives_the_same_object(trace):
    arguments = ["run", CHIP, trace[0], "--images", 5, "--passes", 2, "--json"]
    assert call(*arguments).stdout == call(*arguments).stdout


def test_a_trace_carries_images_and_passes_of_its_workload(trace):
    done = call("run", CHIP, trace[0], "--images", 2, "--json")
    assert json.loads(done.stdout)["passes"] == read_yaml(WORKLOAD)["passes"]


def test_costs_only_computes_no_images(trace):
    data = json.loads(call("run", CHIP, trace[0], "--images", 4, "--passes", 2, "--costs-only", "--json").stdout)
    assert "accuracy" not in data
    assert data["energy_j_per_image"]["value"] > 0


def test_settings_change_the_chip(trace):
    arguments = ["run", CHIP, trace[0], "--images", 2, "--passes", 2, "--costs-only", "--json"]
    slow = json.loads(call(*arguments, "--set", "clock=100 MHz").stdout)
    fast = json.loads(call(*arguments).stdout)
    assert slow["latency_s_per_image"] > fast["latency_s_per_image"]
    assert slow["config_hash"] != fast["config_hash"]


def test_warnings_go_to_stderr_and_into_the_object(trace):
    wet = ["--set", "crossbar.parallel_rows=64", "--set", "converter.bits=7", "--set", "crossbar.ir_drop=allow"]
    done = call("run", CHIP, trace[0], "--images", 2, "--passes", 2, "--costs-only", "--json", *wet)
    data = json.loads(done.stdout)
    assert data["warnings"]
    assert all(f"warning: {w}" in done.stderr for w in data["warnings"])
    assert "warning" not in call("run", CHIP, trace[0], "--images", 2, "--costs-only", *wet).stdout.splitlines()[0]


def test_map_places_every_layer(trace):
    done = call("map", CHIP, trace[0], "--json")
    placed = json.loads(done.stdout)["rounds"][0]
    assert [p["name"] for p in placed] == ["conv1", "conv2", "fc1", "fc2", "fc3"]
    fc1 = placed[2]
    assert (fc1["rows"], fc1["columns"], fc1["row_tiles"], fc1["column_tiles"]) == (256, 120, 2, 1)
    assert fc1["crossbars"] == 2 * fc1["replicas"]
    text = call("map", CHIP, trace[0]).stdout
    assert all(p["name"] in text for p in placed)


def test_show_has_every_number_with_its_grade_and_source():
    data = json.loads(call("show", CHIP, "--json").stdout)
    assert len(data["figures"]) > 80
    for figure in data["figures"]:
        assert figure["low"] <= figure["value"] <= figure["high"]
        assert figure["grade"] in ("READ", "RERUN", "DERIVED", "RECALLED", "ASSUMED")
        assert set(figure["sources"]) <= data["sources"].keys()
    text = call("show", CHIP).stdout
    assert all(figure["path"] in text for figure in data["figures"])
    assert all(key in text for key in data["sources"])


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("arch", "arch_configs/spindrop_stt.yaml"),
        ("arch", "arch_configs/ideal.yaml"),
        ("workload", "workloads/lenet5_digits.yaml"),
        ("components", "arch_configs/components_28nm.yaml"),
        ("components", "arch_configs/components_isaac_32nm.yaml"),
    ],
)
def test_schemas_accept_what_is_shipped_and_refuse_a_misspelling(kind, file):
    schema = json.loads(call("schema", kind).stdout)
    data = read_yaml(ROOT / file)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(data, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**data, "nmae": "x"}, schema)


def test_the_library_schema_looks_into_entries():
    schema = json.loads(call("schema", "components").stdout)
    data = read_yaml(ROOT / "arch_configs/components_28nm.yaml")
    data["peripheral"]["sense_amp"]["energy"]["grade"] = "GUESSED"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, schema)


def test_list_names_chips_workloads_and_kinds(monkeypatch):
    monkeypatch.chdir(ROOT)
    text = call("list").stdout
    for word in ("spindrop_stt.yaml", "lenet5_digits.yaml", "htree", "sense_amplifier", "pipelined_passes", "lfsr"):
        assert word in text


def test_train_writes_the_checkpoint(tmp_path):
    (tmp_path / "tiny.yaml").write_text(
        "schema: archsim/workload@1\nname: tiny\ndescription: two epochs of an MLP\nmodel: workloads.mlp:MLP\n"
        f"arguments: {json.dumps(read_yaml(ROOT / 'workloads/mlp_digits.yaml')['arguments'])}\n"
        "checkpoint: tiny.safetensors\ndataset: {name: digits}\ntraining: {epochs: 50, images: 128}\n"
    )
    done = call("train", tmp_path / "tiny.yaml", "--epochs", 2, "--quiet")
    assert done.exit_code == 0
    assert "2 epochs" in done.stdout
    assert (tmp_path / "tiny.safetensors").is_file()


def test_no_arguments_is_help_and_wrong_usage_is_2():
    assert "Commands:" in call().output
    for wrong in (["simulate"], ["run"], ["run", CHIP], ["schema", "chips"], ["run", CHIP, WORKLOAD, "--sede", "1"]):
        done = call(*wrong)
        assert done.exit_code == 2
        assert done.stdout == ""
        assert "Usage" in done.stderr


def test_a_closed_pipe_is_silent():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*COMMAND, "schema", "arch"], cwd=ROOT, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert done.stderr == b""
    assert done.returncode == 141


def test_ctrl_c_ends_with_130_and_leaves_nothing_behind(trace, tmp_path):
    out, timeline = tmp_path / "result", tmp_path / "timeline.json"
    process = subprocess.Popen(
        [*COMMAND, "run", CHIP, trace[0], "--passes", "100000", "--images", "300",
         "--out", out, "--timeline", timeline],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not list(tmp_path.glob(".timeline.json.*.part")):  # it is at work once the timeline is begun
        assert process.poll() is None, process.communicate()
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stdout == ""
    assert stderr.splitlines() == ["interrupted"]
    assert list(tmp_path.iterdir()) == []


def test_verify_compares_every_answer_with_torch():
    done = call("verify", ROOT / "workloads/lenet5_digits.yaml", "--images", 20, "--passes", 3, "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert (found["answers"], found["identical"], found["same_class"]) == (60, 60, 60)
    coarse = ROOT / "arch_configs/spatial_spindrop_sot.yaml"
    done = call("verify", ROOT / "workloads/lenet5_digits.yaml", "--images", 20, "--passes", 3, "--arch", coarse)
    assert done.exit_code == 0
    assert "60 answers" in done.stdout
    assert "bit for bit  60" not in done.stdout


def test_verify_refuses_no_images():
    assert call("verify", ROOT / "workloads/lenet5_digits.yaml", "--images", 0).exit_code == 2
