"""`--set workload.PATH=value` and `--set library.ENTRY=value`: applied, checked, in the hash; refused for a trace."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from archsim.cli.app import app
from archsim.errors import ConfigError
from archsim.hardware.arch import load_arch
from archsim.hardware.chip import build_chip
from archsim.hardware.library import load_library
from archsim.pipeline import deploy, evaluate
from archsim.pipeline.inputs import MOST_NETWORKS, Inputs, Overrides
from archsim.workload.tracefile import save_trace

ROOT = Path(__file__).parents[2]
CHIP, LOAD = ROOT / "arch_configs" / "spatial_spindrop_stt.yaml", ROOT / "workloads" / "lenet5_digits.yaml"
ENERGY = "peripheral.sense_amp.energy"


@pytest.fixture(scope="module")
def library():
    return load_library(ROOT / "arch_configs" / "components_28nm.yaml")


def costs(*overrides):
    return evaluate(CHIP, LOAD, passes=2, images=3, function=False, overrides=overrides)


# --- the library ---


def test_a_value_replaces_the_librarys_with_its_range_and_sources(library):
    before, after = library.figure(ENERGY, "energy"), library.with_values({ENERGY: "3 fJ"}).figure(ENERGY, "energy")
    assert after.value == pytest.approx(3e-15, rel=1e-12, abs=0)
    assert (after.low, after.high, after.sources) == (before.low, before.high, before.sources)
    assert after.grade == "ASSUMED"
    assert "the library states" in after.note
    assert library.figure(ENERGY, "energy") == before


def test_the_value_that_the_library_states_changes_nothing(library):
    stated = library.entries[ENERGY].value
    assert library.with_values({ENERGY: stated}).figure(ENERGY, "energy") == library.figure(ENERGY, "energy")


@pytest.mark.parametrize("end", [0, 1])
def test_an_end_of_the_range_may_miss_it_by_rounding(library, end):
    figure = library.figure(ENERGY, "energy")
    wanted = (figure.low, figure.high)[end]
    found = library.with_values({ENERGY: f"{wanted * (1 + (2 * end - 1) * 1e-12)!r} J"}).figure(ENERGY, "energy")
    assert found.value == wanted


def test_every_entry_takes_its_own_ends(library):
    for path, entry in library:
        for given in entry.range:
            assert library.with_values({path: given}).entries[path].figure.value in (
                entry.figure.low,
                entry.figure.high,
            )


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("peripheral.sense_amp.enrgy", "3 fJ", "did you mean 'peripheral.sense_amp.energy'"),
        (ENERGY, "3 ns", "expected a quantity of energy"),
        (ENERGY, 3, "expected a value like"),
        (ENERGY, "3", "without a unit"),
        (ENERGY, "1 pJ", "lies outside its range"),
        (ENERGY, ["3 fJ"], "expected one value"),
        (ENERGY, True, "expected one value"),
        ("devices.stt_mtj.TMR0", "120 pJ", "expected a value like"),
        ("devices.stt_mtj.TMR0", float("nan"), "lies outside its range"),
    ],
)
def test_wrong_values_are_refused(library, path, value, says):
    with pytest.raises(ConfigError) as error:
        library.with_values({path: value})
    assert says in str(error.value)
    assert path.split(".")[1] in str(error.value)


def test_a_library_setting_prices_the_chip_and_is_in_the_hash():
    entry = "digital.accumulate_16b.energy"
    figure = load_library(ROOT / "arch_configs" / "components_28nm.yaml").figure(entry, "energy")
    plain, dear = costs(), costs(f"library.{entry}={figure.high!r} J")
    assert dear.energy_j_per_image.value > plain.energy_j_per_image.value
    assert dear.latency_s_per_image == plain.latency_s_per_image
    assert dear.config_hash != plain.config_hash


def test_a_library_setting_needs_a_value():
    with pytest.raises(ConfigError, match=r"expected library\.entry=value"):
        costs("library.peripheral.sense_amp.energy")


def test_the_file_of_the_library_is_still_the_architectures():
    assert Overrides.of(["library=other.yaml", "library.a.b=3 fJ", "workload.images=5", "clock=1 GHz"]) == Overrides(
        ("library=other.yaml", "clock=1 GHz"), ("images=5",), ("a.b=3 fJ",)
    )


# --- the workload ---


def test_a_workload_setting_applies_to_the_workload():
    at_work = deploy(CHIP, LOAD, overrides=["workload.images=7", "workload.passes=9", "workload.dataset.split=train"])
    plain = deploy(CHIP, LOAD)
    assert (at_work.wanted, at_work.passes) == (7, 9)
    assert len(at_work.data) == 7
    assert (at_work.data.images[:7] != plain.data.images[:7]).any()
    assert plain.wanted != 7


def test_a_wrong_workload_setting_names_its_place():
    with pytest.raises(ConfigError, match=r"lenet5_digits\.yaml: dataset\.split"):
        deploy(CHIP, LOAD, overrides=["workload.dataset.split=validation"])


def test_a_workload_that_is_an_object_takes_settings_too():
    source = Inputs().source(LOAD)
    assert deploy(CHIP, source, overrides=["workload.images=7"]).wanted == 7
    assert source.config.images != 7


def test_a_trace_takes_no_settings(tmp_path):
    inputs = Inputs()
    file = save_trace(inputs.trace(inputs.source(LOAD)), tmp_path / "t.safetensors")
    assert deploy(CHIP, file, overrides=["clock=400 MHz"]).chip.arch.clock == 400e6
    with pytest.raises(ConfigError, match=r"--set workload\.images=7: .* is a trace, which has no settings"):
        deploy(CHIP, file, overrides=["workload.images=7"])


def test_files_are_read_once():
    inputs = Inputs()
    first, second = (deploy(CHIP, LOAD, overrides=[o], inputs=inputs) for o in ("clock=400 MHz", "clock=300 MHz"))
    assert first.chip.library is second.chip.library
    assert first.trace is second.trace
    assert first.mapping.graph is second.mapping.graph
    assert first.chip.arch.clock != second.chip.arch.clock


# --- the commands ---


def command(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


def test_show_and_map_know_them(library):
    low = library.figure(ENERGY, "energy").low
    shown = command("show", CHIP, "--set", f"library.{ENERGY}={low!r} J", "--json")
    assert shown.exit_code == 0, shown.stderr
    assert command("map", CHIP, LOAD, "--set", "workload.passes=3", "--json").exit_code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("run", CHIP, LOAD, "--costs-only", "--set", "library.peripheral.sense_amp.enrgy=3 fJ"), "did you mean"),
        (("run", CHIP, LOAD, "--costs-only", "--set", "workload.pases=3"), "did you mean 'passes'"),
        (("run", CHIP, LOAD, "--schedule", "pipelined"), "schedule: 'pipelined' is not one of"),
        (("evaluate", CHIP, LOAD, "--stopping", "hoefding 0.05"), "did you mean 'hoeffding'"),
        (("evaluate", CHIP, LOAD, "--grain", "rows"), "grain: 'rows' is not one of"),
        (("compare", CHIP, LOAD, "--costs-only", "--grain", "rows"), "grain: 'rows' is not one of"),
    ],
)
def test_wrong_words_are_one_clear_error(words, says):
    done = command(*words)
    assert done.exit_code == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["run", "evaluate", "compare", "show", "map"])
def test_the_help_tells_of_both(name):
    text = " ".join(command(name, "--help").stdout.split())
    assert "workload.A.B=C" in text
    assert "library.A.B=C" in text


def test_overrides_apply_to_chips_and_architectures_as_to_their_files():
    settings = ["clock=400 MHz", "library.peripheral.sense_amp.energy=3 fJ"]
    arch = load_arch(CHIP)
    of_file, of_arch, of_chip = (deploy(a, LOAD, overrides=settings).chip for a in (CHIP, arch, build_chip(arch)))
    assert of_file.arch == of_arch.arch == of_chip.arch
    assert of_file.arch.clock == 400e6
    assert {c.library.entries["peripheral.sense_amp.energy"].value for c in (of_file, of_arch, of_chip)} == {"3 fJ"}
    assert of_file.area() == of_arch.area() == of_chip.area()


def test_a_chip_keeps_the_library_that_it_was_built_with():
    chip = deploy(CHIP, LOAD, overrides=["library.peripheral.sense_amp.energy=3 fJ"]).chip
    again = deploy(chip, LOAD, overrides=["clock=400 MHz"]).chip
    assert again.library.entries["peripheral.sense_amp.energy"].value == "3 fJ"
    assert deploy(chip, LOAD).chip is chip


def test_what_is_wrong_with_an_override_of_a_chip_is_said_with_its_name():
    with pytest.raises(ConfigError, match=r"clocks: unknown key; did you mean 'clock'"):
        deploy(load_arch(CHIP), LOAD, overrides=["clocks=1 GHz"])


def test_networks_are_kept_a_few_at_a_time():
    inputs = Inputs()
    for images in range(1, 40):
        inputs.graph(inputs.trace(inputs.source(LOAD, Overrides.of([f"workload.images={images}"]))))
    assert len(inputs._sources) == len(inputs._traces) == len(inputs._graphs) == MOST_NETWORKS
