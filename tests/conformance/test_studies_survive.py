"""Each study that ships, on fewer images: killed, run again, on a Dask cluster that loses a worker; always the same."""

from __future__ import annotations

import json
import random
import signal
from pathlib import Path

import pytest

from tests.data import needs_mnist
from tests.sweeps import ROOT, assert_same, done_in, kill_all, started, swept, until, workers_of

KILLS = 3
FEWER = {
    "crossbar_adc": ("images=10", "axes.chip=[0]", "axes.converter.columns_per_converter=[8, 32]"),
    "passes": ("images=20",),
    "dropout_modules": ("images=1",),
    "imperfect_chips": ("images=10", "axes.chip=[0]"),
    "method_chip": ("images=10",),
}
pytestmark = [pytest.mark.slow, needs_mnist]


@pytest.fixture(scope="module", params=FEWER)
def undisturbed(request, tmp_path_factory):
    """A study with its settings, and its results from two workers that nothing disturbs."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    settings = [word for setting in FEWER[request.param] for word in ("--set", setting)]
    arguments = (ROOT / "studies" / f"{request.param}.yaml", *settings)
    done = swept(folder, *arguments, "--out", folder / "all", "--workers", 2, "--json")
    assert done.returncode == 0, done.stderr
    return arguments, folder / "all", json.loads(done.stdout)


def test_killed_several_times_and_run_again(undisturbed, tmp_path):
    arguments, whole, told = undisturbed
    rng, out = random.Random(2), tmp_path / "s"
    for _ in range(KILLS):
        with started(tmp_path, *arguments, "--out", out, "--workers", 2) as process:
            goal = done_in(out) + rng.randrange(told["points"] // (2 * KILLS))
            until(lambda goal=goal: done_in(out) > goal)
            kill_all(process)
    before = done_in(out)
    assert 0 < before < told["points"]
    again = json.loads(swept(tmp_path, *arguments, "--out", out, "--workers", 2, "--json").stdout)
    assert again["evaluated"] < told["evaluated"]
    assert (again["done"], again["failed"], again["functions"]) == (told["done"], told["failed"], told["functions"])
    assert_same(out, whole)


def test_on_a_dask_cluster_of_two_that_loses_a_worker(undisturbed, tmp_path):
    arguments, whole, told = undisturbed
    out = tmp_path / "s"
    with started(tmp_path, *arguments, "--out", out, "--scheduler", "local", "--workers", 2, "--json") as process:
        until(lambda: done_in(out) > told["points"] // 10)
        workers_of(process)[0].send_signal(signal.SIGKILL)
        said, err = process.communicate()
    assert process.returncode == 0, err
    data = json.loads(said)
    assert (data["done"], data["failed"], data["functions"]) == (told["done"], told["failed"], told["functions"])
    assert_same(out, whole)
