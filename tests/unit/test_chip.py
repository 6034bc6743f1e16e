"""Chips built from files: published sums, hand-computed costs, counts, and laws between configurations."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from archsim.errors import ConfigError
from archsim.hardware.arch import load_arch
from archsim.hardware.chip import Chip, build_chip
from archsim.hardware.component import Figure
from archsim.hardware.describe import describe
from archsim.hardware.library import load_library
from archsim.hardware.parts.interconnect import htree_pitches

CONFIGS = Path(__file__).parents[2] / "arch_configs"


def about(value, rel=1e-6):
    """Compare relatively alone: pytest's default absolute tolerance of 1e-12 would pass any energy in joules."""
    return pytest.approx(value, rel=rel, abs=0)


library_at = cache(load_library)


def chip_of(name: str, *settings: str) -> Chip:
    arch = load_arch(CONFIGS / f"{name}.yaml", settings)
    return build_chip(arch, library_at(arch.library_path))


def energy(chip: Chip, action: str) -> float:
    return figure(chip, action).value


def figure(chip: Chip, action: str) -> Figure:
    component, name = action.split(".")
    return chip.components[component].actions[name].energy


def latency(chip: Chip, action: str) -> int:
    component, name = action.split(".")
    return chip.components[component].actions[name].latency_ps


@pytest.fixture(scope="module")
def spindrop() -> Chip:
    return chip_of("spindrop_stt")


@pytest.fixture(scope="module")
def isaac() -> Chip:
    return chip_of("isaac_like")


# ISAAC: Shafiee et al., ISCA 2016, Table 1 (recalled; its rows add up)


@pytest.mark.parametrize(("level", "watts"), [("core", 24.08e-3), ("tile", 329.8e-3), ("chip", 55.4)])
def test_isaac_power_is_rebuilt(isaac, level, watts):
    assert isaac.peak_power(level).value == about(watts, rel=0.005)


def test_isaac_area_is_rebuilt(isaac):
    # 85.4 mm^2 less 22.88 mm^2 of HyperTransport links; the global buffer that ISAAC lacks adds 0.083 mm^2
    assert isaac.area("core").value == about(0.0131e-6, rel=0.005)
    assert isaac.area("chip").value == about((85.4 - 22.88) * 1e-6, rel=0.005)


def test_isaac_converts_a_crossbar_in_one_cycle(isaac):
    assert 128 * latency(isaac, "converter.convert") == about(latency(isaac, "crossbar.read"), rel=1e-3)


def test_isaac_counts(isaac):
    assert isaac.counts["crossbar"] == 168 * 12 * 8
    assert isaac.instances("converter", "core") == 8
    assert isaac.instances("router", "tile") == 1
    assert isaac.instances("global_buffer", "tile") == 0


# Costs computed by hand from the library


def test_converter_follows_the_closed_form(spindrop):
    # E = (100 fF x 4 + 0.001 fF x 256) x 0.81 V^2 ; t = 4 (0.00653 x 256 lines + 0.640) ns
    assert energy(spindrop, "converter.convert") == about(400.256e-15 * 0.81)
    assert latency(spindrop, "converter.convert") == 9247
    assert spindrop.components["converter"].area.value == about(183.1e-12, rel=1e-3)


def test_converter_table_of_the_survey():
    """5 bits, 128 cells on the line: 0.406 pJ, 7.4 ns, 336 um^2."""
    chip = chip_of("spindrop_stt", "converter.bits=5", "crossbar.rows=64")
    assert energy(chip, "converter.convert") == about(0.406e-12, rel=2e-3)
    assert latency(chip, "converter.convert") == about(7400, rel=0.01)
    assert chip.components["converter"].area.value == about(336e-12, rel=2e-3)


def test_cell_read_is_the_heat_of_its_conductance(spindrop):
    # R_P 9 kohm with access transistor; TMR 1.5 / (1 + 0.2^2), so R_AP = 6 (1 + 1.44231) + 3 = 17.6538 kohm
    conductance = (1 / 9000 + 1 / 17653.8) / 2
    read = spindrop.components["crossbar"].actions["read"]
    assert read.energy.value == about(0.1**2 * conductance * read.latency.value, rel=1e-5)


