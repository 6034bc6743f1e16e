"""Every record that ships: its schema, its name, and nothing in it that tells whose machine it was."""

from __future__ import annotations

import getpass
import json
import socket
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from archsim.baselines import Platform, Record, load_record, published_rivals, save_record
from archsim.cli.app import app
from archsim.config import json_schema, read_yaml
from archsim.units import show

ROOT = Path(__file__).parents[2]
RECORDS = ROOT / "arch_configs" / "records"
SCHEMA = ROOT / "arch_configs" / "schema" / "record.schema.json"
FILES = sorted(RECORDS.rglob("*.yaml"))


def test_schema_is_fresh():
    assert json.loads(SCHEMA.read_text()) == json_schema(Record), f"run: archsim schema record > {SCHEMA}"


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_a_record_obeys_the_schema_and_is_kept_without_loss(file, tmp_path):
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    data = read_yaml(file)
    validator.validate(data)
    assert not validator.is_valid({**data, "devise": "x"})
    assert not validator.is_valid({**data, "boundary": "chip or so"})
    record = load_record(file)
    assert record.name == file.stem
    assert record.description
    assert load_record(save_record(record, tmp_path / "copy.yaml")) == record


def test_the_commands_know_records():
    checked = CliRunner().invoke(app, ["check", *map(str, FILES)])
    assert checked.exit_code == 0, checked.stderr
    assert checked.stdout.count("ok  ") == len(FILES)
    assert "record 'vibnn' of 1 operating points" in checked.stdout
    printed = CliRunner().invoke(app, ["schema", "record"])
    assert json.loads(printed.stdout) == json.loads(SCHEMA.read_text())
    listed = CliRunner().invoke(app, ["list"]).stdout
    assert all(file.name in listed for file in FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_a_record_names_no_host_user_or_path(file):
    text = file.read_text().lower()
    assert "/home/" not in text
    for word in (socket.gethostname(), getpass.getuser()):
        assert f" {word.lower()} " not in text


@pytest.mark.parametrize("file", sorted(RECORDS.glob("*.yaml")), ids=lambda f: f.stem)
def test_a_measurement_says_on_what_and_how_it_was_made(file):
    record = load_record(file)
    assert record.origin == "measured"
    assert record.machine
    assert record.software
    assert record.protocol
    for network in record.networks:
        assert network.structure
        assert network.date
        for point in network.points:
            assert point.passes
            assert point.mode
            assert point.latency
            assert {"p50", "p90", "p99"} <= point.percentiles.keys()


def test_the_page_about_baselines_lists_the_rivals_as_they_are():
    page = (ROOT / "docs" / "baselines.md").read_text()
    missing = [line for line in map(_row, published_rivals()) if line not in page]
    assert not missing, "docs/baselines.md lacks:\n" + "\n".join(missing)
    assert page.count("| `record:") - 1 == len(published_rivals())  # one is the row that explains the name


def _row(rival: Platform) -> str:
    """Return the line of the page for a rival."""
    at = rival.points[0] if rival.points else None
    bits, passes, energy, rate, grade = "-", "-", "-", "-", "-"
    if at and at.energy_j:
        low, value, high = (show(joules, "J") for joules in (at.energy_j.low, at.energy_j.value, at.energy_j.high))
        energy = value if low == high else f"{value} ({low} to {high})"
        grade = next(s.grade for s in rival.sources if "energy" in s.text or "a joule" in s.text)
        bits, passes = at.precision, str(at.passes or "-")
        rate = f"{1 / at.seconds_per_image:.0f}" if at.seconds_per_image else "-"
    return f"| `{rival.name}` | {rival.device} | {rival.network} | {bits} | {passes} | {energy} | {grade} | {rate} |"


def test_the_record_on_the_page_is_a_record(tmp_path):
    page = (ROOT / "docs" / "baselines.md").read_text()
    (tmp_path / "my_gpu.yaml").write_text(page.split("```yaml\n")[1].split("```")[0])
    assert load_record(tmp_path / "my_gpu.yaml").networks[0].points[0].operating_point().energy_at(10) is not None
