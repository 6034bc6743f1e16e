"""Sweeps that are killed, interrupted, run twice at once or lose workers find what an undisturbed one finds."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from archsim.cli.app import app
from tests.sweeps import (
    AXES,
    NETWORK,
    assert_same,
    done_in,
    frame,
    functions_in,
    kill_all,
    started,
    study,
    swept,
    until,
    workers_of,
)

CLOCKS = [f"{mhz} MHz" for mhz in range(100, 900, 50)]
POINTS = 4 * len(CLOCKS)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A study of 64 points and 4 functions, and its results from one process."""
    folder = tmp_path_factory.mktemp("undisturbed")
    file = study(folder, axes=AXES | {"clock": CLOCKS})
    arguments = ["sweep", file, "--out", folder / "all", "--workers", 1, "--json", "--no-page"]
    done = CliRunner().invoke(app, [*map(str, arguments)])
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["evaluated"] == POINTS
    return file, folder / "all"


def test_killed_twice_and_run_again(undisturbed, tmp_path):
    file, whole = undisturbed
    arguments = (file, "--out", tmp_path / "s", "--workers", 1)
    before = 0
    for _ in range(2):
        with started(tmp_path, *arguments) as process:
            until(lambda goal=before + 3: done_in(tmp_path / "s") > goal)
            kill_all(process)
        assert before < done_in(tmp_path / "s") < POINTS
        before = done_in(tmp_path / "s")
    data = json.loads(swept(tmp_path, *arguments, "--json").stdout)
    assert (data["done"], data["evaluated"]) == (POINTS, POINTS - before)
    assert functions_in(tmp_path / "s") == 4
    assert_same(tmp_path / "s", whole)


def test_a_dask_cluster_of_two_that_loses_a_worker_midway(undisturbed, tmp_path):
    file, whole = undisturbed
    with started(tmp_path, file, "--out", tmp_path / "s", "--scheduler", "local", "--workers", 2, "--json") as process:
        until(lambda: done_in(tmp_path / "s") > 3)
        workers_of(process)[0].send_signal(signal.SIGKILL)
        out, err = process.communicate()
    assert process.returncode == 0, err
    data = json.loads(out)
    assert (data["done"], data["failed"], data["functions"]) == (POINTS, 0, 4)
    assert "Traceback" not in err
    assert_same(tmp_path / "s", whole)


@pytest.mark.slow
def test_killed_again_and_again_at_random_times_with_two_workers(undisturbed, tmp_path):
    file, whole = undisturbed
    rng, kills = random.Random(1), 0
    arguments = (file, "--out", tmp_path / "s", "--workers", 2)
    while done_in(tmp_path / "s") < POINTS:
        with started(tmp_path, *arguments) as process:
            goal = done_in(tmp_path / "s") + rng.randrange(12)
            until(lambda goal=goal: done_in(tmp_path / "s") >= goal or process.poll() is not None)
            kills += process.poll() is None
            kill_all(process)
    assert kills >= 5
    assert swept(tmp_path, *arguments).returncode == 0
    assert_same(tmp_path / "s", whole)


@pytest.mark.slow
def test_an_interrupt_ends_it_at_once_and_the_same_command_goes_on(undisturbed, tmp_path):
    file, whole = undisturbed
    arguments = (file, "--out", tmp_path / "s", "--workers", 2)
    with started(tmp_path, *arguments) as process:
        until(lambda: done_in(tmp_path / "s") > 3)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: all of them hear it
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out == ""
    said = re.search(r"^interrupted: (\d+) of 64 points done; go on with: archsim sweep .*--no-page$", err, re.M)
    assert said is not None, err
    assert 3 < int(said[1]) == done_in(tmp_path / "s") < POINTS
    assert "Traceback" not in err
    assert swept(tmp_path, *arguments).returncode == 0
    assert_same(tmp_path / "s", whole)


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_nothing(undisturbed, tmp_path):
    file, whole = undisturbed
    with started(tmp_path, file, "--out", tmp_path / "s", "--workers", 2, "--json") as process:
        for goal in (3, 30):
            until(lambda goal=goal: done_in(tmp_path / "s") > goal)
            workers_of(process)[-1].send_signal(signal.SIGKILL)
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert json.loads(out)["failed"] == 0
    assert_same(tmp_path / "s", whole)


@pytest.mark.slow
def test_two_sweeps_on_one_folder_share_the_work(undisturbed, tmp_path):
    file, whole = undisturbed
    arguments = (file, "--out", tmp_path / "s", "--workers", 1, "--json")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with started(tmp_path / "a", *arguments) as one, started(tmp_path / "b", *arguments) as two:
        told = [json.loads(each.communicate()[0]) for each in (one, two)]
    assert one.returncode == two.returncode == 0
    assert sum(data["evaluated"] for data in told) == POINTS
    assert all(data["evaluated"] > 0 for data in told)
    assert functions_in(tmp_path / "s") == 4
    assert_same(tmp_path / "s", whole)


