"""`archsim sweep`: what it prints, what it refuses, and how it ends."""

from __future__ import annotations

import json
import sqlite3
import sys

import pytest
from typer.testing import CliRunner

import archsim
from archsim.cli.app import app
from archsim.cli.following import Pace, duration
from archsim.study.counts import Counts
from archsim.study.progress import Standing
from tests.sweeps import AXES, CHIP, NETWORK, assert_same, frame, study

POINT_0 = (
    "converter.lsb_cells=null", "crossbar.rows=64", "crossbar.parallel_rows=64", "converter.bits=5", "clock=250 MHz",
)  # fmt: skip


def sweep(*arguments):
    return CliRunner().invoke(app, ["sweep", *map(str, arguments), "--no-page"])


def fine(*arguments):
    done = sweep(*arguments)
    assert done.exit_code == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def costs(tmp_path_factory):
    """A study of costs alone, and the folder of its results."""
    folder = tmp_path_factory.mktemp("costs")
    file = study(folder, quality=False)
    done = fine(file, "--out", folder / "all", "--workers", 1)
    return file, folder / "all", done


def test_the_summary_says_what_was_done_and_what_comes_next(costs):
    _, folder, done = costs
    text = " ".join(done.stdout.split())
    assert "Study small: 12 of 12 points" in text
    assert "evaluated now 12 in" in text
    assert f"archsim pareto {folder}" in text
    assert f"archsim report {folder}" in text
    assert "failed" not in text
    assert {p.name for p in folder.iterdir()} >= {"study.sqlite", "points.parquet", "points.csv"}
    found = frame(folder)
    assert len(found) == 12
    assert (found["energy_j_per_image"] > 0).all()


def test_once_more_computes_nothing(costs):
    file, folder, _ = costs
    before = frame(folder)
    data = json.loads(fine(file, "--out", folder, "--workers", 1, "--json").stdout)
    assert (data["points"], data["done"], data["evaluated"], data["failed"]) == (12, 12, 0, 0)
    assert frame(folder).equals(before)


def test_shards_make_the_whole(costs, tmp_path):
    file, folder, _ = costs
    for i in (2, 1):
        fine(file, "--out", tmp_path / "parts", "--workers", 1, "--shard", f"{i}/2")
    assert {p.name for p in (tmp_path / "parts").glob("*.sqlite")} == {"shard-1-of-2.sqlite", "shard-2-of-2.sqlite"}
    assert_same(folder, tmp_path / "parts")


def test_a_changed_study_needs_resume_and_computes_what_is_new(costs, tmp_path):
    file, _, _ = costs
    folder = tmp_path / "s"
    half = study(tmp_path / "half", quality=False, axes=AXES | {"converter.bits": [6]})
    fine(half, "--out", folder, "--workers", 1)
    refused = sweep(file, "--out", folder, "--workers", 1)
    assert refused.exit_code == 2
    assert "--resume" in refused.stderr
    data = json.loads(fine(file, "--out", folder, "--workers", 1, "--resume", "--json").stdout)
    assert (data["points"], data["done"], data["evaluated"]) == (12, 12, 6)
    assert sweep(file, "--out", tmp_path / "none", "--resume").exit_code == 2


def test_points_share_the_functions_of_others_and_settings_apply(tmp_path):
    file = study(tmp_path)
    data = json.loads(fine(file, "--out", tmp_path / "s", "--workers", 1, "--set", "passes=3", "--json").stdout)
    assert (data["points"], data["done"], data["functions"], data["shared"]) == (12, 12, 4, 8)
    found = frame(tmp_path / "s")
    assert set(found.groupby(["crossbar.rows", "converter.bits"])["nll"].nunique()) == {1}
    assert archsim.evaluate(CHIP, NETWORK, passes=3, images=10, overrides=POINT_0).quality.nll.value == found["nll"][0]


def test_a_dry_run_writes_nothing_and_tells_points_functions_and_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = study(tmp_path)
    text = " ".join(fine(file, "--dry-run", "--workers", 2).stdout.split())
    assert "Study small: 12 points" in text
    assert "0 crossbar.rows=64, converter.bits=5, clock=250 MHz, crossbar.parallel_rows=64" in text
    assert "11 crossbar.rows=128, converter.bits=6, clock=1 GHz" in text
    assert "... 6 more" in text
    assert "functional passes 4" in text
    assert "with 2 workers" in text
    data = json.loads(fine(file, "--dry-run", "--shard", "1/2", "--json").stdout)
    assert data["points"] == 6
    assert [p["point"] for p in data["first"]] == [0, 2, 4]
    assert data["functions"] == {"at_least": 4, "at_most": 4}
    assert data["seconds"]["at_least"] > 0
    assert [p.name for p in tmp_path.iterdir()] == ["study.yaml"]


