"""Component ranges as axes, and the samples from which sensitivity is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archsim import units
from archsim.config import dump, validate
from archsim.errors import ConfigError
from archsim.study import StudyConfig, design_points
from archsim.study.base import Base
from archsim.study.points import saltelli, space_of
from archsim.study.ranges import built_from, with_ranges

ROOT = Path(__file__).parents[2]
HEAD = {
    "schema": "archsim/study@1", "name": "s",
    "arch": str(ROOT / "arch_configs/spatial_spindrop_stt.yaml"),
    "workload": str(ROOT / "workloads/lenet5_digits.yaml"),
}  # fmt: skip
ADC_LEAKAGE = "library.peripheral.adc_sar.leakage_5b"


def study(**more):
    return validate(StudyConfig, HEAD | more, "study.yaml")


def expanded(**more):
    return with_ranges(study(**more), "study.yaml").axes


def points(**more):
    return list(design_points(study(**more), "study.yaml"))


# --- ranges ---


def test_an_entry_becomes_an_axis_from_its_low_to_its_high_end():
    axes = expanded(ranges=["peripheral.adc_sar.leakage_5b", "models.adc.energy_multiplier"])
    # in the order of the library; a range of more than a factor of ten in equal ratios
    assert list(axes) == [ADC_LEAKAGE, "library.models.adc.energy_multiplier"]
    assert dump(axes[ADC_LEAKAGE]) == {
        "from": axes[ADC_LEAKAGE].start, "to": axes[ADC_LEAKAGE].stop, "points": None, "step": None, "scale": "log",
    }  # fmt: skip
    entries = Base(study(), "s").library.entries
    for path, axis in axes.items():
        entry = entries[path.removeprefix("library.")]
        assert (axis.start, axis.stop) == entry.range
        assert axis.scale == ("log" if entry.figure.high > 10 * entry.figure.low > 0 else "linear")


@pytest.fixture(scope="module")
def built():
    return built_from(Base(study(), "s"))


def test_all_are_the_entries_that_the_chip_is_built_from(built):
    assert list(expanded(ranges="all")) == [f"library.{name}" for name in built]
    assert "rng.stt_set_read_reset.energy" in built
    assert "peripheral.adc_sar.leakage_5b" in built
    assert "devices.stt_mtj.R_P" in built  # at its low end the bit line loses too much: no such chip
    assert not [name for name in built if name.startswith(("devices.sot_mtj", "rng.sot", "peripheral.sense_amp"))]
    assert "devices.stt_mtj.sigma_R_P" not in built  # no imperfection is on
    assert "digital.accumulate_16b.latency" not in built  # within a clock cycle at both ends


def test_what_is_on_decides_what_counts():
    effects = {"imperfections.cells.spread": "library", "imperfections.random_bits.trim_error": 0.1}
    on = built_from(Base(study(overrides=effects), "s"))
    assert {"devices.stt_mtj.sigma_R_P", "devices.stt_mtj.R_P", "rng.stt_set_read_reset.t_set"} <= set(on)
    costs = Base(study(quality=False, overrides=effects), "s")
    assert not [name for name in built_from(costs) if ".sigma_" in name or name.endswith("t_set")]
    slow = built_from(Base(study(overrides={"clock": "5 GHz"}), "s"))
    assert "digital.accumulate_16b.latency" in slow


def test_patterns_take_what_the_chip_is_built_from(built):
    both = expanded(ranges=["rng.*", "rng.stt_set_read_reset.energy"])
    assert list(both) == [f"library.{n}" for n in built if n.startswith("rng.")]


def test_what_the_study_sets_itself_stays():
    given = {ADC_LEAKAGE: ["0.2 uW", "0.3 uW"]}
    assert expanded(ranges=["peripheral.adc_sar.leakage_5b"], axes=given) == given
    fixed = expanded(ranges=["rng.*"], overrides={"library.rng.stt_set_read_reset.energy": "0.3 pJ/bit"})
    assert "library.rng.stt_set_read_reset.energy" not in fixed
    assert "library.rng.stt_set_read_reset.area" in fixed


def test_an_expanded_study_is_plain_data_and_expands_to_itself():
    once = with_ranges(study(ranges=["rng.*"]), "s")
    again = validate(StudyConfig, dump(once), "s")
    assert with_ranges(again, "s") == again == once
    assert len(space_of(again, "s").axes) == len(once.axes)


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        (["peripheral.adc_sar.leakage_6b"], "did you mean 'peripheral.adc_sar.leakage_5b'"),
        (["peripheral.sense_amp.*"], "no entry with a range that the base chip is built from"),
        (["nothing.*"], "no entry of the library"),
        ("every", "ranges"),
    ],
)
def test_wrong_ranges(ranges, said):
    with pytest.raises(ConfigError, match=said):
        expanded(ranges=ranges)


# --- one at a time ---

ONE = {"sampling": {"kind": "one_at_a_time"}}


def test_one_at_a_time_is_the_base_then_the_ends_of_each_axis():
    found = points(
        axes={"crossbar.columns": [32, 64, 128], "clock": {"from": "0.25 GHz", "to": "1 GHz"}, "schedule": ["x", "y"]},
        **ONE,
    )
    assert [tuple(p.values.values()) for p in found] == [
        (128, "500 MHz", "pipelined_passes"),
        (32, "500 MHz", "pipelined_passes"), (128, "500 MHz", "pipelined_passes"),
        (128, "250 MHz", "pipelined_passes"), (128, "1 GHz", "pipelined_passes"),
        (128, "500 MHz", "x"), (128, "500 MHz", "y"),
    ]  # fmt: skip
    assert [p.number for p in found] == list(range(7))


def test_the_base_speaks_the_words_of_an_axis_and_knows_files_runs_and_library():
    axes = {
        "clock": ["0.5 GHz", "1 GHz"],
        "passes": [1, 50], "images": [10, 20], "seed": [1, 2], "chip": [1, 2], "stopping": ["none", "curtailed"],
        "workload.dataset.split": ["train", "test"],
        ADC_LEAKAGE: {"from": "0.2 uW", "to": "1 uW"},
        "arch": ["other.yaml"],
    }  # fmt: skip
    base = points(axes=axes, passes=7, **ONE)[0].values
    nominal = Base(study(), "s").library.entries["peripheral.adc_sar.leakage_5b"].value
    assert list(base.values()) == ["0.5 GHz", 7, 360, 0, 0, "none", "test", nominal, HEAD["arch"]]
    overridden = points(axes={"clock": ["1 GHz"]}, overrides={"clock": "2 GHz"}, **ONE)
    assert [p.values["clock"] for p in overridden] == ["2 GHz", "1 GHz", "1 GHz"]


def test_names_start_from_the_one_that_stands_for_the_base_files():
    method = {"SpinDrop": {"workload": "w.yaml"}, "Spatial": {"workload": HEAD["workload"], "stochastic.count": 15}}
    found = points(axes={"method": method}, zipped=[{"passes": [1, 2, 9], "images": [3, 4, 5]}], passes=2, **ONE)
    assert [tuple(p.values.values()) for p in found] == [
        ("Spatial", 2, 360), ("SpinDrop", 2, 360), ("Spatial", 2, 360), ("Spatial", 1, 3), ("Spatial", 9, 5),
    ]  # fmt: skip
    with pytest.raises(ConfigError, match=r"axes\.method: none of its names stands for the base"):
        points(axes={"method": {"SpinDrop": {"workload": "w.yaml"}}}, **ONE)


def test_the_ends_of_a_component_range_are_those_of_the_library():
    entry = Base(study(), "s").library.entries["peripheral.adc_sar.leakage_5b"]
    found = points(ranges=["peripheral.adc_sar.leakage_5b"], **ONE)
    written = [p.values[ADC_LEAKAGE] for p in found]
    assert written[0] == entry.value
    assert [units.parse(w, "power") for w in written[1:]] == [entry.figure.low, entry.figure.high]


@pytest.mark.parametrize("sampling", [{"kind": "one_at_a_time"}, {"kind": "saltelli", "points": 4}])
def test_samples_for_sensitivity_are_complete_or_refused(sampling):
    with pytest.raises(ConfigError, match="needs every point"):
        points(axes={"crossbar.rows": [64, 128, 256]}, keep=["crossbar.rows < 256"], sampling=sampling)
    with pytest.raises(ConfigError, match="needs axes"):
        points(sampling=sampling)


def test_a_setting_that_the_base_lacks_is_no_start():
    with pytest.raises(ConfigError, match=r"axes\.crossbar\.rowz: the base has no 'rowz'; did you mean 'rows'"):
        points(axes={"crossbar.rowz": [1, 2]}, **ONE)


# --- Saltelli ---


def test_saltelli_points_mix_two_samples_one_coordinate_at_a_time():
    places = np.array(list(saltelli(3, 8, seed=1))).reshape(8, 5, 3)
    a, b, mixed = places[:, 0], places[:, 1], places[:, 2:]
    for i in range(3):
        assert np.array_equal(mixed[:, i, i], b[:, i])
        others = [j for j in range(3) if j != i]
        assert np.array_equal(mixed[:, i][:, others], a[:, others])
        # a scrambled Sobol sequence has one value in each eighth
        assert sorted(np.floor(a[:, i] * 8)) == sorted(np.floor(b[:, i] * 8)) == list(range(8))
    assert not np.array_equal(places, np.array(list(saltelli(3, 8, seed=2))).reshape(8, 5, 3))


def test_a_saltelli_study_has_d_plus_2_points_for_each_pair():
    axes = {"passes": [1, 2, 3, 4], "method": {"a": {"seed": 1}, "b": {"seed": 2}}}
    found = points(axes=axes, sampling={"kind": "saltelli", "points": 16})
    assert len(found) == 16 * 4
    assert {p.values["method"] for p in found} == {"a", "b"}
    assert [p.number for p in found] == list(range(64))
