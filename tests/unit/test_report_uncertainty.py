"""The report says what the findings say, in lines that fit a terminal; its tables hold every figure."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from archsim.report.uncertainty import uncertainty_report
from archsim.report.uncertainty_tables import uncertainty_tables
from archsim.uncertainty import evaluate_uncertainty
from archsim.workload.trace import Affine
from tests.networks import Net

ROOT = Path(__file__).parents[2]
CHIP = ROOT / "arch_configs" / "spatial_spindrop_stt.yaml"


@pytest.fixture(scope="module")
def found():
    """An untrained network on the digits: the report is the same for it."""
    net = Net((1, 8, 8), bits=2).conv("conv1", 8, 3).sign("s1").dropout("d1").flatten().linear("fc1", 10)
    net.put("scale", Affine(np.full(10, 0.2, np.float32), np.zeros(10, np.float32)), (10,))
    return evaluate_uncertainty(
        CHIP, replace(net.trace(), meta={"dataset": {"name": "digits"}}), passes=8, images=60, adaptive=True,
        ood=["uniform_noise", "blur:5"], corruptions=["blur", "salt_pepper"], rotation_step=60,
    )  # fmt: skip


@pytest.fixture(scope="module")
def regression():
    net = Net((1,), bits=4, signed=True).linear("fc1", 64).sign("s1").dropout("d1", "element").linear("fc2", 1)
    net.put("scale", Affine(np.full(1, 0.1, np.float32), np.zeros(1, np.float32)), (1,))
    trace = replace(net.trace(), meta={"dataset": {"name": "gap", "preprocessing": "centred"}})
    return evaluate_uncertainty(CHIP, trace, passes=5, images=60, ood=["uniform_noise"])


def text_of(found, width=100):
    console = Console(file=io.StringIO(), width=width, markup=False)
    for part in uncertainty_report(found):
        console.print(part)
    return console.file.getvalue()


def section(text, title):
    """Return the lines of a section by their first word."""
    return {line.strip().split("  ")[0]: line for line in body(text, title).splitlines() if line.strip()}


def body(text, title):
    return text.split(title)[1].split("\n\n")[0]


@pytest.mark.parametrize("width", [80, 100])
def test_lines_fit_and_no_number_is_cut(found, regression, width):
    for each in (found, regression, replace(found, per_chip=(found, found))):
        text = text_of(each, width)
        assert max(map(len, text.splitlines())) <= width
        assert "…" not in text
    for a in found.adaptive:
        assert f"{a.effort.energy_j.value * 1e9:.3g} nJ" in text_of(found, width)


def test_the_test_set_comes_with_its_intervals(found):
    accuracy = found.test.figures["accuracy"]
    line = next(line for line in text_of(found).splitlines() if line.strip().startswith("accuracy"))
    assert f"{100 * accuracy.value:.1f} %" in line
    assert f"{100 * accuracy.low:.1f} % to {100 * accuracy.high:.1f} %" in line


def test_unknown_sets_show_every_score(found):
    text = text_of(found)
    part = body(text, "Unknown images")
    assert part.index("uniform_noise") < part.index("blur 5")
    for s in found.ood:
        for d in s.detection.values():
            assert f"{d.auroc.value:.3f}" in part
            assert f"{100 * d.detected.value:.1f} %" in part
    flagged = section(text, "Flagged by the papers' rule")
    assert f"{100 * found.test.flagged.value:.1f} %" in flagged["test set (false alarms)"]
    assert "RECALLED" in text


def test_curves_begin_with_the_test_set(found):
    rows = section(text_of(found), "Rotation, degrees")
    assert f"{100 * found.test.figures['accuracy'].value:.1f} %" in rows["0"]
    assert f"{100 * found.rotation[1].figures['accuracy'].value:.1f} %" in rows["120"]
    assert f"{found.rotation[2].figures['nll'].value:.4f}" in rows["180"]


def test_corruptions_by_severity_and_their_means(found):
    text = text_of(found)
    rows = section(text, "Corruptions: accuracy by severity")
    blur = [s.figures["accuracy"].value for s in found.corruptions if s.name == "blur"]
    assert rows["blur"].split()[1::2] == [f"{100 * v:.1f}" for v in blur]
    mean = np.mean([s.figures["entropy"].value for s in found.corruptions if s.severity == 4])
    assert f"{mean:.4f}" in section(text, "Mean over these corruptions")["entropy"]


def test_adaptive_rows_stand_beside_all_and_as_many_passes(found):
    text = text_of(found)
    cost = body(text, "Adaptive Monte-Carlo").splitlines()
    for a in found.adaptive:
        at = next(i for i, line in enumerate(cost) if line.strip().startswith(a.quality.rule.name))
        assert f"{100 * a.energy_share:.0f} %" in cost[at]
        assert cost[at + 1].split()[3] == f"{a.fixed.passes:g}"
    assert f"{found.adaptive[0].in_flight} passes that have begun" in text
    equal = " ".join(body(text, "  not worse  ").split())
    for a in found.adaptive:
        assert (a.quality.rule.name in equal) == (not a.quality.to_full.is_worse)


def test_detection_after_fewer_passes_is_shown_by_set(found):
    rows = section(text_of(found), "how well their entropy still tells")
    for a in found.adaptive:
        expected = [f"{a.effort.auroc[name].value:.3f}" for name in ("uniform_noise", "blur 5")]
        assert rows[a.quality.rule.name].split()[-2:] == expected
    assert found.adaptive[0].full.auroc["blur 5"] == found.ood[1].detection["entropy"].auroc


def test_what_was_not_asked_for_is_not_shown(found):
    bare = replace(found, ood=(), rotation=(), corruptions=(), adaptive=(), reliability=(), selective={})
    text = text_of(bare)
    for word in ("Rotation", "Unknown", "Adaptive", "Corruptions", "Reliability", "Wrong answers"):
        assert word not in text


def test_a_regression_is_in_its_own_words(regression):
    text = text_of(regression)
    assert "rmse" in text
    assert "stated noise" in text
    assert "variance" in text
    assert "accuracy" not in text
    assert "rmse by severity" in text


def test_chips_are_announced(found):
    text = text_of(replace(found, per_chip=(found, found, found)))
    assert "3 sampled chips" in text
    assert "least to largest" in text
    assert "(first chip)" in text


def test_tables_hold_every_figure(found):
    tables = uncertainty_tables(found)
    sets = tables["sets"]
    assert {row["role"] for row in sets} == {"test", "ood", "rotation", "corruption"}
    nll = [r for r in sets if r["figure"] == "nll" and r["set"] == "blur" and r["severity"] == 3]
    assert [r["value"] for r in nll] == [s.figures["nll"].value for s in found.corruptions[2:3]]
    assert len(tables["detection"]) == 6 * 4 * (len(found.sets()) - 1)
    assert len(tables["risk_coverage"]) == 4 * 60
    assert sum(r["share"] for r in tables["passes_taken"]) == pytest.approx(len(found.adaptive))
    assert [r["rule"] for r in tables["adaptive"]] == [a.quality.rule.name for a in found.adaptive]
    for rows in tables.values():
        assert all(row.keys() == rows[0].keys() for row in rows)


def test_tables_of_several_chips_name_the_chip(found):
    tables = uncertainty_tables(replace(found, per_chip=(found, found)))
    assert {row["chip"] for row in tables["sets"]} == {0, 1}


def test_a_regression_has_no_empty_tables(regression):
    assert set(uncertainty_tables(regression)) == {"sets", "detection"}
