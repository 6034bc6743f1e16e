"""The platforms of a comparison: what an image takes on each, and how that is known."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from archsim.baselines.platform import BOUNDARIES, MODES
from archsim.report.html import words
from archsim.report.html.blocks import ABSENT, Block, Cell, Folded, Heading, Points, Row, Table, after
from archsim.report.html.formats import Compared, PlatformRow, Point, Range
from archsim.report.layout import Say, count

CHOSEN = {
    "latency": "least latency",
    "throughput": "most images/s",
    "energy": "least energy",
    "energy_at_rate": "least energy at the rate",
    "naive_latency": "naive latency",
    "naive_energy": "naive energy",
    "naive_energy_at_rate": "naive energy at the rate",
}


def platforms(before: str, c: Compared) -> Iterator[Block]:
    """Yield the points that are compared, those of other networks, all points, and what is known of each platform."""
    yield Heading(words.led(before, "platforms"))
    same = [p for p in c.platforms if p.same_network]
    other = [p for p in c.platforms if not p.same_network and p.points]
    table = _points(f"What an image takes, {c.passes} passes", same, c.rate, chosen=True)
    yield table
    everything = _points("Every way to run the network", same, c.rate, chosen=False)
    if len(everything.rows) > len(table.rows):
        yield Folded(words.led(before, f"all {len(everything.rows)} ways to run it"), [everything])
    if other:
        yield _elsewhere("Published figures of other networks, not comparable as they stand", other)
    yield from (_known(before, p) for p in c.platforms)


def way(p: Point) -> str:
    """Return how a point runs the network, in a few words."""
    batch = f"{count(p.batch)} images a call" if p.batch > 1 else ""
    return ", ".join(part for part in ((p.mode or "").replace("_", " "), p.power_mode, batch) if part)


def _points(caption: str, shown: Sequence[PlatformRow], rate: float | None, *, chosen: bool) -> Table:
    rows: list[Row] = []
    for platform in shown:
        for i, point in enumerate(platform.points):
            marks = [CHOSEN[k] for k, n in platform.headline.items() if n == i and k in CHOSEN]
            if marks or not chosen:
                boundary = platform.boundary if point.energy_j else None
                name = Cell(platform.name, ", ".join(marks) if len(platform.points) > 1 else "")
                rows.append([name, *_point(point, boundary, rate, chosen=chosen)])
    head = ["", "run as", "latency", "images/s", "energy an image", "idle"]
    if rate is not None:
        head.append(f"energy at {rate:g} images/s")
    return Table(caption, head, rows, after(2, head))


def _point(p: Point, boundary: str | None, rate: float | None, *, chosen: bool) -> Row:
    """Return the cells of a point; of a chosen one without percentiles and the range of idle power."""
    energy = _range(p.energy_j, words.joules)
    cells: Row = [
        Cell(way(p), ", ".join((p.software, p.precision))),
        _range(p.latency_s, words.seconds, "" if chosen else _percentiles(p)),
        ABSENT if p.images_per_s is None else words.number(p.images_per_s),
        replace(energy, text=f"{energy.text} ({boundary})") if boundary else energy,
        words.quantity(p.idle_w.value, "W") if chosen and p.idle_w else _range(p.idle_w, words.watts),
    ]
    return cells if rate is None else [*cells, _range(p.energy_at_rate_j, words.joules)]


def _elsewhere(caption: str, shown: Sequence[PlatformRow]) -> Table:
    rows: list[Row] = [
        [
            Cell(platform.name, platform.device),
            Cell(platform.network, p.precision),
            "unstated" if p.passes is None else str(p.passes),
            _range(p.latency_s, words.seconds),
            ABSENT if p.images_per_s is None else words.number(p.images_per_s),
            _range(p.energy_j, words.joules),
            (platform.boundary or "") if p.energy_j else "",
        ]
        for platform in shown
        for p in platform.points
    ]
    head = ["", "network", "passes", "latency", "images/s", "energy an image", "energy of"]
    return Table(caption, head, rows, after(2, head) - {6})


def _range(found: Range | None, say: Say, more: str = "") -> Cell:
    if found is None:
        return ABSENT
    return Cell(say(found.value), "; ".join(part for part in (words.span(found, say), more) if part))


def _percentiles(p: Point) -> str:
    return ", ".join(f"{name} {words.seconds(value)}" for name, value in p.percentiles.items())


def _known(before: str, p: PlatformRow) -> Block:
    """Return what must be known of a platform before its figures are believed."""
    facts = {
        "device": p.device,
        "how it is known": p.origin,
        "network": p.network if p.same_network else f"{p.network} (another network)",
        "energy covers": f"{p.boundary}: {BOUNDARIES.get(p.boundary, '')}" if p.boundary else "",
        "no energy": p.no_energy or "",
    }
    rows: list[Row] = [[name, text] for name, text in facts.items() if text]
    plain = {name: _written(value) for name, value in p.about.items() if not _is_table(value)}
    rows += [[name.replace("_", " "), text] for name, text in plain.items() if text]
    blocks: list[Block] = [Table(f"{before}{p.name}", ["", ""], rows)]
    modes = dict.fromkeys(point.mode or "" for point in p.points)
    said = [f"{mode.replace('_', ' ')}: {MODES[mode]}" for mode in modes if mode in MODES]
    if p.notes or said:
        blocks.append(Points([*p.notes, *said]))
    if p.sources:
        blocks.append(Table("Its sources", ["", "grade"], [[s.text, s.grade] for s in p.sources]))
    blocks += [_records(name, value) for name, value in p.about.items() if _is_table(value)]
    return Folded(f"{before}{p.name}: {p.device}", blocks)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _records(name: str, rows: Sequence[dict[str, Any]]) -> Table:
    """Return records with the same keys as a table."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    return Table(name.replace("_", " ").capitalize(), keys, [[_written(row.get(key)) for key in keys] for row in rows])


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_written(part)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(_written(part) for part in value)
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