def test_read_time_by_hand(spindrop):
    # line 29.27 um: 5.85 fF, 222 ohm; 8 cells of 83.9 uS; ln(80) time constants and 1 ns of acquisition
    settled = 4.382 * (1 / (8 * 83.88e-6) + 222.5 / 2) * 5.854e-15
    assert spindrop.components["crossbar"].actions["read"].latency.value == about(1e-9 + settled, rel=1e-4)
    assert latency(chip_of("digital_read_stt"), "crossbar.read") == 2800  # as a memory is read


def test_cells_conduct_through_the_conversion_unless_the_value_is_held(spindrop):
    through = chip_of("spindrop_stt", "converter.sample_hold=false")
    assert "sample_hold" not in through.components
    on = latency(through, "crossbar.read") + latency(through, "converter.convert")
    ratio = energy(through, "crossbar.read") / energy(spindrop, "crossbar.read")
    assert ratio == about(on / latency(spindrop, "crossbar.read"), rel=1e-3)


def test_digital_latencies_are_whole_cycles(spindrop):
    assert latency(spindrop, "threshold.apply") == 2000  # 1 ns of logic at 500 MHz
    assert latency(spindrop, "affine.apply") == 4000  # 1.0 + 1.44 ns
    assert latency(chip_of("spindrop_stt", "clock=1 GHz"), "affine.apply") == 3000


def test_voltage_drop_by_hand(spindrop):
    # pitch along the line sqrt(50 F^2 / 3), 256 cells, 7.6 ohm/um; 8 rows at mid-line
    line = 256 * (50 * 7.84e-4 / 3) ** 0.5 * 7.6
    conductance = (1 / 9000 + 1 / 17653.8) / 2
    assert spindrop.ir_drop.value == about(8 * conductance * line / 2, rel=1e-5)


def test_row_driver_mux_and_buffers(spindrop):
    assert energy(spindrop, "row_driver.drive") == about((9.0 + 0.0927 * 128) * 1e-15)
    assert energy(spindrop, "column_mux.select") == about((0.1 + 0.0461 * 256) * 1e-15)
    assert energy(spindrop, "input_buffer.read") == about(0.809e-12 * 4**0.579 / 64)
    assert latency(spindrop, "input_buffer.read") == 2000  # 0.62 ns of the array, one cycle at 500 MHz
    assert energy(spindrop, "accumulator.add") == about(0.088e-12 * 1.25)  # with its clock tree


def test_random_bits():
    assert energy(chip_of("spatial_spindrop_sot"), "stochastic.draw") == about(0.5e-12)
    trng = chip_of("spindrop_stt", "stochastic.kind=trng")
    assert energy(trng, "stochastic.draw") == about(23e-12)
    assert latency(trng, "stochastic.draw") == round(1e12 / 23e6)
    lfsr = chip_of("spindrop_stt", "stochastic.kind=lfsr")
    assert energy(lfsr, "stochastic.draw") == about(0.07e-12 * 1.25)
    assert latency(lfsr, "stochastic.draw") == 2000


def test_modules_of_the_two_dropout_chips(spindrop):
    assert spindrop.counts["stochastic"] == 128 * 128
    assert chip_of("spatial_spindrop_stt").counts["stochastic"] == 128 * 15
    assert chip_of("spindrop_stt", "stochastic.scope=chip", "stochastic.count=1").counts["stochastic"] == 1
    assert "stochastic" not in chip_of("spindrop_stt", "stochastic=null").components


# Where figures come from


def test_stated_costs_win_over_the_library():
    quote = "{value: 0.5 pJ, range: [0.4 pJ, 0.9 pJ], grade: READ, source: [murmann]}"
    chip = chip_of(
        "spindrop_stt", f"converter.costs.convert.energy={quote}", "converter.costs.convert.latency=3 ns",
        "corner=silicon_like",
    )  # fmt: skip
    assert figure(chip, "converter.convert") == Figure(0.5e-12, 0.4e-12, 0.9e-12, "READ", ("murmann",))
    assert latency(chip, "converter.convert") == 3000


