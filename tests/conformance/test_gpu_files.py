"""Every GPU that ships holds what a file of one promises."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from archsim.baselines import modelled
from archsim.baselines.device import Device, Family
from archsim.baselines.devices import load_device, load_family
from archsim.baselines.gpu import figures
from archsim.config import json_schema, read_yaml
from archsim.config.yaml_file import load_text
from archsim.hardware.component import GRADES
from tests.networks import METHODS, method_lenet5

CONFIGS = Path(__file__).parents[2] / "arch_configs"
FILES = sorted((CONFIGS / "gpu").glob("*.yaml"))
FAMILIES = [f for f in FILES if f.stem.startswith("_")]
DEVICES = [f for f in FILES if not f.stem.startswith("_")]
KINDS: dict[str, type[Family]] = {"gpu": Device, "gpu_family": Family}
ASKED_FOR = {
    "jetson_nano", "jetson_tx2", "jetson_xavier_nx", "jetson_agx_xavier", "jetson_orin_nano", "jetson_orin_nx",
    "jetson_agx_orin", "rtx_3090", "rtx_4090", "t4", "l4", "a100", "h100", "h200",
}  # fmt: skip


def test_every_device_that_was_asked_for_is_there():
    assert {file.stem for file in DEVICES} >= ASKED_FOR
    assert {file.stem for file in FAMILIES} == {"_jetson", "_discrete"}


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_are_fresh(kind):
    stored = json.loads((CONFIGS / "schema" / f"{kind}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(stored)
    assert stored == json_schema(KINDS[kind]), f"run: archsim schema {kind} > arch_configs/schema/{kind}.schema.json"


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_files_name_and_obey_their_schema(file):
    kind = "gpu_family" if file in FAMILIES else "gpu"
    text = file.read_text()
    assert text.startswith(f"# yaml-language-server: $schema=../schema/{kind}.schema.json\n")
    schema = json.loads((CONFIGS / "schema" / f"{kind}.schema.json").read_text())
    data = read_yaml(file)
    jsonschema.validate(data, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data | {"mdoes": {}}, schema)


@pytest.mark.parametrize("file", DEVICES, ids=lambda f: f.stem)
def test_every_number_has_grade_source_and_range(file):
    device = load_device(file)
    assert device.name == file.stem
    assert device.description
    rows = figures(device)
    assert len(rows) > 15
    for row in rows:
        assert row.grade in GRADES
        assert row.sources
        assert row.low <= row.value <= row.high
        assert row.unit in {"W", "s", "J", "bit", "bit/s", "J/bit", "op/s", "ratio"}
        if row.grade == "ASSUMED":
            assert row.low < row.value < row.high, f"{row.path}: an assumption has a spread"


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_no_source_of_a_file_is_idle(file):
    """Those of a family may serve its devices alone."""
    own = set(read_yaml_alone(file).get("sources", {}))
    documents = [load_family(file)] if file in FAMILIES else [load_device(file)]
    documents += [load_device(f) for f in DEVICES] if file in FAMILIES else []
    cited = {key for document in documents for _, entry in document.entries() for key in entry.source}
    assert own <= cited


def read_yaml_alone(file: Path) -> dict[str, dict[str, str]]:
    data: dict[str, dict[str, str]] = load_text(file.read_text(), str(file))
    return data


@pytest.mark.parametrize("file", DEVICES, ids=lambda f: f.stem)
def test_specifications_are_of_a_likely_size(file):
    """Outside these bands a unit was mistaken, or a marketing figure for sparse matrices was taken."""
    device = load_device(file)
    peak = {precision: entry.figure.value for precision, entry in device.peak.items()}
    assert 2e11 < peak["fp32"] < 1e14
    assert peak["fp32"] < peak["fp16"] <= 16 * peak["fp32"]
    if "int8" in peak:
        assert 1.9 < peak["int8"] / peak["fp16"] < 4.1
    memory = device.memory
    assert 2e9 < memory.capacity.figure.value / 8 < 2e11
    assert 20e9 < memory.bandwidth.figure.value / 8 < 6e12
    assert 1e5 < memory.cache.figure.value / 8 < 1e8
    for mode in device.modes.values():
        assert 4 < mode.limit.figure.value < 800


@pytest.mark.parametrize("file", DEVICES, ids=lambda f: f.stem)
def test_bands_are_wider_where_nothing_was_measured(file):
    bands = load_device(file).bands
    for name in ("floor", "work", "energy"):
        known, unknown = (getattr(b, name).figure.value for b in (bands.calibrated, bands.default))
        assert 1 < known <= unknown


@pytest.mark.parametrize("file", DEVICES, ids=lambda f: f.stem)
def test_the_networks_of_all_methods_run_in_every_mode(file):
    """A LeNet-5 of 20 passes: microseconds to milliseconds, microjoules to joules, at most the power of a system."""
    device = load_device(file)
    for method in METHODS:
        platform = modelled(device, method_lenet5(method), passes=20)
        assert {p.power_mode for p in platform.points} == set(device.modes)
        assert platform.boundary == device.boundary
        for point in platform.points:
            assert 1e-5 < point.latency_s.value < 0.1
            assert 1e-7 < point.energy_j.value < 10
            watts = point.energy_j.value * point.batch / point.latency_s.value
            assert point.idle_w.value < watts < 1000
        best = min(platform.points, key=lambda p: p.latency_s.value)
        assert best.mode != "sequential"
