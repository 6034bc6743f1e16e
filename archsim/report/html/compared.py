"""What is gained over other platforms, and how each of their figures came about."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from archsim.baselines.platform import BOUNDARIES, MODES
from archsim.report.html import words
from archsim.report.html.blocks import (
    ABSENT,
    Block,
    Cell,
    Folded,
    Heading,
    Points,
    Section,
    Table,
    Text,
    Tone,
    after,
    beside,
)
from archsim.report.html.columns import Column
from archsim.report.html.formats import Compared, PlatformRow, Point, Range, Ratio
from archsim.report.html.pictures import Pictures
from archsim.report.layout import Say

SHOWN = 12  # points of a platform; a headline is always shown, others are folded away beyond this
HEADLINES = {"latency": "least latency", "throughput": "most images/s", "energy": "least energy", "naive": "naive"}


def compared(columns: Sequence[Column], pictures: Pictures) -> Iterator[Section]:
    """Yield the section on other platforms, where there is a comparison."""
    found = [(c.label, c.compared) for c in columns if c.compared]
    if not found:
        return
    blocks: list[Block] = [Text(HOW)]
    blocks += pictures.rest("archsim/comparison")
    for label, comparison in found:
        blocks += _one(f"{label}: " if len(found) > 1 else "", comparison)
    yield Section("compared", "Beside other platforms", blocks)


HOW = (
    "A gain is the other platform's figure divided by the chip's (for throughput, the chip's images a second by the"
    " other's), so that more than 1 speaks for the chip. Its interval sets each side at the end of its range that is"
    " farthest from the other. The headline is the other platform's best way to run the network; the naive one, a call"
    " for each pass, stands beside it. Energies are compared only within the same boundary, unless that was allowed."
)


def _one(before: str, c: Compared) -> Iterator[Block]:
    if c.lost:
        yield Points(c.lost, warning=True, title=f"{before}ended midway")
    yield Heading(f"{before}gains")
    yield _gains(before, c.ratios)
    yield Heading(f"{before}platforms")
    others = [p for p in c.platforms for _ in p.points]
    if others:
        yield _points(f"{before}what an image takes, {c.passes} passes each", c)
    for platform in c.platforms:
        yield from _platform(before, platform)
    yield from _software(before, c)


def _gains(before: str, ratios: Sequence[Ratio]) -> Table:
    rows = []
    for r in ratios:
        found: list[Cell | str]
        if r.refused:
            found = [Cell("none", tone="dim"), Cell(f"{r.platform} {r.refused}", tone="dim")]
        else:
            ends = words.span(r, words.factor)
            tone: Tone = "good" if r.value > 1 else "bad"
            mine, theirs = (b or "none" for b in (*r.boundaries, None, None)[:2])
            within = f"energy of: {mine} here, {theirs} there" if r.what.startswith("energy") and mine != theirs else ""
            found = [Cell(words.factor(r.value), ends, tone), within]
        rows.append([r.platform, words.GAINS.get(r.what, r.what), r.role, *found])
    head = ["platform", "figure", "its way to run", "gain", ""]
    return Table(f"{before}what the chip gains; more than 1 speaks for the chip", head, rows, frozenset({3}))


def _points(caption: str, c: Compared) -> Table:
    """Return the points of all platforms that are compared, or all where they are few."""
    rate = c.rate is not None
    rows = []
    for platform in c.platforms:
        chosen = {i for i in platform.headline.values() if i is not None}
        for i, point in enumerate(platform.points):
            if i in chosen or len(platform.points) <= SHOWN:
                marks = [HEADLINES[k] for k, n in platform.headline.items() if n == i and k in HEADLINES]
                name = Cell(
                    platform.name, ", ".join(marks) if len(platform.points) > 1 else "", "strong" if marks else ""
                )
                rows.append([name, *_point(point, rate)])
    head = ["", "run as", "passes", "batch", "latency", "images/s", "energy an image", "idle"]
    if rate:
        head.append(f"energy at {c.rate:g} images/s")
    return Table(caption, head, rows, after(2, head))


def _point(p: Point, rate: bool) -> list[Cell | str]:
    how = ", ".join(part for part in (p.software, p.precision, p.power_mode) if part)
    cells: list[Cell | str] = [
        Cell((p.mode or "unstated").replace("_", " "), how),
        "" if p.passes is None else str(p.passes),
        str(p.batch),
        _range(p.latency_s, words.seconds, _percentiles(p)),
        "" if p.images_per_s is None else words.rate(p.images_per_s).removesuffix(f"{words.GAP}images/s"),
        _range(p.energy_j, words.joules),
        _range(p.idle_w, lambda watts: words.quantity(watts, "W")),
    ]
    return [*cells, _range(p.energy_at_rate_j, words.joules)] if rate else cells


def _range(found: Range | None, say: Say, more: str = "") -> Cell:
    if found is None:
        return ABSENT
    return Cell(say(found.value), "; ".join(part for part in (words.span(found, say), more) if part))


def _percentiles(p: Point) -> str:
    return ", ".join(f"{name} {words.seconds(value)}" for name, value in p.percentiles.items())


def _platform(before: str, p: PlatformRow) -> Iterator[Block]:
    """Yield what must be known of a platform before its figures are believed."""
    boundary = p.boundary or "unstated"
    facts = {
        "device": p.device,
        "how it is known": p.origin,
        "network": p.network if p.same_network else f"{p.network} (another network)",
        "boundary of its energy": f"{boundary}: {BOUNDARIES[boundary]}" if p.boundary in BOUNDARIES else boundary,
        "energy": p.no_energy or "",
    }
    rows = [[name, text] for name, text in facts.items() if text]
    rows += [["source", f"{s.text} ({s.grade})"] for s in p.sources]
    rows += [[name.replace("_", " "), _about(value)] for name, value in p.about.items()]
    blocks: list[Block] = [Table(f"{before}{p.name}", ["", ""], rows)]
    modes = dict.fromkeys(point.mode or "" for point in p.points)
    said = [f"{mode.replace('_', ' ')}: {MODES[mode]}" for mode in modes if mode in MODES]
    if p.notes or said:
        blocks.append(Points([*p.notes, *said]))
    yield Folded(f"{before}{p.name}: {p.device}", blocks)


def _about(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _software(before: str, c: Compared) -> Iterator[Block]:
    if c.software_missing:
        yield Text(f"{before}the same network in software was not judged: {c.software_missing}.", "dim")
    if c.software:
        figures = {words.title(n): _range(e, words.sayer(n)) for n, e in c.software.items()}
        yield beside(f"{before}the same network in software (torch), same images, same passes", "", [""], [figures])
