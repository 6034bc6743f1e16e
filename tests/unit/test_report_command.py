"""`archsim report` as a user calls it, and the reports that `--out` leaves."""

from __future__ import annotations

import json
import shlex
import shutil

import pytest
from typer.testing import CliRunner

from archsim.cli.app import app
from tests.conftest import PLAIN, ROOT
from tests.page import parse


def call(*arguments: object):
    """Run a command in this process; an unexpected exception is raised here."""
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def undrawn(monkeypatch):
    """Leave out the plots, which take seconds."""
    monkeypatch.setattr("archsim.report.html.page.plots", lambda _: [])


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_lies_here_and_the_command_says_what_shares_a_column(stored, here, undrawn):
    done = call("report", stored["run"], stored["costs"], stored["evaluation"])
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines() == [
        "report.html",
        f"  run: run {stored['run']}, evaluation {stored['evaluation']}",
        f"  costs: run {stored['costs']}",
    ]
    root = parse((here / "report.html").read_text())
    assert "Side by side" in root.text
    assert [p.name for p in here.iterdir()] == ["report.html"]


def test_a_page_that_is_there_is_not_touched(stored, here, undrawn):
    (here / "report.html").write_text("mine")
    done = call("report", stored["run"])
    assert done.exit_code == 2
    assert done.stderr == "error: output file 'report.html' exists already; remove it or choose another\n"
    assert (here / "report.html").read_text() == "mine"
    assert call("report", stored["run"], "-o", "new/page.html").exit_code == 0
    assert parse((here / "new" / "page.html").read_text()).text


def test_plots_are_written_as_files_if_wanted(stored, here):
    done = call("report", stored["costs"], "-o", "page.html", "--plots", "plots")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "plots: each plot as PNG and SVG"
    names = {f.attributes["id"].removeprefix("plot-") for f in parse((here / "page.html").read_text()).all("figure")}
    assert {p.name for p in (here / "plots").iterdir()} == {f"{n}.{kind}" for n in names for kind in ("png", "svg")}
    assert (here / "plots" / "energy_by_part.png").read_bytes().startswith(b"\x89PNG")
    again = call("report", stored["costs"], "-o", "other.html", "--plots", "plots")
    assert again.exit_code == 2
    assert "output folder 'plots' exists already" in again.stderr
    assert not (here / "other.html").exists()


def test_all_that_is_wrong_is_said_at_once_and_nothing_is_written(stored, here, undrawn):
    stale = shutil.copytree(stored["run"], here / "stale")
    data = json.loads((stale / "result.json").read_text())
    del data["schema"]
    (stale / "result.json").write_text(json.dumps(data))
    done = call("report", "nothing", stored["run"], "stale")
    assert done.exit_code == 2
    assert done.stderr.splitlines() == [
        "error: result 'nothing' does not exist; name a folder that was made with --out",
        "error: stale/result.json: has no schema: another archsim made it; run the command in its manifest.json again",
    ]
    assert {p.name for p in here.iterdir()} == {"stale"}
    assert call("report", stored["run"], stored["run"]).stderr == f"error: report: '{stored['run']}' is named twice\n"
    assert {p.name for p in here.iterdir()} == {"stale"}
    assert call("report").exit_code == 2


@pytest.mark.parametrize("command", ["run", "evaluate"])
def test_out_leaves_a_report_of_what_it_keeps(command, here, undrawn):
    more = ["--costs-only"] if command == "run" else ["--ood", "uniform_noise", "--corruption", "none", "--rotation", 0]
    done = call(command, *PLAIN, "--images", 10, "--passes", 2, *more, "--out", here / "out")
    assert done.exit_code == 0, done.stderr
    page = (here / "out" / "report.html").read_text()
    assert call("report", here / "out").exit_code == 0
    assert (here / "report.html").read_text() == page


def test_a_report_that_fails_loses_no_result(here, monkeypatch):
    def broken(_):
        raise RuntimeError("a plot went wrong")

    monkeypatch.setattr("archsim.report.html.page.plots", broken)
    with pytest.raises(RuntimeError):
        call("run", *PLAIN, "--images", 5, "--passes", 2, "--costs-only", "--out", here / "out")
    kept = {p.name for p in (here / "out").iterdir()}
    assert {"result.json", "manifest.json", "energy.csv"} <= kept
    assert "report.html" not in kept


def test_the_commands_of_the_documentation_work(here, undrawn):
    """Each as it stands, but of few images; plots only where they are asked for as files."""
    for folder in ("arch_configs", "workloads"):
        (here / folder).symlink_to(ROOT / folder)
    text = (ROOT / "docs" / "reports.md").read_text()
    commands = [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("    archsim ")]
    assert [words[0] for words in commands] == ["run", "evaluate", "run", "report"]
    for words in commands:
        few = [] if words[0] == "report" else ["--images", 20, "--passes", 4]
        done = call(*words, *few)
        assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines() == [
        "both.html",
        "  spatial_spindrop_stt: run small, evaluation judged",
        "  spindrop_stt: run other",
        "plots: each plot as PNG and SVG",
    ]
