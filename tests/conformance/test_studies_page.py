"""The page on studies names every key, option and result that there is, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import archsim
from archsim.cli.app import app
from archsim.config import yaml_text
from archsim.config.yaml_file import load_text
from archsim.report.study.columns import FAMILIES, FIGURES
from archsim.study.expression import _FUNCTIONS
from archsim.study.spec import FILES, SETTINGS, Search, StudyConfig

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "studies.md").read_text()
TEXTS = PAGE.split("Texts:")[1].split(".")[0]


def rows(head: str) -> list[str]:
    return PAGE.split(f"| {head} |")[1].split("\n\n")[0].splitlines()[2:]


def options(command: str) -> set[str]:
    helped = CliRunner().invoke(app, [command, "--help"], terminal_width=200).stdout
    return set(re.findall(r"(?<![\w-])--[a-z-]+", helped)) - {"--help"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The example of the page, run by its command; with everything else that makes columns, on one point of it."""
    folder = tmp_path_factory.mktemp("example")
    text = blocks("yaml")[0].replace("../", f"{ROOT}/")
    (folder / "my_study.yaml").write_text(text)
    full = load_text(text, "page") | {"name": "full", "ood": ["uniform_noise"], "images": 20}
    full["axes"] = {"case": {"stopped": {"stopping": "margin 0.8"}, "compared": {"baseline": "modelled:h100"}}}
    full |= {"derive": {}, "keep": []}
    (folder / "full.yaml").write_text(yaml_text(full))
    for name in ("my_study", "full"):
        places = [str(folder / f"{name}.yaml"), "--out", str(folder / "out" / name)]
        done = CliRunner().invoke(app, ["sweep", *places, "--workers", "1", "--no-page"])
        assert done.exit_code == 0, done.stderr
    return folder


def test_every_key_of_a_study_file_is_on_the_page():
    named = {word for row in rows("key") for word in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    own = set(StudyConfig.model_fields) - {"schema_name", "base"}
    assert named == {name for name in own if name != "schema"}
    assert all(f"`{name}`" in PAGE for name in (*SETTINGS, *FILES, *Search.model_fields))
    formulas = PAGE.split("**Formulas**")[1].split("\n\n")[0]
    assert all(name in formulas for name in _FUNCTIONS)


def test_every_option_is_on_the_page_and_the_page_has_no_other():
    table = {
        word for row in rows("option of `sweep` and `search`") for word in re.findall(r"--[a-z-]+", row.split("|")[1])
    }
    assert table == options("sweep") | options("search")
    reading = PAGE.split("## Reading")[1]
    assert all(option in reading for option in options("pareto"))


def test_every_result_is_on_the_page_and_the_page_has_no_other(example):
    named = {word for row in rows("column") for word in re.findall(r"`([A-Za-z0-9_.]+)`", row.split("|")[1])}
    families = {f"{name}.{member}" for name in FAMILIES for member in ("PART", "SET")} & named
    assert named - families - {"X_std"} == set(FIGURES)
    found: set[str] = set()
    for name in ("my_study", "full"):
        study = archsim.study.tables.read_study(example / "out" / name)
        found |= {re.sub(r"_(low|high)$", "", column) for column in study.figures}
        texts = set(study.frame.columns) - set(study.figures) - set(study.axes)
        assert all(f"`{text}`" in TEXTS for text in texts), texts
    plain = {name for name in found if "." not in name}
    assert plain <= named
    assert plain >= {"accuracy", "mean_passes", "energy_gain", "baseline_latency_s", "programming_s"}
    assert {name.partition(".")[0] for name in found - plain} == set(FAMILIES)


def test_the_example_in_python_runs(example, monkeypatch, capsys):
    monkeypatch.chdir(example)
    exec(blocks("python")[0], {})
    printed = capsys.readouterr().out
    assert "energy_j_per_image" in printed
    assert len(printed.splitlines()) >= 4


def test_commands_of_the_page_are_commands():
    lines = re.findall(r"^    (archsim .*)$", PAGE, re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        words = line.split()
        assert {w for w in words if w.startswith("--")} <= options(words[1]), line
