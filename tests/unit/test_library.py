from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from archsim.config import read_yaml
from archsim.errors import ConfigError, UnitError
from archsim.hardware.component import Figure
from archsim.hardware.library import SECTIONS, Library, check_library, load_library

SHIPPED = Path(__file__).parents[2] / "arch_configs" / "components_28nm.yaml"


@pytest.fixture(scope="module")
def library() -> Library:
    return load_library(SHIPPED)


# The shipped library


@pytest.mark.parametrize(
    ("path", "dimension", "low", "value", "high", "grade"),
    [
        ("peripheral.sense_amp.energy", "energy", 1.6e-15, 6e-15, 15e-15, "DERIVED"),
        ("peripheral.adc_sar.energy_5b", "energy", 0.08e-12, 0.406e-12, 1.3e-12, "READ"),
        ("peripheral.adc_sar.latency_5b", "time", 1e-9, 7.4e-9, 60e-9, "READ"),
        ("peripheral.adc_sar.area_5b", "area", 336e-12, 336e-12, 2700e-12, "READ"),
        ("devices.stt_mtj.RA", "resistance_area", 3.2e-12, 7.5e-12, 16.6e-12, "READ"),
        ("devices.stt_mtj.write_energy_macro", "energy_per_bit", 0.6e-12, 1.5e-12, 4.5e-12, "DERIVED"),
        ("devices.stt_mtj.retention_years_at_85C", "time", 31_557_600.0, 315_576_000.0, 631_152_000.0, "READ"),
        ("devices.vcma_mtj.xi", "magnetoelectric", 15e-15, 60e-15, 100e-15, "READ"),
        ("rng.stt_set_read_reset.energy", "energy_per_bit", 0.08e-12, 1e-12, 1.5e-12, "READ"),
        ("rng.cmos_trng.throughput", "bandwidth", 0.2e6, 23e6, 23e6, "READ"),
        ("digital.logic_leakage_density", "power_per_area", 50.0, 100.0, 10_000.0, "RERUN"),
        ("memory.lpddr4.bandwidth_x32", "bandwidth", 6.4e9 * 8, 12.8e9 * 8, 17e9 * 8, "DERIVED"),
        ("memory.sram.leakage_per_KB", "power_per_data", 8e-8 / 8192, 1e-7 / 8192, 4e-5 / 8192, "RERUN"),
        ("interconnect.wire_energy", "energy_per_bit_length", 0.04e-9, 0.1e-9, 0.3e-9, "DERIVED"),
        ("models.adc.k1", "ratio", -0.0369, -0.0369, -0.0369, "READ"),
        ("models.mtj_switching.kappa", "ratio", 0.0, 1.0, 2.18, "ASSUMED"),
    ],
)
def test_figures_are_in_si(
    library: Library, path: str, dimension: str, low: float, value: float, high: float, grade: str
) -> None:
    figure = library.figure(path, dimension)
    assert (figure.low, figure.value, figure.high) == pytest.approx((low, value, high), rel=1e-15)
    assert figure.grade == grade
    assert figure.sources


def test_no_entry_was_lost(library: Library) -> None:
    counts = Counter(path.partition(".")[0] for path in library.entries)
    assert set(counts) == set(SECTIONS)
    leaves = {s: counts[s] for s in ("devices", "rng", "peripheral", "digital", "memory", "interconnect")}
    assert leaves == {"devices": 57, "rng": 29, "peripheral": 43, "digital": 54, "memory": 29, "interconnect": 13}
    assert len(library.formulas) == 14
    assert len(library.published_macros) == 9
    assert len(library) == len(list(library)) == sum(counts.values())


def test_every_entry_has_source_grade_and_range(library: Library) -> None:
    for path, entry in library:
        figure = library.figure(path, entry.dimension)
        assert figure.low <= figure.value <= figure.high, path
        assert all(math.isfinite(x) for x in (figure.low, figure.value, figure.high)), path
        for key in figure.sources:
            assert len(library.source(key)) > 10, path
        assert figure.grade != "READ" or figure.sources != ("none",), f"{path} was read nowhere"


