"""The whole of it: every file of measurements, what fits each system, every published figure beside the model's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from archsim.baselines.calibration.check import Quantity, Row, Summary, checked, left_out, summary
from archsim.baselines.calibration.fit import EnergyFit, TimeFit, fit_energy, fit_time
from archsim.baselines.calibration.measurements import Case, cases, measurement_files
from archsim.baselines.devices import find_device

CALIBRATING = "resnet50"  # how the networks begin that devices are fitted to
ONE, EIGHT = "SingleStream", "MultiStream"  # as MLPerf calls a query of one image, and of eight


@dataclass(frozen=True)
class SystemFit:
    """What fits one system; `used` says what of it the device's file takes over."""

    system: str
    title: str
    device: str
    power_mode: str
    fused: bool
    time: TimeFit
    energy: EnergyFit | None
    used: tuple[str, ...]


@dataclass(frozen=True)
class Overview:
    """All fits, the published figures as each device's own file models them, and as its family's others do."""

    fits: tuple[SystemFit, ...]
    rows: tuple[Row, ...]
    left_out: tuple[Row, ...]

    def summaries(self) -> Iterator[tuple[str, Summary]]:
        """Yield the errors of each kind of prediction, with what it is in words."""
        own, others = self.rows, self.left_out
        timed = [row for row in own if row.quantity != "energy" and row.role == "predicted"]
        again = [row for row in timed if row.network.startswith(CALIBRATING)]
        groups = {
            "one image, fitted": _of(own, "latency", "fitted"),
            "large batches, fitted": _of(own, "throughput", "fitted"),
            "eight images, predicted": [row for row in again if row.scenario == EIGHT],
            "another machine or power mode, predicted": [row for row in again if row.scenario != EIGHT],
            "another network, predicted": [row for row in timed if row not in again],
            "energy, fitted": _of(own, "energy", "fitted"),
            "energy, predicted": _of(own, "energy", "predicted"),
        }
        for family in dict.fromkeys(row.family for row in others):
            for quantity in get_args(Quantity):
                rows = [row for row in _of(others, quantity) if row.family == family]
                groups[f"{quantity} from the others of {family}"] = rows
        for words, rows in groups.items():
            if found := summary(rows):
                yield words, found

    def roofline(self) -> tuple[float, float] | None:
        """Return how many times too fast a roofline alone is at one image, from the least to the most, where known."""
        factors = [
            row.published / row.roofline
            for row in self.rows
            if row.roofline and row.scenario == ONE and row.network.startswith(CALIBRATING)
        ]
        return (min(factors), max(factors)) if factors else None


def overview(files: Sequence[Path] = ()) -> Overview:
    """Return fits and errors for some files of measurements, or for all that lie here or beside archsim.

    Raises:
        ConfigError: all that is wrong with a file; a device or a power mode that is not there.
    """
    systems = [found for path in files or measurement_files() for _, found in cases(path)]
    return Overview(tuple(_fits(systems)), tuple(checked(systems)), tuple(left_out(systems)))


def _fits(systems: Sequence[Sequence[Case]]) -> Iterator[SystemFit]:
    for found in systems:
        system, device = found[0].system, find_device(found[0].system.device)
        yield SystemFit(
            found[0].key,
            system.title,
            device.name,
            device.mode(system.power_mode),
            found[0].fused,
            fit_time(device, found),
            fit_energy(device, found),
            system.calibrates,
        )


def _of(rows: Sequence[Row], quantity: str, role: str | None = None) -> list[Row]:
    return [row for row in rows if row.quantity == quantity and role in (None, row.role)]
