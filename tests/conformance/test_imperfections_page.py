"""The page on imperfections names every knob, as it is, and its commands are commands."""

from __future__ import annotations

import re
from pathlib import Path

from archsim.hardware.arch import load_arch
from archsim.hardware.effects import what_is_on
from archsim.hardware.imperfections import Cells, ConverterErrors, RandomBits
from archsim.pipeline.steps import KINDS
from tests.networks import ARCHS, library

PAGE = (Path(__file__).parents[2] / "docs" / "imperfections.md").read_text()


def rows(section: str) -> list[list[str]]:
    """Return the cells of each row of a section's table."""
    start = PAGE.index(f"| `{section}.` |")
    table = PAGE[start:].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_every_knob_has_its_row():
    for section, model in (("cells", Cells), ("converter", ConverterErrors), ("random_bits", RandomBits)):
        named = {name for row in rows(section) for name in re.findall(r"`(\w+)`", row[0])}
        assert named == set(model.model_fields), section
        for row in rows(section):
            for name in re.findall(r"`(\w+)`", row[0]):
                knob = model.knobs().get(name)
                assert knob is None or row[3] == knob["drawn"], name


def test_the_example_is_an_architecture(tmp_path):
    block = PAGE.split("    imperfections:\n")[1].split("\n\n")[0]
    text = f"schema: archsim/arch@1\nbase: {ARCHS / 'spindrop_stt.yaml'}\nimperfections:\n"
    (tmp_path / "mine.yaml").write_text(text + "\n".join(line[4:] for line in block.splitlines()) + "\n")
    on = {e.path: e.figure.value for e in what_is_on(load_arch(tmp_path / "mine.yaml"), library(), None).on}
    assert on["cells.read_noise"] == 0.02
    assert on["cells.spread"] == 0.05
    assert "converter.gain" in on


def test_library_values_on_the_page_are_those_of_the_library():
    entries = library()
    for words, path in (
        ("5 % / 6 % READ", ("devices.stt_mtj.sigma_R_P", "devices.sot_mtj.sigma_R_P")),
        ("4 % READ", ("devices.stt_mtj.sigma_TMR",)),
        ("1 % ASSUMED", ("devices.stt_mtj.c2c_read_noise",)),
        ("8 % READ", ("devices.stt_mtj.sigma_Delta",)),
    ):
        assert words in PAGE
        values = [float(v) / 100 for v in re.findall(r"([\d.]+) %", words)]
        assert values == [entries.number(p).value for p in path]
    assert entries.figure("peripheral.adc_sar.offset_sigma", "voltage").value == 0.31e-3
    assert entries.number("rng.stt_set_read_reset.sigma_p_calibrated").value == 0.03


def test_every_effect_has_a_step_in_the_waterfall():
    prefixes = tuple(p for _, members in KINDS for p in members)
    for name, model in (("cells", Cells), ("converter", ConverterErrors), ("random_bits", RandomBits)):
        for knob in model.knobs():
            assert f"{name}.{knob}".startswith(prefixes), knob
