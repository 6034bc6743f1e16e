"""Results on disk and timelines: they hold what the result says, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from archsim.errors import ConfigError
from archsim.hardware.arch import load_arch
from archsim.hardware.chip import build_chip
from archsim.pipeline import evaluate
from archsim.report.export import ResultFolder
from archsim.report.timeline.check import check_timeline
from archsim.report.timeline.recorder import TimelineRecorder
from archsim.report.timeline.writer import TimelineWriter
from archsim.workload.spec import load_workload

ROOT = Path(__file__).parents[2]
CHIP = ROOT / "arch_configs" / "spatial_spindrop_stt.yaml"
OVERSIZED = ("organisation={columns: 1, rows: 1, crossbars_per_core: 4}", "mapping.overflow=reprogram")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Evaluate LeNet-5 on digits, costs alone, with traces cached in a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHSIM_CACHE", str(tmp_path_factory.mktemp("cache")))

        def evaluate_with(overrides=(), **options):
            chip = build_chip(load_arch(CHIP, overrides))
            return evaluate(chip, load_workload(ROOT / "workloads" / "lenet5_digits.yaml"), function=False, **options)

        yield evaluate_with


@pytest.fixture(scope="module")
def result(run):
    return run(images=7, passes=3)


@pytest.fixture(scope="module")
def recorded(run, tmp_path_factory):
    """Run with a recorder; return the result, the summary of its timeline, and the names of its marks."""

    def record(**options):
        path = tmp_path_factory.mktemp("timeline") / "timeline.json"
        with TimelineWriter(path) as writer:
            recorder = TimelineRecorder(writer)
            result = run(recorder=recorder, **options)
            recorder.close(result.log)
        marks = [e["name"] for e in json.loads(path.read_text())["traceEvents"] if e["ph"] == "i"]
        return result, check_timeline(path), marks

    return record


def is_derived(key):
    return key[1].endswith("(derived)")


def test_the_tables_add_up_to_the_result(result, tmp_path):
    with ResultFolder(tmp_path / "out") as folder:
        folder.write(result, ["archsim", "run"])
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "result.json", "manifest.json", "layers.csv", "layers.parquet", "energy.csv", "energy.parquet",
    }  # fmt: skip
    energy = pd.read_parquet(tmp_path / "out" / "energy.parquet")
    assert energy["energy_j"].sum() / result.log.images == pytest.approx(result.energy_j_per_image.value)
    assert energy["energy_high_j"].sum() / result.log.images == pytest.approx(result.energy_j_per_image.high)
    by_part = energy.groupby("part")["energy_j"].sum() / result.log.images
    assert by_part["converter"] == pytest.approx(result.energy_by("part")["converter"].value)
    layers = pd.read_parquet(tmp_path / "out" / "layers.parquet")
    assert list(layers["name"]) == [row.name for row in result.layers]
    for name, table in (("energy", energy), ("layers", layers)):
        again = pd.read_csv(tmp_path / "out" / f"{name}.csv", keep_default_na=False)
        pd.testing.assert_frame_equal(again.astype(table.dtypes), table, check_exact=True)
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == result.to_dict()


def test_every_number_of_a_table_says_its_unit(result, tmp_path):
    with ResultFolder(tmp_path / "out") as folder:
        folder.write(result, [])
    pure = {
        "positions", "rows", "columns", "input_bits", "weight_bits", "row_tiles", "column_tiles", "crossbars",
        "replicas", "copies", "utilisation", "driven_rows", "dropped_rows", "random_bits_per_pass", "count",
    }  # fmt: skip
    for name in ("layers", "energy"):
        for column, kind in pd.read_parquet(tmp_path / "out" / f"{name}.parquet").dtypes.items():
            if kind.kind in "if":
                assert column in pure or {"s", "j"} & set(column.split("_")), column


def test_the_manifest_repeats_the_run(result, tmp_path):
    with ResultFolder(tmp_path / "out") as folder:
        folder.write(result, ["archsim", "run", "a b"])
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["command"] == ["archsim", "run", "a b"]
    assert manifest["config_hash"] == result.config_hash
    assert manifest["config"]["arch"]["crossbar"]["rows"] == 128
    assert manifest["config"]["passes"] == 3
    assert {"archsim", "python", "numpy", "simpy"} <= manifest["versions"].keys()


def test_a_failed_run_leaves_no_folder(tmp_path):
    with pytest.raises(KeyboardInterrupt), ResultFolder(tmp_path / "out"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_results_is_refused_and_an_empty_one_filled(result, tmp_path):
    (tmp_path / "out").mkdir()
    with ResultFolder(tmp_path / "out") as folder:
        folder.write(result, [])
    before = (tmp_path / "out" / "result.json").read_bytes()
    with pytest.raises(ConfigError, match="exists already"), ResultFolder(tmp_path / "out"):
        raise AssertionError("the run must not begin")
    assert (tmp_path / "out" / "result.json").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("schedule", ["layer_by_layer", "pipelined_layers", "pipelined_passes"])
def test_busy_time_in_the_timeline_is_that_of_the_books(recorded, schedule):
    result, tracks, marks = recorded(images=1, passes=2, schedule=schedule)
    assert result.log.skipped_passes == 0
    busy = {(s.group, s.name): s.busy_ps for s in result.log.stations if s.busy_ps}
    stations = {key: track.busy_ps for key, track in tracks.items() if track.slices and not is_derived(key)}
    assert stations == busy
    assert max(track.end_ps for key, track in tracks.items() if not is_derived(key)) == result.log.total_ps
    assert marks == ["image 1 done", "end: 2 of 2 passes simulated, the others are exact repeats"]


def test_buffers_are_tracks_with_the_peaks_of_the_books(recorded):
    result, tracks, _ = recorded(images=1, passes=3)
    assert len(result.log.buffers) == 2 * len(result.layers)  # in front of each layer, and behind it
    for buffer in result.log.buffers:
        assert tracks["buffers: bits held", buffer.name].peak == buffer.peak_bits


def test_skipped_passes_are_marked_and_all_are_accounted_for(recorded):
    result, tracks, marks = recorded(images=40, passes=30)
    skipped = [int(mark.split()[1]) for mark in marks if mark.startswith("skipped")]
    assert sum(skipped) == result.log.skipped_passes > 0
    assert any("images)" in mark for mark in marks)
    assert marks[-2] == "image 40 done"
    assert f"end: {result.log.simulated_passes} of 1200 passes simulated" in marks[-1]
    shown = tracks["chip", "averaging"].busy_ps
    booked = next(s.busy_ps for s in result.log.stations if s.name == "averaging")
    assert shown < booked


def test_one_image_of_a_reprogrammed_chip_is_shown_with_its_programming(recorded):
    result, tracks, marks = recorded(overrides=OVERSIZED, images=2, passes=3)
    assert max(track.end_ps for track in tracks.values()) == result.log.latency_ps
    programming = sum(track.busy_ps for (_, name), track in tracks.items() if name == "programming")
    assert programming * 2 == result.log.programming_ps > 0
    assert marks[0] == "image 1 done"
