"""What is gained over other platforms, or why nothing can be said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from string import ascii_lowercase

from archsim.report.html import words
from archsim.report.html.blocks import (
    ABSENT,
    Block,
    Cell,
    Folded,
    Heading,
    Points,
    Row,
    Section,
    Table,
    Text,
    after,
    beside,
)
from archsim.report.html.columns import Column
from archsim.report.html.formats import Compared, Ratio
from archsim.report.html.pictures import Pictures
from archsim.report.html.platforms import platforms
from archsim.report.html.uncertainty import figure

ROLES = {"headline": "its best way to run the network", "naive": "naive: a call for each pass"}
FEW = 3  # names in a line


def compared(columns: Sequence[Column], pictures: Pictures) -> Iterator[Section]:
    """Yield the section on other platforms, where there is a comparison."""
    found = [(column, column.compared) for column in columns if column.compared]
    if not found:
        return
    blocks: list[Block] = [Text(HOW)]
    each = [(f"{column.label}: " if len(found) > 1 else "", column, c) for column, c in found]
    blocks += [b for before, _, c in each for b in _gains(before, c)]
    blocks += pictures.take("gains")
    blocks += pictures.rest("archsim/comparison")
    blocks += [b for before, _, c in each for b in platforms(before, c)]
    blocks += [b for before, column, c in each for b in _software(before, column, c)]
    yield Section("compared", "Beside other platforms", blocks)


HOW = (
    "A gain is the other platform's figure divided by the chip's (for throughput, the chip's images a second by the"
    " other's), so that more than 1 speaks for the chip. Its interval sets each side at the end of its range that is"
    " farthest from the other. Energies are compared only within the same boundary, unless that was allowed."
)


def _gains(before: str, c: Compared) -> Iterator[Block]:
    """Yield a table of the platforms over which anything is gained, and the reasons where nothing can be said."""
    if c.lost:
        yield Points(c.lost, warning=True, title=words.led(before, "measurements that ended midway"))
    compared_with = {r.platform for r in c.ratios if not r.refused}
    shown = [r for r in c.ratios if r.platform in compared_with]
    reasons = dict.fromkeys(f"{r.platform}: {r.refused}" for r in shown if r.refused)
    marks = {reason: f"({_letters(i)})" for i, reason in enumerate(reasons)}
    if shown:
        yield _matrix(words.led(before, f"what the chip gains, at {c.passes} passes"), shown, marks, c.rate)
    if marks:
        yield Points([f"{mark} {reason}" for reason, mark in marks.items()])
    others = [r for r in c.ratios if r.platform not in compared_with]
    if others:
        names = list(dict.fromkeys(r.platform for r in others))
        over = ", ".join(names) if len(names) <= FEW else f"{len(names)} others"
        why = dict.fromkeys(f"{r.platform}: {r.refused}" for r in others)
        yield Folded(words.led(before, f"no gain is given over {over}: why"), [Points(list(why))], shown=not shown)


def _matrix(caption: str, ratios: Sequence[Ratio], marks: Mapping[str, str], rate: float | None) -> Table:
    """Return a row for each platform and way to run it, a column for each figure."""
    whats = list(dict.fromkeys(r.what for r in ratios))
    found = {(r.platform, r.role, r.what): r for r in ratios}
    rows: list[Row] = [
        [Cell(platform, ROLES.get(role, role)), *(_gain(found.get((platform, role, what)), marks) for what in whats)]
        for platform, role in dict.fromkeys((r.platform, r.role) for r in ratios)
    ]
    head = [
        "",
        *(f"energy at {rate:g} images/s" if w == "energy_at_rate" and rate else w.replace("_", " ") for w in whats),
    ]
    return Table(caption, head, rows, after(1, head))


def _gain(r: Ratio | None, marks: Mapping[str, str]) -> Cell:
    if r is None:
        return ABSENT
    if r.refused:
        return Cell(f"none {marks[f'{r.platform}: {r.refused}']}", tone="dim")
    ends = words.span(r, words.times)
    return Cell(words.factor(r.value), "; ".join(filter(None, (ends, words.boundaries(r)))), words.tone(r))


def _letters(i: int) -> str:
    """Return a, b, ..., z, aa, ab, ..."""
    head, last = divmod(i, len(ascii_lowercase))
    return (_letters(head - 1) if head else "") + ascii_lowercase[last]


def _software(before: str, column: Column, c: Compared) -> Iterator[Block]:
    if c.software or c.software_missing:
        yield Heading(words.led(before, "answers in software"))
    if c.software_missing:
        yield Text(f"The same network in software was not judged: {c.software_missing}.")
    if c.software and column.result:
        sides = {"on the chip": column.result.figures, "in software": c.software}
        cells = [{words.title(name): figure(name, e) for name, e in found.items()} for found in sides.values()]
        yield beside("The same network in torch, on the same images, with as many passes", "", list(sides), cells)
