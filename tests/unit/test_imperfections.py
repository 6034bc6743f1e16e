"""What an architecture may say of its imperfections, and what becomes of it."""

from __future__ import annotations

import pytest

from archsim.config import dump, validate
from archsim.errors import ConfigError
from archsim.hardware.arch import ArchConfig, load_arch
from archsim.hardware.chip import build_chip
from archsim.hardware.imperfections import Cells, ConverterErrors, RandomBits
from tests.networks import ARCHS, library, make_chip

SOT, STT = "spatial_spindrop_sot.yaml", "spindrop_stt.yaml"


def effects(*settings, base=SOT):
    return {e.path: e for e in make_chip(*settings, base=base).effects.on}


@pytest.mark.parametrize("base", [SOT, STT, "ideal.yaml", "digital_read_stt.yaml"])
def test_left_out_everything_is_ideal(base):
    assert effects(base=base) == {}


@pytest.mark.parametrize(("base", "spread", "write_error"), [(SOT, 0.06, 1e-6), (STT, 0.05, 1e-6)])
def test_a_section_may_be_the_library_as_a_whole(base, spread, write_error):
    on = effects("imperfections={cells: library, converter: library, random_bits: library}", base=base)
    assert set(on) == {
        *(f"cells.{n}" for n in ("spread", "tmr_spread", "read_noise", "stuck_parallel", "stuck_antiparallel",
                                 "write_error", "delta_spread", "current_spread")),
        "converter.offset", "converter.gain",
        *(f"random_bits.{n}" for n in ("delta_spread", "current_spread", "trim_error")),
    }  # fmt: skip
    assert on["cells.spread"].figure.value == spread
    assert on["cells.spread"].figure.grade == "READ"
    assert on["cells.write_error"].figure.value == write_error
    assert on["cells.stuck_parallel"].figure == library().number("devices.stt_mtj.stuck_at_P")
    assert {e.drawn for e in on.values()} == {"chip", "programming", "read"}


def test_a_number_of_ones_own_is_said_to_be_one():
    on = effects("imperfections.cells={spread: 0.1, read_noise: library}")
    assert on["cells.spread"].figure.value == 0.1
    assert (on["cells.spread"].figure.grade, on["cells.spread"].figure.note) == (
        "ASSUMED",
        "stated by the architecture",
    )
    assert on["cells.read_noise"].figure.value == 0.01
    assert set(on) == {"cells.spread", "cells.read_noise"}
    assert effects("imperfections.cells={spread: 0, read_noise: 0.0}") == {}


def test_cells_of_several_bits_have_a_spread_of_their_own():
    settings = ["imperfections.cells.spread=library", "crossbar.bits_per_cell=2"]
    assert effects(*settings)["cells.spread"].figure == library().number("devices.sot_mtj.mlc_level_sigma")


@pytest.mark.parametrize(
    ("bits", "steps"), [(4, 0.31e-3 * 16 / 0.9), (5, 0.31e-3 * 32 / 0.9), (8, 0.31e-3 * 256 / 0.9)]
)
def test_the_offset_of_a_comparator_in_steps(bits, steps):
    on = effects("imperfections.converter.offset=library", f"converter.bits={bits}")
    assert on["converter.offset"].figure.value == pytest.approx(steps)
    assert on["converter.offset"].figure.grade == "ASSUMED"
    amplifier = effects("imperfections.converter.offset=library", base="digital_read_stt.yaml")
    assert amplifier["converter.offset"].figure.value == pytest.approx(8.5e-3 * 2 / 0.9)


def test_allowed_ir_drop_is_on_and_said():
    assert "crossbar.ir_drop" not in effects()
    chip = make_chip("crossbar.ir_drop=allow")
    assert {e.path: e.figure for e in chip.effects.on} == {"crossbar.ir_drop": chip.ir_drop}
    assert chip.warnings == ()
    full = make_chip("crossbar.ir_drop=allow", "crossbar.parallel_rows=128", "converter.bits=8", base=STT)
    (warning,) = full.warnings
    assert "the answers include the error" in warning


@pytest.mark.parametrize(("setting", "place", "words"), [
    ("imperfections.cells.sprad=0.1", "imperfections.cells.sprad", "did you mean 'spread'"),
    ("imperfections.cells.spread=libary", "imperfections.cells.spread", "did you mean 'library'"),
    ("imperfections.cells.spread=-0.1", "imperfections.cells.spread", "greater than or equal to 0"),
    ("imperfections.cells.stuck_parallel=0.7", "imperfections.cells.stuck_parallel", "less than or equal to 0.5"),
    ("imperfections.cells.age=3", "imperfections.cells.age", "without a unit"),
    ("imperfections.cells.age=3 V", "imperfections.cells.age", "quantity of time"),
    ("imperfections.cells.inferences=-1", "imperfections.cells.inferences", "greater than or equal to 0"),
    ("imperfections.cells.inferences=library", "imperfections.cells.inferences", "valid number"),
    ("imperfections.random_bits.trim=all", "imperfections.random_bits.trim", "known: each, shared"),
    ("imperfections.random_bits.correlation=1", "imperfections.random_bits.correlation", "less than 1"),
    ("imperfections.cell={}", "imperfections.cell", "did you mean 'cells'"),
    ("imperfections.cells=nominal", "imperfections.cells", "should be an object"),
])  # fmt: skip
def test_mistakes_are_located(setting, place, words):
    with pytest.raises(ConfigError, match=words) as caught:
        load_arch(ARCHS / SOT, [setting])
    assert len(caught.value.problems) == 1
    assert f": {place}: " in str(caught.value)


@pytest.mark.parametrize(("base", "setting", "words"), [
    ("isaac_like.yaml", "imperfections.cells.spread=0.1", "cells.spread: archsim has no physics .* 'memristor'"),
    (SOT, "imperfections.cells.read_noise=0.1", "only complementary pairs"),
    ("isaac_like.yaml", "imperfections.converter=library", "converter.offset: .* no entry .*; state a number"),
    ("ideal.yaml", "imperfections.random_bits.correlation=0.1", "of kind 'lfsr'"),
])  # fmt: skip
def test_what_a_chip_does_not_have_cannot_be_imperfect(base, setting, words):
    more = ["crossbar.cells_per_weight=1"] if "pairs" in words else []
    with pytest.raises(ConfigError, match=words):
        build_chip(load_arch(ARCHS / base, [setting, *more]))


@pytest.mark.parametrize("base", ["spatial_spindrop_sot_varied.yaml", "spindrop_stt_varied.yaml"])
def test_presets_have_everything_and_survive_a_round_trip(base):
    arch = load_arch(ARCHS / base)
    assert validate(ArchConfig, dump(arch), base).imperfections == arch.imperfections
    on = {e.path for e in build_chip(arch, library()).effects.on}
    drawn = {f"cells.{n}" for n, k in Cells.knobs().items() if k["library"]}
    drawn |= {f"converter.{n}" for n in ConverterErrors.knobs()}
    drawn |= {f"random_bits.{n}" for n, k in RandomBits.knobs().items() if k["library"]}
    assert drawn < on


def test_every_knob_says_unit_and_when_it_is_drawn_in_the_schema():
    for section in (Cells, ConverterErrors, RandomBits):
        for name, knob in section.knobs().items():
            assert all(knob[key] for key in ("unit", "drawn", "meaning")), name
            entry = knob["library"]
            assert entry is None or any(e.startswith(entry.format(device="sot_mtj")) for e, _ in library()), name
