"""`archsim pareto` and `archsim report` of a study, through the real commands."""

from __future__ import annotations

import json
import shlex
import sqlite3

import pandas as pd
import pytest
from typer.testing import CliRunner

import archsim
from archsim.cli.app import app
from tests.page import parse, table
from tests.sweeps import study

LIMIT = "latency_s_per_image<={}"


def archsim_command(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def fine(*arguments):
    done = archsim_command(*arguments)
    assert done.exit_code == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study of 12 points, costs alone, one of them unbuildable."""
    place = tmp_path_factory.mktemp("study")
    axes = {"crossbar.rows": [64, 128], "converter.bits": [5, 6], "clock": ["250 MHz", "500 MHz", "1 GHz"]}
    file = study(place, quality=False, axes=axes, keep=["converter.bits == 5 or crossbar.rows == 64"])
    fine("sweep", file, "--out", place / "found", "--workers", 1)
    return place / "found"


def test_the_front_is_that_of_the_stored_points(folder):
    data = json.loads(fine("pareto", folder, "--json").stdout)
    frame = archsim.load_study(folder)
    assert (data["points"], data["done"], data["failed"]) == (9, 9, 0)
    assert data["objectives"] == dict.fromkeys(["energy_j_per_image", "latency_s_per_image", "area_m2"], "min")
    names = list(data["objectives"])
    values = frame[names].to_numpy()
    beaten = [bool(((values <= v).all(axis=1) & (values < v).any(axis=1)).any()) for v in values]
    assert sorted(p["point"] for p in data["front"]) == [n for n, b in zip(frame.index, beaten, strict=True) if not b]
    best = data["best"]["latency_s_per_image"]
    assert best["latency_s_per_image"] == frame["latency_s_per_image"].min()


def test_the_printed_command_makes_the_point_again(folder):
    point = json.loads(fine("pareto", folder, "--json").stdout)["best"]["energy_j_per_image"]
    command = point["command"].split(" ", 1)[1]
    assert command in " ".join(fine("pareto", folder).stdout.split("\n"))
    result = json.loads(fine(*shlex.split(command), "--json").stdout)
    assert result["energy_j_per_image"]["value"] == point["energy_j_per_image"]
    assert result["latency_s_per_image"] == point["latency_s_per_image"]


def test_objectives_limits_and_groups_are_obeyed(folder):
    frame = archsim.load_study(folder)
    middle = frame["latency_s_per_image"].median()
    options = ["--objective", "area_m2=max", "--limit", LIMIT.format(f"{middle * 1e9:.6f} ns"), "--by", "clock"]
    data = json.loads(fine("pareto", folder, "--json", *options).stdout)
    assert all(p["latency_s_per_image"] <= middle * (1 + 1e-6) for p in data["front"])
    assert data["objectives"] == {"area_m2": "max"}
    assert data["limits"]["latency_s_per_image"]["at_most"] == pytest.approx(middle, rel=1e-6)
    clocks = [p["clock_hz"] for p in data["front"]]
    assert len(set(clocks)) == len(clocks) >= 2
    text = fine("pareto", folder, *options).stdout
    assert "Front of clock 1 GHz: 1 point" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--objective", "energy"], "write NAME=min or NAME=max"),
        (["--objective", "area_m2=least"], "'least' is neither min nor max"),
        (["--objective", "energy_per_image=min"], "did you mean 'energy_j_per_image'"),
        (["--limit", "area_m2=1"], "write NAME<=VALUE or NAME>=VALUE"),
        (["--limit", "area_m2<=1 s"], "'area_m2' is in m^2"),
        (["--limit", "area_m2<=big"], "is not a number with a unit"),
        (["--limit", "area_m2<=1", "--limit", "area_m2<=2"], "has such a limit already"),
        (["--limit", "aria_m2<=1"], "did you mean 'area_m2'"),
        (["--by", "crossbar.row"], "did you mean 'crossbar.rows'"),
    ],
)
def test_wrong_input_is_one_line_and_exit_2(folder, options, said):
    done = archsim_command("pareto", folder, *options)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_both_ends_of_a_figure_can_be_limited(folder):
    options = ["--limit", "area_m2<=1", "--limit", "area_m2>=1 um^2"]
    data = json.loads(fine("pareto", folder, "--json", *options).stdout)
    assert data["limits"]["area_m2"] == {"at_most": 1.0, "at_least": pytest.approx(1e-12, rel=1e-9)}


def test_a_folder_without_a_study_is_refused(tmp_path):
    (tmp_path / "result.json").write_text("{}")
    for place in (tmp_path, tmp_path / "nowhere"):
        done = archsim_command("pareto", place)
        assert done.exit_code == 2
        assert done.stderr.startswith("error: ")
        assert "study" in done.stderr


def test_what_is_kept(folder, tmp_path):
    fine("pareto", folder, "--out", tmp_path / "kept", "--json")
    data = json.loads(fine("pareto", folder, "--json").stdout)
    names = {p.name for p in (tmp_path / "kept").iterdir()}
    assert {"front.csv", "front.parquet", "front.png", "front.svg", "parallel.png"} <= names
    assert {n.partition(".")[0] for n in names if n.endswith(".png")} == {
        n.partition(".")[0] for n in names if n.endswith(".svg")
    }
    kept = pd.read_parquet(tmp_path / "kept" / "front.parquet")
    assert kept["point"].tolist() == [p["point"] for p in data["front"]]
    assert kept["energy_j_per_image"].tolist() == [p["energy_j_per_image"] for p in data["front"]]
    again = archsim_command("pareto", folder, "--out", tmp_path / "kept")
    assert again.exit_code == 2
    assert "exists already" in again.stderr


def test_a_study_that_still_runs_shows_what_there_is(folder, tmp_path):
    """A copy of the store, half of whose outcomes are not there yet."""
    (tmp_path / "half").mkdir()
    half = tmp_path / "half" / "study.sqlite"
    with sqlite3.connect(folder / "study.sqlite") as source, sqlite3.connect(half) as copy:
        source.backup(copy)
        copy.execute("DELETE FROM outcomes WHERE rowid % 2 = 0")
    data = json.loads(fine("pareto", tmp_path / "half", "--json").stdout)
    assert 0 < data["done"] < data["points"] == 9
    waiting = data["points"] - data["done"]
    assert f"{waiting} are still to be computed" in fine("pareto", tmp_path / "half").stdout
    fine("report", tmp_path / "half", "--out", tmp_path / "half.html")
    assert f"{waiting} points are still to be computed" in parse((tmp_path / "half.html").read_text()).text


def test_the_page_of_a_study(folder, tmp_path):
    done = fine("report", folder, "--out", tmp_path / "study.html", "--plots", tmp_path / "plots")
    assert "small: 9 of 9 points" in done.stdout
    page = parse((tmp_path / "study.html").read_text())
    data = json.loads(fine("pareto", folder, "--json").stdout)
    assert page.text.count("archsim run ") >= len(data["front"])
    front = table(page, f"Front: {len(data['front'])} points")
    assert len(list(front.all("tr"))) == 1 + len(data["front"])
    asked = table(page, "What was varied: every combination")
    assert asked.row("clock")[1] == "250 MHz, 500 MHz, 1 GHz"
    assert "follows: crossbar.rows" in asked.row("crossbar.parallel_rows")[0]
    points = table(page, "9 points")
    assert len(list(points.all("tr"))) == 10
    assert "archsim.load_study(" in page.text
    figures = {f.attributes["id"] for f in page.all("figure")}
    assert {"plot-front", "plot-parallel", "plot-map_energy_j_per_image"} <= figures
    assert {f"{name.removeprefix('plot-')}.png" for name in figures} <= {p.name for p in (tmp_path / "plots").iterdir()}
    anchors = {a.attributes["href"] for a in page.all("a")}
    assert all(next(page.all(id=anchor[1:]), None) for anchor in anchors)


def test_a_study_has_a_page_of_its_own(folder, tmp_path):
    done = archsim_command("report", folder, tmp_path, "--out", tmp_path / "both.html")
    assert done.exit_code == 2
    assert "name it alone" in done.stderr
    assert not (tmp_path / "both.html").exists()
