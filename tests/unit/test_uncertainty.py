"""The evaluation of a network on a chip against its own pieces; chips, regression, one pass, bad input."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from archsim.errors import ConfigError, DataError
from archsim.hardware.arch import load_arch
from archsim.hardware.chip import build_chip
from archsim.metrics.ood import PercentileRule, detections, share_of, uncertainty_scores
from archsim.metrics.quality import evaluate_quality
from archsim.pipeline import deploy
from archsim.uncertainty import evaluate_uncertainty
from archsim.workload.cache import trace_of
from archsim.workload.shifts import shifted
from archsim.workload.spec import load_workload
from archsim.workload.trace import Affine
from tests.networks import Net

ROOT = Path(__file__).parents[2]
IDEAL = ROOT / "arch_configs" / "spatial_spindrop_stt.yaml"
FEW = {"ood": ["uniform_noise", "rotation:90"], "corruptions": ["blur"], "rotation_step": 90}


@pytest.fixture(scope="module")
def lenet(tmp_path_factory):
    workload = load_workload(ROOT / "workloads" / "lenet5_digits.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHSIM_CACHE", str(tmp_path_factory.mktemp("cache")))
        return replace(trace_of(workload), meta={"dataset": {"name": "digits"}})


@pytest.fixture(scope="module")
def regression():
    """A network that knows nothing of the cubic, with dropout."""
    net = Net((1,), bits=4, signed=True).linear("fc1", 64).sign("s1").dropout("d1", "element").linear("fc2", 1)
    made_for = {"dataset": {"name": "gap", "preprocessing": "centred"}}
    return replace(
        net.put("scale", Affine(np.full(1, 0.1, np.float32), np.zeros(1, np.float32)), (1,)).trace(), meta=made_for
    )


@pytest.fixture(scope="module")
def found(lenet):
    return evaluate_uncertainty(IDEAL, lenet, passes=6, images=50, seed=3, adaptive=True, **FEW)


def answers(lenet, images, passes=6, seed=3):
    return deploy(IDEAL, lenet, passes=passes, images=50, seed=seed).on_chip().answers(images).logits


def test_every_set_is_what_its_images_answer(found, lenet):
    known = deploy(IDEAL, lenet, passes=6, images=50, seed=3).data
    logits = answers(lenet, known.images)
    quality = dict(evaluate_quality(logits, known.labels, np.random.default_rng(0)).estimates())
    assert {name: e.value for name, e in found.test.figures.items()} == {name: e.value for name, e in quality.items()}
    blurred = shifted("blur", known, np.random.default_rng([3, 2]), 4)
    there = next(s for s in found.corruptions if s.severity == 4)
    assert there.name == "blur"
    expected = evaluate_quality(answers(lenet, blurred.images), known.labels, np.random.default_rng(0))
    assert there.figures["accuracy"] == expected.accuracy
    assert there.figures["nll"] == expected.nll
    noise = answers(lenet, shifted("uniform_noise", known, np.random.default_rng([3, 2])).images)
    assert found.ood[0].detection == detections(uncertainty_scores(logits), uncertainty_scores(noise))
    assert found.ood[0].flagged == share_of(PercentileRule().flags(noise))


def test_sets_stand_in_their_places(found):
    assert [(s.name, s.severity) for s in found.ood] == [("uniform_noise", None), ("rotation", 90)]
    assert [s.severity for s in found.rotation] == [90, 180]
    assert [(s.name, s.severity) for s in found.corruptions] == [("blur", k) for k in range(1, 6)]
    assert found.sets()[0] is found.test
    assert found.rotation[0].figures == found.ood[1].figures  # the same images, whatever they are asked for


def test_unknown_images_have_no_accuracy_and_shifted_ones_have(found):
    assert "accuracy" not in found.ood[0].figures
    assert found.ood[0].figures["entropy"].value > found.test.figures["entropy"].value
    assert found.ood[0].detection["entropy"].auroc.value > 0.8
    assert found.corruptions[4].figures["accuracy"].high < found.test.figures["accuracy"].low


def test_reliability_and_risk_coverage_belong_to_the_test_set(found):
    wrong = 1 - found.test.figures["accuracy"].value
    assert sum(b.images for b in found.reliability) == found.images == 50
    gap = sum(b.images * abs(b.confidence - b.accuracy.value) for b in found.reliability) / 50
    assert gap == pytest.approx(found.test.figures["ece"].value, rel=1e-9)
    assert [c.at(1.0).value for c in found.selective.values()] == pytest.approx([wrong] * 4)
    assert set(found.selective) == {"entropy", "max_probability", "mutual_information", "percentile"}


def test_the_same_seed_gives_the_same_findings_and_another_seed_others(found, lenet):
    again = evaluate_uncertainty(IDEAL, lenet, passes=6, images=50, seed=3, adaptive=True, **FEW)
    other = evaluate_uncertainty(IDEAL, lenet, passes=6, images=50, seed=4, **FEW)
    assert json.dumps(again.to_dict()) == json.dumps(found.to_dict())
    assert other.test.figures["nll"].value != found.test.figures["nll"].value
    assert other.config_hash != found.config_hash


def test_plain_data_is_json_and_names_its_units(found):
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["percentile_rule"] == {"level": 0.1, "threshold": 0.95, "grade": "RECALLED"}
    assert data["rotation_degrees"][0]["severity"] == 90
    assert data["adaptive"][0]["energy_j_per_image"]["low"] < data["adaptive"][0]["energy_j_per_image"]["value"]
    assert data["ood"][0]["detection"]["entropy"]["auroc"]["value"] <= 1
    assert data["chips"] == 1
    assert "spatial_spindrop_stt, 50 images x 6 passes, 10 sets" in repr(found)


def test_one_pass_says_what_it_cannot_tell(lenet):
    found = evaluate_uncertainty(IDEAL, lenet, passes=1, images=40, **FEW)
    assert set(found.ood[0].detection) == {"entropy", "max_probability"}
    assert found.test.flagged is None
    assert any("one pass" in w and "mutual information and percentile" in w for w in found.warnings)
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_too_few_images_for_the_threshold_are_doubted(lenet):
    found = evaluate_uncertainty(IDEAL, lenet, passes=2, images=36, ood=["uniform_noise"], corruptions=["none"],
                                 rotation_step=0)  # fmt: skip
    assert any("36 images" in w for w in found.warnings)
    assert found.ood[0].detection["entropy"].detected.value == 0
    assert found.to_dict()["ood"][0]["detection"]["entropy"]["threshold"] is None


def test_sampled_chips_give_means_and_ranges(lenet):
    settings = ["imperfections.cells.spread=0.3", "imperfections.cells.stuck_parallel=0.05"]
    chip = build_chip(load_arch(ROOT / "arch_configs" / "spatial_spindrop_sot.yaml", settings))
    several = evaluate_uncertainty(chip, lenet, passes=3, images=40, chips=3, **FEW)
    assert len(several.per_chip) == 3
    values = [one.test.figures["nll"].value for one in several.per_chip]
    pooled = several.test.figures["nll"]
    assert (pooled.value, pooled.low, pooled.high) == (pytest.approx(np.mean(values)), min(values), max(values))
    assert min(values) < max(values)
    first = evaluate_uncertainty(chip, lenet, passes=3, images=40, **FEW)
    assert first.test == several.per_chip[0].test
    areas = [one.ood[0].detection["entropy"].auroc.value for one in several.per_chip]
    assert several.ood[0].detection["entropy"].auroc.value == pytest.approx(np.mean(areas))
    assert len(several.to_dict()["per_chip"]) == 3


def test_regression_has_errors_and_coverage_and_its_own_score(regression):
    found = evaluate_uncertainty(IDEAL, regression, passes=8, images=200, ood=["uniform_noise"])
    assert found.task == "regression"
    assert {"rmse", "nll", "crps", "coverage_50", "coverage_90"} <= found.test.figures.keys()
    # the cubic's noise of 3 in deviations of its targets, on 2 < |x| < 4: the mean of x^6 is (4^7 - 2^7) / 14
    assert found.noise_std == pytest.approx(3 / math.sqrt(16256 / 14 + 9))
    assert set(found.ood[0].detection) == {"model_variance"}
    assert (found.reliability, found.selective, found.rotation) == ((), {}, ())
    assert found.corruptions
    assert json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"chips": 0}, ConfigError, "chips: must be between 1"),
        ({"chips": 2}, ConfigError, "alike"),
        ({"images": 1}, ConfigError, "at least 2 test images"),
        ({"passes": 0}, ConfigError, "passes: must be at least 1"),
        ({"adaptive": True, "passes": 2}, ConfigError, "2 passes leave nothing"),
        ({"ood": ["nosuch"]}, DataError, "unknown shift 'nosuch'"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(lenet, options, error, message):
    with pytest.raises(error, match=message):
        evaluate_uncertainty(IDEAL, lenet, **({"passes": 3, "images": 40} | FEW | options))


def test_a_regression_cannot_stop_early(regression):
    with pytest.raises(ConfigError, match="no classes"):
        evaluate_uncertainty(IDEAL, regression, passes=4, images=20, adaptive=True)