def test_every_source_is_cited(library: Library) -> None:
    cited = {key for _, entry in library for key in entry.source}
    cited |= {key for macro in library.published_macros.values() for key in macro.source}
    cited |= {key for corner in library.corners.values() for key in corner.source}
    in_notes = {key for formula in library.formulas.values() for key in library.sources if key in formula.note}
    assert set(library.sources) - cited - in_notes == set()


def test_closed_forms_meet_the_spot_values_they_were_fitted_to(library: Library) -> None:
    # the fit to CACTI states a read energy within a factor 1.40 and an access time within 0.10 ns
    def constant(name: str, dimension: str) -> float:
        return library.figure(f"models.sram.{name}", dimension).value

    for kib, name in ((16, "16KB"), (64, "64KB"), (256, "256KB"), (1024, "1MB")):
        read = constant("a_r", "energy") * kib ** constant("b_r", "ratio")
        spot = library.figure(f"memory.sram.read_{name}_64b", "energy").value
        assert 1 / 1.40 < read / spot < 1.40
        if name != "64KB":
            access = constant("t0", "time") + constant("t1", "time") * kib**0.5
            assert access == pytest.approx(library.figure(f"memory.sram.access_{name}", "time").value, abs=0.1e-9)
    supply = library.technology.supply
    for bits in (4, 5, 6, 8):
        k5, k6 = (library.figure(f"models.adc.{k}", "capacitance").value for k in ("k5", "k6"))
        spot = library.figure(f"peripheral.adc_sar.energy_{bits}b", "energy").value
        assert (k5 * bits + k6 * 4**bits) * supply**2 == pytest.approx(spot, rel=2e-3)
    fixed, each = (library.figure(f"models.row_driver.{k}", "energy").value for k in ("fixed", "per_column"))
    assert fixed + 128 * each == pytest.approx(
        library.figure("peripheral.row_driver.energy_128", "energy").value, rel=0.01
    )


def test_technology_and_corners(library: Library) -> None:
    assert library.technology.node == 28e-9
    assert library.technology.feature_area == pytest.approx(library.technology.node**2, rel=1e-12)
    assert library.technology.temperature == 300.0
    nominal, silicon = library.corner("nominal"), library.corner("silicon_like")
    assert (nominal.cim_energy, nominal.cim_latency, nominal.sram_leakage) == (1, 1, 1)
    assert (silicon.cim_energy, silicon.cim_latency, silicon.sram_leakage) == (10, 6, 10)
    assert library.corner("optimistic").cim_energy == 0.5
    assert library.published_macros["princeton_22nm_vlsi22"].tops_per_watt == (41.6, 41.6)


def test_formula_limits(library: Library) -> None:
    assert library.formula("models.sram").limits("capacity") == (8192, 1024 * 8192)
    assert library.formula("models.popcount_tree").limits("inputs") == (64, 256)
    with pytest.raises(ConfigError, match=r"no formula 'models.sramm'; did you mean 'models.sram'"):
        library.formula("models.sramm")


def test_notes_say_what_a_figure_is_spent_on(library: Library) -> None:
    assert library.figure("interconnect.router_energy", "energy_per_bit").note.startswith("per hop; ")


