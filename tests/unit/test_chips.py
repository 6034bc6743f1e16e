"""Sampled chips through the whole pipeline: reproducible, different from each other, said in every output."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from archsim.cli.app import app
from archsim.errors import ArchsimError, ConfigError
from archsim.metrics.chips import Batch, spread_of
from archsim.pipeline import deploy, evaluate, evaluate_chips, waterfall

ROOT = Path(__file__).parents[2]
VARIED = ROOT / "arch_configs" / "spindrop_stt_varied.yaml"
IDEAL = ROOT / "arch_configs" / "spindrop_stt.yaml"
WORKLOAD = ROOT / "workloads" / "mlp_digits.yaml"
FEW = {"images": 60, "passes": 3}
CELLS = "imperfections.cells.spread=0.3"


@pytest.fixture(scope="module")
def batch() -> Batch:
    return evaluate_chips(VARIED, WORKLOAD, 3, **FEW)


def test_the_first_chip_is_the_one_that_evaluate_takes(batch):
    alone = evaluate(VARIED, WORKLOAD, **FEW)
    assert json.dumps(alone.to_dict()) == json.dumps(batch.result.to_dict())
    second = evaluate(VARIED, WORKLOAD, chip_sample=1, **FEW)
    assert second.quality.nll == batch.qualities[1].nll
    assert second.config_hash != alone.config_hash
    assert second.log.total_ps == alone.log.total_ps


def test_chips_differ_and_come_again(batch):
    again = evaluate_chips(VARIED, WORKLOAD, 3, **FEW)
    assert again.values() == batch.values()
    assert len(set(batch.values()["nll"])) == 3
    other = evaluate_chips(VARIED, WORKLOAD, 1, seed=1, **FEW)
    assert other.values()["nll"][0] not in batch.values()["nll"]


def test_chips_of_a_seed_see_the_same_dropout():
    """Where nothing is drawn for a chip, all chips answer the same: they differ in their devices alone."""
    at_work = deploy(IDEAL, WORKLOAD, **FEW)
    one, other = (at_work.on_chip(n).answers(at_work.data.images).logits for n in (0, 7))
    np.testing.assert_array_equal(one, other)


def test_spreads_by_hand(batch):
    spreads = dict(batch.spreads())
    for name, values in batch.values().items():
        assert spreads[name].mean == pytest.approx(sum(values) / 3)
        assert spreads[name].deviation == pytest.approx(np.std(values, ddof=1))
        assert (spreads[name].low, spreads[name].high) == (min(values), max(values))
    assert spread_of("accuracy", (0.9, 0.7, 0.8)).worst == 1
    assert spread_of("nll", (0.9, 0.7, 0.8)).worst == 0
    assert spread_of("coverage_90", (0.95, 0.7, 0.92)).worst == 1
    assert spread_of("coverage_50", (0.45, 0.6, 0.7)).worst == 2
    assert np.isnan(spread_of("nll", (0.9,)).deviation)


def test_a_result_says_what_is_on_and_how_it_was_computed(batch):
    data = json.loads(json.dumps(batch.to_dict(), allow_nan=False))
    assert set(data["tiers"].values()) == {"conductance"}
    on = {e["path"]: e for e in data["imperfections"]}
    assert on["cells.spread"] == {
        "path": "cells.spread", "value": 0.05, "low": 0.04, "high": 0.08, "unit": "relative", "drawn": "chip",
        "grade": "READ",
    }  # fmt: skip
    assert on["crossbar.ir_drop"]["drawn"] == "read"
    assert data["chips"]["count"] == 3
    assert len(data["chips"]["accuracy"]["values"]) == 3
    ideal = evaluate(IDEAL, WORKLOAD, **FEW).to_dict()
    assert (ideal["imperfections"], set(ideal["tiers"].values())) == ([], {"packed"})
    assert evaluate(VARIED, WORKLOAD, function=False, **FEW).tiers == {}


def test_one_chip_alone_has_no_deviation():
    one = evaluate_chips(VARIED, WORKLOAD, 1, **FEW)
    assert one.to_dict()["chips"]["accuracy"]["deviation"] is None


@pytest.mark.parametrize(("arch", "chips", "words"), [
    (IDEAL, 3, "all chips of 'spindrop_stt' are alike"), (VARIED, 0, "between 1 and"), (VARIED, 10**6, "between 1 and"),
])  # fmt: skip
def test_batches_that_mean_nothing_are_refused(arch, chips, words):
    with pytest.raises(ConfigError, match=words):
        evaluate_chips(arch, WORKLOAD, chips, **FEW)


def test_no_negative_chip():
    with pytest.raises(ArchsimError, match="chip"):
        evaluate(VARIED, WORKLOAD, chip_sample=-1, **FEW)


def test_worse_cells_answer_worse():
    """A spread of 30 % and cells at random cost accuracy; every step of the waterfall adds what it says."""
    good, bad, random = (
        evaluate(IDEAL, WORKLOAD, overrides=[f"imperfections.cells={{{s}}}"], images=200, passes=3).quality.nll.value
        for s in ("spread: 0.05", "spread: 0.5", "stuck_parallel: 0.5, stuck_antiparallel: 0.5")
    )
    assert good < bad < random
    assert random > 2.0, "near ln 10, or worse"


def test_a_waterfall_ends_where_the_chip_is():
    found = waterfall(VARIED, WORKLOAD, 2, **FEW)
    names = [s.name for s in found.steps]
    assert names == [
        "ideal", "converter errors", "cell spread", "read noise", "IR drop", "faults", "age and reads", "random bits",
    ]  # fmt: skip
    assert found.steps[0].quality["nll"].mean == evaluate(IDEAL, WORKLOAD, **FEW).quality.nll.value
    whole = dict(evaluate_chips(VARIED, WORKLOAD, 2, **FEW).spreads())
    assert found.steps[-1].quality == whole
    added = [path for s in found.steps for path in s.added]
    assert sorted(added) == sorted(e.path for e in deploy(VARIED, WORKLOAD).chip.effects.on)
    with pytest.raises(ConfigError, match="no imperfections"):
        waterfall(IDEAL, WORKLOAD, 1, **FEW)


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


COMMON = (VARIED, WORKLOAD, "--images", 40, "--passes", 2)


def test_the_command_prints_the_spread(tmp_path):
    done = run("run", *COMMON, "--chips", 3, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    for words in ("Quality on 3 sampled chips", "Imperfections", "cells.spread", "computed cell by cell", "chip 0"):
        assert words in done.stdout
    chips = pd.read_csv(tmp_path / "out" / "chips.csv")
    assert list(chips["chip"]) == [0, 1, 2]
    stored = json.loads((tmp_path / "out" / "result.json").read_text())
    assert stored["chips"]["nll"]["values"] == pytest.approx(list(chips["nll"]))


def test_the_command_takes_one_chip_of_many():
    found = [json.loads(run("run", *COMMON, "--json", "--chip", n).stdout) for n in (0, 2)]
    assert [f["chip_sample"] for f in found] == [0, 2]
    assert found[0]["nll"] != found[1]["nll"]
    assert "chips" not in found[0]


def test_an_ideal_run_does_not_speak_of_imperfections():
    done = run("run", IDEAL, WORKLOAD, "--images", 20, "--passes", 2)
    assert "mperfection" not in done.stdout
    assert "Quality over 20 images" in done.stdout


@pytest.mark.parametrize(("arguments", "words"), [
    (("run", *COMMON, "--chips", "3", "--costs-only"), "--chips: costs are those of every chip"),
    (("run", IDEAL, WORKLOAD, "--chips", "3"), "are alike"),
    (("waterfall", IDEAL, WORKLOAD, "--chips", "1"), "has no imperfections"),
])  # fmt: skip
def test_mistakes_are_one_line_and_exit_code_2(arguments, words):
    done = run(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_waterfall_command():
    done = run("waterfall", *COMMON, "--chips", 2)
    assert done.exit_code == 0, done.output
    assert "+ cell spread" in done.stdout
    data = json.loads(run("waterfall", *COMMON, "--chips", 2, "--json").stdout)
    assert [s["name"] for s in data["steps"]][:2] == ["ideal", "converter errors"]
