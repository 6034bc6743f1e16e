"""What a study found, as tables: columns, units, texts, and no trace of who found it in which order."""

from __future__ import annotations

import json
import random
import sqlite3
from pathlib import Path
from shutil import copyfile

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import archsim
from archsim.errors import ConfigError
from archsim.study import schema
from archsim.study.columns import column
from archsim.study.export import export
from archsim.study.points import DesignPoint
from archsim.study.tables import load_study, read_study
from archsim.study.task import Outcome
from tests.stores import STUDY, answers, opened, outcome, pairs, task


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out"


def made(folder, numbers, name="study", count=20):
    with opened(folder, name) as store:
        store.plan(pairs(count))
        for n in numbers:
            store.commit([outcome(n)])
    return read_study(folder)


def col(path, *values, names=False, taken=()):
    return column(path, values, pd.RangeIndex(len(values), name="point"), {path, *taken}, names=names)


# --- columns of axes ---


@pytest.mark.parametrize(
    ("path", "values", "name", "first"),
    [
        ("supply", ["900 mV", "1 V"], "supply_v", 0.9), ("clock", ["500 MHz", "1 GHz"], "clock_hz", 500e6),
        ("temperature", ["300 K"], "temperature_k", 300.0),
        ("imperfections.cells.age", ["1 year", "3 s"], "imperfections.cells.age_s", 31_557_600.0),
        ("global_buffer.capacity", ["4 KiB"], "global_buffer.capacity_bit", 32768.0),
        ("library.x.area", ["1 um^2"], "library.x.area_m2", 1e-12),
        ("library.x.energy", ["8 pJ/bit", "1 fJ/bit"], "library.x.energy_j_per_bit", 8e-12),
        ("share", ["20 %", "5 %"], "share", 0.2),
    ],
)  # fmt: skip
def test_quantities_are_in_si_with_their_unit_in_the_name(path, values, name, first):
    found = col(path, *values)
    assert (found.path, found.name, found.values.dtype) == (path, name, "float64")
    assert found.values[0] == pytest.approx(first, rel=1e-15, abs=0)


@pytest.mark.parametrize(
    ("values", "dtype", "cells"),
    [
        ([1, 2], "int64", [1, 2]), ([1, 2.5], "float64", [1.0, 2.5]), ([True, False], "bool", [True, False]),
        ([64, "off", 1.5], "object", [64, "off", 1.5]), ([None, "none"], "object", [None, "none"]),
        ([True, 1], "object", [True, 1]), ([2**70, 1], "object", [2**70, 1]),
        (["1 ns", "2 pJ"], "str", ["1 ns", "2 pJ"]), (["1 ns", "off"], "str", ["1 ns", "off"]),
        (["5", "6"], "str", ["5", "6"]), (["1 V^7", "2 V^7"], "str", ["1 V^7", "2 V^7"]),
        ([{"kind": "stt", "count": 3}, "none"], "str", ['{"kind":"stt","count":3}', "none"]),
        ([[1, 2], [3]], "str", ["[1,2]", "[3]"]),
    ],
)  # fmt: skip
def test_other_values_stay_what_they_are(values, dtype, cells):
    found = col("x", *values)
    assert found.name == "x"
    assert found.values.dtype == pd.Series([], dtype=dtype).dtype
    assert [*found.values] == cells
    assert [type(cell) for cell in found.values.tolist()] == [type(cell) for cell in cells]


def test_names_are_words_even_if_they_look_like_quantities():
    assert [*col("size", "3 B", "7 B", names=True).values] == ["3 B", "7 B"]
    assert col("size", "3 B", "7 B").name == "size_bit"


def test_a_column_takes_no_other_axis_name():
    assert col("age", "3 s", taken=["age_s"]).name == "age"


# --- the frame ---