@pytest.mark.parametrize(
    ("path", "dimension", "message"),
    [
        ("peripheral.sense_amp.enrgy", "energy", "did you mean 'peripheral.sense_amp.energy'?"),
        ("peripheral.sens_amp.energy", "energy", "did you mean 'peripheral.sense_amp.energy'?"),
        ("nowhere.at.all", "energy", "known: devices, digital"),
        ("peripheral.sense_amp", "energy", "no entry 'peripheral.sense_amp'"),
        ("peripheral.sense_amp.energy", "time", "expected dimension 'time' (like '7.4 ns'), got '6 fJ'"),
        ("rng.stt_set_read_reset.energy", "energy", "expected dimension 'energy' (like '1.5 pJ'), got '1.0 pJ/bit'"),
        ("peripheral.sense_amp.energy", "tim", "unknown dimension 'tim'"),
    ],
)
def test_a_wrong_question_is_answered_with_the_nearest(
    library: Library, path: str, dimension: str, message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        library.figure(path, dimension)
    assert message in str(error.value)


def test_number_is_for_plain_numbers(library: Library) -> None:
    assert library.number("peripheral.adc_sar.cols_per_adc").value == 8
    with pytest.raises(UnitError, match="expected dimension 'ratio'"):
        library.number("peripheral.sense_amp.energy")
    with pytest.raises(ConfigError, match="no corner 'silicon'; did you mean 'silicon_like'"):
        library.corner("silicon")
    with pytest.raises(ConfigError, match="no source 'zigzag'; did you mean 'zigzag_imc'"):
        library.source("zigzag")


# Libraries of one's own


def entry(**changes: Any) -> dict[str, Any]:
    whole = {"value": "2 pJ", "range": ["1 pJ", "3 pJ"], "grade": "READ", "source": ["book"], **changes}
    return {key: value for key, value in whole.items() if value is not None}


def library_file(folder: Path, **changes: Any) -> Path:
    data: dict[str, Any] = {
        "schema": "archsim/components@1",
        "technology": {"node": "28 nm", "supply": "0.9 V", "temperature": "300 K", "feature_area": "784 nm^2"},
        "sources": {"book": "A book about converters"},
        "corners": {
            "nominal": {"cim_energy": 1, "cim_latency": 1, "sram_leakage": 1, "grade": "ASSUMED", "source": ["book"]}
        },
        "peripheral": {"adc": {"energy": entry()}},
        **changes,
    }
    path = folder / "lib.yaml"
    path.write_text(json.dumps(data))
    return path


def test_a_small_library_loads(tmp_path: Path) -> None:
    small = load_library(library_file(tmp_path))
    assert small.figure("peripheral.adc.energy", "energy") == Figure(2e-12, 1e-12, 3e-12, "READ", ("book",))
    assert list(small) == [("peripheral.adc.energy", small.entries["peripheral.adc.energy"])]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": "4 pJ"}, "the value 4 pJ lies outside its range [1 pJ, 3 pJ]"),
        ({"range": ["3 pJ", "1 pJ"]}, "lies outside its range"),
        ({"value": "2 ns"}, "value and range are of different kinds: energy, time"),
        ({"range": [1, "3 pJ"]}, "value and range are of different kinds: energy, ratio"),
        ({"value": "-2 pJ", "range": ["-3 pJ", "3 pJ"]}, "must not be negative"),
        ({"range": ["-1 pJ", "3 pJ"]}, "must not be negative"),
        ({"value": "2 pj"}, "unknown unit 'pj'"),
        ({"value": "2 pJ*m"}, "no dimension that archsim uses"),
        ({"value": 2, "range": [1, 3]}, "a plain number needs `unit:`"),
        ({"unit": "ratio"}, "a plain number needs `unit:`"),
        ({"value": 2, "range": [1, 3], "unit": "pJ"}, "unit: unknown value 'pJ'"),
        ({"grade": "GUESSED"}, "grade: unknown value 'GUESSED'"),
        ({"grade": None}, "grade: is missing"),
        ({"range": None}, "range: is missing"),
        ({"source": []}, "source: "),
        ({"source": ["bok"]}, "unknown source 'bok'; did you mean 'book'?"),
        ({"sources": ["book"]}, "sources: unknown key; did you mean 'source'?"),
        ({"value": None}, "peripheral.adc.energy.range: "),
        ({"value": float("nan")}, "'NaN' is not a number with a unit"),
    ],
)
def test_a_wrong_entry_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = library_file(tmp_path, peripheral={"adc": {"energy": entry(**changes)}})
    with pytest.raises(ConfigError) as error:
        check_library(path)
    assert message in str(error.value)
    assert all(line.startswith(f"{path}: peripheral.adc.energy") for line in error.value.problems)