def test_corner_multiplies_the_analog_parts_alone(spindrop):
    silicon = chip_of("spindrop_stt", "corner=silicon_like")
    for action in ("crossbar.read", "row_driver.drive", "column_mux.select", "sample_hold.sample", "converter.convert"):
        assert energy(silicon, action) == about(10 * energy(spindrop, action))
        assert latency(silicon, action) == pytest.approx(6 * latency(spindrop, action), abs=3)
    for action in ("crossbar.write", "accumulator.add", "input_buffer.read", "stochastic.draw", "router.hop"):
        assert energy(silicon, action) == energy(spindrop, action)
    ratio = silicon.components["input_buffer"].leakage.value / spindrop.components["input_buffer"].leakage.value
    assert ratio == about(10)


def test_leakage_doubles_every_thirty_kelvin(spindrop):
    hot = chip_of("spindrop_stt", "temperature=330 K").components["threshold"].leakage
    cold = spindrop.components["threshold"].leakage
    assert hot.value == about(2 * cold.value)
    assert hot.high == about(2 ** (30 / 20) * cold.high)
    assert chip_of("spindrop_stt", "temperature=330 K").components["controller"].leakage.value == about(
        spindrop.components["controller"].leakage.value
    )


def test_switching_energy_goes_with_the_square_of_the_supply(spindrop):
    low = chip_of("spindrop_stt", "supply=0.81 V")
    for action in ("converter.convert", "accumulator.add", "input_buffer.read", "wire.transfer"):
        assert energy(low, action) == about(0.81 * energy(spindrop, action))
    assert energy(low, "crossbar.read") == energy(spindrop, "crossbar.read")


# Counts and sharing


def test_shared_converters(spindrop):
    assert spindrop.counts["converter"] == 128 * 16
    core = chip_of("spindrop_stt", "converter={kind: adc, bits: 4, shared_by: core, count: 3}")
    assert (core.counts["converter"], core.instances("converter", "crossbar")) == (16 * 3, 0)
    tile = chip_of("spindrop_stt", "converter={kind: adc, bits: 4, shared_by: tile, count: 5}")
    assert (tile.counts["converter"], tile.counts["column_mux"]) == (16 * 5, 16 * 5)
    uneven = chip_of("spindrop_stt", "converter.columns_per_converter=100")
    assert uneven.counts["converter"] == 128 * 2


@pytest.mark.parametrize(("columns", "rows", "pitches"), [(1, 1, 0), (2, 1, 1), (2, 2, 3), (4, 4, 18), (4, 2, 8)])
def test_htree_length(columns, rows, pitches):
    """By hand: a square of four is an H of 1 + 2; sixteen are four of those and an H of twice the size."""
    assert htree_pitches(columns, rows) == pitches


def test_links_of_each_interconnect():
    links = {
        kind: chip_of("spindrop_stt", f"interconnect.kind={kind}").counts["wire"] for kind in ("mesh", "bus", "htree")
    }
    assert links == {"mesh": 2 * 24, "bus": 15, "htree": 18}
    assert "router" not in chip_of("spindrop_stt", "interconnect.kind=bus").components


def test_a_mesh_link_takes_cycles_and_a_bus_the_time_of_its_wire(spindrop):
    assert (latency(spindrop, "wire.transfer"), latency(spindrop, "router.hop")) == (2000, 4000)
    bus = chip_of("spindrop_stt", "interconnect.kind=bus")
    assert latency(bus, "wire.transfer") == about(0.57e6 * bus.tile_pitch.value, rel=5e-3)  # 0.57 ns/mm is 0.57e6 ps/m
    slow = chip_of("spindrop_stt", "interconnect.clock=10 GHz")
    assert latency(slow, "wire.transfer") > 100  # the wire itself is slower than one such cycle


