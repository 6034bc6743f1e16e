"""`archsim compare` as a user calls it: what it prints, keeps and refuses, and how it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from archsim.baselines import Platform, signature
from archsim.cli.app import app
from archsim.errors import DeviceLostError
from archsim.workload.cache import trace_of
from archsim.workload.spec import load_workload
from archsim.workload.tracefile import save_trace
from tests.platforms import point

ROOT = Path(__file__).parents[2]
CHIP = ROOT / "arch_configs" / "spatial_spindrop_stt.yaml"
WORKLOAD = ROOT / "workloads" / "lenet5_digits.yaml"
QUICK = ["--images", 20, "--passes", 4]
GPU = "modelled:jetson_agx_orin"


def call(*arguments: object):
    """Run a command in this process; an unexpected exception is raised here."""
    return CliRunner().invoke(app, ["compare", *(str(a) for a in arguments)], catch_exceptions=False)


@pytest.fixture
def reported(monkeypatch) -> list[Path]:
    """The folders that a report is written into, which takes seconds; they are complete before."""
    folders: list[Path] = []

    def write_report(path: Path, *, plots: bool) -> None:
        assert plots
        assert (path / "manifest.json").is_file()
        folders.append(path)

    monkeypatch.setattr("archsim.cli.comparing.write_report", write_report)
    return folders


def refuse(constant: str):
    raise AssertionError(f"{constant} is not JSON")


def section(text: str, start: str) -> str:
    """Return the lines from a heading to the next empty line."""
    return text[text.index(start) :].partition("\n\n")[0]


def test_the_terminal_shows_both_sides_and_says_why_not():
    done = call(CHIP, WORKLOAD, *QUICK, "--baseline", GPU, "--baseline", "record:spindrop", "--rate", 100)
    assert done.exit_code == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "…" not in done.stdout
    assert "20 images, one by one, x 4 passes" in done.stdout
    platforms = section(done.stdout, "Platforms")
    assert "chip, the chip alone" in platforms
    assert "wall, the mains plug" in platforms
    assert "unstated" in platforms
    energies = section(done.stdout, "Energy of an image, while busy")
    assert "least energy" in energies
    assert "2 uJ" in energies  # the rival's own figure, though it is not compared
    gains = " ".join(section(done.stdout, "What the chip gains").split())
    assert "latency" in gains
    assert "refused unless 'boundary' is allowed" in gains
    assert "it runs another network" in gains
    assert "on the chip" in section(done.stdout, "Quality")
    assert "ASSUMED" in section(done.stdout, "What this rests on")


def test_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = call(CHIP, WORKLOAD, *QUICK, "--baseline", "published", "--allow", "network", "--allow", "boundary")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "…" not in done.stdout


def test_what_is_allowed_is_given_with_both_boundaries():
    done = call(CHIP, WORKLOAD, *QUICK, "--costs-only", "--allow", "boundary")
    gains = " ".join(section(done.stdout, "What the chip gains").split())
    assert "refused" not in gains
    assert "Quality" not in done.stdout
    assert "energy: wall (the mains plug of the whole system, power supply and host included) over chip" in gains


def test_json_is_one_object_and_the_same_each_time():
    arguments = (CHIP, WORKLOAD, *QUICK, "--seed", 3, "--batch", 2, "--batch", 1, "--json")
    done = call(*arguments)
    assert done.exit_code == 0, done.stderr
    data = json.loads(done.stdout, parse_constant=refuse)
    assert (data["schema"], data["chip"]["schema"]) == ("archsim/comparison@1", "archsim/result@1")
    assert (data["chip"]["seed"], data["comparison"]["passes"], data["comparison"]["batch"]) == (3, 4, 2)
    assert [p["name"] for p in data["comparison"]["platforms"]] == ["spatial_spindrop_stt", GPU]
    assert data["uncertainty"] is None
    assert call(*arguments).stdout == done.stdout


def test_a_folder_keeps_everything(reported, tmp_path):
    out = tmp_path / "kept"
    done = call(CHIP, WORKLOAD, *QUICK, "--baseline", GPU, "--baseline", "record:spindrop", "--json", "--out", out)
    assert done.exit_code == 0, done.stderr
    data = json.loads((out / "result.json").read_text(), parse_constant=refuse)
    assert data == json.loads(done.stdout)
    assert data["uncertainty"]["schema"] == "archsim/uncertainty@1"
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["config"]["baselines"] == [GPU, "record:spindrop"]
    assert len(manifest["figures"]) > 50
    assert set(manifest["citations"]) >= {key for row in manifest["figures"] for key in row["sources"]}
    tables = {name: pd.read_parquet(out / f"{name}.parquet") for name in ("layers", "energy", "platforms", "ratios")}
    for name, table in tables.items():
        assert len(pd.read_csv(out / f"{name}.csv")) == len(table) > 0
    points = sum(len(p["points"]) for p in data["comparison"]["platforms"])
    assert len(tables["platforms"]) == points
    assert tables["platforms"]["latency_s"].dtype == tables["ratios"]["value"].dtype == float
    assert len(tables["ratios"]) == len(data["comparison"]["ratios"])
    assert reported == [out]
    again = call(CHIP, WORKLOAD, *QUICK, "--out", out)
    assert again.exit_code == 2
    assert "exists already" in again.stderr


def test_settings_change_the_chip():
    hashes = {
        json.loads(call(CHIP, WORKLOAD, *QUICK, "--costs-only", "--json", *more).stdout)["chip"]["config_hash"]
        for more in ([], ["--set", "converter.bits=3"])
    }
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--baseline", "modelled:jetson_agx_orion"], "did you mean 'jetson_agx_orin'"),
        (["--baseline", f"{GPU}@16W"], "no power mode '16W'"),
        (["--baseline", "measures:cpu"], "did you mean 'measured'"),
        (["--baseline", "measured:cuda:99"], "cuda:99"),
        (["--baseline", "record:no_such_machine"], "no record 'no_such_machine'"),
        (["--baseline", GPU, "--baseline", GPU], "there already"),
        (["--rate", 0], "rate: images a second must be more than 0, got 0"),
        (["--rate", -5], "more than 0, got -5"),
        (["--rate", "nan"], "more than 0, got nan"),
        (["--batch", 0], "batch: images of a call must be 1 to 65536, got 0"),
        (["--batch", 10**12], "got 1000000000000"),
        (["--allow", "boundry"], "did you mean 'boundary'"),
        (["--passes", 0], "passes: must be at least 1"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(arguments, message):
    done = call(CHIP, WORKLOAD, "--images", 5, *arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_trace_cannot_be_measured(tmp_path):
    trace = replace(trace_of(load_workload(WORKLOAD)), meta={"dataset": {"name": "digits"}})
    file = save_trace(trace, tmp_path / "net.safetensors")
    done = call(CHIP, file, *QUICK, "--baseline", "measured:cpu")
    assert done.exit_code == 2
    assert "a trace holds no torch module to measure" in done.stderr
    assert "a trace holds no torch module" in call(CHIP, file, *QUICK).stdout  # nor is there anything in software


def test_a_gpu_that_is_lost_midway_loses_nothing(monkeypatch, reported, tmp_path):
    def measure(workload, target, *, on_start, on_point, **more):
        structure = signature(trace_of(workload))
        on_start(Platform("measured:cuda", "measured", "a GPU", "lenet5", structure, (), "board"))
        on_point(point(1e-3, passes=4))
        raise DeviceLostError("cuda was lost after 1 points, which are kept", 1)

    monkeypatch.setattr("archsim.baselines.measured.check_target", lambda _: None)
    monkeypatch.setattr("archsim.baselines.measured.measure", measure)
    out = tmp_path / "kept"
    done = call(CHIP, WORKLOAD, *QUICK, "--baseline", "measured:cuda", "--baseline", GPU, "--json", "--out", out)
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == "error: measured:cuda: cuda was lost after 1 points, which are kept"
    stored = json.loads((out / "result.json").read_text())
    assert stored == json.loads(done.stdout)
    kept, gpu = stored["comparison"]["platforms"][1:]
    assert [p["latency_s"]["value"] for p in kept["points"]] == [1e-3]
    assert gpu["points"]
    assert reported == [out]


@pytest.mark.slow
def test_this_processor_is_measured_compared_and_reported(tmp_path):
    out = tmp_path / "kept"
    done = call(CHIP, WORKLOAD, *QUICK, "--baseline", "measured:cpu", "--json", "--out", out)
    assert done.exit_code == 0, done.stderr
    data = json.loads(done.stdout, parse_constant=refuse)
    cpu = data["comparison"]["platforms"][1]
    assert cpu["same_network"]
    assert {p["mode"] for p in cpu["points"]} >= {"sequential", "folded"}
    gains = [r for r in data["comparison"]["ratios"] if r["what"] == "latency"]
    assert all(0 < r["low"] <= r["value"] <= r["high"] for r in gains)
    assert "measured:cpu" in (out / "report.html").read_text()
    assert list((out / "plots").glob("*.png"))


def test_wrong_usage_is_2():
    assert call(CHIP).exit_code == 2
    assert call(CHIP, WORKLOAD, "--rate", "often").exit_code == 2
    assert call(CHIP, WORKLOAD, "--batch", "1.5").exit_code == 2
