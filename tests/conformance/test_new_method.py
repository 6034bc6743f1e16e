"""docs/new_method.md, followed to the letter: a seventh method is trained, traced, run on a chip, verified."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archsim.cli.app import app
from archsim.errors import ConfigError, TraceError
from archsim.pipeline import evaluate
from archsim.verify import compare_with_torch
from archsim.workload.cache import trace_of
from archsim.workload.checkpoint import load_model
from archsim.workload.spec import Workload, load_workload
from archsim.workload.tracefile import load_trace, save_trace

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "new_method.md").read_text()
CHIP = ROOT / "arch_configs" / "neuspin_sot.yaml"


GAUSSIAN_BITS = 16  # that this chip makes a Gaussian of


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the page, and the method trained as the page says."""
    place = tmp_path_factory.mktemp("mine")
    for text in blocks("python") + blocks("yaml"):
        (place / re.match(r"# (\S+)", text)[1]).write_text(text)  # type: ignore[index]
    (place / "arch_configs").symlink_to(CHIP.parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        train = next(line for line in blocks("sh")[0].splitlines() if " train " in line)
        done = CliRunner().invoke(app, [*shlex.split(train)[1:], "--quiet"])
    assert done.exit_code == 0, done.output
    return place


@pytest.fixture
def workload(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Workload:
    monkeypatch.setenv("ARCHSIM_CACHE", str(tmp_path))
    return load_workload(folder / "my.yaml")


def test_the_method_is_traced_and_comes_back_from_the_cache(workload: Workload, tmp_path: Path) -> None:
    first, again = trace_of(workload), trace_of(workload)
    assert [(n.name, n.op.kind) for n in first.stochastic_nodes()] == [("noise1", "noisy_threshold")]
    assert again.content_hash() == first.content_hash()
    assert first["sign1"].op.kind == "threshold"
    with pytest.raises(TraceError, match=r"unknown operation 'noisy_threshold'.*'operations' of the workload"):
        load_trace(save_trace(first, tmp_path / "t"))


def test_hardware_equals_torch_bit_for_bit(workload: Workload) -> None:
    agreement = compare_with_torch(load_model(workload), trace_of(workload), workload.data(100).images, 5)
    assert agreement.identical == agreement.answers == 500


def test_the_chip_pays_for_the_noise_and_answers_well(workload: Workload) -> None:
    """Sixteen Gaussians a pass and image; nine of ten digits right after fifteen epochs, chance is one of ten."""
    result = evaluate(CHIP, workload, passes=4, images=100)
    assert result.quality is not None
    assert result.quality.accuracy.value > 0.85
    assert result.quality.mutual_information.value > 0
    counts = {(row.part, row.action): row.count for row in result.energy}
    assert counts["stochastic", "draw"] == 100 * 4 * 16 * GAUSSIAN_BITS
    assert counts["popcount", "count"] == 100 * 4 * 16


@pytest.mark.parametrize("command", blocks("sh")[0].splitlines()[1:])
def test_the_commands_of_the_page_work(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(("operation", "message"), [
    ("mynet:MyNet", "operations: mynet.py: 'MyNet' is not a stochastic operation"),
    ("noisy_threshold:NoisyTreshold", "has no 'NoisyTreshold'; did you mean 'NoisyThreshold'"),
    ("nowhere:Nothing", "operations: there is no 'nowhere.py'"),
    ("no colon", "operations"),
])  # fmt: skip
def test_an_operation_that_is_none_is_named(workload: Workload, operation: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        trace_of(load_workload(workload.path, (f"operations=['{operation}']",)))