def test_area_and_leakage_roll_up(spindrop):
    parts = spindrop.area_by_part()
    assert sum(f.value for f in parts.values()) == about(spindrop.area().value)
    own = {"softmax", "averager", "global_buffer", "wire"}
    chip_level = sum(parts[n].value for n in own)
    assert spindrop.area().value == about(16 * spindrop.area("tile").value + chip_level)
    assert spindrop.area("tile").value > 8 * spindrop.area("crossbar").value
    assert spindrop.tile_pitch.value**2 == about(spindrop.area("tile").value)
    assert spindrop.leakage().value == about(sum(f.value for f in spindrop.leakage_by_part().values()))


# What is refused, and what is accepted with a warning


def test_low_resistance_cells_cannot_be_summed_over_all_rows():
    full = ["crossbar.parallel_rows=128", "converter.bits=8"]
    with pytest.raises(ConfigError, match=r"128 parallel rows of stt_mtj cells lose .* at most 10 rows at a time"):
        chip_of("spindrop_stt", *full)
    allowed = chip_of("spindrop_stt", *full, "crossbar.ir_drop=allow")
    assert len(allowed.warnings) == 1
    assert "of the read voltage" in allowed.warnings[0]
    assert chip_of("spindrop_stt", "crossbar.parallel_rows=10").warnings == ()
    assert chip_of("spatial_spindrop_sot").warnings == ()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["supply=2 V"], "2 V is more than 12% away from the 0.9 V"),
        (["corner=silicon"], "did you mean 'silicon_like'"),
        (["library=nope.yaml"], "nope.yaml: no such file"),
        (["input_buffer.capacity=8 MiB"], "input_buffer.capacity: 67108864 bit, but the cost model holds"),
        (["input_buffer.width=32 bit"], "input_buffer.width: 32 bit"),
        (["converter.bits=11"], "converter.bits: 11 bit"),
        (["crossbar.device=memristor"], "no model of it"),
        (["converter.costs.convert.energy={value: 1 pJ, source: [zigzg_imc]}"], "did you mean 'zigzag_imc'"),
    ],
)
def test_refuses(settings, words):
    with pytest.raises(ConfigError, match=words):
        chip_of("spindrop_stt", *settings)


def test_stated_costs_let_a_part_leave_its_model():
    """The closed form of a buffer ends at 1 MiB; a buffer whose costs are all stated does not need it."""
    costs = "{read: {energy: 1 pJ, latency: 4 ns}, write: {energy: 1 pJ, latency: 4 ns}, area: 2 mm^2, leakage: 1 mW}"
    chip = chip_of("spindrop_stt", "global_buffer.capacity=8 MiB", f"global_buffer.costs={costs}")
    assert energy(chip, "global_buffer.write") == 1e-12
    assert chip.components["global_buffer"].area.value == 2e-6


# Physics between configurations


@pytest.mark.parametrize(
    ("smaller", "larger", "grows"),
    [
        ("converter.bits=4", "converter.bits=6", "converter.convert"),
        ("input_buffer.capacity=4 KiB", "input_buffer.capacity=32 KiB", "input_buffer.read"),
        ("crossbar.columns=64", "crossbar.columns=256", "row_driver.drive"),
        ("crossbar.rows=64", "crossbar.rows=128", "column_mux.select"),
        ("crossbar.read_voltage=0.05 V", "crossbar.read_voltage=0.1 V", "crossbar.read"),
        ("organisation.crossbars_per_core=2", "organisation.crossbars_per_core=16", "wire.transfer"),
    ],
)
def test_larger_parts_cost_more(smaller, larger, grows):
    assert energy(chip_of("spindrop_stt", larger), grows) > energy(chip_of("spindrop_stt", smaller), grows)


def test_describe_names_every_figure_once(spindrop):
    rows = describe(spindrop)
    paths = [r.path for r in rows]
    assert len(set(paths)) == len(paths)
    by_path = {r.path: r for r in rows}
    convert = by_path["converter.convert.latency"]
    assert (convert.value, convert.unit, convert.grade) == (about(9.24672e-9), "s", "DERIVED")
    assert by_path["chip.area"].value == spindrop.area().value
    assert by_path["stt_mtj.parallel"].unit == "ohm"
