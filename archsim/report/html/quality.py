"""How good the answers are: on the test set, from chip to chip, and what an evaluation shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from archsim.report.html import words
from archsim.report.html.blocks import Block, Cell, Heading, Section, Table, beside
from archsim.report.html.columns import Column
from archsim.report.html.pictures import Pictures
from archsim.report.html.uncertainty import figure, uncertainty


def quality(columns: Sequence[Column], pictures: Pictures) -> Iterator[Section]:
    """Yield the section on quality, where images were computed."""
    judged = [(c.label, c) for c in columns if c.uncertainty or (c.result and c.result.figures)]
    if not judged:
        return
    labels = [label for label, _ in judged]
    blocks: list[Block] = [_figures(labels, [c for _, c in judged])]
    sampled = [(c.label, c.result.chips) for _, c in judged if c.result and c.result.chips]
    found = [(c.label, c.uncertainty) for _, c in judged if c.uncertainty]
    if sampled or any(u.chips > 1 for _, u in found):
        blocks += [Heading("From chip to chip"), *pictures.take("evaluated_chips")]
        blocks += pictures.take("chips", _chips([s for s, _ in sampled], [c for _, c in sampled]))
    if found:
        blocks += uncertainty([label for label, _ in found], [u for _, u in found], pictures)
    rest = [*pictures.rest("archsim/uncertainty")]
    yield Section("quality", "How good its answers are", [*blocks, *rest])


def _figures(labels: Sequence[str], columns: Sequence[Column]) -> Table:
    cells = []
    for column in columns:
        found = (
            column.uncertainty.test.figures if column.uncertainty else column.result.figures if column.result else {}
        )
        cells.append({words.title(name): figure(name, e) for name, e in found.items()})
    said = dict.fromkeys(_images(column) for column in columns)
    meanings = {words.title(name): meaning for name, meaning in words.MEANINGS.items()}
    return beside(f"Test set: {'; '.join(said)}", "", labels, cells, meanings=meanings)


def _images(column: Column) -> str:
    found = column.uncertainty
    if found is None:
        assert column.result is not None
        return f"{column.result.images} images, {column.result.passes} passes, 95 % intervals"
    ends = found.intervals if found.chips == 1 else f"{found.chips} sampled chips, {found.intervals}"
    return f"{found.images} images, {found.passes} passes, {ends}{' intervals' if found.chips == 1 else ''}"


def _chips(labels: Sequence[str], chips: Sequence[Mapping[str, Any]]) -> Table:
    columns = []
    for spread in chips:
        column = {}
        for name, s in spread.items():
            if name == "count":
                continue
            say = words.sayer(name)
            deviation = "" if s["deviation"] is None else f" ± {say(s['deviation'])}"
            ends = f"{say(s['low'])} to {say(s['high'])}; worst: chip {s['worst']}"
            column[words.title(name)] = Cell(f"{say(s['mean'])}{deviation}", ends)
        columns.append(column)
    counts = ", ".join(str(c["count"]) for c in chips)
    return beside(f"Mean and deviation over {counts} sampled chips, range, worst chip", "", labels, columns)
