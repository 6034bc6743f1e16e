"""The page on uncertainty names every option, figure, score and rule there is, with their defaults."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from archsim.cli.app import app
from archsim.metrics.adaptive import LEAST, RULES
from archsim.metrics.calibration import ECE_BINS
from archsim.metrics.ood import Detection, PercentileRule, uncertainty_scores
from archsim.metrics.quality import Quality
from archsim.metrics.regression import RegressionQuality

PAGE = (Path(__file__).parents[2] / "docs" / "uncertainty.md").read_text()
LOWER = PAGE.lower().replace("-", " ")


def test_every_option_is_on_the_page_and_the_page_has_no_other():
    helped = CliRunner().invoke(app, ["evaluate", "--help"], terminal_width=200).stdout
    table = PAGE.split("| option |")[1].split("\n\n")[0]
    named = {word for row in table.splitlines() for word in re.findall(r"--[a-z]+", row.split("|")[1])}
    assert named == set(re.findall(r"--[a-z]+", helped)) - {"--help"}


def test_every_figure_and_score_is_defined():
    for kind in (Quality, Detection, RegressionQuality):
        for field in fields(kind):
            if field.type == "Estimate" and field.name not in ("deviation", "model_deviation"):
                assert field.name.replace("_", " ").replace("coverage ", "") in LOWER, field.name
    for score in uncertainty_scores(np.zeros((2, 1, 2))):
        assert f"`{score}`" in PAGE


def test_rules_and_their_numbers_are_those_of_the_code():
    rows = PAGE.split("| rule | boundary")[1].split("\n\n")[0]
    for rule in RULES:
        assert f"`{rule.name}`" in rows or (rule.kind == "margin" and "`margin m`" in rows)
    assert "after two passes at least" in PAGE
    assert LEAST == 2
    assert f"over {ECE_BINS} bins" in PAGE
    default = PercentileRule()
    assert f"{100 * default.level:.0f}th percentile" in PAGE
    assert f"lies below {default.threshold:g}" in PAGE
    assert default.grade in PAGE
