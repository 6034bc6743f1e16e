"""One task: its figures are those of the commands, to the last bit; its keys tell what it depends on."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archsim.cli.app import app
from archsim.config import validate
from archsim.errors import ConfigError
from archsim.metrics.adaptive import StoppingRule, evaluate_adaptive
from archsim.pipeline import deploy, evaluate
from archsim.pipeline.inputs import Inputs
from archsim.study import DesignPoint, StudyConfig, Task
from archsim.study.command import command_of
from archsim.study.evaluator import Evaluator
from archsim.study.keys import tasks_of
from archsim.study.task import Answers
from archsim.workload.data import ImageSet
from archsim.workload.tracefile import save_trace

ROOT = Path(__file__).parents[2]
CHIPS, LOADS = ROOT / "arch_configs", ROOT / "workloads"


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator()


def task(settings=(), *, arch="spatial_spindrop_stt", workload="lenet5_digits", **study) -> Task:
    """Return the task of one point of a study."""
    config = validate(
        StudyConfig,
        {
            "schema": "archsim/study@1", "name": "s", "arch": str(CHIPS / f"{arch}.yaml"),
            "workload": str(LOADS / f"{workload}.yaml"), "passes": 3, "images": 20, **study,
        },
        "s.yaml",
    )  # fmt: skip
    settings = dict(settings)
    return next(tasks_of(config, "s.yaml", [DesignPoint(0, settings, settings)]))


def costs(settings=(), **more) -> Task:
    return task(settings, quality=False, **more)


# --- the same numbers as everywhere else ---

PAIRS = [
    ("spindrop_stt", "mlp_digits"), ("spatial_spindrop_stt", "lenet5_digits"),
    ("spatial_spindrop_sot", "lenet5_digits"), ("digital_read_stt", "lenet5_digits"), ("ideal", "lenet5_digits"),
    ("isaac_like", "cnn_digits_4bit"), ("scale_dropout_sot", "lenet5_digits_scale"),
    ("inverted_norm_sot", "lenet5_digits_affine"), ("subset_vi_sot", "lenet5_digits_subset"),
    ("spatial_spindrop_sot_varied", "lenet5_digits"), ("spindrop_stt_varied", "mlp_digits"),
    ("spinbayes_sot", "lenet5_digits_spinbayes"), ("neuspin_sot", "lenet5_digits"),
]  # fmt: skip
LARGE = [
    ("spatial_spindrop_sot_8x8", "vgg_small_cifar10"), ("neuspin_sot_large", "vgg_small_cifar10"),
    ("scale_dropout_sot_large", "vgg_small_cifar10_scale"), ("spinbayes_sot_large", "vgg_small_cifar10_spinbayes"),
]  # fmt: skip


def reference(result) -> dict[str, float]:
    """Return the figures of a result by the names of a study's columns, read from what `--json` prints."""
    data = result.to_dict()
    energy, area = data["energy_j_per_image"], data["area_m2"]
    same = (
        "latency_s_per_image", "first_pass_s", "pass_interval_s", "image_interval_s", "throughput_images_per_s",
        "programming_s", "power_w", "events",
    )  # fmt: skip
    ends = (("value", ""), ("low", "_low"), ("high", "_high"))
    return {
        **{name: data[name] for name in same},
        **{f"energy_j_per_image{suffix}": energy[end] for end, suffix in ends},
        **{f"area_m2{suffix}": area[end] for end, suffix in ends},
        "leakage_j_per_image": energy["leakage"],
        "energy_on_chip_j_per_image": energy["on_chip"]["value"],
        "memory_bits": data["memory_bits"]["total"],
        "bottleneck_utilisation": data["bottleneck"]["utilisation"],
        **{f"energy_j_per_image.{part}": e["value"] for part, e in energy["by_part"].items()},
        **{f"area_m2.{part}": e["value"] for part, e in area["by_part"].items()},
    }


