"""Time, energy and area of a run, and the figures that follow from them."""

from __future__ import annotations

from collections.abc import Mapping as Table
from dataclasses import dataclass

from archsim.hardware.chip import Chip
from archsim.metrics.energy import LEAKAGE, EnergyRow, energy_rows, grouped, total
from archsim.metrics.intervals import Estimate
from archsim.sim.log import RunLog, StationTotal

PICO = 1e-12
OFF_CHIP = "memory"


@dataclass(frozen=True, eq=False, repr=False)
class Costs:
    """What a run took. `energy`: over the whole run, by layer, part and action. `area_m2`: of the chip, by part."""

    log: RunLog
    energy: tuple[EnergyRow, ...]
    area_m2: Table[str, Estimate]

    @property
    def latency_s_per_image(self) -> float:
        """Seconds from the load of an image to its averaged answer, with the chip otherwise idle."""
        return self.log.latency_ps * PICO

    @property
    def throughput_images_per_s(self) -> float:
        """Images a second in the long run."""
        return 1 / (self.log.image_interval_ps * PICO)

    @property
    def energy_j_per_image(self) -> Estimate:
        """Joules an image, leakage and off-chip memory included."""
        return total(self.energy, 1 / self.log.images)

    @property
    def energy_on_chip(self) -> Estimate:
        """Joules an image without the off-chip memory: what most publications count."""
        return total((r for r in self.energy if r.part != OFF_CHIP), 1 / self.log.images)

    @property
    def power_w(self) -> float:
        """Average power over the run."""
        return total(self.energy).value / (self.log.total_ps * PICO)

    def energy_by(self, what: str) -> Table[str, Estimate]:
        """Return joules an image by "part", "layer" or "action" (part.action)."""
        keys = {
            "part": lambda r: r.part,
            "layer": lambda r: r.layer,
            "action": lambda r: f"{r.part}.{r.action}",
        }
        return grouped(self.energy, keys[what], 1 / self.log.images)

    @property
    def leakage_j_per_image(self) -> Estimate:
        """Joules an image that flow whether or not anything happens."""
        return total((r for r in self.energy if r.action == LEAKAGE), 1 / self.log.images)

    @property
    def area(self) -> Estimate:
        """Square metres of the whole chip."""
        parts = self.area_m2.values()
        return Estimate(
            sum(a.value for a in parts), sum(a.low for a in parts), sum(a.high for a in parts), "component ranges"
        )

    @property
    def bottleneck(self) -> StationTotal:
        """The station that was busy for the largest part of the run."""
        return max(self.log.stations, key=lambda s: s.busy_ps)

    def utilisation(self, station: StationTotal) -> float:
        """Return which part of the run a station was busy."""
        return station.busy_ps / self.log.total_ps


def costs_of(log: RunLog, chip: Chip) -> Costs:
    """Return what a run took on a chip."""
    area = {n: Estimate(f.value, f.low, f.high, "component ranges") for n, f in chip.area_by_part().items()}
    return Costs(log, tuple(energy_rows(log, chip)), area)
