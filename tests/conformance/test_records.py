"""Every record that ships: its schema, its name, and nothing in it that tells whose machine it was."""

from __future__ import annotations

import getpass
import json
import socket
from pathlib import Path

import jsonschema
import pytest

from archsim.baselines import Record, load_record, save_record
from archsim.config import json_schema, read_yaml

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