def test_the_frame_of_a_study(folder):
    data = made(folder, range(7))
    assert data.axes == ("crossbar.rows", "clock_hz")
    assert dict(data.labels) == {"crossbar.rows": "crossbar.rows", "clock_hz": "clock"}
    assert data.figures == ("energy_j_per_image", "nll", "events", "latency_s_per_image", "area_m2")
    assert [*data.frame.columns] == [*data.axes, *data.figures, "arch", "bottleneck", "function"]
    assert [*data.frame.index] == [0, 1, 2, 3, 5, 6]
    assert data.frame["function"].tolist() == ["f0", "f1", "f2", "f0", "f2", "f0"]
    assert data.frame.index.name == data.failed.index.name == "point"
    assert data.frame.loc[5, "crossbar.rows"] == 256
    assert data.frame.loc[5, "clock_hz"] == 1e9
    assert data.frame.loc[5, "energy_j_per_image"] == 6 / 3e9
    assert np.signbit(data.frame.loc[5, "latency_s_per_image"])
    assert data.frame["area_m2"].tolist()[1] == np.inf
    assert data.frame["area_m2"].isna().tolist() == [True, False, True, False, False, True]
    assert data.frame.loc[5, "bottleneck"] == "bus 1"
    assert data.failed.to_dict("index") == {
        4: {"crossbar.rows": 128, "clock_hz": 1e8, "error": "point 4 cannot be"}
    }  # fmt: skip
    assert data.seconds == 6 * 0.25 + 0.5
    assert data.config.name == "made_up"
    assert str(data.file) == "/studies/made_up.yaml"
    assert str(data.config.file("a.yaml")) == "/studies/a.yaml"


def test_seconds_include_the_functional_passes_that_were_used(folder):
    with opened(folder) as store:
        store.plan(pairs(2))
        store.commit([outcome(0)])
        store.put_function("f0", answers())
        store.put_function("unused", answers())
    assert read_study(folder).seconds == 0.25 + 2.0


def test_the_frame_depends_neither_on_order_nor_on_shards(folder, tmp_path):
    whole = made(folder, range(20))
    shuffled = random.Random(3).sample(range(20), 20)
    assert_frame_equal(made(tmp_path / "shuffled", shuffled).frame, whole.frame, check_exact=True)
    parts = tmp_path / "parts"
    for shard in (2, 0, 1):
        with opened(parts, f"shard-{shard + 1}-of-3") as store:
            store.plan(pair for pair in pairs(20) if pair[0].number % 3 == shard)
            store.commit(outcome(n) for n in shuffled if n % 3 == shard)
    data = read_study(parts)
    assert_frame_equal(data.frame, whole.frame, check_exact=True)
    assert_frame_equal(data.failed, whole.failed, check_exact=True)
    assert (data.counts, data.axes, data.figures) == (whole.counts, whole.axes, whole.figures)


def test_outcomes_of_any_store_count_for_points_of_any_other(folder):
    with opened(folder, "shard-1-of-2") as shard:
        shard.plan(pair for pair in pairs(6) if pair[0].number % 2 == 0)
        with opened(folder) as whole:
            whole.plan(pairs(6))
            whole.commit([outcome(4), outcome(5)])
            shard.commit([outcome(0), outcome(4)])
            assert [*read_study(folder).frame.index] == [0, 5]
            assert read_study(folder).counts.done == 3


def test_columns_do_not_change_as_more_is_done(folder):
    values = [64, 128, "off"]
    with opened(folder) as store:
        store.plan((task(n), DesignPoint(n, {"x": v}, {"x": v})) for n, v in enumerate(values))
        store.commit([outcome(0)])
        assert read_study(folder).frame["x"].dtype == object
        store.commit([outcome(2)])
    assert read_study(folder).frame["x"].tolist() == [64, "off"]


def test_texts_have_no_gaps_and_axes_win(folder):
    with opened(folder) as store:
        store.plan((task(n), DesignPoint(n, {"arch": f"{n}.yaml"}, {})) for n in range(3))
        store.commit([Outcome(0, "key0", {"nll": 1.0}, {"arch": "chip"})])
        store.commit([Outcome(1, "key1", {"nll": 2.0}, {"refused": "no"}), Outcome(2, "key2")])
    frame = load_study(folder)
    assert [*frame.columns] == ["arch", "nll", "refused"]
    assert frame["arch"].tolist() == ["0.yaml", "1.yaml", "2.yaml"]
    assert frame["refused"].tolist() == ["", "no", ""]


def test_a_study_with_nothing_done_yet(folder):
    data = made(folder, [])
    assert len(data.frame) == len(data.failed) == 0
    assert [*data.frame.columns] == [*data.axes] == ["crossbar.rows", "clock_hz"]
    with opened(folder / "bare"):
        pass
    assert read_study(folder / "bare").counts.points == 0