@pytest.mark.parametrize("schedule", ["pipelined_passes", "pipelined_layers", "layer_by_layer"])
@pytest.mark.parametrize(
    ("arch", "workload"), [*PAIRS, *(pytest.param(*pair, marks=pytest.mark.slow) for pair in LARGE)]
)
def test_costs_are_those_of_evaluate_to_the_last_bit(evaluator, arch, workload, schedule):
    roomy = {"global_buffer.capacity": "1 MiB", "schedule": schedule, "grain": "map"}
    point = costs(roomy, arch=arch, workload=workload)
    outcome = evaluator.outcome(point)
    result = evaluate(
        point.arch, point.workload, passes=3, images=20, schedule=schedule, grain="map", function=False,
        overrides=["global_buffer.capacity=1 MiB"],
    )  # fmt: skip
    assert outcome.error == ""
    known = dict(outcome.figures)
    assert known.pop("crossbars") > 0
    assert known == reference(result)
    assert (outcome.texts["arch"], outcome.texts["bottleneck"]) == (result.arch, result.bottleneck.name)


def test_every_chip_that_ships_is_among_them():
    shipped = {f.stem for f in CHIPS.glob("*.yaml")} - {f.stem for f in CHIPS.glob("components_*.yaml")}
    assert shipped == {arch for arch, _ in (*PAIRS, *LARGE)}


@pytest.mark.parametrize(
    ("arch", "workload"),
    [("spatial_spindrop_stt", "lenet5_digits"), ("spindrop_stt_varied", "mlp_digits"), ("neuspin_sot", "gap_affine")],
)
def test_quality_is_that_of_evaluate_to_the_last_bit(evaluator, arch, workload):
    point = task({"seed": 3, "chip": 2}, arch=arch, workload=workload)
    outcome = evaluator.outcome(point)
    result = evaluate(point.arch, point.workload, passes=3, images=20, seed=3, chip_sample=2)
    assert outcome.error == ""
    for name, estimate in result.quality.estimates():
        found = [outcome.figures[name + end] for end in ("", "_low", "_high")]
        assert found == [estimate.value, estimate.low, estimate.high], name
    assert outcome.figures["energy_j_per_image"] == result.energy_j_per_image.value
    assert outcome.texts["tiers"] == "+".join(sorted(set(result.tiers.values())))
    assert outcome.function == evaluator.function_key(point)


def test_a_chip_that_is_reprogrammed(evaluator):
    small = {"organisation": {"columns": 1, "rows": 1, "crossbars_per_core": 2}, "mapping.overflow": "reprogram"}
    point = costs({**small, "memory": {"kind": "lpddr4"}, "global_buffer.capacity": "1 MiB"}, images=2)
    outcome = evaluator.outcome(point)
    result = evaluate(point.arch, point.workload, passes=3, images=2, function=False, overrides=point.overrides)
    assert outcome.error == ""
    assert outcome.figures["programming_s"] == result.to_dict()["programming_s"] > 0
    assert outcome.figures["energy_j_per_image"] == result.energy_j_per_image.value


def test_a_trace_file_gives_the_figures_of_its_workload(evaluator, tmp_path):
    inputs = Inputs()
    file = save_trace(inputs.trace(inputs.source(LOADS / "lenet5_digits.yaml")), tmp_path / "t.safetensors")
    from_trace = evaluator.outcome(costs({"workload": str(file)}))
    assert from_trace.figures == evaluator.outcome(costs()).figures
    answered = evaluator.outcome(task({"workload": str(file)}))
    assert "does not say which data set" in answered.error


def test_without_labels_there_are_costs_and_no_quality(evaluator, monkeypatch):
    monkeypatch.setattr(ImageSet, "labelled", False)
    found = evaluator.answers(task({"seed": 9}))
    assert (found.images, dict(found.figures)) == (20, {})
    stopped = evaluator.answers(task({"seed": 9, "stopping": "margin 0.5"}, passes=6))
    assert set(stopped.figures) == {"mean_passes", "mean_passes_low", "mean_passes_high"}
    assert sum(stopped.histogram.values()) == pytest.approx(1)
    assert evaluator.outcome(task({"seed": 9}), found).figures["energy_j_per_image"] > 0


