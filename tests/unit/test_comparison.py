"""A comparison as a whole: the chip as a platform, the network in torch, baselines by name, plain data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import jsonschema
import pytest

import archsim
from archsim.baselines import OperatingPoint, Platform, signature
from archsim.comparison import Comparison, chip_platform, compare, sources
from archsim.comparison.sources import Found, Plan
from archsim.errors import ConfigError, DeviceLostError
from archsim.metrics.intervals import Estimate
from archsim.workload.cache import trace_of
from archsim.workload.spec import load_workload
from archsim.workload.tracefile import save_trace
from tests.platforms import point

ROOT = Path(__file__).parents[2]
CHIP = ROOT / "arch_configs" / "spatial_spindrop_stt.yaml"
WORKLOAD = ROOT / "workloads" / "lenet5_digits.yaml"
QUICK = {"passes": 4, "images": 30}
GPU = "modelled:jetson_agx_orin"


@pytest.fixture(scope="module")
def found() -> Comparison:
    return compare(CHIP, WORKLOAD, [GPU, "record:spindrop"], batches=(1, 8), rate=100.0, **QUICK)


@pytest.fixture(scope="module")
def trace():
    return trace_of(load_workload(WORKLOAD))


# --- the chip as a platform ---


def test_the_chip_is_its_result(found):
    result, chip = found.result, found.platforms[0]
    alone = archsim.evaluate(CHIP, WORKLOAD, **QUICK)
    assert json.dumps(result.to_dict()) == json.dumps(alone.to_dict())
    one = chip.points[0]
    assert (chip.origin, chip.boundary, one.mode, one.passes) == ("simulated", "chip", "on_chip", 4)
    assert one.latency_s.value == one.latency_s.low == one.latency_s.high == result.latency_s_per_image
    assert "not carried through" in one.latency_s.method
    assert 1 / one.seconds_per_image == pytest.approx(result.throughput_images_per_s)
    assert one.energy_j == result.energy_on_chip


def test_energy_of_the_chip_is_dynamic_and_leakage(found):
    one, log = found.chip.points[0], found.result.log
    leaked = one.idle_w.value * log.total_ps * 1e-12 / log.images
    assert one.dynamic_j.value + leaked == pytest.approx(one.energy_j.value, rel=1e-9, abs=0)
    assert leaked == pytest.approx(found.result.leakage_j_per_image.value, rel=1e-9, abs=0)
    assert any("leaks all the time" in note for note in found.chip.notes)


def test_images_that_come_together_follow_each_other_through_the_chip(found):
    one, eight = found.chip.points
    interval = found.result.log.image_interval_ps * 1e-12
    assert eight.batch == 8
    assert eight.latency_s.value == pytest.approx(one.latency_s.value + 7 * interval)
    assert eight.energy_j == one.energy_j


def test_sources_of_the_chip_account_for_all_its_energy(found):
    shares = {s.grade: float(s.text.partition(" %")[0]) for s in found.chip.sources}
    assert sum(shares.values()) == pytest.approx(100, abs=0.3)
    assert {"ASSUMED", "DERIVED"} <= shares.keys()


def test_off_chip_memory_lies_outside_the_boundary(trace):
    result = archsim.evaluate(
        ROOT / "arch_configs" / "spatial_spindrop_sot_8x8.yaml", trace, passes=2, images=2, function=False
    )
    platform = chip_platform(result, trace)
    outside = result.energy_j_per_image.value - result.energy_on_chip.value
    assert outside > 0
    one = platform.points[0]
    assert one.energy_j.value < result.energy_j_per_image.value
    assert one.dynamic_j.value < one.energy_j.value
    assert any("off-chip memory" in note and "outside the boundary" in note for note in platform.notes)


def test_a_library_without_leakage_is_pointed_out():
    result = archsim.evaluate(
        ROOT / "arch_configs" / "isaac_like.yaml", ROOT / "workloads" / "cnn_digits_4bit.yaml", passes=1, images=1,
        function=False,
    )  # fmt: skip
    platform = chip_platform(result, trace_of(load_workload(ROOT / "workloads" / "cnn_digits_4bit.yaml")))
    assert platform.points[0].idle_w.value == 0
    assert platform.points[0].precision == "4-bit"
    assert "waiting costs it nothing" in platform.notes[0]


# --- quality on both sides ---


def test_the_same_figures_on_both_sides(found):
    on_chip, in_torch = dict(found.result.quality.estimates()), dict(found.software.quality.estimates())
    assert list(on_chip) == list(in_torch)
    assert in_torch["accuracy"].value > 0.9
    assert abs(on_chip["nll"].value - in_torch["nll"].value) < 0.1


def test_on_ideal_hardware_software_is_no_better_nor_worse():
    """The deterministic network answers bit for bit as torch does, so every figure is the same."""
    deterministic = ROOT / "workloads" / "lenet5_digits_deterministic.yaml"
    ideal = compare(ROOT / "arch_configs" / "ideal.yaml", deterministic, [GPU], passes=1, images=60)
    for (name, here), (_, there) in zip(
        ideal.result.quality.estimates(), ideal.software.quality.estimates(), strict=True
    ):
        assert here.value == pytest.approx(there.value, abs=1e-6), name


def test_a_regression_is_judged_with_the_noise_that_it_states():
    found = compare(
        ROOT / "arch_configs" / "neuspin_sot.yaml", ROOT / "workloads" / "gap_affine.yaml", [GPU], passes=4, images=20
    )
    assert list(dict(found.software.quality.estimates())) == list(dict(found.result.quality.estimates()))
    assert "rmse" in found.to_dict()["comparison"]["software"]


def test_a_trace_has_no_torch_module_but_can_be_compared(trace, tmp_path):
    file = save_trace(trace, tmp_path / "net.safetensors")
    found = compare(CHIP, file, [GPU], function=False, passes=4)
    assert found.software.quality is None
    assert "costs alone" in found.software.missing
    assert found.to_dict()["comparison"]["software"] is None
    with pytest.raises(ConfigError, match="a trace holds no torch module to measure"):
        compare(CHIP, file, ["measured:cpu"], function=False)


def test_uncertainty_is_judged_where_asked_for():
    found = compare(CHIP, WORKLOAD, [GPU], uncertainty=True, **QUICK)
    assert found.uncertainty is not None
    assert found.uncertainty.ood[0].name == "uniform_noise"
    assert (found.uncertainty.rotation, found.uncertainty.corruptions) == ((), ())
    assert found.uncertainty.test.figures["accuracy"].value == found.result.quality.accuracy.value


# --- baselines by name ---


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("modeled:jetson_agx_orin", "did you mean 'modelled'"),
        ("modelled:jetson_agx_orion", "did you mean 'jetson_agx_orin'"),
        ("modelled:jetson_agx_orin@17W", "no power mode '17W'"),
        ("record:spindrip", "did you mean 'spindrop'"),
        ("published:all", "stands alone"),
        ("gpu", "unknown kind 'gpu'"),
        ("measured:tpu", "tpu"),
    ],
)
def test_names_are_checked_before_anything_runs(name, message, monkeypatch):
    def runs(*_, **__):
        raise AssertionError("ran")

    monkeypatch.setattr("archsim.comparison.run.answers_of", runs)
    monkeypatch.setattr("archsim.comparison.run.measured", runs)
    with pytest.raises(archsim.ArchsimError, match=message):
        compare(CHIP, WORKLOAD, [GPU, name], **QUICK)


def test_a_platform_comes_once():
    with pytest.raises(ConfigError, match="there already"):
        compare(CHIP, WORKLOAD, [GPU, GPU], **QUICK)
    with pytest.raises(ConfigError, match="'record:spindrop' is there already"):
        compare(CHIP, WORKLOAD, ["record:spindrop", "published"], **QUICK)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"rate": 0.0}, "rate: images a second must be more than 0"),
        ({"rate": -1.0}, "more than 0, got -1"),
        ({"rate": float("nan")}, "more than 0, got nan"),
        ({"rate": float("inf")}, "more than 0, got inf"),
        ({"batches": (0,)}, "1 to 65536, got 0"),
        ({"batches": (1, 10**9)}, "1 to 65536, got 1000000000"),
        ({"batches": ()}, "got none"),
        ({"allow": ("boundaries",)}, "did you mean 'boundary'"),
    ],
)
def test_terms_that_make_no_sense_are_refused(terms, message):
    with pytest.raises(ConfigError, match=message):
        compare(CHIP, WORKLOAD, [GPU], **QUICK, **terms)


def test_published_rivals_are_all_there():
    found = compare(CHIP, WORKLOAD, ["published"], function=False, **QUICK)
    assert len(found.others) >= 10
    assert all(r.refused for r in found.ratios)
    assert {p.origin for p in found.others} == {"published"}


# --- what is lost midway ---


def measured(points: tuple[OperatingPoint, ...]):
    """Return a `measure` that delivers some points and then loses its device."""

    def measure(workload, target, *, passes, batches, on_start, on_point, **more):
        assert (target, passes, batches) == ("cuda", (4,), (1, 64))
        structure = signature(trace_of(workload))
        on_start(Platform("measured:cuda", "measured", "a GPU", "lenet5", structure, (), "board", notes=("cold",)))
        for p in points:
            on_point(p)
        raise DeviceLostError("the GPU was lost", len(points))

    return measure


def a_gpu_is_here(monkeypatch):
    monkeypatch.setattr("archsim.baselines.measured.check_target", lambda _: None)


def test_a_measurement_that_ends_midway_loses_nothing(monkeypatch):
    a_gpu_is_here(monkeypatch)
    two = (point(1e-3, passes=4), point(9e-3, passes=4, mode="sequential"))
    monkeypatch.setattr("archsim.baselines.measured.measure", measured(two))
    found = compare(CHIP, WORKLOAD, ["measured:cuda", GPU], **QUICK)
    assert found.lost == ("measured:cuda: the GPU was lost",)
    kept, gpu = found.others
    assert (kept.name, kept.points) == ("measured:cuda", two)
    assert (kept.device, kept.boundary) == ("a GPU", "board")
    assert kept.notes == ("cold", "ended midway: the GPU was lost")
    assert gpu.points
    gains = {r.what: r.estimate for r in found.ratios if r.platform == "measured:cuda" and r.role == "headline"}
    assert gains["latency"].value == pytest.approx(1e-3 / found.result.latency_s_per_image)
    assert found.to_dict()["comparison"]["lost"] == list(found.lost)


def test_a_measurement_without_any_point_leaves_the_rest(monkeypatch):
    a_gpu_is_here(monkeypatch)
    monkeypatch.setattr("archsim.baselines.measured.measure", measured(()))
    found = compare(CHIP, WORKLOAD, ["measured:cuda", GPU], **QUICK)
    assert [p.name for p in found.others] == [GPU]
    assert len(found.lost) == 1


def test_a_new_kind_of_baseline_is_one_entry(monkeypatch, trace):
    made = Platform(
        "toy:abacus", "record", "an abacus", "net", signature(trace), (point(60.0, passes=4),), no_energy="-"
    )
    kinds = {**sources.KINDS, "toy": lambda asked: Plan((asked.name,), lambda: Found((made,)))}
    monkeypatch.setattr(sources, "KINDS", MappingProxyType(kinds))
    (ratio, *_) = compare(CHIP, WORKLOAD, ["toy:abacus"], function=False, **QUICK).ratios
    assert ratio.estimate.value > 1e6


# --- plain data ---

ESTIMATE = {
    "type": "object",
    "required": ["value", "low", "high", "method"],
    "properties": {end: {"type": "number"} for end in ("value", "low", "high")},
}
OPTIONAL = {"anyOf": [ESTIMATE, {"type": "null"}]}
NUMBER = {"type": ["number", "null"]}
INDEX = {"type": ["integer", "null"]}
TEXT = {"type": ["string", "null"]}
POINT = {
    "passes": INDEX, "batch": {"type": "integer"}, "mode": TEXT, "software": {"type": "string"},
    "precision": {"type": "string"}, "power_mode": TEXT, "latency_s": OPTIONAL, "images_per_s": NUMBER,
    "energy_j": OPTIONAL, "dynamic_j": OPTIONAL, "idle_w": OPTIONAL, "energy_at_rate_j": OPTIONAL,
    "percentiles": {"type": "object"}, "terms": {"type": "object"},
}  # fmt: skip
HEADLINE = dict.fromkeys(("latency", "throughput", "energy", "energy_at_rate"), INDEX) | dict.fromkeys(
    ("naive_latency", "naive_energy", "naive_energy_at_rate"), INDEX
)
PLATFORM = {
    "name": {"type": "string"}, "origin": {"enum": ["simulated", "measured", "modelled", "record", "published"]},
    "device": {"type": "string"}, "network": {"type": "string"}, "same_network": {"type": "boolean"}, "boundary": TEXT,
    "no_energy": TEXT, "notes": {"type": "array", "items": {"type": "string"}}, "about": {"type": "object"},
    "sources": {"type": "array", "items": {"type": "object", "required": ["text", "grade"]}},
    "points": {"type": "array", "items": {"type": "object", "required": [*POINT], "properties": POINT}},
    "headline": {"type": "object", "required": [*HEADLINE], "properties": HEADLINE},
}  # fmt: skip
RATIO = {
    "platform": {"type": "string"}, "what": {"enum": ["latency", "throughput", "energy", "energy_at_rate"]},
    "role": {"enum": ["headline", "naive"]}, "point": INDEX, "value": NUMBER, "low": NUMBER, "high": NUMBER,
    "refused": TEXT, "boundaries": {"type": "array", "minItems": 2, "maxItems": 2},
}  # fmt: skip


def each(properties):
    return {
        "type": "array",
        "items": {"type": "object", "required": [*properties], "properties": properties, "additionalProperties": False},
    }


SCHEMA = {
    "type": "object",
    "required": ["schema", "chip", "uncertainty", "comparison"],
    "properties": {
        "schema": {"const": "archsim/comparison@1"},
        "chip": {"type": "object", "properties": {"schema": {"const": "archsim/result@1"}}, "required": ["schema"]},
        "comparison": {
            "type": "object",
            "required": ["passes", "rate", "allowed", "software", "platforms", "ratios"],
            "properties": {"platforms": each(PLATFORM), "ratios": each(RATIO)},
        },
    },
}


def test_plain_data_is_what_was_agreed(found):
    data = found.to_dict()
    text = json.dumps(data, allow_nan=False)
    assert json.loads(text) == data
    jsonschema.validate(data, SCHEMA)
    chip, gpu, rival = data["comparison"]["platforms"]
    assert (chip["origin"], chip["same_network"], gpu["same_network"], rival["same_network"]) == (
        "simulated", True, True, False,
    )  # fmt: skip
    assert chip["headline"]["latency"] == 0
    for platform in (chip, gpu):
        best = platform["points"][platform["headline"]["energy_at_rate"]]
        assert best["energy_at_rate_j"]["low"] < best["energy_at_rate_j"]["value"]
    assert {r["what"] for r in data["comparison"]["ratios"]} == {"latency", "throughput", "energy", "energy_at_rate"}


def test_without_a_rate_there_is_no_energy_at_one():
    data = compare(CHIP, WORKLOAD, [GPU], function=False, **QUICK).to_dict()["comparison"]
    assert data["rate"] is None
    assert all(p["energy_at_rate_j"] is None for platform in data["platforms"] for p in platform["points"])


def test_the_same_seed_gives_the_same_comparison(found):
    again = compare(CHIP, WORKLOAD, [GPU, "record:spindrop"], batches=(1, 8), rate=100.0, **QUICK)
    assert json.dumps(again.to_dict()) == json.dumps(found.to_dict())
    assert again.config_hash == found.config_hash
    other = compare(CHIP, WORKLOAD, [GPU], function=False, rate=10.0, **QUICK)
    assert other.config_hash != found.config_hash


def test_its_repr_says_what_was_found(found):
    assert repr(found).startswith("<Comparison: lenet5_digits on spatial_spindrop_stt, 4 passes: ")
    assert "the latency of modelled:jetson_agx_orin" in repr(found)


def test_a_figure_that_is_infinite_is_null(found):
    never = replace(found.chip, points=(replace(found.chip.points[0], energy_j=Estimate(0.0, 0.0, 0.0, "")),))
    gpu = replace(found.others[0], boundary="chip")
    data = replace(found, chip=never, others=(gpu,), terms=replace(found.terms, rate=None)).to_dict()
    ratios = [r for r in data["comparison"]["ratios"] if r["what"] == "energy"]
    assert ratios
    assert all(r["value"] is None and r["refused"] is None for r in ratios)


def test_its_hash_knows_what_the_platforms_take(found):
    gpu, rival = found.others
    assert set(found.config["platforms"]) == {gpu.name, rival.name}
    faster = replace(gpu, points=(replace(gpu.points[0], latency_s=Estimate(1e-9, 1e-9, 1e-9, "")), *gpu.points[1:]))
    assert replace(found, others=(faster, rival)).config_hash != found.config_hash
    measured_here = replace(faster, origin="measured")
    assert gpu.name not in replace(found, others=(measured_here, rival)).config["platforms"]
