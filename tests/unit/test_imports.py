"""What is loaded when, and what `archsim` offers."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from pathlib import Path

import pytest

import archsim

ROOT = Path(__file__).parents[2]
HEAVY = {
    "matplotlib", "numba", "numpy", "pandas", "pyarrow", "pydantic", "rich", "scipy", "simpy", "sklearn",
    "torch", "yaml",
}  # fmt: skip
COMMANDS = ["run", "evaluate", "compare", "check", "show", "map", "trace", "train", "schema", "list"]
REPORT = """
import json, sys
try:
    {code}
finally:
    print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})), file=sys.stderr)
"""


def loaded_by(code: str, *arguments: str) -> set[str]:
    """Return the packages that a fresh interpreter has loaded after some code."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT.format(code=code), *arguments],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_the_probe_sees_what_is_loaded():
    assert "yaml" in loaded_by("import archsim; archsim.load_arch")


def test_importing_archsim_loads_nothing_heavy():
    assert not loaded_by("import archsim") & HEAVY


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_loads_nothing_heavy(option):
    loaded = loaded_by("import archsim.cli; archsim.cli.main()", option)
    assert "typer" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_loads_no_more_than_typer_itself(command):
    loaded = loaded_by("import archsim.cli; archsim.cli.main()", command, "--help")
    assert not loaded & HEAVY - {"pydantic"}  # typer takes it to convert arguments


def test_a_run_on_a_trace_needs_neither_torch_nor_tables(tmp_path):
    trace = tmp_path / "lenet.safetensors"
    by_tracing = loaded_by(
        "import archsim.cli; archsim.cli.main()", "trace", "workloads/lenet5_digits.yaml", "-o", trace
    )
    assert "torch" in by_tracing or trace.exists()
    chip = "arch_configs/spatial_spindrop_stt.yaml"
    loaded = loaded_by("import archsim.cli; archsim.cli.main()", "run", chip, trace, "--images", "3", "--passes", "2")
    assert {"simpy", "numba"} <= loaded
    assert not loaded & {"torch", "matplotlib", "pandas", "pyarrow", "sklearn"}


def test_every_public_name_is_there_and_documented():
    for name in archsim.__all__:
        assert name in dir(archsim)
        assert getattr(archsim, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="evalute"):
        _ = archsim.evalute


def test_the_example_of_the_docstring_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    done = doctest.testmod(archsim)
    assert done.attempted >= 8
    assert done.failed == 0