def test_a_regression_has_its_own_figures_and_no_stopping_rules(evaluator):
    outcome = evaluator.outcome(task(arch="neuspin_sot", workload="gap_affine", ood=["uniform_noise"]))
    assert outcome.error == ""
    assert {"rmse", "nll", "auroc.uniform_noise"} <= outcome.figures.keys()
    refused = evaluator.outcome(task({"stopping": "curtailed"}, arch="neuspin_sot", workload="gap_affine", passes=8))
    assert "a regression has no classes" in refused.error


def test_stored_answers_serve_as_well_as_fresh_ones(evaluator):
    point = task()
    stored = Answers.from_dict(json.loads(json.dumps(evaluator.answers(point).to_dict())))
    assert strip(Evaluator().outcome(point, stored)) == strip(evaluator.outcome(point))


def strip(outcome):
    return replace(outcome, seconds=0.0)


# --- what goes wrong ---


def test_a_point_that_cannot_be_is_an_outcome(evaluator):
    outcome = evaluator.outcome(costs({"crossbar.rows": 100_000}))
    assert "crossbar.rows" in outcome.error
    assert (outcome.figures, outcome.trace) == ({}, "")
    assert "\n" not in evaluator.outcome(costs({"converter.bits": 99, "clock": "3 V"})).error


def test_a_fault_of_archsim_is_kept_with_its_trace(evaluator, monkeypatch):
    monkeypatch.setattr("archsim.study.evaluator.costs_of", lambda *_: 1 / 0)
    outcome = evaluator.outcome(costs())
    assert outcome.error.startswith("ZeroDivisionError")
    assert "Traceback" in outcome.trace


def test_a_task_whose_files_have_changed_is_refused(tmp_path):
    arch = tmp_path / "arch.yaml"
    arch.write_text((CHIPS / "spatial_spindrop_stt.yaml").read_text().replace("base: ", f"base: {CHIPS}/"))
    point = costs({"arch": str(arch)})
    assert Evaluator().outcome(point).error == ""
    arch.write_text(arch.read_text().replace("count: 15", "count: 14"))
    assert "not those that the study was planned with" in Evaluator().outcome(point).error


def test_an_evaluator_that_knows_older_files_reads_them_again(tmp_path):
    arch, evaluator = tmp_path / "arch.yaml", Evaluator()
    text = (CHIPS / "spatial_spindrop_stt.yaml").read_text().replace("base: ", f"base: {CHIPS}/")
    arch.write_text(text)
    before = evaluator.outcome(costs({"arch": str(arch)}))
    arch.write_text(text + "clock: 250 MHz\n")
    after = evaluator.outcome(costs({"arch": str(arch)}))
    assert (before.error, after.error) == ("", "")
    assert after.figures["latency_s_per_image"] > before.figures["latency_s_per_image"]


# --- stopping, unknown images, baselines ---


def test_a_stopping_rule_judges_and_prices_what_it_stops(evaluator):
    at_work = deploy(CHIPS / "spatial_spindrop_stt.yaml", LOADS / "lenet5_digits.yaml", passes=8, images=60)
    logits = at_work.on_chip().answers(at_work.data.images).logits
    expected = evaluate_adaptive(logits, at_work.data.labels, StoppingRule("margin", 0.7))
    every = evaluator.outcome(task(passes=8, images=60)).figures
    stopped = evaluator.outcome(task({"stopping": "margin 0.7"}, passes=8, images=60)).figures
    for name in ("accuracy", "nll", "entropy", "mean_passes"):
        e = getattr(expected, name)
        assert [stopped[name + end] for end in ("", "_low", "_high")] == [e.value, e.low, e.high]
    assert stopped["mean_passes"] < 8
    assert stopped["latency_s_per_image"] < every["latency_s_per_image"]
    assert stopped["energy_j_per_image"] < every["energy_j_per_image"]
    assert math.isnan(stopped["throughput_images_per_s"])
    assert stopped["area_m2"] == every["area_m2"]
    assert "mean_passes" not in every


