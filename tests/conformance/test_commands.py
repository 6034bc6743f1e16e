"""Every YAML of the repository through the commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archsim.cli.app import app
from archsim.config import read_yaml

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "arch_configs").glob("*.yaml"), *(ROOT / "workloads").glob("*.yaml")])
CHIPS = [f for f in FILES if read_yaml(f)["schema"].startswith("archsim/arch@")]


def call(*arguments: object):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHSIM_CACHE", str(folder))
        assert call("trace", ROOT / "workloads" / "lenet5_digits.yaml", "-o", folder / "net.safetensors").exit_code == 0
    return folder / "net.safetensors"


def test_there_is_something_of_every_kind():
    schemas = {read_yaml(f)["schema"].partition("@")[0] for f in FILES}
    assert schemas == {"archsim/arch", "archsim/workload", "archsim/components"}
    assert len(CHIPS) >= 5


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_check_accepts_every_file(file):
    done = call("check", file)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith(f"ok  {file}: ")


@pytest.mark.parametrize("file", CHIPS, ids=lambda f: f.stem)
def test_every_chip_is_shown_and_its_parts_add_up(file):
    data = json.loads(call("show", file, "--json").stdout)
    for total in (data["area_m2"], data["leakage_w"]):
        assert total["value"] == pytest.approx(sum(part["value"] for part in total["by_part"].values()))
    assert max(map(len, call("show", file).stdout.splitlines())) <= 100


@pytest.mark.parametrize("file", CHIPS, ids=lambda f: f.stem)
def test_every_chip_runs_a_network_or_says_why_not(file, trace):
    done = call("run", file, trace, "--costs-only", "--images", 3, "--passes", 3)
    if read_yaml(file)["stochastic"] is None:
        assert done.exit_code == 2
        assert "stochastic" in done.stderr
    else:
        assert done.exit_code == 0, done.stderr
        assert max(map(len, done.stdout.splitlines())) <= 100