@pytest.mark.slow
def test_shards_and_the_order_of_points_change_nothing(undisturbed, tmp_path):
    file, whole = undisturbed
    for i in (3, 1, 2):
        assert swept(tmp_path, file, "--out", tmp_path / "s", "--shard", f"{i}/3", "--workers", 1).returncode == 0
    assert_same(tmp_path / "s", whole)


@pytest.mark.slow
def test_a_point_that_kills_every_worker_is_recorded_and_the_rest_is_done(tmp_path, monkeypatch):
    package = tmp_path / "deadly"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "net.py").write_text("import os\n\nos._exit(9)\n\n\nclass Net: ...\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    good = Path(study(tmp_path)).parent / "deadly.yaml"
    good.write_text(
        "schema: archsim/workload@1\nname: deadly\ndescription: kills who imports it\nmodel: deadly.net:Net\n"
        "checkpoint: null\ndataset: {name: digits}\npasses: 2\nimages: 10\ntraining: {epochs: 1}\n"
    )
    axes = {"workload": [str(NETWORK), str(good)], "clock": ["250 MHz", "1 GHz"]}
    file = study(tmp_path, axes=axes, derive={})
    done = swept(tmp_path, file, "--out", tmp_path / "s", "--workers", 2, "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert (data["done"], data["failed"]) == (4, 2)
    assert "the worker died 3 times" in data["failures"][0]["error"]
    assert frame(tmp_path / "s")["nll"].notna().sum() == 2


# --- clusters ---


@contextmanager
def scheduler(folder: Path):
    """Run a Dask scheduler with two workers, each a process of its own; gives its address and its process."""
    where = folder / "scheduler.json"
    with (folder / "log").open("w") as log:
        command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard", "--port", "0"]
        host = ["--host", "127.0.0.1", "--scheduler-file", str(where)]
        head = subprocess.Popen(command + host, stdout=log, stderr=log)
        until(lambda: where.exists() and where.read_text().strip().endswith("}"))
        join = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(where), "--nthreads", "1"]
        hands = [
            subprocess.Popen([*join, "--no-dashboard", "--no-nanny"], stdout=log, stderr=log, cwd=folder)
            for _ in range(2)
        ]
        try:
            yield json.loads(where.read_text())["address"], head
        finally:
            for each in (head, *hands):
                each.kill()
                each.wait()


@pytest.mark.slow
def test_a_scheduler_at_an_address_that_is_lost_says_how_to_go_on(undisturbed, tmp_path):
    file, whole = undisturbed
    with scheduler(tmp_path) as (address, head):
        with started(tmp_path, file, "--out", tmp_path / "s", "--scheduler", address) as process:
            until(lambda: done_in(tmp_path / "s") > 3)
            head.kill()
            _, err = process.communicate(timeout=60)
        assert process.returncode == 2, err
        said = rf"^error: the Dask scheduler at {address} was lost; \d+ of 64 points done; go on with: archsim sweep"
        assert re.search(said, err, re.M), err
        assert "Traceback" not in err
    assert 3 < done_in(tmp_path / "s") < POINTS
    assert swept(tmp_path, file, "--out", tmp_path / "s", "--workers", 1).returncode == 0
    assert_same(tmp_path / "s", whole)


SBATCH = """#!/bin/sh
copy=$(mktemp {log}.XXXXXX)
cp "$1" "$copy"
setsid sh "$copy" > {log} 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
for job in "$@"; do kill -TERM -- "-$job" 2>/dev/null; done
exit 0
"""


@pytest.mark.slow
def test_jobs_of_a_slurm_machine(undisturbed, tmp_path, monkeypatch):
    file, whole = undisturbed
    commands, settings = tmp_path / "bin", tmp_path / "dask"
    for folder in (commands, settings):
        folder.mkdir()
    for name, script in (("sbatch", SBATCH), ("scancel", SCANCEL), ("squeue", "#!/bin/sh\n")):
        (commands / name).write_text(script.replace("{log}", str(tmp_path / "job.log")))
        (commands / name).chmod(0o755)
    (settings / "jobqueue.yaml").write_text(
        "jobqueue:\n  slurm:\n    cores: 1\n    memory: 2GB\n    processes: 1\n    interface: lo\n"
    )
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DASK_CONFIG", str(settings))
    done = swept(tmp_path, file, "--out", tmp_path / "s", "--scheduler", "slurm", "--workers", 2, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["failed"] == 0
    assert_same(tmp_path / "s", whole)
    until(lambda: not [p for p in psutil.process_iter() if _is_of(p, tmp_path)])


def _is_of(process: psutil.Process, folder: Path) -> bool:
    """Tell whether a process that lives was started as a job of the fake SLURM machine."""
    try:
        words = process.cmdline()
        return "distributed.cli.dask_worker" in words and process.environ().get("DASK_CONFIG", "").startswith(
            str(folder)
        )
    except psutil.Error:
        return False
