"""A stored record for the terminal: what each network took, at every point that was measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from archsim.baselines.platform import BOUNDARIES
from archsim.baselines.records import Record, RecordedNetwork
from archsim.baselines.written import Point
from archsim.comparison.comparison import point_data
from archsim.config import dump
from archsim.metrics.result import finite
from archsim.report.layout import Cell, count, heading, joules, table
from archsim.units import show

SHOWN = ("p50", "p90", "p99")
COLUMNS = ("T", "batch", "mode", "software", *SHOWN)
ENERGIES = ("energy", "above idle")
NUMBERS = (0, 1, 4, 5, 6, 7, 8)  # columns
UNKNOWN = "-"


def record_report(record: Record) -> Iterator[RenderableType]:
    """Yield what a terminal of 80 to 100 columns shows of a record."""
    yield Text(f"{record.name}: {record.device}", style="bold")
    if record.boundary:
        yield f"energy of an image, with all its passes: {record.boundary}, {BOUNDARIES[record.boundary]}"
    else:
        yield Text(record.no_energy or "", "yellow")
    with_energy = record.boundary is not None
    for network in record.networks:
        yield heading(network.name)
        yield table(COLUMNS + ENERGIES * with_energy, _rows(network, with_energy), right=NUMBERS)
    if notes := [*record.notes, *(note for network in record.networks for note in network.notes)]:
        yield heading("Notes")
        yield table([""], ([note] for note in dict.fromkeys(notes)))


def record_data(record: Record) -> dict[str, Any]:
    """Return a record as plain data, in SI units."""
    head = dump(record.model_copy(update={"networks": ()}))
    networks = [
        {**dump(network.model_copy(update={"points": ()})), "points": [*map(_point_data, network.points)]}
        for network in record.networks
    ]
    found: dict[str, Any] = finite(head | {"networks": networks})
    return found


def _point_data(point: Point) -> dict[str, Any]:
    return point_data(point.operating_point())


def _rows(network: RecordedNetwork, with_energy: bool) -> Iterator[list[Cell]]:
    for point in sorted(network.points, key=lambda p: (p.passes or 0, p.batch)):
        passes = UNKNOWN if point.passes is None else count(point.passes)
        mode = (point.mode or UNKNOWN).replace("_", " ")
        software = ", ".join(word for word in (point.software, point.power_mode) if word)
        times = [show(point.percentiles[p], "s") if p in point.percentiles else UNKNOWN for p in SHOWN]
        energies = [joules(e.value) if e else UNKNOWN for e in (point.energy, point.dynamic_energy)] * with_energy
        yield [passes, count(point.batch), mode, software, *times, *energies]
