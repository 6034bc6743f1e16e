"""The energy counters of processor packages (RAPL), which Linux shows as files."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from archsim.baselines.measured.meters.missing import Missing
from archsim.baselines.platform import Boundary

FOLDER = Path("sys/class/powercap")


class Rapl:
    """Counts the energy of all processor packages.

    A counter of microjoules starts again at 0 after `max_energy_range_uj` (kernel documentation, power capping
    framework), within minutes at the earliest; it must be read more often than that. Memory is not in it.
    """

    name = "RAPL counters of the processor packages"
    boundary: Boundary = "chip"
    notes: tuple[str, ...] = (
        "the energy is that of whole processor packages, with whatever else runs on them, without memory",
    )

    def __init__(self, zones: tuple[Path, ...]) -> None:
        self.zones = zones
        self.ranges = [int((zone / "max_energy_range_uj").read_text()) for zone in zones]
        self.last = [_count(zone) for zone in zones]
        self.total = 0

    def joules(self) -> float:
        """Return the energy since the meter was made."""
        for i, zone in enumerate(self.zones):
            now = _count(zone)
            self.total += now - self.last[i] + (self.ranges[i] if now < self.last[i] else 0)
            self.last[i] = now
        return self.total / 1e6

    def temperature_c(self) -> float | None:
        """Return nothing: RAPL does not know."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def find_rapl(root: Path) -> Rapl | Missing:
    """Return the meter of the processors, or why there is none; `root`: of the file system."""
    folder = root / FOLDER
    if not folder.is_dir():
        return Missing("this system shows no RAPL counters, as most virtual machines do not")
    zones = tuple(sorted(z for z in folder.glob("intel-rapl:*") if _is_package(z)))  # AMD's go by this name too
    if not zones:
        return Missing("this system has no RAPL counter of a processor package, as most virtual machines have not")
    try:
        return Rapl(zones)
    except PermissionError:
        return Missing("the RAPL counters may be read by root alone; let energy_uj be read, or measure as root")
    except (OSError, ValueError) as error:
        return Missing(f"the RAPL counters cannot be read ({type(error).__name__})")


def _is_package(zone: Path) -> bool:
    name = zone / "name"
    return zone.name.count(":") == 1 and name.is_file() and name.read_text().startswith("package")


def _count(zone: Path) -> int:
    return int((zone / "energy_uj").read_text())
