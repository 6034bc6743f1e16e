"""Every number of a chip in a row of its own: value, range, unit, grade, sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

from archsim.hardware.chip import Chip
from archsim.hardware.component import Component, Figure
from archsim.hardware.device import MtjDevice

DEVICE_UNITS = {"parallel": "ohm", "series": "ohm", "half_voltage": "V", "critical": "A", "attempt_time": "s"}

EFFECT_UNITS = {"s": "s", "K": "K"}


@dataclass(frozen=True)
class Row:
    """One number: where it belongs, its value and range in an SI unit ("" for a pure number), and where it is from."""

    path: str
    value: float
    low: float
    high: float
    unit: str
    grade: str
    sources: tuple[str, ...]
    note: str = ""


def describe(chip: Chip) -> list[Row]:
    """Return all figures that a chip was built from, in the order of its parts, then what they add up to."""
    rows = [row for name, component in chip.components.items() for row in _component(name, component)]
    rows += _device(chip.device) if chip.device else []
    rows += [_row("tile.pitch", chip.tile_pitch, "m")]
    rows += [_row("crossbar.ir_drop", chip.ir_drop, "")] if chip.ir_drop else []
    rows += [_row(f"imperfections.{e.path}", e.figure, EFFECT_UNITS.get(e.unit, "")) for e in chip.effects.on]
    rows += [_row("memory.bandwidth", chip.memory_bandwidth, "bit/s")] if chip.memory_bandwidth else []
    for level in ("core", "tile", "chip"):
        rows += [
            _row(f"{level}.area", chip.area(level), "m^2"),
            _row(f"{level}.leakage", chip.leakage(level), "W"),
            _row(f"{level}.peak_power", chip.peak_power(level), "W"),
        ]
    return rows


def cited(chip: Chip, rows: Iterable[Row]) -> dict[str, str]:
    """Return what the keys of the sources of some figures stand for."""
    used = {key for row in rows for key in row.sources}
    return {key: text for key, text in chip.library.sources.items() if key in used}


def _component(name: str, component: Component) -> Iterator[Row]:
    for action, cost in component.actions.items():
        yield _row(f"{name}.{action}.energy", cost.energy, "J")
        if cost.latency is not None:
            yield _row(f"{name}.{action}.latency", cost.latency, "s")
    yield _row(f"{name}.area", component.area, "m^2")
    yield _row(f"{name}.leakage", component.leakage, "W")


def _device(device: MtjDevice) -> list[Row]:
    names = [f.name for f in fields(device) if f.name != "kind"]
    return [_row(f"{device.kind}.{n}", getattr(device, n), DEVICE_UNITS.get(n, "")) for n in names]


def _row(path: str, figure: Figure, unit: str) -> Row:
    return Row(path, figure.value, figure.low, figure.high, unit, figure.grade, figure.sources, figure.note)
