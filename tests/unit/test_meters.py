"""Meters on machines that are made up: NVIDIA's library, RAPL's files, the sensors of a Jetson."""

from __future__ import annotations

import os
import re
from types import SimpleNamespace

import pytest

from archsim.baselines.measured.failures import is_lost
from archsim.baselines.measured.meters import (
    Integrator,
    MeterError,
    Missing,
    Nvml,
    facts_of,
    find_jetson,
    find_nvml,
    find_rapl,
)
from tests.measuring import FakeTime

NOT_SUPPORTED, NOT_FOUND, LIBRARY_NOT_FOUND, LOST = 3, 6, 12, 15


class NVMLError(Exception):
    def __init__(self, value):
        self.value = value
        super().__init__(
            {3: "Not Supported", 6: "Not Found", 12: "NVML Shared Library Not Found", 15: "GPU is lost"}[value]
        )


class FakeNvml:
    """A board with 100 W; `lacks`: names of functions that it does not have."""

    NVMLError = NVMLError
    NVML_SUCCESS, NVML_FI_DEV_POWER_INSTANT, NVML_TEMPERATURE_GPU, NVML_CLOCK_SM, NVML_CLOCK_MEM = 0, 186, 0, 1, 2

    def __init__(self, *lacks, error=NOT_SUPPORTED):
        self.lacks, self.error, self.open = set(lacks), error, 0
        self.energy_mj, self.power_mw, self.asked = 5_000_000, 100_000, []

    def __getattr__(self, name):
        if not name.startswith("nvmlDevice"):
            raise AttributeError(name)

        def answer(*arguments):
            self.asked.append(name)
            if name in self.lacks:
                raise NVMLError(self.error)
            field = SimpleNamespace(nvmlReturn=0, value=SimpleNamespace(uiVal=self.power_mw))
            return {
                "nvmlDeviceGetHandleByUUID": "handle",
                "nvmlDeviceGetTotalEnergyConsumption": self.energy_mj,
                "nvmlDeviceGetFieldValues": [field],
                "nvmlDeviceGetPowerUsage": self.power_mw,
                "nvmlDeviceGetTemperature": 51,
                "nvmlDeviceGetEnforcedPowerLimit": 350_000,
                "nvmlDeviceGetMaxClockInfo": 1980,
                "nvmlDeviceGetClockInfo": 345,
            }[name]

        return answer

    def nvmlInit(self):  # noqa: N802
        if "nvmlInit" in self.lacks:
            raise NVMLError(self.error)
        self.open += 1

    def nvmlShutdown(self):  # noqa: N802
        self.open -= 1

    def nvmlSystemGetDriverVersion(self):  # noqa: N802
        return "570.1"


COUNTER, INSTANT, USAGE = (
    "nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetFieldValues", "nvmlDeviceGetPowerUsage",
)  # fmt: skip


def test_nvml_counts_millijoules_of_the_board():
    nvml, time = FakeNvml(), FakeTime()
    meter = find_nvml("GPU-1", lambda: time.now, nvml)
    assert isinstance(meter, Nvml)
    assert (meter.boundary, meter.name) == ("board", "NVML energy counter")
    with meter:
        before = meter.joules()
        nvml.energy_mj += 1500
        assert meter.joules() - before == pytest.approx(1.5)
        assert meter.temperature_c() == 51
    assert nvml.open == 0
    assert not any("Set" in name for name in nvml.asked)


@pytest.mark.parametrize(("lacks", "note"), [([COUNTER], "momentary power"), ([COUNTER, INSTANT], "an average over")])
def test_without_a_counter_the_power_of_the_board_is_integrated(lacks, note):
    nvml, time = FakeNvml(*lacks), FakeTime()
    meter = find_nvml("GPU-1", lambda: time.now, nvml)
    assert note in meter.notes[0]
    with meter:
        before = meter.joules()
        time.now += 3
        assert meter.joules() - before == pytest.approx(300)
    assert nvml.open == 0


