"""`archsim search`: what it finds, how it goes on, and what it refuses."""

from __future__ import annotations

import json
import sqlite3

import pytest
from typer.testing import CliRunner

from archsim.cli.app import app
from archsim.study.pareto import front
from tests.sweeps import ROOT, assert_same, frame, kill_all, started, study, until

CHIP_VARIED = ROOT / "arch_configs" / "spatial_spindrop_sot_varied.yaml"
GOALS = {"energy_j_per_image": "min", "latency_s_per_image": "min", "area_m2": "min"}
LARGE = {
    "crossbar.rows": [64, 128], "converter.bits": "3..7", "clock": ["250 MHz", "500 MHz", "1 GHz"],
    "converter.columns_per_converter": [4, 8, 16], "schedule": ["pipelined_layers", "pipelined_passes"],
}  # fmt: skip


def search(*arguments):
    return CliRunner().invoke(app, ["search", *map(str, arguments)])


def found(*arguments):
    done = search(*arguments, "--workers", 1, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def searched(folder, **more):
    return study(folder, **({"quality": False, "axes": LARGE, "search": {"trials": 24, "batch": 6}} | more))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A search of 24 of 180 chips, and the folder of what it found."""
    folder = tmp_path_factory.mktemp("search")
    file = searched(folder)
    return file, folder / "all", found(file, "--out", folder / "all")


def test_a_search_stores_points_like_a_sweep(undisturbed):
    _, folder, told = undisturbed
    points = frame(folder)
    assert list(points.index) == list(range(24))
    assert not points.duplicated(["clock_hz", *(path for path in LARGE if path != "clock")]).any()
    best = front(points, GOALS)
    assert [p["point"] for p in told["front"]] == list(best.index)
    assert told["front"][0]["command"].startswith("archsim run ")
    assert (told["points"], told["done"], told["evaluated"], told["failed"]) == (24, 24, 24, 0)
    assert told["search"]["tried"] == told["search"]["points"] == 24
    assert told["search"]["front"] == len(best)
    assert 0 < told["search"]["hypervolume"] < 1
    assert told["objectives"] == GOALS
    shown = CliRunner().invoke(app, ["pareto", str(folder), "--json"])
    assert [p["point"] for p in json.loads(shown.stdout)["front"]] == list(best.index)


def test_the_end_is_told(undisturbed):
    file, folder, _ = undisturbed
    done = search(file, "--out", folder, "--workers", 1)
    text = " ".join(done.stdout.split())
    assert done.exit_code == 0
    assert "tried 24 of 24 candidates, nsga2 with seed 0, 6 at a time" in text
    assert "evaluated now 0 in" in text  # all of it was there
    assert f"archsim pareto {folder}" in text
    assert "hypervolume 0." in text
    assert "24 of 24 tried, front of" in done.stderr


def test_a_search_with_enough_trials_finds_the_front_of_the_whole_grid(tmp_path):
    more = {"axes": {k: v for k, v in LARGE.items() if k not in ("schedule", "crossbar.rows")}, "derive": {}}
    told = found(searched(tmp_path / "a", **more, search={"trials": 200, "batch": 16}), "--out", tmp_path / "found")
    assert told["search"]["tried"] == 45  # all of them, each once
    file = study(tmp_path / "b", quality=False, **more)
    assert (
        CliRunner().invoke(app, ["sweep", str(file), "--out", str(tmp_path / "grid"), "--workers", "1"]).exit_code == 0
    )
    axes = ["converter.bits", "clock_hz", "converter.columns_per_converter"]
    best = (front(frame(tmp_path / name), GOALS)[[*axes, *GOALS]] for name in ("found", "grid"))
    one, other = (rows.sort_values(axes).reset_index(drop=True) for rows in best)
    assert one.equals(other)


# --- going on ---


def test_more_trials_go_on_where_fewer_ended(undisturbed, tmp_path):
    file, folder, _ = undisturbed
    assert found(file, "--out", tmp_path / "s", "--trials", 9)["evaluated"] == 9
    refused = search(file, "--out", tmp_path / "s", "--workers", 1)
    assert refused.exit_code == 2
    assert "--resume" in refused.stderr
    told = found(file, "--out", tmp_path / "s", "--resume")
    assert (told["points"], told["evaluated"]) == (24, 15)
    assert_same(folder, tmp_path / "s")


@pytest.mark.slow
def test_a_search_that_was_killed_goes_on_as_if_undisturbed(undisturbed, tmp_path):
    file, folder, _ = undisturbed
    with started(tmp_path, file, "--out", tmp_path / "s", "--workers", 2, command="search") as process:
        until(lambda: outcomes(tmp_path / "s") >= 8, "the search")
        kill_all(process)
    assert 8 <= outcomes(tmp_path / "s") < 24
    assert found(file, "--out", tmp_path / "s")["done"] == 24
    assert_same(folder, tmp_path / "s")


def outcomes(folder):
    if not (folder / "study.sqlite").exists():
        return 0
    with sqlite3.connect(f"file:{folder / 'study.sqlite'}?mode=ro", uri=True) as database:
        try:
            return database.execute("SELECT count(*) FROM outcomes").fetchone()[0]
        except sqlite3.OperationalError:  # not yet made
            return 0


# --- what is left out, fails, or is averaged ---


def test_points_that_fail_are_told_as_failures(tmp_path):
    small = {"converter.lsb_cells": None, "organisation.rows": 1, "organisation.columns": 1}
    axes = {"crossbar.rows": [64, 128], "organisation.crossbars_per_core": [1, 64], "clock": ["250 MHz", "1 GHz"]}
    file = searched(tmp_path, axes=axes, overrides=small)
    told = found(file, "--out", tmp_path / "s")
    assert told["search"]["failed"] == told["failed"] == len(told["failures"]) * told["failures"][0]["points"] > 0
    assert told["search"]["tried"] == 8
    assert told["search"]["front"] > 0


def test_where_all_points_fail_the_commonest_error_is_what_is_said(tmp_path):
    small = {"organisation.rows": 1, "organisation.columns": 1, "organisation.crossbars_per_core": 1}
    done = search(searched(tmp_path, overrides=small), "--out", tmp_path / "s", "--workers", 1)
    assert done.exit_code == 2
    assert "error: all 24 points failed" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_candidate_is_averaged_over_sampled_chips(tmp_path):
    axes = {"converter.bits": [4, 6], "chip": [0, 1, 2]}
    file = study(
        tmp_path, axes=axes, average=["chip"], objectives={"nll": "min"}, search={"trials": 9, "batch": 4},
        arch=str(CHIP_VARIED), derive={},
    )  # fmt: skip
    told = found(file, "--out", tmp_path / "s")
    assert (told["search"]["tried"], told["search"]["points"]) == (2, 6)
    points = frame(tmp_path / "s")
    assert points["chip"].tolist() == [0, 1, 2, 0, 1, 2]
    means = points.groupby("converter.bits")["nll"].mean()
    assert told["front"][0]["converter.bits"] == means.idxmin()
    assert told["front"][0]["nll"] == pytest.approx(means.min())


# --- before anything runs ---


def test_a_dry_run_writes_nothing_and_tells_what_is_tried_first(undisturbed, tmp_path, monkeypatch):
    _, folder, _ = undisturbed
    monkeypatch.chdir(tmp_path)
    file = searched(tmp_path)
    told = json.loads(search(file, "--dry-run", "--json").stdout)
    assert (told["trials"], told["points"], len(told["first"])) == (24, 24, 6)
    rows = frame(folder)["crossbar.rows"]
    assert [p["values"]["crossbar.rows"] for p in told["first"]] == rows[:6].tolist()
    assert told["seconds"]["at_least"] > 0
    text = " ".join(search(file, "--dry-run", "--workers", 2).stdout.split())
    assert "a search of 24 points" in text
    assert "with 2 workers" in text
    assert [p.name for p in tmp_path.iterdir()] == ["study.yaml"]


@pytest.mark.parametrize(
    ("more", "arguments", "said"),
    [
        ({"search": None}, [], "has no `search`"),
        ({}, ["--trials", "0"], "Invalid value for '--trials'"),
        ({}, ["--set", "search.sampler=nsga3"], "did you mean 'nsga2'"),
        ({"objectives": {"energy_per_image": "min"}}, [], "did you mean 'energy_j_per_image'"),
        ({"limits": {"accuracy": {"at_least": 0.9}}}, [], "`quality: false` leaves it out"),
        ({"axes": {"clok": ["1 GHz"]}}, [], "clok"),
        ({}, ["--workers", "0"], "--workers 0"),
        ({}, ["--scheduler", "nowhere"], "expected tcp://host:port"),
        ({}, ["--resume"], "resume"),
    ],
)
def test_what_cannot_be_searched_is_said_before_anything_is_written(tmp_path, monkeypatch, more, arguments, said):
    monkeypatch.chdir(tmp_path)
    done = search(searched(tmp_path, **more), *arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["study.yaml"]


def test_a_study_without_a_search_may_be_given_trials(tmp_path):
    told = found(searched(tmp_path, search=None), "--out", tmp_path / "s", "--trials", 3)
    assert told["search"]["tried"] == 3