def test_points_without_axes(folder):
    with opened(folder) as store:
        store.plan([(task(0), DesignPoint(0, {}, {}))])
        store.commit([outcome(0)])
    assert read_study(folder).axes == ()
    assert load_study(folder).loc[0, "events"] == 0


# --- commands ---


def test_points_come_back_with_their_settings(folder, monkeypatch):
    point = DesignPoint(3, {"method": "spatial", "x": None}, {"arch": "b.yaml", "stochastic.count": 15, "x": None})
    with opened(folder) as store:
        store.plan([*pairs(2), (task(3), point)])
    asked = []

    def tasks_of(config, where, points):
        asked.extend((config.name, where, point) for point in points)
        return [task(point.number) for point in points]

    monkeypatch.setattr("archsim.study.keys.tasks_of", tasks_of)
    monkeypatch.setattr("archsim.study.command.command_of", lambda task: f"archsim run {task.key}")
    data = read_study(folder)
    assert data.commands([3, 0]) == {3: "archsim run key3", 0: "archsim run key0"}
    assert data.command(1) == "archsim run key1"
    assert asked[0] == ("made_up", "/studies/made_up.yaml", point)
    assert asked[2][2] == next(p for t, p in pairs(2) if t.number == 1)
    with pytest.raises(ConfigError, match="no point 2"):
        data.command(2)


# --- files ---


def test_export_reads_back(folder):
    with opened(folder) as store:
        store.plan((task(n), DesignPoint(n, {"x": v}, {"x": v})) for n, v in enumerate([64, "off", None, 1.5]))
        store.commit(outcome(n) for n in range(4))
    assert [p.name for p in export(folder)] == ["points.parquet", "points.csv"]
    frame = load_study(folder)
    parquet = pd.read_parquet(folder / "points.parquet")
    assert parquet["x"].tolist() == ["64", "off", "", "1.5"]
    assert_frame_equal(parquet.drop(columns="x"), frame.drop(columns="x"), check_exact=True)
    csv = pd.read_csv(folder / "points.csv", index_col="point")
    assert csv["energy_j_per_image"].tolist() == frame["energy_j_per_image"].tolist()
    assert sorted(p.name for p in folder.iterdir() if "sqlite" not in p.name) == ["points.csv", "points.parquet"]


# --- versions ---

SAMPLE = Path(__file__).parents[1] / "golden" / "store_version_1.sqlite"


def test_a_store_of_the_first_version_is_read_as_ever(folder, tmp_path):
    """The sample: 12 points of `tests.stores`, 10 of them done, and the answers of one function."""
    folder.mkdir()
    copyfile(SAMPLE, folder / "study.sqlite")
    data, fresh = read_study(folder), made(tmp_path / "fresh", range(10), count=12)
    assert_frame_equal(data.frame, fresh.frame, check_exact=True)
    assert_frame_equal(data.failed, fresh.failed, check_exact=True)
    assert data.counts == fresh.counts
    with opened(folder) as store:
        assert store.waiting() == [10, 11]
        assert repr(store.claim_function("f0")) == repr(answers())
        assert store.functions(range(12)) == {11: "f2"}


def test_tables_that_change_need_a_new_version(folder):
    opened(folder).close()
    tables = []
    for path in (SAMPLE, folder / "study.sqlite"):
        with sqlite3.connect(path) as store:
            tables.append(store.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall())
    assert (tables[0] == tables[1]) == (schema.VERSION == 1)
    assert [*schema.STEPS] == [*range(1, schema.VERSION)]


# --- what is no study ---


def test_a_folder_without_a_study(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(ConfigError, match="holds no study"):
            read_study(folder)


def test_a_study_that_this_version_cannot_read(folder):
    opened(folder, study={**STUDY, "quantum": True}).close()
    with pytest.raises(ConfigError, match=r"its study.*quantum"):
        read_study(folder)


def test_load_study_is_public(folder):
    made(folder, [0, 1])
    assert_frame_equal(archsim.load_study(folder), load_study(folder))
    assert json.loads(archsim.load_study(str(folder)).to_json())["clock_hz"] == {"0": 1e8, "1": 1e9}