@pytest.mark.parametrize(
    ("nvml", "reason"),
    [
        (FakeNvml("nvmlInit", error=LIBRARY_NOT_FOUND), "NVML cannot be used .NVML Shared Library Not Found"),
        (FakeNvml("nvmlDeviceGetHandleByUUID", error=NOT_FOUND), "does not know this GPU .Not Found"),
        (FakeNvml(COUNTER, INSTANT, USAGE), "neither an energy counter nor a power sensor.*Not Supported"),
    ],
)
def test_where_nvml_knows_nothing_it_says_why(nvml, reason):
    found = find_nvml("GPU-1", lambda: 0.0, nvml)
    assert isinstance(found, Missing)
    assert re.search(reason, found.reason)
    assert nvml.open == 0


def test_a_torch_that_does_not_tell_the_gpu_gives_no_meter():
    assert isinstance(find_nvml(None, lambda: 0.0, FakeNvml()), Missing)
    assert facts_of(None, FakeNvml()) == ({}, {})


def test_a_lost_gpu_is_known_by_its_meter():
    nvml = FakeNvml()
    meter = find_nvml("GPU-1", lambda: 0.0, nvml)
    nvml.lacks, nvml.error = {COUNTER, "nvmlDeviceGetTemperature"}, LOST
    with pytest.raises(MeterError, match="GPU is lost") as caught:
        meter.joules()
    assert is_lost(caught.value)
    assert meter.temperature_c() is None


def test_facts_of_a_gpu_are_what_it_tells():
    nvml = FakeNvml("nvmlDeviceGetMaxClockInfo")
    lasting, passing = facts_of("GPU-1", nvml)
    assert lasting == {"driver": "570.1", "power_limit_w": 350.0}
    assert passing == {"sm_clock_mhz": 345, "memory_clock_mhz": 345, "temperature_c": 51}
    assert nvml.open == 0
    assert facts_of("GPU-1", FakeNvml("nvmlInit")) == ({}, {})
    assert facts_of("GPU-1", FakeNvml("nvmlDeviceGetHandleByUUID")) == ({}, {})


def zone(root, name, kind, microjoules, most=262_143_328_850):
    folder = root / "sys/class/powercap" / name
    folder.mkdir(parents=True)
    for file, text in (("name", kind), ("energy_uj", microjoules), ("max_energy_range_uj", most)):
        (folder / file).write_text(f"{text}\n")
    return folder


def test_rapl_adds_up_packages_and_nothing_else(tmp_path):
    first = zone(tmp_path, "intel-rapl:0", "package-0", 1_000_000)
    second = zone(tmp_path, "intel-rapl:1", "package-1", 5)
    core, board = zone(tmp_path, "intel-rapl:0:0", "core", 10), zone(tmp_path, "intel-rapl:2", "psys", 10)
    meter = find_rapl(tmp_path)
    assert meter.boundary == "chip"
    before = meter.joules()
    for folder, value in ((first, 4_000_000), (second, 500_005), (core, 9_999_999), (board, 9_999_999)):
        (folder / "energy_uj").write_text(str(value))
    assert meter.joules() - before == pytest.approx(3.5)


def test_rapl_goes_on_when_its_counter_starts_again(tmp_path):
    package = zone(tmp_path, "intel-rapl:0", "package-0", 9_000_000, most=10_000_000)
    with find_rapl(tmp_path) as meter:
        for value, total in ((9_500_000, 0.5), (250_000, 1.25), (250_000, 1.25), (9_000_000, 10.0), (0, 11.0)):
            (package / "energy_uj").write_text(str(value))
            assert meter.joules() == pytest.approx(total)
        assert meter.temperature_c() is None


def test_rapl_says_why_it_is_not_there(tmp_path, monkeypatch):
    assert "shows no RAPL counters" in find_rapl(tmp_path).reason
    (tmp_path / "sys/class/powercap/dtpm").mkdir(parents=True)
    assert "no RAPL counter of a processor package" in find_rapl(tmp_path).reason
    package = zone(tmp_path, "intel-rapl:0", "package-0", 7)
    (package / "energy_uj").write_text("no number")
    assert "cannot be read (ValueError)" in find_rapl(tmp_path).reason

    def refuse(_):
        raise PermissionError("13")

    monkeypatch.setattr("archsim.baselines.measured.meters.rapl._count", refuse)
    assert "root alone" in find_rapl(tmp_path).reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_rapl_without_permission(tmp_path):
    (zone(tmp_path, "intel-rapl:0", "package-0", 7) / "energy_uj").chmod(0)
    assert "root alone" in find_rapl(tmp_path).reason


