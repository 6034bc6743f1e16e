"""What to doubt: figures beside those of published chips, imperfections, and what kind of numbers it all rests on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from archsim.hardware.component import GRADES
from archsim.metrics.energy import LEAKAGE
from archsim.report.chips import TIERS
from archsim.report.html import words
from archsim.report.html.blocks import Block, Cell, Heading, Section, Table, Text, Tone, beside
from archsim.report.html.columns import Column
from archsim.report.html.formats import Check, Imperfection, Range, ResultFile
from archsim.report.layout import typeset

MEANING = {
    "READ": "read in its source",
    "RERUN": "found by running a published tool again",
    "DERIVED": "computed from figures that were read",
    "RECALLED": "remembered, its source not seen",
    "ASSUMED": "an engineering choice; no source gives it",
}
WEAK = ("ASSUMED", "RECALLED")


def doubts(columns: Sequence[Column]) -> Iterator[Section]:
    """Yield the section on plausibility, where there is a result."""
    found = [(c.label, c.result, c) for c in columns if c.result]
    if not found:
        return
    labels = [label for label, _, _ in found]
    outside = sum(not check.plausible for _, r, _ in found for check in r.plausibility)
    verdict = "All lie inside." if not outside else f"{outside} outside: do not believe the figures behind it yet."
    text = f"Figures of merit beside the bands that published chips span. {verdict}"
    blocks: list[Block] = [Text(text, "bad" if outside else "")]
    blocks.append(_checks(labels, [r for _, r, _ in found]))
    blocks.append(Heading("What the numbers rest on"))
    blocks.append(_grades([(f"{label}: " if len(found) > 1 else "", r, c) for label, r, c in found]))
    blocks.append(Heading("Imperfections of the chip"))
    for label, r, _ in found:
        before = f"{label}: " if len(found) > 1 else ""
        if r.imperfections:
            blocks.append(_imperfections(before, r.imperfections))
            blocks += [Text(_computed(before, r.tiers))] if r.tiers else []
        else:
            blocks.append(
                Text(words.led(before, "none is switched on: devices, reads, converters and random bits are ideal."))
            )
    yield Section("doubts", "What to doubt", blocks)


def priced_by(action: str) -> str:
    """Return the path of the figure that prices an action of a part."""
    return action if action.endswith(f".{LEAKAGE}") else f"{action}.energy"


def size_by(part: str) -> str:
    """Return the path of the figure that says how large a part is."""
    return f"{part}.area"


def _checks(labels: Sequence[str], results: Sequence[ResultFile]) -> Table:
    cells = [{c.name: _check(c) for c in r.plausibility} for r in results]
    rests_on = {c.name: c.basis for r in results for c in r.plausibility}
    return beside("Figures of merit, and what their bands rest on", "", labels, cells, meanings=rests_on)


def _check(c: Check) -> Cell:
    tone: Tone = "good" if c.plausible else "bad"
    value = typeset(f"{c.value:.3g} {c.unit.replace('mm2', 'mm^2')}")
    return Cell(value, f"{'inside' if c.plausible else 'OUTSIDE'} {c.low:.3g} to {c.high:.3g}", tone)


def _by_grade(parts: Mapping[str, Range], path_of: Callable[[str], str], column: Column) -> dict[str, float]:
    """Return the share of some parts' sum by the grade of the figure behind each."""
    grades = {f.path: f.grade for f in column.figures}
    found: dict[str, float] = defaultdict(float)
    whole = sum(p.value for p in parts.values()) or 1.0
    for name, part in parts.items():
        found[grades.get(path_of(name), words.UNKNOWN)] += part.value / whole
    return dict(found)


def _grades(found: Sequence[tuple[str, ResultFile, Column]]) -> Table:
    columns = {}
    for before, r, c in found:
        columns[f"{before}energy"] = _by_grade(r.energy_j_per_image.by_action, priced_by, c)
        columns[f"{before}area"] = _by_grade(r.area_m2.by_part, size_by, c)
    cells = [{g: Cell(words.share(s), share=s) for g, s in column.items() if s} for column in columns.values()]
    names = [g for g in (*GRADES, words.UNKNOWN) if any(g in column for column in cells)]
    return beside("The share that figures of each grade stand for", "", list(columns), cells, names, MEANING)


def _computed(before: str, tiers: Mapping[str, str]) -> str:
    """Return how the answers of each layer were computed."""
    layers: dict[str, list[str]] = defaultdict(list)
    for name, tier in tiers.items():
        layers[tier].append(name)
    said = "; ".join(f"{', '.join(names)} {TIERS.get(tier, tier)}" for tier, names in layers.items())
    return words.led(before, f"layers were computed as follows: {said}.")


def _imperfections(before: str, effects: Sequence[Imperfection]) -> Table:
    rows = [
        [
            e.path,
            typeset(f"{e.value:.3g} {'' if e.unit == 'relative' else e.unit}".strip()),
            f"each {e.drawn}",
            e.grade,
        ]
        for e in effects
    ]
    return Table(
        words.led(before, "imperfections that are on"), ["", "size", "drawn for", "grade"], rows, frozenset({1})
    )
