"""Architecture files: reading, overriding, and one clear message for each mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archsim.config import content_hash, dump, json_schema, validate
from archsim.errors import ConfigError
from archsim.hardware.arch import ArchConfig, load_arch

CONFIGS = Path(__file__).parents[2] / "arch_configs"
SPINDROP = CONFIGS / "spindrop_stt.yaml"


def test_reads_quantities_and_defaults():
    arch = load_arch(SPINDROP)
    assert (arch.clock, arch.supply, arch.temperature) == (5e8, 0.9, 300.0)
    assert arch.crossbar.read_voltage == 0.1
    assert arch.input_buffer.capacity == 4 * 1024 * 8
    assert arch.organisation.crossbars == 4 * 4 * 1 * 8
    assert arch.crossbar.lines == 256
    assert arch.library_path == CONFIGS / "components_28nm.yaml"


def test_base_and_overrides():
    spatial = load_arch(CONFIGS / "spatial_spindrop_stt.yaml", ["organisation.columns=2", "converter.bits=6"])
    assert spatial.name == "spatial_spindrop_stt"
    assert spatial.stochastic.count == 15
    assert spatial.organisation.tiles == 8
    assert spatial.converter.bits == 6
    assert spatial.crossbar == load_arch(SPINDROP).crossbar


def test_expanded_configuration_reads_back_as_the_same():
    arch = load_arch(SPINDROP, ["converter.costs.convert.energy={value: 1 pJ, range: [0.5 pJ, 2 pJ], grade: READ}"])
    again = validate(ArchConfig, dump(arch), "again")
    assert dump(again) == dump(arch)
    assert content_hash(again) == content_hash(arch)
    assert content_hash(arch) != content_hash(load_arch(SPINDROP))


@pytest.mark.parametrize(
    ("rows", "bits", "cell_bits", "step"),
    [
        (8, 4, 1, 1), (128, 5, 1, 4), (128, 7, 1, 1), (128, 8, 1, 1), (129, 7, 1, 2), (1, 2, 1, 1),
        (128, 8, 2, 2), (100, 5, 1, 4),
    ],
)  # fmt: skip
def test_smallest_step_whose_full_scale_covers_the_group(rows, bits, cell_bits, step):
    arch = load_arch(
        SPINDROP,
        [
            "crossbar.rows=256", f"crossbar.parallel_rows={rows}", f"converter.bits={bits}",
            f"crossbar.bits_per_cell={cell_bits}",
        ],
    )  # fmt: skip
    assert arch.lsb_cells == step


@pytest.mark.parametrize("rows", range(1, 20))
@pytest.mark.parametrize("bits", [2, 3, 4, 5])
def test_lossless_is_what_the_conversion_says(rows, bits):
    """Against the definition: every match count of every group size comes back as it was."""
    arch = load_arch(SPINDROP, [f"crossbar.parallel_rows={rows}", f"converter.bits={bits}"])
    shift = arch.lsb_cells.bit_length() - 1
    half = (1 << shift) >> 1
    low, high = 1 - 2 ** (bits - 1), 2 ** (bits - 1)

    def back(matches, driven):
        code = min(max((matches - driven // 2 + half) >> shift, low), high)
        return 2 * (code << shift) - (driven & 1)

    exact = all(back(m, n) == 2 * m - n for n in range(rows + 1) for m in range(n + 1))
    assert arch.lossless == exact


@pytest.mark.parametrize(
    ("setting", "place", "words"),
    [
        ("crossbar.rows=0", "crossbar.rows", "greater than or equal to 1"),
        ("crossbar.rwos=3", "crossbar.rwos", "did you mean 'rows'"),
        ("crossbar.parallel_rows=300", "crossbar", r"parallel_rows \(300\) must not exceed rows \(128\)"),
        ("crossbar.read_voltage=-0.1 V", "crossbar.read_voltage", "greater than 0"),
        ("converter.kind=adcc", "converter", "did you mean 'adc'"),
        ("converter.lsb_cells=3", "converter", "power of two"),
        ("converter.shared_by=core", "converter", "need 'count'"),
        ("converter={kind: sense_amplifier}", "", "parallel_rows is 8; set it to 1"),
        ("clock=3 ns", "clock", "quantity of frequency"),
        ("clock=500", "clock", "without a unit"),
        ("input_buffer.capacity=4 bit", "input_buffer", "does not hold one word"),
        ("temperature=20 K", "temperature", "greater than or equal"),
        ("mapping.strategy=unroled", "mapping.strategy", "did you mean 'unrolled'"),
        ("organisation.columns=1024", "organisation", None),
        ("stochastic.kind=stt", "stochastic.kind", "did you mean 'stt_mtj'"),
        ("schema=archsim/arch@2", "schema", "expected 'archsim/arch@1'"),
        ("converter.costs.convrt.energy=1 pJ", "converter.costs.convrt", "did you mean 'convert'"),
        ("converter.costs.convert.energy=-1 pJ", "converter.costs.convert.energy", "must not be negative"),
        ("converter.costs.convert.energy=1 ns", "converter.costs.convert.energy", "quantity of energy"),
        (
            "converter.costs.convert.energy={value: 1 pJ, range: [2 pJ, 3 pJ]}",
            "converter.costs.convert.energy",
            "inside its range",
        ),
    ],
)
def test_each_mistake_gets_one_located_message(setting, place, words):
    settings = [setting, "organisation.rows=1024"] if words is None else [setting]
    with pytest.raises(ConfigError, match=words or "more than 65536") as caught:
        load_arch(SPINDROP, settings)
    assert len(caught.value.problems) == 1
    assert str(caught.value).startswith(f"{SPINDROP}: {place}")


def test_all_mistakes_are_said_at_once():
    with pytest.raises(ConfigError) as caught:
        load_arch(SPINDROP, ["crossbar.rows=0", "clock=1 J", "grain=pixel"])
    assert len(caught.value.problems) == 3


def test_json_schema_is_fresh():
    """Rewrite it with: python -m archsim.hardware.schema arch_configs/schema/arch.schema.json."""
    kept = json.loads((CONFIGS / "schema" / "arch.schema.json").read_text())
    assert kept == json_schema(ArchConfig)


def test_names_in_a_base_are_relative_to_the_base(tmp_path):
    """A chip of one's own, in one's own folder, finds the component library of the chip it is based on."""
    (tmp_path / "mine.yaml").write_text(f"schema: archsim/arch@1\nbase: {CONFIGS / 'spatial_spindrop_stt.yaml'}\n")
    arch = load_arch(tmp_path / "mine.yaml")
    assert arch.library_path.resolve() == (CONFIGS / "components_28nm.yaml").resolve()
