"""NVIDIA's management library: the energy counter or the power sensor of a GPU's board, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Self

from archsim.baselines.measured.meters.meter import Integrator, MeterError
from archsim.baselines.measured.meters.missing import Missing
from archsim.baselines.platform import Boundary

PERIOD_S = 0.02  # between readings of a power sensor; the sensor itself is updated every 20 to 100 ms
SAMPLED = (
    "on some boards (A100, H100) the sensor behind NVML sees only a quarter of the time (Yang et al., SC 2024,"
    " abstract read): long windows and several trials even that out"
)
AVERAGED = "NVML has no energy counter here: its power, an average over up to a second, is integrated"
INSTANT = "NVML has no energy counter here: its momentary power is integrated"


class Nvml:
    """Counts the energy of a GPU's board; `count` gives joules, or `power` watts to be integrated.

    The counter holds millijoules since the driver was loaded; Volta and later have it.
    """

    name: str
    boundary: Boundary = "board"

    def __init__(
        self,
        nvml: Any,
        handle: Any,
        now: Callable[[], float],
        *,
        power: Callable[[], float] | None = None,
        note: str | None = None,
    ) -> None:
        self.nvml, self.handle = nvml, handle
        self.name = "NVML energy counter" if power is None else f"NVML power, read every {PERIOD_S * 1e3:g} ms"
        self.notes: tuple[str, ...] = (SAMPLED,) if note is None else (note, SAMPLED)
        self.integrator = None if power is None else Integrator(power, now, PERIOD_S)

    def joules(self) -> float:
        """Return the energy since the driver was loaded, or since the meter was opened."""
        try:
            if self.integrator is not None:
                return self.integrator.sample()
            return float(self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle)) / 1e3
        except self.nvml.NVMLError as error:
            raise MeterError(error.value, f"NVML: {error}") from error

    def temperature_c(self) -> float | None:
        """Return the temperature of the GPU; None from a board that does not tell."""
        try:
            return float(self.nvml.nvmlDeviceGetTemperature(self.handle, self.nvml.NVML_TEMPERATURE_GPU))
        except self.nvml.NVMLError:
            return None

    def __enter__(self) -> Self:
        if self.integrator is not None:
            self.integrator.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.integrator is not None:
            self.integrator.stop()
        self.nvml.nvmlShutdown()


def find_nvml(uuid: str | None, now: Callable[[], float], nvml: Any = None) -> Nvml | Missing:
    """Return the meter of the GPU with this UUID, or why there is none; `nvml`: instead of the module `pynvml`."""
    if uuid is None:
        return Missing("this version of torch does not say which of NVML's GPUs it is")
    opened = _opened(nvml)
    if isinstance(opened, Missing):
        return opened
    try:
        handle = opened.nvmlDeviceGetHandleByUUID(uuid)
        found = _meter(opened, handle, now)
    except opened.NVMLError as error:
        found = Missing(f"NVML does not know this GPU ({error})")
    if isinstance(found, Missing):
        opened.nvmlShutdown()
    return found


def facts_of(uuid: str | None, nvml: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what NVML says of a GPU: what stays (driver, limits), and what changes (clocks, temperature).

    What it does not tell is left out; nothing is changed.
    """
    opened = Missing("no UUID") if uuid is None else _opened(nvml)
    if isinstance(opened, Missing):
        return {}, {}
    try:
        handle = opened.nvmlDeviceGetHandleByUUID(uuid)
    except opened.NVMLError:
        opened.nvmlShutdown()
        return {}, {}
    sm, memory = opened.NVML_CLOCK_SM, opened.NVML_CLOCK_MEM
    lasting = {
        "driver": opened.nvmlSystemGetDriverVersion,
        "power_limit_w": lambda: opened.nvmlDeviceGetEnforcedPowerLimit(handle) / 1e3,
        "sm_clock_max_mhz": lambda: opened.nvmlDeviceGetMaxClockInfo(handle, sm),
        "memory_clock_max_mhz": lambda: opened.nvmlDeviceGetMaxClockInfo(handle, memory),
    }
    passing = {
        "sm_clock_mhz": lambda: opened.nvmlDeviceGetClockInfo(handle, sm),
        "memory_clock_mhz": lambda: opened.nvmlDeviceGetClockInfo(handle, memory),
        "temperature_c": lambda: opened.nvmlDeviceGetTemperature(handle, opened.NVML_TEMPERATURE_GPU),
    }
    try:
        return _told(opened, lasting), _told(opened, passing)
    finally:
        opened.nvmlShutdown()


def _opened(nvml: Any) -> Any:
    library = nvml or import_module("pynvml")  # only where there is a GPU to ask about
    try:
        library.nvmlInit()
    except library.NVMLError as error:
        return Missing(f"NVML cannot be used ({error})")
    return library


def _told(nvml: Any, questions: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    answers = {}
    for name, ask in questions.items():
        try:
            answers[name] = ask()
        except nvml.NVMLError:  # a board need not tell everything
            continue
    return answers


def _meter(nvml: Any, handle: Any, now: Callable[[], float]) -> Nvml | Missing:
    """Return the best meter that a board offers: counter, momentary power, average power."""
    try:
        nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        return Nvml(nvml, handle, now)
    except nvml.NVMLError:
        pass  # older than Volta, or without a counter

    def momentary() -> float:
        (field,) = nvml.nvmlDeviceGetFieldValues(handle, [nvml.NVML_FI_DEV_POWER_INSTANT])
        if field.nvmlReturn != nvml.NVML_SUCCESS:
            raise nvml.NVMLError(field.nvmlReturn)
        return float(field.value.uiVal) / 1e3

    def average() -> float:
        return float(nvml.nvmlDeviceGetPowerUsage(handle)) / 1e3

    refusal = ""
    for power, note in ((momentary, INSTANT), (average, AVERAGED)):
        try:
            power()
            return Nvml(nvml, handle, now, power=power, note=note)
        except nvml.NVMLError as error:
            refusal = str(error)
    return Missing(f"this GPU has neither an energy counter nor a power sensor that NVML may read ({refusal})")
