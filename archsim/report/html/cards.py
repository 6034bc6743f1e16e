"""The summary: what an image takes and how good its answer is, in a few figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archsim.report.html import words
from archsim.report.html.blocks import ABSENT, Block, Card, Cards, Cell, Points, Section, Table, Text
from archsim.report.html.columns import Column
from archsim.report.html.formats import Compared, Point, Range, Ratio, ResultFile, UncertaintyFile
from archsim.report.html.platforms import way

QUALITY = {
    "accuracy": "of the test images are answered right",
    "nll": "nats; what wrong confidence costs, less is better",
    "ece": "between stated confidence and share of right answers",
    "rmse": "root mean square error, in deviations of the target",
    "crps": "distance of the stated distribution from the target",
    "coverage_90": "of the targets lie in the central 90 % interval",
}
SCORE = "entropy"


def summary(columns: Sequence[Column]) -> Section:
    """Return the first section: warnings, then cards, or a table where there are several results."""
    blocks: list[Block] = []
    doubts = [f"{c.label}: {w}" if len(columns) > 1 else w for c in columns for w in c.warnings]
    if doubts:
        blocks.append(Points(doubts, warning=True, title="Before you believe this"))
    if len(columns) == 1:
        blocks += [Cards(cards) for group in _groups(columns[0]) if (cards := list(group))]
        blocks += [Text(said) for said in (_refused(columns[0].compared) if columns[0].compared else ())]
    else:
        blocks.append(_table(columns, [[card for group in _groups(c) for card in group] for c in columns]))
    return Section("summary", "Summary", blocks)


def _table(columns: Sequence[Column], found: Sequence[Sequence[Card]]) -> Table:
    kinds = {card.what: card.words for cards in found for card in reversed(cards)}
    names = list(dict.fromkeys(card.what for cards in found for card in cards))
    by_name = [{card.what: card for card in cards} for cards in found]
    rows = [
        [Cell(name, kinds[name] if len({c[name].words for c in by_name if name in c}) == 1 else "")]
        + [Cell(c[name].value, c[name].span, c[name].tone) if name in c else ABSENT for c in by_name]
        for name in names
    ]
    numbers = frozenset(range(1, len(columns) + 1))
    return Table("Side by side; ranges in small type", ["", *(c.label for c in columns)], rows, numbers)


def _groups(column: Column) -> Iterator[Iterator[Card]]:
    """Yield the cards of cost, those of quality, those of gains over other platforms."""
    if column.result:
        yield _costs(column.result)
    yield _quality(column)
    if c := column.compared:
        yield (_gain(r, c) for r in c.ratios if r.role == "headline" and not r.refused)


def _costs(r: ResultFile) -> Iterator[Card]:
    passes = "one pass" if r.passes == 1 else f"{r.passes} passes"
    yield Card("Latency", words.seconds(r.latency_s_per_image), "", f"from an image to its answer after {passes}")
    energy = r.energy_j_per_image
    leaks = f"an image; {words.share(energy.leakage / energy.value)} of it leaks away"
    yield Card("Energy", words.joules(energy.value), words.span(energy, words.joules), leaks)
    busy = f"{r.bottleneck.station} {words.share(r.bottleneck.utilisation, 0)} busy"
    yield Card("Throughput", words.rate(r.throughput_images_per_s), "", f"in the long run; {busy}")
    yield Card("Power", words.watts(r.power_w), "", "on average, images following each other")
    yield Card("Area", words.area(r.area_m2.value), words.span(r.area_m2, words.area), "of silicon")


def _quality(column: Column) -> Iterator[Card]:
    """Yield the figures of the test set: over several chips where they were sampled."""
    found = column.uncertainty.test.figures if column.uncertainty else column.result.figures if column.result else {}
    for name, meaning in QUALITY.items():
        if name in found and not (name == "nll" and "rmse" in found):
            yield _card(words.title(name), found[name], name, meaning)
    if column.uncertainty:
        yield from _unknown(column.uncertainty)


def _unknown(found: UncertaintyFile) -> Iterator[Card]:
    areas = [s.detection[SCORE].auroc for s in found.ood if SCORE in s.detection]
    if areas:
        mean = sum(a.value for a in areas) / len(areas)
        ends = f"{min(a.value for a in areas):.3f} to {max(a.value for a in areas):.3f}"
        sets = f"over {len(areas)} sets of unknown images, told by entropy; 0.5 is chance"
        yield Card("Unknown inputs (AUROC)", f"{mean:.3f}", ends if len(areas) > 1 else "", sets)


def _card(what: str, found: Range, name: str, meaning: str) -> Card:
    say = words.sayer(name)
    return Card(what[0].upper() + what[1:], say(found.value), words.span(found, say), meaning)


def _gain(ratio: Ratio, c: Compared) -> Card:
    """Return what one gains over a platform, with all that makes the comparison less than plain."""
    verdict = {"good": "the chip is better", "bad": "the chip is worse", "": "the ranges reach each other"}
    tone = words.tone(ratio)
    said = [verdict[tone]]
    other = next((p for p in c.platforms if p.name == ratio.platform), None)
    if other and ratio.point is not None and (how := way(other.points[ratio.point])):
        said.append(f"there: {how}")
    if other and not other.same_network:
        said.append(f"another network: {other.network}")
    if across := words.boundaries(ratio):
        said.append(across)
    what = f"{words.GAINS.get(ratio.what, ratio.what)} over {ratio.platform}"
    return Card(what, words.factor(ratio.value), words.span(ratio, words.times), "; ".join(said), tone)


def _refused(c: Compared) -> Iterator[str]:
    """Yield the energies that everybody asks for where their ratio is refused."""
    refused = {r.platform for r in c.ratios if r.what == "energy" and r.role == "headline" and r.refused}
    chip = c.platforms[0]
    for other in c.platforms[1:]:
        best = other.headline.get("energy")
        if other.name in refused and other.same_network and best is not None:
            mine, its = next(iter(chip.points), None), other.points[best]
            if mine and mine.energy_j and its.energy_j:
                said = f"{_energy(mine, c.rate)} here, and {_energy(its, c.rate)} on {other.name}"
                yield (
                    f"An image takes {said}. These are energies of different things ({chip.boundary} here,"
                    f" {other.boundary} there), so no ratio is given."
                )


def _energy(point: Point, rate: float | None) -> str:
    """Return what an image takes while a platform is busy and, where images come at a rate, with its idle power."""
    busy = words.joules(point.energy_j.value) if point.energy_j else words.UNKNOWN
    if rate is None or point.energy_at_rate_j is None:
        return busy
    return f"{busy} ({words.joules(point.energy_at_rate_j.value)} at {rate:g} images/s)"