def test_every_problem_is_said_at_once(tmp_path: Path) -> None:
    wrong = {
        "a": entry(value="9 pJ"),
        "b": entry(source=["x"]),
        "c": {"d": entry(value="-1 pJ", range=["-1 pJ", "1 pJ"])},
    }
    path = library_file(tmp_path, peripheral=wrong, digitl={}, corners={"nominal": {"cim_energy": 0}}, memory=[1])
    with pytest.raises(ConfigError) as error:
        check_library(path)
    said = "\n".join(error.value.problems)
    for part in (
        "peripheral.a: the value",
        "peripheral.c.d: must not be negative",
        "digitl: unknown key",
        "corners.nominal.cim_energy: input should be greater than 0, got 0",
        "corners.nominal.grade: is missing",
        "memory: input should be an object",
    ):
        assert part in said


def test_unknown_sources_of_corners_and_macros_are_found(tmp_path: Path) -> None:
    macro = {"node": "22 nm", "kind": "simulated", "tops_per_watt": [1, 2], "tops_per_watt_grade": "READ"}
    corner = {"cim_energy": 1, "cim_latency": 1, "sram_leakage": 1, "grade": "READ", "source": ["boook"]}
    path = library_file(
        tmp_path,
        published_macros={"m": {**macro, "grade": "READ", "source": ["papr"]}},
        corners={"nominal": corner},
    )
    with pytest.raises(ConfigError) as error:
        load_library(path)
    assert error.value.problems == (
        f"{path}: corners.nominal.source: unknown source 'boook'; did you mean 'book'?",
        f"{path}: published_macros.m.source: unknown source 'papr'; known: book",
    )


def test_constants_of_a_formula_may_be_negative(tmp_path: Path) -> None:
    models = {
        "tree": {
            "formula": {"text": "E = a N + b", "validity": {"inputs": [2, 8]}},
            "b": entry(value="-1 pJ", range=["-1 pJ", "-1 pJ"]),
        }
    }
    small = load_library(library_file(tmp_path, models=models))
    assert small.figure("models.tree.b", "energy").value == -1e-12
    models["tree"]["formula"]["validity"]["inputs"] = [8, 2]  # type: ignore[index]
    with pytest.raises(ConfigError, match=r"models.tree.formula: validity of inputs"):
        load_library(library_file(tmp_path, models=models))


def test_a_library_may_be_based_on_another(tmp_path: Path) -> None:
    library_file(tmp_path, peripheral={"adc": {"energy": entry(note="old"), "latency": entry()}})
    top = tmp_path / "top.yaml"
    top.write_text(
        "base: lib.yaml\nperipheral: {adc: {energy: {value: 5 pJ, range: [5 pJ, 5 pJ], grade: READ, source: [book]}}}"
    )
    laid_over = load_library(top)
    assert laid_over.figure("peripheral.adc.energy", "energy") == Figure(5e-12, 5e-12, 5e-12, "READ", ("book",))
    assert "peripheral.adc.latency" in laid_over.entries


def test_the_wrong_file_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "arch.yaml"
    path.write_text("schema: archsim/arch@1\nname: x")
    with pytest.raises(ConfigError) as error:
        load_library(path)
    assert error.value.problems == (f"{path}: schema: expected 'archsim/components@1', got 'archsim/arch@1'",)


def test_the_shipped_file_is_plain_yaml_of_the_declared_schema() -> None:
    data = read_yaml(SHIPPED)
    assert data["schema"] == "archsim/components@1"
    assert set(data["corners"]) == {"nominal", "optimistic", "silicon_like"}
