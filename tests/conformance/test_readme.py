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
from archsim.workload.cache import trace_of
from archsim.workload.spec import load_workload
from archsim.workload.training import train

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_architecture_of_the_readme_builds(tmp_path: Path) -> None:
    text, _ = blocks("yaml")
    (tmp_path / "my_chip.yaml").write_text(text.replace("base: ", f"base: {ROOT / 'arch_configs'}/"))
    arch = load_arch(tmp_path / "my_chip.yaml")
    assert (arch.name, arch.organisation.crossbars) == ("my_chip", 64)
    assert build_chip(arch).area().value > 0


def test_the_workload_of_the_readme_trains_and_is_traced(tmp_path: Path) -> None:
    """A folder of one's own, with nothing but what the README shows."""
    (tmp_path / "mynet.py").write_text(blocks("python")[0])
    text = blocks("yaml")[1].replace("epochs: 15", "epochs: 1, images: 100")
    (tmp_path / "my.yaml").write_text(text + "passes: 2\nimages: 20\n")
    assert train(load_workload(tmp_path / "my.yaml"), quiet=True).checkpoint.is_file()
    trace = trace_of(load_workload(tmp_path / "my.yaml"))
    assert [n.name for n in trace.crossbar_nodes()] == ["conv1", "fc"]
    assert [n.name for n in trace.stochastic_nodes()] == ["drop1"]


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what ships, in which commands leave what they make to the ones after them."""
    here = tmp_path_factory.mktemp("readme")
    for name in ("arch_configs", "workloads", "studies"):
        (here / name).symlink_to(ROOT / name)
    return here


@pytest.mark.parametrize("command", commands())
def test_the_commands_of_the_readme_work(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    words = shlex.split(command)[1:]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert done.stdout


def test_every_file_and_chip_that_the_readme_names_exists() -> None:
    for path in re.findall(r"`((?:archsim|workloads|arch_configs|metrics|sim|mapping|workload)/[\w./]+\.\w+)`", README):
        assert (ROOT / path).exists() or (ROOT / "archsim" / path).exists(), path
    assert len(commands()) >= 4