def test_a_rule_that_can_stop_nothing_fails_its_point_alone(evaluator):
    assert "leave nothing to stop" in evaluator.outcome(task({"stopping": "curtailed"}, passes=2)).error


def test_a_baseline_gives_the_ratios_of_compare(evaluator):
    outcome = evaluator.outcome(costs({"baseline": "modelled:jetson_agx_orin", "schedule": "layer_by_layer"}))
    figures = outcome.figures
    assert figures["latency_gain"] == figures["baseline_latency_s"] / figures["latency_s_per_image"]
    assert figures["latency_gain_low"] < figures["latency_gain"] < figures["latency_gain_high"]
    assert math.isnan(figures["energy_gain"])
    assert figures["baseline_energy_j"] > 0
    assert outcome.texts["refused"].startswith("energy: its energy is that of 'wall'")


# --- the printed command says the same ---

COMMANDS = {
    "costs": costs({"converter.bits": 5, "clock": "400 MHz", "grain": "map"}),
    "library": costs({"library.peripheral.sense_amp.energy": "3 fJ", "images": None, "passes": None}),
    "quality": task({"seed": 2, "chip": 1, "imperfections.cells": "library", "workload.images": 12, "images": None}),
    "stopping": task({"stopping": "margin 0.7", "passes": 6, "schedule": "pipelined_layers"}, ood=["uniform_noise"]),
    "baseline": costs({"baseline": "modelled:h100", "grain": "map"}),
    "unknown images": task(ood=["rotation:90", "uniform_noise"]),
}


@pytest.mark.parametrize("kind", COMMANDS)
def test_the_printed_command_prints_the_same(evaluator, kind):
    point = COMMANDS[kind]
    outcome = evaluator.outcome(point)
    assert outcome.error == ""
    printed = [run(words) for words in command_of(point).split(" && ")]
    for data in printed:
        compare_with_printed(outcome.figures, data)
    assert len(printed) == (2 if kind == "unknown images" else 1)


def run(command: str) -> dict:
    import shlex

    program, *words = shlex.split(command)
    assert program == "archsim"
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def compare_with_printed(figures, data) -> None:
    if data["schema"] == "archsim/comparison@1":
        ratios = {(r["what"], r["role"]): r["value"] for r in data["comparison"]["ratios"]}
        assert figures["latency_gain"] == ratios["latency", "headline"]
        assert figures["throughput_gain"] == ratios["throughput", "headline"]
        data = data["chip"]
    if data["schema"] == "archsim/result@1":
        assert figures["latency_s_per_image"] == data["latency_s_per_image"]
        assert figures["energy_j_per_image_high"] == data["energy_j_per_image"]["high"]
        for name in ("accuracy", "nll", "ece"):
            assert (name in figures) == (name in data)
            assert name not in data or figures[f"{name}_low"] == data[name]["low"]
        return
    unknown = {row["set"]: row["detection"]["entropy"]["auroc"]["value"] for row in data["ood"]}
    if not data["adaptive"]:
        assert figures["auroc.rotation:90"] == unknown["rotation"]
        assert figures["auroc.uniform_noise"] == unknown["uniform_noise"]
        return
    (rule,) = data["adaptive"]
    assert rule["rule"] == "margin 0.7"
    assert figures["mean_passes"] == rule["mean_passes"]["value"]
    assert figures["nll_high"] == rule["nll"]["high"]
    assert figures["latency_s_per_image"] == rule["latency_s_per_image"]
    assert figures["energy_j_per_image_low"] == rule["energy_j_per_image"]["low"]
    assert figures["auroc.uniform_noise"] == rule["auroc_of_entropy"]["uniform_noise"]["value"]


def test_words_with_spaces_are_quoted():
    assert "--set 'clock=400 MHz'" in command_of(COMMANDS["costs"])


def test_a_study_can_name_tasks_only_with_answers_of_a_kind():
    with pytest.raises(ConfigError, match="stopping: needs answers"):
        costs({"stopping": "curtailed"})
    assert asdict(costs())["stopping"] == ""
