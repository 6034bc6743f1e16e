"""Every number that went in: its value, range, grade and sources; the weakest grades first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from archsim.report.html import words
from archsim.report.html.blocks import Block, Cell, Folded, Heading, Notes, Section, Table, Text
from archsim.report.html.columns import Column
from archsim.report.html.doubts import MEANING, WEAK, priced_by, size_by
from archsim.report.html.formats import Assumption

ORDER = ("ASSUMED", "RECALLED", "DERIVED", "RERUN", "READ")  # weakest first
SMALL = 0.001  # of the energy or area: a share that need not be shown


def sources(columns: Sequence[Column]) -> Iterator[Section]:
    """Yield the section on assumptions and sources, where manifests hold them."""
    known = [c for c in columns if c.figures]
    if not known:
        return
    citations = {key: text for c in known for key, text in c.citations.items()}
    marks = {key: str(number) for number, key in enumerate(citations, start=1)}
    merged = _merged(known)
    weights = _weights(known)
    blocks: list[Block] = [Text(ABOUT)]
    for grade in (*ORDER, *sorted({f.grade for f, _ in merged} - set(ORDER))):
        chosen = sorted(((f, of) for f, of in merged if f.grade == grade), key=lambda one: -weights.get(one[0].path, 0))
        if chosen:
            meaning = MEANING.get(grade, "a grade that this archsim does not know")
            rows = [_row(f, weights.get(f.path, 0), of if len(known) > 1 else "", marks) for f, of in chosen]
            table = Table(f"{grade}: {meaning}", ["", "value", "range", "weight", "sources"], rows, frozenset({1, 3}))
            blocks.append(Folded(f"{grade}: {meaning} ({len(rows)} figures)", [table], shown=grade in WEAK))
    blocks += [Heading("Sources"), Notes({anchor(key): (marks[key], text) for key, text in citations.items()})]
    yield Section("sources", "Assumptions and sources", blocks)


ABOUT = (
    "Every number that the chip was built from, the weakest grades first and in each grade what matters most. Weight:"
    " the share of the energy or of the area that the figure stands for, where it prices any. A range is what published"
    " numbers span, or what the grade allows."
)


def anchor(key: str) -> str:
    """Return the place on the page of a source."""
    return f"source-{key}"


def _merged(columns: Sequence[Column]) -> list[tuple[Assumption, str]]:
    """Return the figures of all columns, each with those that it belongs to; the same figure once."""
    found: dict[str, tuple[Assumption, list[str]]] = {}
    for column in columns:
        for figure in column.figures:
            found.setdefault(figure.model_dump_json(), (figure, []))[1].append(column.label)
    return [(f, "" if len(of) == len(columns) else ", ".join(of)) for f, of in found.values()]


def _weights(columns: Sequence[Column]) -> Mapping[str, float]:
    """Return by path the share of energy or area that a figure stands for, the largest of all columns."""
    found: dict[str, float] = {}
    for result in (c.result for c in columns if c.result):
        for parts, path_of in (
            (result.energy_j_per_image.by_action, priced_by),
            (result.area_m2.by_part, size_by),
        ):
            whole = sum(p.value for p in parts.values()) or 1.0
            for name, part in parts.items():
                path = path_of(name)
                found[path] = max(found.get(path, 0.0), part.value / whole)
    return found


def _row(f: Assumption, weight: float, of: str, marks: Mapping[str, str]) -> list[Cell | str]:
    links = [(f"[{marks[key]}]", anchor(key)) if key in marks else (key, "") for key in f.sources]
    note = "; ".join(part for part in (f.note, of and f"of {of}") if part)
    ends = words.span(f, lambda value: words.quantity(value, f.unit))
    shown = words.share(weight) if weight >= SMALL else ""
    return [Cell(f.path, note), words.quantity(f.value, f.unit), ends, shown, Cell("", links=links)]
