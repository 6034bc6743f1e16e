"""Files of measurements: what is refused, and a measurement of one's own from file to fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from archsim.baselines.calibration.measurements import Measurements, cases, load_measurements, measurement_files
from archsim.baselines.model import predict
from archsim.baselines.network import kernels
from archsim.cli.app import app
from archsim.config import json_schema, read_yaml
from archsim.errors import ConfigError
from archsim.workload.tracefile import save_trace
from tests.gpus import content, entry, gpu, write
from tests.networks import lenet5

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "arch_configs" / "schema" / "measurements.schema.json"


def call(*arguments: object):
    return CliRunner().invoke(app, ["calibration", *map(str, arguments)], catch_exceptions=False)


def file(**system: Any) -> dict[str, Any]:
    """Return a file of one system; `system` replaces what it says of it."""
    run = {"scenario": "one", "batch": 1, "latency": "1 ms"}
    return {
        "schema": "archsim/measurements@1",
        "description": "made up",
        "network": "resnet50",
        "precision": "int8",
        "software": "an engine",
        "sources": {"s": "somewhere"},
        "systems": {"mine": {"title": "mine", "device": "t4", "source": "s", "log": "here", "runs": [run]} | system},
    }


@pytest.mark.parametrize(
    ("system", "message"),
    [
        ({"source": "t"}, "systems.mine: unknown source 't'"),
        ({"idle": entry("1 W")}, "energies need a boundary"),
        ({"calibrates": ["energy"], "boundary": "wall"}, "energy needs two runs"),
        ({"calibrates": ["power"]}, "unknown value 'power'"),
        ({"chips": 0}, "chips"),
        ({"runs": []}, "runs"),
        ({"runs": [{"scenario": "x", "batch": 1}]}, "give either latency or rate"),
        ({"runs": [{"scenario": "x", "batch": 1, "latency": "1 mJ"}]}, "expected a quantity of time"),
        ({"runs": [{"scenario": "x", "batch": 1, "rate": 3.0, "gpu_share": 1.2}]}, "gpu_share"),
        ({"runs": [{"scenario": "x", "batch": 1, "rate": 3.0, "clok": 1.2}]}, "did you mean 'clock'?"),
    ],
)  # fmt: skip
def test_wrong_files_are_refused_with_the_place(system, message, tmp_path):
    path = write(tmp_path, file(**system))
    with pytest.raises(ConfigError) as error:
        load_measurements(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    refused = call(path)
    assert refused.exit_code == 2
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"device": "t5"}, "no modelled GPU 't5'; did you mean 't4'?"),
        ({"power_mode": "MAXN"}, "t4: it has no power mode 'MAXN'"),
    ],
)
def test_unknown_devices_and_modes_are_named(change, message, tmp_path):
    refused = call(write(tmp_path, file(**change)))
    assert refused.exit_code == 2
    assert message in refused.stderr


def test_unknown_networks_are_named(tmp_path):
    path = write(tmp_path, file() | {"network": "resnet5"})
    with pytest.raises(ConfigError, match=r"no reference network or trace file 'resnet5'; did you mean 'resnet50'\?"):
        list(cases(path))
    assert call(tmp_path / "none.yaml").exit_code == 2


def test_schema_is_fresh_and_files_obey_it():
    stored = json.loads(SCHEMA.read_text())
    assert stored == json_schema(Measurements), "run: archsim schema measurements > " + str(SCHEMA.relative_to(ROOT))
    for path in measurement_files():
        assert path.read_text().startswith("# yaml-language-server: $schema=../../schema/measurements.schema.json\n")
        data = read_yaml(path)
        jsonschema.validate(data, stored)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(data | {"sytems": {}}, stored)


def test_a_measurement_of_ones_own(tmp_path):
    """A network in a trace file on a device of one's own, with 20 passes: what comes out is what the model put in."""
    net = lenet5()
    save_trace(net, tmp_path / "net.safetensors")
    write(tmp_path, content() | {"memory": content()["memory"] | {"bandwidth": entry("2 GB/s")}}, "gpu.yaml")
    device = gpu(f"memory.bandwidth={json.dumps(entry('2 GB/s'))}")
    runs = []
    for batch in (1, 8):
        point = predict(device, kernels(net), passes=20, batch=batch)
        assert point.latency_s is not None
        seconds = point.latency_s.value
        timed = {"rate": batch / seconds} if batch > 1 else {"latency": f"{seconds!r} s"}
        runs.append({"scenario": f"{batch} images", "batch": batch, "passes": 20} | timed)
    data = file(device=str(tmp_path / "gpu.yaml"), runs=runs) | {"network": "net.safetensors"}
    done = call(write(tmp_path, data, "mine.yaml"), "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["fits"][0]["utilisation"]["value"] == pytest.approx(0.5, rel=1e-6)
    assert found["fits"][0]["floor_s"]["value"] == pytest.approx(2e-6, rel=1e-4)
    assert [row["quantity"] for row in found["rows"]] == ["latency", "throughput"]
    assert all(abs(row["error"]) < 1e-9 for row in found["rows"])
    text = call(tmp_path / "mine.yaml").stdout
    assert "20" in text or "8 images" in text
    assert "utilisation" in text


def test_all_that_is_at_hand_fits_a_terminal():
    done = call()
    assert done.exit_code == 0
    assert max(map(len, done.stdout.splitlines())) <= 100
    for words in ("What fits them", "eight images, predicted", "agx_orin_maxq", "wall, board", "not physical"):
        assert words in done.stdout