def rails(root, names, driver="ina3221", hub="1-0040"):
    """Rails of 5 V and 1, 2, 3 A, as JetPack 5 shows them."""
    folder = root / "sys/bus/i2c/drivers" / driver / hub / "hwmon/hwmon3"
    folder.mkdir(parents=True)
    for number, name in enumerate(names, 1):
        (folder / f"in{number}_label").write_text(f"{name}\n")
        (folder / f"in{number}_input").write_text("5000\n")
        (folder / f"curr{number}_input").write_text(f"{1000 * number}\n")
    return folder


def test_a_jetson_is_measured_where_its_module_is_fed(tmp_path):
    folder, time = rails(tmp_path, ["VDD_CPU_GPU_CV", "VDD_SOC", "VDD_IN"]), FakeTime()
    (folder / "in7_label").write_text("sum of shunt voltages\n")
    meter = find_jetson(tmp_path, lambda: time.now)
    assert (meter.boundary, meter.notes) == ("module", ())
    assert "VDD_IN" in meter.name
    before = meter.joules()
    time.now = 2.0
    assert meter.joules() - before == pytest.approx(30.0)  # 15 W
    (folder / "curr3_input").write_text("1000\n")
    time.now = 4.0
    assert meter.joules() - before == pytest.approx(30.0 + 20.0)  # from 15 W to 5 W: a trapezoid
    assert meter.temperature_c() is None


def test_a_jetson_without_such_a_rail_is_the_sum_of_those_it_has(tmp_path):
    rails(tmp_path, ["VDD_GPU_SOC", "VDD_CPU_CV", "NC"])
    rails(tmp_path, ["VIN_SYS_5V0"], hub="1-0041")
    time = FakeTime()
    meter = find_jetson(tmp_path, lambda: time.now)
    assert meter.notes == (
        "no rail feeds the whole module; its energy is that of VDD_CPU_CV + VDD_GPU_SOC + VIN_SYS_5V0",
    )
    before = meter.joules()
    time.now = 1.0
    assert meter.joules() - before == pytest.approx(5 + 10 + 5)


def test_a_jetson_of_jetpack_4(tmp_path):
    folder, time = tmp_path / "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0", FakeTime()
    folder.mkdir(parents=True)
    (folder / "rail_name_0").write_text("POM_5V_IN\n")
    (folder / "in_power0_input").write_text("2500\n")
    meter = find_jetson(tmp_path, lambda: time.now)
    before = meter.joules()
    time.now = 2.0
    assert meter.joules() - before == pytest.approx(5.0)


def test_no_jetson(tmp_path):
    assert "no INA3221" in find_jetson(tmp_path, lambda: 0.0).reason
    (rails(tmp_path, ["VDD_IN"]) / "curr1_input").write_text("")
    assert "cannot be read" in find_jetson(tmp_path, lambda: 0.0).reason


def test_an_integrator_reads_by_itself():
    import time

    integrator = Integrator(lambda: 2.0, time.perf_counter, 0.001)
    integrator.start()
    deadline = time.perf_counter() + 5
    while integrator.total < 0.02 and time.perf_counter() < deadline:
        time.sleep(0.002)
    integrator.stop()
    total, (last, _) = integrator.total, integrator.last
    assert total >= 0.02
    time.sleep(0.01)
    assert (integrator.total, integrator.last[0]) == (total, last)


def test_what_fails_in_the_thread_is_raised_where_somebody_asks():
    import time

    readings = iter([1.0])
    integrator = Integrator(lambda: next(readings), time.perf_counter, 0.001)
    integrator.start()
    integrator._thread.join(5)
    with pytest.raises(StopIteration):
        integrator.sample()
    integrator.stop()
