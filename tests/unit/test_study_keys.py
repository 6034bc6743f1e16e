"""Keys: equal for equal outcomes, other for whatever may change one; function keys: blind to time, and to it alone."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from archsim.config import validate
from archsim.config.yaml_file import load_text
from archsim.errors import ConfigError
from archsim.study import DesignPoint, StudyConfig, Task
from archsim.study.evaluator import Evaluator
from archsim.study.keys import Keys, tasks_of
from archsim.study.settings import run_setting, text_of

ROOT = Path(__file__).parents[2]
CHIPS, LOADS = ROOT / "arch_configs", ROOT / "workloads"


def study(**more) -> StudyConfig:
    plain = {
        "schema": "archsim/study@1", "name": "s", "arch": str(CHIPS / "spatial_spindrop_stt.yaml"),
        "workload": str(LOADS / "lenet5_digits.yaml"), "passes": 3, "images": 12, "quality": False,
    }  # fmt: skip
    return validate(StudyConfig, {**plain, **more}, "s.yaml")


def tasks(*points, **more) -> list[Task]:
    """Return the task of each of some points, given by their settings."""
    return list(tasks_of(study(**more), "s.yaml", [DesignPoint(i, p, p) for i, p in enumerate(points)]))


def key(settings=(), **more) -> str:
    return tasks(dict(settings), **more)[0].key


# --- keys ---


def test_the_order_of_settings_does_not_matter():
    one, other = {"clock": "400 MHz", "converter.bits": 5}, {"converter.bits": 5, "clock": "400 MHz"}
    assert key(one) == key(other)
    assert key(one) == key({"converter.bits": 5}, overrides={"clock": "400 MHz"})


def test_whatever_may_change_an_outcome_changes_the_key(tmp_path):
    library = tmp_path / "lib.yaml"
    library.write_text((CHIPS / "components_28nm.yaml").read_text().replace("value: 6 fJ", "value: 7 fJ", 1))
    found = [
        key(), key({"clock": "400 MHz"}), key({"clock": "401 MHz"}), key({"passes": 4}), key({"images": 13}),
        key({"seed": 1}), key({"chip": 1}), key({"grain": "map"}), key({"schedule": "layer_by_layer"}),
        key({"workload": str(LOADS / "mlp_digits.yaml")}), key({"arch": str(CHIPS / "spindrop_stt.yaml")}),
        key({"library.peripheral.sense_amp.energy": "3 fJ"}), key({"library": str(library)}),
        key({"baseline": "modelled:h100"}), key({"baseline": "modelled:a100"}), key(quality=True),
        key({"stopping": "curtailed"}, quality=True), key({"workload.images": 7}), key({"chip": 2}),
        key(quality=True, ood=["uniform_noise"]),
    ]  # fmt: skip
    assert len(set(found)) == len(found)


def test_content_counts_not_names(tmp_path):
    copy = tmp_path / "another_name.yaml"
    copy.write_text((CHIPS / "spatial_spindrop_stt.yaml").read_text().replace("base: ", f"base: {CHIPS}/"))
    assert key({"arch": str(copy), "library": str(CHIPS / "components_28nm.yaml")}) == key(
        {"library": str(CHIPS / "components_28nm.yaml")}
    )
    copy.write_text(copy.read_text() + "\nclock: 499 MHz\n")
    assert key({"arch": str(copy)}) != key()


def test_the_test_images_count_where_answers_are_computed(monkeypatch, tmp_path):
    gap = {"workload": str(LOADS / "gap_affine.yaml")}
    before = key(gap, quality=True), key(gap)
    from archsim.workload.data import loading

    original = loading.DATASETS["gap"].read

    def moved(split, count):
        from dataclasses import replace

        raw = original(split, count)
        return replace(raw, answers=raw.answers + 1e-3)

    monkeypatch.setattr(type(loading.DATASETS["gap"]), "read", property(lambda _: moved), raising=False)
    assert key(gap, quality=True) != before[0]
    assert key(gap) == before[1]


def test_a_network_that_cannot_be_read_has_a_key_all_the_same():
    broken = tasks({"workload.passes": "many"})[0]
    assert len(broken.key) == 64
    assert "passes" in Evaluator().outcome(broken).error


def test_points_are_cheap():
    many = [{"converter.bits": b, "clock": f"{c} MHz"} for b in (4, 5) for c in range(300, 500)]
    tasks(*many[:2])
    config, keys = study(), [DesignPoint(i, p, p) for i, p in enumerate(many)]
    best = min(_seconds(lambda: list(tasks_of(config, "s.yaml", keys))) for _ in range(3))
    assert best / len(many) < 1e-3  # 50 us on an idle machine, and the first point reads all files


def _seconds(work) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


# --- settings ---


@pytest.mark.parametrize(
    "value",
    [5, -3, 0.1, 1e-12, 1e22, True, None, "5", "true", "400 MHz", "3 fJ", "a: b", "#x", "", " x", "a=b", "x\ny", "-",
     "null", "0x10", "12:30", [1, 2], ["a", "1"], {"kind": "adc", "bits": 5}, "µ", "!tag", "*a", "1e5", "~", "...",
     "---", "- a", "a #b", "a:", "C:/x"],
)  # fmt: skip
def test_values_read_back_as_they_were(value):
    found = load_text(text_of(value, "here"), "here")
    assert (found, type(found)) == (value, type(value))


def test_plain_values_are_written_plainly():
    assert [text_of(v, "") for v in (5, "400 MHz", 0.5, "pipelined_passes")] == [
        "5", "400 MHz", "0.5", "pipelined_passes",
    ]  # fmt: skip


def test_what_cannot_be_written_is_refused():
    with pytest.raises(ConfigError, match="here: 'nan' cannot be written"):
        text_of(float("nan"), "here")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"passes": 0}, "s.yaml: passes: expected a whole number of at least 1, got 0"),
        ({"passes": 2.5}, "passes: expected a whole number"),
        ({"images": True}, "images: expected a whole number"),
        ({"seed": -1}, "seed: expected a whole number of at least 0"),
        ({"schedule": "pipelined"}, "schedule: 'pipelined' is not one of"),
        ({"grain": "rows"}, "did you mean 'row'"),
        ({"baseline": "measured:cpu"}, "measure once"),
        ({"baseline": "published"}, "is not one platform"),
        ({"baseline": "modelled:jetson_orin"}, "no modelled GPU 'jetson_orin'; did you mean"),
        ({"baseline": "modelled:h100@nothing"}, "baseline: "),
        ({"baseline": "recorded:x"}, "did you mean 'record'"),
        ({"arch": "nowhere.yaml"}, "arch: there is no file"),
        ({"workload": 3}, "workload: expected the name of a file, got 3"),
    ],
)
def test_wrong_settings_of_the_run_name_their_place(settings, says):
    with pytest.raises(ConfigError) as error:
        tasks(settings)
    assert says in str(error.value)


def test_stopping_rules_are_read_with_their_nearest_name():
    assert run_setting("stopping", "margin 0.80", "") == "margin 0.8"
    assert [run_setting("stopping", v, "") for v in ("none", "", None)] == ["", "", ""]
    for text, says in (("hoefding 0.05", "did you mean 'hoeffding'"), ("margin", "needs a bound"),
                       ("margin x", "expected a kind and a number"), ("curtailed 1", "takes no bound")):  # fmt: skip
        with pytest.raises(ConfigError, match=says):
            run_setting("stopping", text, "stopping")


# --- function keys ---

TIMING = {
    "clock": "400 MHz", "schedule": "layer_by_layer", "grain": "map", "interconnect.kind": "bus",
    "input_buffer.capacity": "8 KiB", "converter.columns_per_converter": 16, "stochastic.count": 30,
    "stochastic.kind": "lfsr", "supply": "0.85 V", "corner": "silicon_like", "mapping.replication": "none",
    "library.peripheral.sense_amp.energy": "3 fJ", "baseline": "modelled:h100", "chip": 1, "converter.bits": 6,
    "crossbar.columns": 64, "crossbar.rows": 64, "digital.lanes": 8,
}  # fmt: skip


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator()


def function(evaluator, settings=(), **more) -> str:
    return evaluator.function_key(tasks(dict(settings), quality=True, **more)[0])


@pytest.mark.parametrize("path", TIMING)
def test_timing_leaves_the_function_key(evaluator, path):
    assert function(evaluator, {path: TIMING[path]}) == function(evaluator)


ANSWERS = {
    "passes": 4, "images": 13, "seed": 1, "converter.bits": 3, "stopping": "margin 0.9",
    "workload": str(LOADS / "mlp_digits.yaml"), "imperfections.cells": "library",
    "imperfections.converter": "library", "imperfections.random_bits.correlation": 0.1,
    "imperfections.cells.read_noise": 0.01, "imperfections.random_bits.trim_error": 0.02,
}  # fmt: skip


def test_what_changes_answers_changes_the_function_key(evaluator):
    found = [function(evaluator, {path: value}) for path, value in ANSWERS.items()]
    found += [function(evaluator), function(evaluator, ood=["uniform_noise"]), function(evaluator, ood=["rotation:90"])]
    assert len(set(found)) == len(found)


def test_a_rule_that_cannot_stop_a_chip_has_answers_of_its_own(evaluator):
    small = {"organisation": {"columns": 1, "rows": 1, "crossbars_per_core": 2}, "mapping.overflow": "reprogram"}
    small |= {"memory": {"kind": "lpddr4"}, "global_buffer.capacity": "1 MiB"}
    assert function(evaluator, small) == function(evaluator)
    rule = {"stopping": "curtailed"}
    assert function(evaluator, {**small, **rule}) != function(evaluator, rule)
    refused = evaluator.outcome(tasks({**small, **rule}, quality=True, passes=8)[0])
    assert "does not fit the chip at once" in refused.error


VARIED = {"imperfections.cells": "library", "imperfections.converter": "library", "converter.bits": 3}
MODULES = {"imperfections.random_bits.trim_error": 0.05}


@pytest.mark.parametrize(
    ("base", "settings"),
    [
        (VARIED, {"chip": 1}), (VARIED, {"crossbar.columns": 64}), (VARIED, {"temperature": "330 K"}),
        (VARIED, {"crossbar.rows": 64}), (VARIED, {"crossbar.read_voltage": "0.12 V"}),
        (VARIED, {"converter.columns_per_converter": 16}),
        (VARIED, {"library.devices.stt_mtj.TMR0": 1.2}), (MODULES, {"stochastic.count": 30}),
    ],
)  # fmt: skip
def test_on_imperfect_chips_layout_and_device_count(evaluator, base, settings):
    assert function(evaluator, {**base, **settings}) != function(evaluator, base)


PLACES = (
    {}, TIMING, VARIED, {**VARIED, "clock": "400 MHz", "interconnect.kind": "htree"}, {**VARIED, "chip": 1},
    {"converter.bits": 3}, {"converter.bits": 3, "crossbar.columns": 32},
    {"converter.bits": 3, "crossbar.rows": 64}, {"converter.bits": 3, "crossbar.rows": 36}, {"crossbar.rows": 36},
    MODULES, {**MODULES, "clock": "300 MHz"}, {**MODULES, "stochastic.count": 8},
    {"imperfections.cells.read_noise": 0.02}, {"imperfections.cells.read_noise": 0.02, "crossbar.columns": 64},
    {"converter.bits": 2, "crossbar.parallel_rows": 4}, {"crossbar.parallel_rows": 4}, {"crossbar.parallel_rows": 5},
)  # fmt: skip


def test_equal_function_keys_mean_equal_answers_and_counts(evaluator):
    """Every pair of designs: where the key is equal so are scores and counts; keys that differ need not."""
    found: dict[str, list] = {}
    for task in tasks(*PLACES, quality=True):
        fresh = Evaluator()
        fresh.inputs, fresh.keys = evaluator.inputs, evaluator.keys
        answers = fresh.answers(task)
        logits = next(iter(fresh._runs._kept.values())).logits
        found.setdefault(evaluator.function_key(task), []).append((logits, answers))
    assert sum(len(same) > 1 for same in found.values()) >= 4
    assert len(found) >= 9
    for same in found.values():
        for logits, answers in same[1:]:
            np.testing.assert_array_equal(logits, same[0][0])
            assert (answers.activity, answers.figures) == (same[0][1].activity, same[0][1].figures)


def test_keys_do_not_depend_on_the_process():
    assert Keys().key(tasks({})[0]) == tasks({})[0].key