# --- failures ---

SMALL = {"converter.lsb_cells": None, "organisation.rows": 1, "organisation.columns": 1}


def test_some_points_may_fail_and_can_be_run_again(tmp_path):
    axes = {"crossbar.rows": [64, 128], "organisation.crossbars_per_core": [1, 64]}
    file = study(tmp_path, quality=False, axes=axes, overrides=SMALL)
    done = fine(file, "--out", tmp_path / "s", "--workers", 1)
    found = frame(tmp_path / "s")
    failed = 4 - len(found.dropna(subset="energy_j_per_image"))
    assert 1 <= failed <= 3
    text = " ".join(done.stdout.split())
    assert f"failed {failed} points" in text
    assert "Why points failed" in text
    data = json.loads(fine(file, "--out", tmp_path / "s", "--workers", 1, "--json").stdout)
    assert (data["failed"], data["evaluated"]) == (failed, 0)
    assert sum(reason["points"] for reason in data["failures"]) == failed
    again = json.loads(fine(file, "--out", tmp_path / "s", "--workers", 1, "--json", "--retry-failed").stdout)
    assert (again["failed"], again["evaluated"]) == (failed, failed)


def test_where_all_points_fail_the_commonest_error_is_what_is_said(tmp_path):
    file = study(tmp_path, quality=False, overrides=SMALL | {"organisation.crossbars_per_core": 1})
    done = sweep(file, "--out", tmp_path / "s", "--workers", 1)
    assert done.exit_code == 2
    assert "error: all 12 points failed" in done.stderr
    assert "Traceback" not in done.stderr


# --- wrong usage ---


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--workers", "0"], "--workers 0: expected a number from 1"),
        (["--shard", "5/4"], "--shard 5/4: expected i/n with i from 1 to n"),
        (["--shard", "0/4"], "--shard 0/4"),
        (["--shard", "half"], "--shard half"),
        (["--shard", "1/2", "--scheduler", "local"], "a scheduler shares the points out itself"),
        (["--scheduler", "nowhere"], "expected tcp://host:port, local or slurm"),
        (["--scheduler", "tcp://host:1", "--workers", "2"], "has the workers that it has"),
        (["--set", "axes.clok=[1 GHz]"], "clok"),
        (["--set", "sampling.kind=sobl"], "sobl"),
    ],
)
def test_wrong_usage_is_one_clear_error_before_anything_is_written(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    done = sweep(study(tmp_path), *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["study.yaml"]


def test_other_folders_are_left_alone(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("dear")
    assert sweep(study(tmp_path), "--out", other).exit_code == 2
    assert [p.name for p in other.iterdir()] == ["letter.txt"]
    (tmp_path / "db").mkdir()
    with sqlite3.connect(tmp_path / "db" / "study.sqlite") as database:
        database.execute("CREATE TABLE letters (a)")
    done = sweep(study(tmp_path), "--out", tmp_path / "db")
    assert done.exit_code == 2
    assert "is no store of a study" in done.stderr


def test_slurm_without_its_package_or_its_settings(tmp_path, monkeypatch):
    file = study(tmp_path)
    monkeypatch.setenv("DASK_CONFIG", str(tmp_path))
    done = sweep(file, "--out", tmp_path / "s", "--scheduler", "slurm", "--workers", 1)
    assert done.exit_code == 2
    assert "jobqueue.yaml" in done.stderr
    for module in ("dask_jobqueue", "dask_jobqueue.slurm"):
        monkeypatch.setitem(sys.modules, module, None)
    done = sweep(file, "--out", tmp_path / "s", "--scheduler", "slurm", "--workers", 1)
    assert done.exit_code == 2
    assert "pip install archsim[slurm]" in done.stderr


# --- progress ---


def test_the_pace_is_that_of_the_last_minute():
    pace = Pace()

    def standing(done, failed=0, shared=0, workers=1):
        return Standing(Counts(1000, done, failed, 0, 0, shared), workers)

    assert pace.line(standing(100), at=0.0) == "100 of 1 000 points"
    assert pace.line(standing(160), at=60.0) == "160 of 1 000 points, 60 a minute, 14 min left"
    assert "120 a minute, 6 min left" in pace.line(standing(280, failed=2, shared=7), at=120.0)
    assert pace.line(standing(280, 2, 7, workers=0), at=121.0).endswith(
        "2 failed, 7 with answers of others, no worker yet"
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.07, "0.07 s"), (5.4, "5.4 s"), (42, "42 s"), (600, "10 min"), (7200, "2.0 h"), (864000, "10.0 days")],
)
def test_durations(seconds, said):
    assert duration(seconds) == said
