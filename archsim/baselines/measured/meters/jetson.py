"""The power sensors of Jetson modules: INA3221 monitors, which Linux shows as files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from archsim.baselines.measured.meters.meter import Integrator
from archsim.baselines.measured.meters.missing import Missing
from archsim.baselines.platform import Boundary

DRIVERS = ("sys/bus/i2c/drivers/ina3221", "sys/bus/i2c/drivers/ina3221x")
INPUTS = ("VDD_IN", "POM_5V_IN")  # rails that feed a whole module (NVIDIA's Jetson developer guides)
UNUSED = ("NC", "sum of shunt voltages")
PERIOD_S = 0.01  # ASSUMED: as often as a file can be read without load


@dataclass(frozen=True)
class Rail:
    """A supply rail, and how its power is read: milliwatts from one file, or millivolts times milliamperes."""

    name: str
    files: tuple[Path, ...]

    def watts(self) -> float:
        """Return the power now."""
        values = [float(file.read_text()) for file in self.files]
        return values[0] / 1e3 if len(values) == 1 else values[0] * values[1] / 1e6


class Jetson:
    """Integrates the power of the rail that feeds the module, or where there is none of all rails together."""

    boundary: Boundary = "module"

    def __init__(self, rails: tuple[Rail, ...], now: Callable[[], float]) -> None:
        self.rails = rails
        names = " + ".join(rail.name for rail in rails)
        self.name = f"INA3221 sensors of the module ({names}), read every {PERIOD_S * 1e3:g} ms"
        whole = rails[0].name in INPUTS
        self.notes: tuple[str, ...] = (
            () if whole else (f"no rail feeds the whole module; its energy is that of {names}",)
        )
        self.integrator = Integrator(lambda: sum(rail.watts() for rail in rails), now, PERIOD_S)

    def joules(self) -> float:
        """Return the energy since the meter was opened."""
        return self.integrator.sample()

    def temperature_c(self) -> float | None:
        """Return nothing: these sensors do not know."""
        return None

    def __enter__(self) -> Self:
        self.integrator.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.integrator.stop()


def find_jetson(root: Path, now: Callable[[], float]) -> Jetson | Missing:
    """Return the meter of a Jetson module, or why there is none; `root`: of the file system."""
    rails = {rail.name: rail for driver in DRIVERS for rail in _rails(root / driver)}
    if not rails:
        return Missing("this system has no INA3221 power sensors")
    chosen = [rails[name] for name in INPUTS if name in rails][:1] or [rails[name] for name in sorted(rails)]
    try:
        for rail in chosen:
            rail.watts()
    except (OSError, ValueError) as error:
        return Missing(f"the INA3221 power sensors cannot be read ({type(error).__name__})")
    return Jetson(tuple(chosen), now)


def _rails(driver: Path) -> Iterator[Rail]:
    """Yield the rails of a driver, under the names of Linux' hwmon (JetPack 5 on) or of iio (before)."""
    for label in sorted(driver.glob("*/hwmon/hwmon*/in*_label")):
        number = label.name.removeprefix("in").removesuffix("_label")
        yield from _rail(label, [f"power{number}_input"], [f"in{number}_input", f"curr{number}_input"])
    for label in sorted(driver.glob("*/iio:device*/rail_name_*")):
        number = label.name.removeprefix("rail_name_")
        yield from _rail(label, [f"in_power{number}_input"], [f"in_voltage{number}_input", f"in_current{number}_input"])


def _rail(label: Path, power: list[str], product: list[str]) -> Iterator[Rail]:
    name = label.read_text().strip()
    for names in (power, product):
        files = tuple(label.with_name(file) for file in names)
        if name not in UNUSED and all(file.is_file() for file in files):
            yield Rail(name, files)
            return
