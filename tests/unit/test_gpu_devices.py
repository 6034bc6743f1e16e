"""Files of GPUs: what is read from them, what is refused, and what a device reaches in each power mode."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import archsim
from archsim.baselines import device_names, find_device, load_device, predict
from archsim.baselines.devices import FOLDER, load_family
from archsim.baselines.network import Kernel
from archsim.baselines.rates import rates
from archsim.cli.app import app
from archsim.errors import ConfigError
from tests.gpus import bands, content, entry, gpu, ratio, write

ROOT = Path(archsim.__file__).parents[1]
GPUS = ROOT / FOLDER
KERNEL = Kernel("fc", 400, 300, 100, 10, repeated=True, spreads=True)


def exactly(value: float):
    return pytest.approx(value, rel=1e-12, abs=0)


def call(*arguments: object):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


# finding


def test_devices_are_found_by_name_and_by_path(tmp_path):
    assert find_device("h100").name == "h100"
    path = write(tmp_path, content())
    assert find_device(str(path)) == load_device(path)


def test_a_file_here_hides_the_one_that_archsim_brings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / FOLDER).mkdir(parents=True)
    write(tmp_path / FOLDER, content() | {"name": "mine"}, "h100.yaml")
    assert find_device("h100").name == "mine"
    assert find_device("a100").name == "a100"


def test_families_are_no_devices():
    assert not [name for name in device_names() if name.startswith("_")]
    assert load_family(GPUS / "_jetson.yaml").family == "jetson"


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda: find_device("jetson_agx_orrin"),
            "no modelled GPU 'jetson_agx_orrin'; did you mean 'jetson_agx_orin'?",
        ),
        (lambda: find_device("mine/gpu.yaml"), "mine/gpu.yaml: no such file"),
        (lambda: gpu().mode("fulll"), "made_up: it has no power mode 'fulll'; did you mean 'full'?"),
        (lambda: gpu().precision("int4"), "made_up: it does not compute in 'int4'; did you mean 'int8'?"),
        (lambda: predict(gpu(), [KERNEL], passes=0), "passes: must be at least 1, got 0"),
        (lambda: predict(gpu(), [KERNEL], passes=1, batch=-2), "batch: must be at least 1, got -2"),
        (
            lambda: predict(gpu(), [KERNEL], passes=1, mode="fold"),
            "no way of running passes 'fold'; did you mean 'folded'?",
        ),
    ],
)
def test_what_is_not_there_is_named_with_the_nearest(ask, message):
    with pytest.raises(ConfigError) as error:
        ask()
    assert str(error.value) == message


def test_names_of_power_modes_ignore_case():
    assert gpu().mode("FULL") == "full"
    assert gpu().mode() == "full"


def test_the_narrowest_precision_is_taken():
    assert gpu().precision() == "int8"
    assert find_device("jetson_tx2").precision() == "fp16"
    assert find_device("jetson_tx2").precisions == ("fp16", "fp32")


# what is refused


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("calibration.floor=null", "calibration.floor: is missing"),
        ("calibration.utilisation={}", "calibration.utilisation.int8: is missing"),
        ("calibration.idle_share=null", "needs idle, active and operation, or the shares of the power limit"),
        ("calibration.idle_share.grade=GUESSED", "calibration.idle_share.grade: unknown value 'GUESSED'"),
        ("calibration.floor.source=[tset]", "calibration.floor.source: unknown source 'tset'; did you mean 'test'?"),
        ("boundary=wall", "boundary: is 'wall', but shares of a power limit hold for the 'board'"),
        ("boundary=plug", "boundary: unknown value 'plug'"),
        ("standard_mode=ful", "standard_mode: no such mode 'ful'; did you mean 'full'?"),
        ("modes={}", "modes"),
        ("peak={}", "peak: is missing"),
        (f"peak.int4={json.dumps(entry(1.0, 'op/s'))}", "peak.int4: unknown value 'int4'; did you mean 'int8'?"),
        ("memoryy=1", "memoryy: unknown key; did you mean 'memory'?"),
        (f"peak.int8={json.dumps(entry('1 MHz'))}", "expected ratio (like a number with `unit: op/s`), got '1 MHz'"),
        (f"peak.int8={json.dumps(entry('50 %'))}", "expected ratio (like a number with `unit: op/s`), got '50 %'"),
        (f"peak.int8={json.dumps(ratio(0.5))}", "expected ratio (like a number with `unit: op/s`), got '0.5'"),
        (f"peak.int8={json.dumps(entry(0.0, 'op/s'))}", "peak.int8: must be positive, its whole range; got"),
        (f"memory.bandwidth={json.dumps(entry('20 MB'))}", "expected bandwidth (like '12.8 GB/s'), got '20 MB'"),
        (f"calibration.utilisation.int8={json.dumps(ratio(1.1))}", "must be positive, up to 1, its whole range; got"),
        (f"calibration.idle_share={json.dumps(ratio(0.8))}", "leave nothing of the power limit for operations"),
        (f"calibration.operation={{fp32: {json.dumps(entry('1 pJ'))}}}", "operation: the device has no peak for fp32"),
        ("calibration.measured={fp32: [latency]}", "calibration.measured: the device has no peak for fp32"),
        ("calibration.measured={int8: [power]}", "unknown value 'power'"),
        (f"modes.full.calibration.floor={json.dumps(entry('1 us'))}", "is the standard mode; state it under calib"),
        (f"bands.default.floor={json.dumps(ratio(0.9))}", "must be at least 1, its whole range; got [0.9, 0.9]"),
        (f"modes.full.limit={json.dumps(entry('-5 W'))}", "must not be negative, its whole range; got"),
    ],
)  # fmt: skip
def test_wrong_files_are_refused_with_the_place(setting, message):
    with pytest.raises(ConfigError) as error:
        gpu(setting)
    assert str(error.value).startswith("made_up.yaml: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_percentage_is_a_ratio():
    assert gpu(f"calibration.idle_share={json.dumps(entry('10 %'))}").calibration.idle_share.figure.value == 0.1


def test_power_that_leaves_nothing_of_the_limit_is_refused(tmp_path):
    data = content()
    data["modes"]["half"]["calibration"] = {"idle": entry("45 W"), "active": entry("6 W")}
    with pytest.raises(ConfigError) as error:
        load_device(write(tmp_path, data))
    assert str(error.value) == (
        "made_up: modes.half: idle and active power, 51 W, leave nothing of the limit of 50 W for operations"
    )


def test_a_device_is_laid_over_its_family(tmp_path):
    data = content()
    common = {key: data.pop(key) for key in ("family", "limit_boundary", "bands", "sources")}
    common["calibration"] = data["calibration"] | {"floor": entry("9 us")}
    data["calibration"] = {"floor": data["calibration"]["floor"]}
    write(tmp_path, common | {"schema": "archsim/gpu_family@1"}, "_family.yaml")
    path = write(tmp_path, data | {"base": "_family.yaml"})
    assert load_device(path) == gpu()
    load_family(tmp_path / "_family.yaml")
    with pytest.raises(ConfigError, match="schema: expected 'archsim/gpu@1'"):
        load_device(tmp_path / "_family.yaml")


# what a device reaches


def test_rates_of_the_standard_mode():
    found = rates(gpu(), "full", "int8")
    assert found.operations == exactly(5e7)
    assert found.bandwidth == exactly(1e7)
    assert found.floor == exactly(2e-6)
    assert (found.idle.value, found.active, found.most_w) == (exactly(10), exactly(20), exactly(100))
    assert found.operation_j == exactly(69.99 / 5e7)  # 70 W less those of the memory at 10 MB/s
    assert found.byte_j == exactly(1e-9)
    assert (found.value_bytes, found.cache_bytes, found.capacity_bytes) == (1, exactly(100), exactly(1e9))
    assert (found.floor_band, found.work_band, found.energy_band) == (2, 1.5, 3)


def test_another_mode_is_scaled():
    found = rates(gpu(), "half", "int8")  # half the clock on half the processors: a quarter of the operations
    assert found.operations == exactly(1.25e7)
    assert found.bandwidth == exactly(8e6)
    assert found.floor == exactly(4e-6)
    assert (found.idle.value, found.active, found.most_w) == (exactly(5), exactly(10), exactly(50))
    assert found.operation_j == exactly(69.99 / 5e7)  # 17.5 W at full use: no larger share of 50 W than 70 of 100


def test_operations_take_less_energy_where_the_limit_falls_more_than_the_peak():
    tight = gpu(f"modes.half.limit={json.dumps(entry('20 W'))}")  # a fifth of the power for a quarter of the operations
    assert rates(tight, "half", "int8").operation_j == exactly(69.99 / 5e7 * 0.2 / 0.25)


def test_the_other_precision_draws_the_same_power():
    found = rates(gpu(), "full", "fp16")
    assert found.operations == exactly(2e7)
    assert found.operation_j * found.operations == exactly(69.99)
    assert found.value_bytes == 2
    stated = gpu(f"calibration.operation={{int8: {json.dumps(entry('1 uJ'))}}}")
    assert rates(stated, "full", "int8").operation_j == exactly(1e-6)
    assert rates(stated, "full", "fp16").operation_j == exactly(50 / 2e7)


def test_memory_leaves_operations_half_of_what_is_left():
    hungry = gpu(f"memory.energy={json.dumps(entry('5 uJ/B'))}")  # 50 W at full use
    assert rates(hungry, "full", "int8").operation_j == exactly(35 / 5e7)


def test_what_was_measured_in_a_mode_is_not_scaled():
    own = {
        "floor": entry("3 us"), "idle": entry("7 W"), "operation": {"int8": entry("1 uJ")},
        "utilisation": {"int8": ratio(0.6)}, "measured": {"int8": ["latency"]},
    }  # fmt: skip
    device = gpu(f"modes.half.calibration={json.dumps(own)}")
    found = rates(device, "half", "int8")
    assert found.floor == exactly(3e-6)
    assert (found.idle.value, found.active) == (exactly(7), exactly(10))
    assert found.operation_j == exactly(1e-6)
    assert found.operations == exactly(1e8 / 4 * 0.6)
    assert (found.floor_band, found.energy_band) == (1.5, 3)
    assert rates(device, "full", "int8").floor_band == 2
    assert rates(device, "half", "fp16").floor_band == 2


def test_a_standard_mode_may_be_slower_than_the_peak():
    """The floor is that of the standard mode, whatever its clock."""
    device = gpu("standard_mode=half")
    assert rates(device, "half", "int8").floor == exactly(2e-6)
    assert rates(device, "full", "int8").floor == exactly(1e-6)
    assert rates(device, "full", "int8").operations == exactly(5e7)


def test_wall_power_counts_as_the_limit_where_it_is_more():
    powers = {"idle": entry("80 W"), "active": entry("30 W"), "operation": {"int8": entry("1 uJ")}}
    wall = {f"calibration.{key}={json.dumps(value)}" for key, value in powers.items()}
    device = gpu("boundary=wall", *wall)
    assert rates(device, "full", "int8").most_w == exactly(80 + 30 + 50 + 0.01)  # the memory as well
    assert rates(device, "half", "int8").most_w == exactly(40 + 15 + 12.5 + 0.008)
    frugal = gpu("boundary=wall", *wall, f"calibration.idle={json.dumps(entry('1 W'))}")
    assert rates(frugal, "full", "int8").most_w == exactly(100)


def test_the_range_of_idle_power_is_kept():
    spread = entry("10 W") | {"range": ["8 W", "14 W"]}
    device = gpu(f"calibration.idle={json.dumps(spread)}")
    point = predict(device, [KERNEL], passes=1, power_mode="half")
    assert (point.idle_w.low, point.idle_w.value, point.idle_w.high) == (exactly(4), exactly(5), exactly(7))


def test_bands_follow_what_was_measured():
    device = gpu("calibration.measured={int8: [energy]}", f"bands.calibrated={json.dumps(bands(1.1, 1.2, 1.3))}")
    known, unknown = rates(device, "full", "int8"), rates(device, "full", "fp16")
    assert (known.floor_band, known.work_band, known.energy_band) == (2, 1.5, 1.3)
    assert (unknown.floor_band, unknown.work_band, unknown.energy_band) == (2, 1.5, 3)


# on the command line


def test_check_names_devices_families_and_what_is_wrong(tmp_path):
    good = call("check", GPUS / "jetson_agx_orin.yaml", GPUS / "_discrete.yaml")
    assert good.exit_code == 0
    assert "GPU 'jetson_agx_orin' with 5 power modes" in good.stdout
    assert "what GPUs of the family 'discrete' have in common" in good.stdout
    for name in ("_jetson.yaml", "jetson_tx2.yaml"):
        shutil.copy(GPUS / name, tmp_path)
    bad = tmp_path / "jetson_tx2.yaml"
    bad.write_text(bad.read_text().replace("standard_mode: MAXN", "standard_mode: MAXNN"))
    done = call("check", bad)
    assert done.exit_code == 2
    assert f"{bad}: standard_mode: no such mode 'MAXNN'; did you mean 'MAXN'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_list_names_devices_and_no_families(monkeypatch):
    monkeypatch.chdir(ROOT)
    text = call("list").stdout
    assert "Modelled GPUs in arch_configs/gpu" in text
    assert "jetson_orin_nano.yaml" in text
    assert "_jetson.yaml" not in text
