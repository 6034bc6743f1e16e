"""Results that several tests read, made once; and what makes the tests fast."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
import typer.testing
from typer.testing import CliRunner

from archsim.cli.app import app

ROOT = Path(__file__).parents[1]
PLAIN = [str(ROOT / "arch_configs" / "spatial_spindrop_stt.yaml"), str(ROOT / "workloads" / "lenet5_digits.yaml")]
VARIED = [
    str(ROOT / "arch_configs" / "spindrop_stt_varied.yaml"), str(ROOT / "workloads" / "lenet5_digits_spindrop.yaml"),
]  # fmt: skip
SIZE = ["--images", "60", "--passes", "4"]
COMMANDS = {
    "run": ["run", *PLAIN, *SIZE],
    "costs": ["run", *PLAIN, *SIZE, "--costs-only", "--set", "converter.bits=5"],
    "chips": ["run", *VARIED, "--images", "20", "--passes", "2", "--chips", "2"],
    "evaluation": [
        "evaluate", *PLAIN, *SIZE, "--ood", "uniform_noise", "--rotation", "90", "--corruption", "noise", "--adaptive",
    ],
    "comparison": [
        "compare", *PLAIN, *SIZE, "--baseline", "modelled:h100", "--baseline", "record:spindrop", "--rate", "100",
    ],
}  # fmt: skip

# Threads of compiled kernels that wait would spin, at the cost of the tests beside them. Read when numba is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# A command line that is called in process is put together once; Typer would do it for each call.
typer.testing._get_command = cache(typer.testing._get_command)  # type: ignore[attr-defined]


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over all that is imported by now: it took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def _kernels(request: pytest.FixtureRequest) -> None:
    """Have each worker compile other kernels first: on a fresh machine each would compile them all, at a time."""
    worker = getattr(request.config, "workerinput", {"workerid": "gw0", "workercount": 1})
    if worker["workercount"] > 1:
        from tests.compiling import compile_share  # loads numba

        compile_share(int(worker["workerid"].removeprefix("gw")), worker["workercount"])


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Return folders by kind as `--out` makes them, without their reports: read them, and change copies alone."""
    folder = tmp_path_factory.mktemp("stored")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHSIM_CACHE", str(folder / "cache"))
        patch.setenv("ARCHSIM_DATA", str(folder / "no_data"))
        for place in ("archsim.cli.comparing.write_report", "archsim.report.html.write_report"):
            patch.setattr(place, _no_report)
        for name, command in COMMANDS.items():
            done = CliRunner().invoke(app, [*command, "--out", str(folder / name)], catch_exceptions=False)
            assert done.exit_code == 0, done.stderr
    return {name: folder / name for name in COMMANDS}


def _no_report(path: Path, *, plots: bool = False) -> None:
    """Do nothing: drawing takes seconds."""
