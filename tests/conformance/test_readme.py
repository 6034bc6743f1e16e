"""What the README shows works as shown."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from archsim.cli.app import app
from archsim.hardware.arch import load_arch
from archsim.hardware.chip import build_chip

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_architecture_of_the_readme_builds(tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    (tmp_path / "my_chip.yaml").write_text(text.replace("base: ", f"base: {ROOT / 'arch_configs'}/"))
    arch = load_arch(tmp_path / "my_chip.yaml")
    assert (arch.name, arch.organisation.crossbars) == ("my_chip", 64)
    assert build_chip(arch).area().value > 0


def test_the_network_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    network, use = blocks("python")
    names: dict[str, object] = {}
    exec(network, names)
    names |= {"model": names["MyNet"](), "example_image": np.zeros((1, 1, 8, 8), np.float32)}  # type: ignore[operator]
    exec(use, names)
    assert "Estimate(value=" in capsys.readouterr().out


def commands() -> list[str]:
    lines = (line.strip().partition("#")[0] for line in README.splitlines() if line.startswith("    archsim "))
    return [line.partition("|")[0].strip() for line in lines]


@pytest.mark.parametrize("command", commands())
def test_the_commands_of_the_readme_work(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    words = shlex.split(command)[1:]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert done.stdout


def test_every_file_and_chip_that_the_readme_names_exists() -> None:
    for path in re.findall(r"`((?:archsim|workloads|arch_configs|metrics|sim|mapping|workload)/[\w./]+\.\w+)`", README):
        assert (ROOT / path).exists() or (ROOT / "archsim" / path).exists(), path
    assert len(commands()) >= 4
