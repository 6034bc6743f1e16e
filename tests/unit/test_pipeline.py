"""The pipeline as a whole: reproducible, the same from a file or an object, honest about what it was not given."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from archsim.errors import ConfigError, DataError
from archsim.metrics.result import Result
from archsim.pipeline import evaluate
from archsim.workload.cache import trace_of
from archsim.workload.spec import load_workload
from archsim.workload.tracefile import save_trace

ROOT = Path(__file__).parents[2]
ARCH = ROOT / "arch_configs" / "spatial_spindrop_stt.yaml"
WORKLOAD = ROOT / "workloads" / "lenet5_digits.yaml"


@pytest.fixture(scope="module")
def result() -> Result:
    return evaluate(ARCH, WORKLOAD, images=60, passes=5)


def test_the_same_seed_gives_the_same_result(result: Result) -> None:
    again = evaluate(ARCH, WORKLOAD, images=60, passes=5)
    assert json.dumps(again.to_dict()) == json.dumps(result.to_dict())


def test_another_seed_changes_answers_but_not_time(result: Result) -> None:
    other = evaluate(ARCH, WORKLOAD, images=60, passes=5, seed=1)
    assert other.to_dict()["nll"] != result.to_dict()["nll"]
    assert other.log.total_ps == result.log.total_ps
    assert other.config_hash != result.config_hash


def test_the_bits_drawn_in_time_are_the_bits_drawn_in_function(result: Result) -> None:
    drawn = {op.layer: op.units for op in result.log.operations if op.name == "draw"}
    assert drawn == {"conv2": 60 * 5 * 6, "fc1": 60 * 5 * 16, "fc2": 60 * 5 * 120, "fc3": 60 * 5 * 84}


def test_costs_alone_come_near_the_measured_ones(result: Result) -> None:
    alone = evaluate(ARCH, WORKLOAD, images=60, passes=5, function=False)
    assert alone.quality is None
    assert "accuracy" not in alone.to_dict()
    assert alone.log.total_ps == result.log.total_ps
    assert alone.energy_j_per_image.value == pytest.approx(result.energy_j_per_image.value, rel=0.02, abs=0)


def test_keys_promised_to_scripts(result: Result) -> None:
    data = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    for key in ("latency_s_per_image", "throughput_images_per_s", "events", "seed", "config_hash"):
        assert key in data
    for key in ("energy_j_per_image", "area_m2"):
        assert {"value", "low", "high", "by_part"} <= data[key].keys()
    for key in ("accuracy", "nll", "ece", "brier", "entropy", "mutual_information"):
        assert data[key]["low"] <= data[key]["value"] <= data[key]["high"]
    assert data["memory_bits"]["total"] > 0


def test_latency_is_a_fill_and_intervals(result: Result) -> None:
    log = result.log
    assert abs(log.latency_ps - (log.first_pass_ps + 4 * log.pass_interval_ps)) < 0.05 * log.latency_ps
    assert result.throughput_images_per_s == pytest.approx(1e12 / log.image_interval_ps, abs=0)


def test_a_trace_file_stands_for_its_workload(tmp_path: Path) -> None:
    trace = trace_of(load_workload(WORKLOAD))
    path = save_trace(trace, tmp_path / "lenet.trace")
    cost = evaluate(ARCH, path, images=4, passes=3, function=False)
    assert cost.log.total_ps == evaluate(ARCH, WORKLOAD, images=4, passes=3, function=False).log.total_ps


def test_a_trace_without_data_says_so(tmp_path: Path) -> None:
    trace = trace_of(load_workload(WORKLOAD))
    bare = type(trace)(trace.name, trace.input_shape, trace.nodes)
    path = save_trace(bare, tmp_path / "bare.trace")
    with pytest.raises(DataError, match="which data set"):
        evaluate(ARCH, path, images=4, passes=3)


@pytest.mark.parametrize("wrong", [{"passes": 0}, {"images": 0}, {"schedule": "sometimes"}, {"grain": "sand"}])
def test_wrong_numbers_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        evaluate(ARCH, WORKLOAD, **({"images": 2, "passes": 2} | wrong))  # type: ignore[arg-type]


def test_a_converter_with_fewer_bits_changes_answers() -> None:
    exact = evaluate(ARCH, WORKLOAD, images=40, passes=3)
    coarse = evaluate(ARCH, WORKLOAD, images=40, passes=3, overrides=["converter.bits=2"])
    assert not np.array_equal(
        exact.quality.prediction.probabilities,  # type: ignore[union-attr]
        coarse.quality.prediction.probabilities,  # type: ignore[union-attr]
    )


@pytest.mark.parametrize("schedule", ["pipelined_passes", "layer_by_layer"])
@pytest.mark.parametrize("grain", ["position", "row", "map"])
def test_the_critical_path_adds_up_to_the_latency_of_one_pass(schedule: str, grain: str) -> None:
    one = evaluate(ARCH, WORKLOAD, images=1, passes=1, schedule=schedule, grain=grain, function=False)
    assert sum(step.seconds for step in one.critical_path) == pytest.approx(one.latency_s_per_image, rel=1e-9, abs=0)
    layers = {step.layer for step in one.critical_path}
    assert {"conv2", "fc1", "fc2", "fc3"} <= layers
    transit = sum(s.seconds for s in one.critical_path if s.operation == "in transit")
    share = 0.1 if schedule == "pipelined_passes" else 0.25  # layer by layer every chunk comes over the mesh twice
    assert transit < share * one.latency_s_per_image


def test_all_images_are_taken_by_default_and_more_are_refused() -> None:
    by_default = evaluate(ARCH, ROOT / "workloads" / "mlp_digits.yaml", passes=1)
    assert by_default.log.images == 360
    with pytest.raises(DataError, match="360 test images, 361 were asked for"):
        evaluate(ARCH, WORKLOAD, images=361, passes=1)


def test_a_result_shows_itself_in_a_line(result: Result) -> None:
    assert repr(result).startswith("<Result: lenet5_digits on spatial_spindrop_stt, 60 images x 5 passes: ")
    assert f"accuracy {result.quality.accuracy.value:.4f}" in repr(result)  # type: ignore[union-attr]
    assert "us and " in repr(result)


def test_a_reprogrammed_chip_without_memory_is_doubted() -> None:
    small = ["organisation={columns: 1, rows: 1, crossbars_per_core: 3}", "mapping.overflow=reprogram"]
    doubted = evaluate(ARCH, WORKLOAD, images=2, passes=2, function=False, overrides=small)
    assert any("no modelled cost" in w for w in doubted.warnings)
    sound = evaluate(ARCH, WORKLOAD, images=2, passes=2, function=False, overrides=[*small, "memory={kind: lpddr4}"])
    assert not any("no modelled cost" in w for w in sound.warnings)
    assert sound.log.programming_ps > 0
    assert sound.energy_by("part")["memory"].value > 0
