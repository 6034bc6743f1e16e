"""An architecture for people: what it says with all defaults written out, and where each number is from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from archsim.config import content_hash, dump
from archsim.hardware.chip import Chip
from archsim.hardware.component import Figure
from archsim.hardware.describe import Row, describe
from archsim.report.layout import Cell, bar, count, heading, percent, square_millimetres, table
from archsim.units import show

KEYS_SHOWN = 3  # source keys in a line; all of them are in the JSON


def chip_tables(chip: Chip) -> Iterator[RenderableType]:
    """Yield what a terminal shows of a chip: totals, parts, the expanded file, every number, the sources."""
    rows = describe(chip)
    yield Text(f"{chip.arch.name}: {chip.arch.description}", style="bold")
    yield f"corner {chip.arch.corner} of {chip.library.name} ({chip.library.description})"
    yield heading("Totals")
    yield table(["", "", ""], _totals(chip))
    yield heading("Parts")
    yield table(["part", "on the chip", "area", "", "", "leakage"], _parts(chip), right=[1, 2, 3, 5])
    yield heading("The architecture, expanded")
    yield table(["", ""], ([path, value] for path, value in _flat(dump(chip.arch))))
    yield heading("Every number, its range, its grade and its sources")
    yield table(["", "value", "range", "grade", "sources"], (_figure(row) for row in rows), right=[1])
    yield heading("Sources")
    yield table(["", ""], sorted([key, chip.library.source(key)] for key in _cited(rows)))


def chip_data(chip: Chip) -> dict[str, Any]:
    """Return the same as plain data, values in SI units."""
    rows = describe(chip)
    config = dump(chip.arch)
    return {
        "name": chip.arch.name,
        "config": config,
        "config_hash": content_hash(config),
        "library": chip.library.name,
        "instances": dict(chip.counts),
        "area_m2": {**_ends(chip.area()), "by_part": {n: _ends(f) for n, f in chip.area_by_part().items()}},
        "leakage_w": {**_ends(chip.leakage()), "by_part": {n: _ends(f) for n, f in chip.leakage_by_part().items()}},
        "peak_power_w": _ends(chip.peak_power()),
        "figures": [
            {
                "path": r.path,
                "value": r.value,
                "low": r.low,
                "high": r.high,
                "unit": r.unit,
                "grade": r.grade,
                "sources": list(r.sources),
                "note": r.note,
            }
            for r in rows
        ],
        "sources": {key: chip.library.source(key) for key in _cited(rows)},
        "warnings": list(chip.warnings),
    }


def _ends(figure: Figure) -> dict[str, float]:
    return {"value": figure.value, "low": figure.low, "high": figure.high}


def _totals(chip: Chip) -> Iterator[list[Cell]]:
    size, box = chip.arch.organisation, chip.arch.crossbar
    bits = size.crossbars * box.rows * box.columns * box.bits_per_cell
    yield ["crossbars", count(size.crossbars), f"of {box.rows} x {box.columns} in {size.tiles} tiles; {box.device}"]
    yield ["weight bits", show(bits, "bit"), f"{box.cells_per_weight} cells each"]
    area, leakage, peak = chip.area(), chip.leakage(), chip.peak_power()
    low, high = square_millimetres(area.low), square_millimetres(area.high)
    yield ["area", square_millimetres(area.value), f"{low} to {high}"]
    yield ["leakage", show(leakage.value, "W"), f"{_range(leakage, 'W')}, off-chip memory included"]
    yield ["peak power", show(peak.value, "W"), f"{_range(peak, 'W')}, all parts busy without a pause"]


def _parts(chip: Chip) -> Iterator[list[Cell]]:
    areas, leakages = chip.area_by_part(), chip.leakage_by_part()
    whole = chip.area().value
    for name in sorted(areas, key=lambda n: -areas[n].value):
        share = areas[name].value / whole
        area = square_millimetres(areas[name].value)
        leakage = show(leakages[name].value, "W")
        yield [name, count(chip.counts[name]), area, percent(share), bar(share), leakage]


def _flat(data: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield every value of a configuration by its path; what is left to the library is left out."""
    for key, value in data.items():
        path = f"{above}.{key}" if above else key
        if isinstance(value, Mapping):
            yield from _flat(value, path)
        elif value is not None:
            yield path, str(value).lower() if isinstance(value, bool) else str(value)


def _figure(row: Row) -> list[Cell]:
    more = len(row.sources) - KEYS_SHOWN
    keys = ", ".join(row.sources[:KEYS_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return [row.path, show(row.value, row.unit), _range(row, row.unit), row.grade, Text(keys, "dim")]


def _range(figure: Figure | Row, unit: str) -> str:
    return f"{show(figure.low, unit)} to {show(figure.high, unit)}"


def _cited(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row.sources))
