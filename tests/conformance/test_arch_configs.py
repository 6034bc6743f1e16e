"""Every architecture in the repository, and every kind of part, holds what an architecture promises."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import jsonschema
import pytest

from archsim.config import dump, read_yaml
from archsim.hardware.arch import ArchConfig, load_arch
from archsim.hardware.chip import Chip, build_chip
from archsim.hardware.component import GRADES
from archsim.hardware.describe import describe
from archsim.hardware.library import load_library

CONFIGS = Path(__file__).parents[2] / "arch_configs"
ARCHITECTURES = sorted(p for p in CONFIGS.glob("*.yaml") if not p.stem.startswith("components_"))
HEADER = "# yaml-language-server: $schema=schema/arch.schema.json"

ACTIONS = {
    "crossbar": {"read", "write"}, "row_driver": {"drive"}, "column_mux": {"select"}, "sample_hold": {"sample"},
    "converter": {"convert"}, "decoder": {"decode"}, "parity": {"compute"}, "shift_add": {"apply"},
    "accumulator": {"add"}, "input_buffer": {"read", "write"}, "output_buffer": {"read", "write"},
    "global_buffer": {"read", "write"}, "parameter_memory": {"read", "write"},
    "wire": {"transfer"}, "router": {"hop"}, "stochastic": {"draw"}, "popcount": {"count"},
    "threshold": {"apply"}, "affine": {"apply"}, "activation": {"apply"}, "quantizer": {"apply"}, "adder": {"add"},
    "pool": {"compare", "add"}, "softmax": {"apply", "reciprocal"}, "averager": {"accumulate", "finish"},
    "memory": {"read", "write"}, "controller": set(), "statistics": {"accumulate", "finish"},
}  # fmt: skip
OPTIONAL = {"sample_hold", "router", "stochastic", "popcount", "statistics", "memory"}

# joules, and seconds where an action takes time of its own; outside them a unit was mistaken
ENERGY = (1e-17, 50e-12)
TIME = (20e-12, 1e-6)
# blocks of a published table may state that an action costs nothing or takes place inside another
FREE = {
    "row_driver.drive",
    "decoder.decode",
    "parity.compute",
    "column_mux.select",
    "sample_hold.sample",
    "wire.transfer",
    "parameter_memory.read",
    "parameter_memory.write",
}

VARIANTS = [
    ["stochastic.kind=lfsr"], ["stochastic.kind=trng"], ["stochastic.kind=sot_mtj"], ["stochastic=null"],
    ["interconnect.kind=bus"], ["interconnect.kind=htree"], ["interconnect.kind=mesh"],
    ["memory={kind: lpddr4}"], ["memory={kind: lpddr5, bandwidth: 1 GB/s}"], ["memory=null"],
    ["converter.sample_hold=false"], ["converter={kind: adc, bits: 6, shared_by: tile, count: 8}"],
    ["converter={kind: sense_amplifier}", "crossbar.parallel_rows=1"],
    ["corner=optimistic"], ["corner=silicon_like"], ["temperature=358 K"], ["clock=1 GHz"], ["supply=0.8 V"],
    ["organisation={columns: 1, rows: 1}"], ["crossbar.cells_per_weight=1"], ["crossbar.bits_per_cell=2"],
    ["digital.statistics={}"], ["stochastic.gaussian=popcount"],
    ["stochastic={kind: lfsr, scope: chip, count: 1, gaussian: popcount, gaussian_bits: 64}"],
    ["crossbar.rows=1", "crossbar.columns=1", "crossbar.parallel_rows=1"],
]  # fmt: skip


CHIPS = [(p, []) for p in ARCHITECTURES] + [(CONFIGS / "spindrop_stt.yaml", v) for v in VARIANTS]


library_at = cache(load_library)


@pytest.fixture(params=CHIPS, ids=lambda chip: " ".join([chip[0].stem, *chip[1]]))
def chip(request) -> Chip:
    path, settings = request.param
    arch = load_arch(path, settings)
    return build_chip(arch, library_at(arch.library_path))


def test_components_and_actions_are_the_agreed_ones(chip):
    found = {name: set(c.actions) for name, c in chip.components.items()}
    assert found.items() <= ACTIONS.items()
    assert ACTIONS.keys() - found.keys() <= OPTIONAL
    assert chip.counts.keys() == found.keys()
    tiles = chip.arch.organisation.tiles
    assert all(count >= 1 or (name == "wire" and tiles == 1) for name, count in chip.counts.items())


def test_every_figure_has_a_grade_and_a_source_that_resolves(chip):
    for row in describe(chip):
        assert row.grade in GRADES, row.path
        assert row.sources, row.path
        assert all(chip.library.source(key) for key in row.sources), row.path
        assert row.low <= row.value <= row.high, row.path
        assert row.low >= 0, row.path


def test_costs_lie_in_plausible_bands(chip):
    for name, component in chip.components.items():
        for action, cost in component.actions.items():
            key = f"{name}.{action}"
            if key in FREE and chip.arch.crossbar.device == "memristor":
                continue
            assert ENERGY[0] <= cost.energy.value <= ENERGY[1], key
            assert TIME[0] <= cost.latency_ps * 1e-12 <= TIME[1], key
            assert cost.latency_ps == round(cost.latency.value * 1e12), key


def test_power_density_is_that_of_a_chip(chip):
    density = chip.peak_power("tile").value / chip.area("tile").value  # W/m^2
    assert 1e4 < density < 5e6  # 0.01 to 5 W/mm^2; ISAAC has 0.89
    assert chip.leakage("tile").value < chip.peak_power("tile").value


@pytest.mark.parametrize("path", ARCHITECTURES, ids=lambda p: p.stem)
def test_files_name_and_obey_the_schema(path):
    assert path.read_text().startswith(HEADER)
    schema = json.loads((CONFIGS / "schema" / "arch.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    assert not list(validator.iter_errors(read_yaml(path)))
    assert not list(validator.iter_errors(dump(load_arch(path))))
    assert load_arch(path).name == path.stem
    assert load_arch(path).description


def test_schema_refuses_what_the_model_refuses():
    schema = json.loads((CONFIGS / "schema" / "arch.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    good = dump(load_arch(ARCHITECTURES[0]))
    for path, bad in {("crossbar", "rows"): 0, ("clock",): 500, ("crossbar", "rwos"): 1, ("grain",): "pixel"}.items():
        data = json.loads(json.dumps(good))
        where = data
        for key in path[:-1]:
            where = where[key]
        where[path[-1]] = bad
        assert list(validator.iter_errors(data)), path


def test_at_least_the_promised_chips_are_there():
    names = {p.stem for p in ARCHITECTURES}
    assert names >= {"spindrop_stt", "spatial_spindrop_stt", "spatial_spindrop_sot", "isaac_like", "ideal"}


def test_the_ideal_chip_loses_nothing_and_no_shipped_chip_is_doubtful():
    assert load_arch(CONFIGS / "ideal.yaml").lossless
    for path in ARCHITECTURES:
        doubts = build_chip(load_arch(path)).warnings
        assert all("no device physics" in d for d in doubts), path.stem


def test_every_settable_part_is_exercised():
    """A new kind of part must be added to a shipped file or to VARIANTS above."""
    seen: dict[str, set[str]] = {}
    for path, settings in CHIPS:
        for name in ArchConfig.model_fields:
            part = getattr(load_arch(path, settings), name)
            kind = getattr(part, "kind", None)
            if kind:
                seen.setdefault(name, set()).add(kind)
    assert seen == {
        "converter": {"adc", "sense_amplifier"},
        "interconnect": {"bus", "htree", "mesh"},
        "stochastic": {"stt_mtj", "sot_mtj", "lfsr", "trng"},
        "memory": {"lpddr4", "lpddr5"},
    }
