"""What an evaluation of uncertainty shows: calibration, unknown and shifted images, refusing, stopping early."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archsim.report.html import words
from archsim.report.html.blocks import ABSENT, Block, Cell, Folded, Heading, Row, Table, Text, after
from archsim.report.html.formats import Effort, Range, Rule, SetOfImages, UncertaintyFile
from archsim.report.html.pictures import Pictures

SCORES = {"max_probability": "largest probability", "model_variance": "variance of the passes"}
CURVE = {"classification": ("accuracy", "nll", "ece", "entropy"), "regression": ("rmse", "nll", "deviation")}


def uncertainty(labels: Sequence[str], found: Sequence[UncertaintyFile], pictures: Pictures) -> Iterator[Block]:
    """Yield a heading, a plot and its numbers for each question that any of the evaluations answers."""
    pairs = [(f"{label}: " if len(labels) > 1 else "", u) for label, u in zip(labels, found, strict=True)]
    yield Heading("Calibration")
    yield from pictures.take("reliability")
    if any(u.ood for u in found):
        yield Heading("Unknown images")
        yield from pictures.take("ood")
        yield from (_detection(before, u) for before, u in pairs if u.ood)
    if any(u.rotation_degrees for u in found):
        yield Heading("Rotated images")
        yield from pictures.take("rotation")
        yield from (_curve(before, u) for before, u in pairs if u.rotation_degrees)
    if any(u.corruptions for u in found):
        yield Heading("Corrupted images")
        yield from pictures.take("corruptions")
        yield from (_corruptions(before, u) for before, u in pairs if u.corruptions)
    if any(u.risk_coverage for u in found):
        yield Heading("Refusing what is uncertain")
        yield from pictures.take("risk_coverage")
        yield from (_selective(before, u) for before, u in pairs if u.risk_coverage)
    if any(u.adaptive for u in found):
        yield Heading("Stopping early")
        yield from pictures.take("adaptive")
        yield from (_adaptive(before, u) for before, u in pairs if u.adaptive)


def figure(name: str, found: Range) -> Cell:
    """Return a figure of quality with its interval."""
    say = words.sayer(name)
    return Cell(say(found.value), words.span(found, say))


def _detection(before: str, u: UncertaintyFile) -> Block:
    rows: list[Row] = []
    for s in u.ood:
        for i, (score, d) in enumerate(s.detection.items()):
            name = Cell(_set(s), f"{s.images} images", "strong") if i == 0 else ""
            areas = [_area(a) for a in (d.auroc, d.aupr_out, d.aupr_in)]
            rows.append([name, _score(score), *areas, _percent(d.fpr95), _percent(d.detected)])
    head = ["", "told by", "AUROC", "AUPR out", "AUPR in", "FPR95", "detected"]
    blocks: list[Block] = []
    if rows:
        caption = words.led(before, "unknown images told from the test set, by score")
        blocks.append(Table(caption, head, rows, after(2, head)))
        blocks.append(Text("Detected: at a threshold chosen for 5 % false alarms on half of the test set.", "dim"))
    sets = [("test set (false alarms)", u.test), *((_set(s), s) for s in u.ood)]
    flagged: list[Row] = [[n, _percent(s.flagged_by_percentile_rule)] for n, s in sets if s.flagged_by_percentile_rule]
    if flagged:
        rule = u.percentile_rule
        what = f"{words.share(rule.level, 0)} percentile below {rule.threshold:g} ({rule.grade})"
        blocks.append(
            Table(
                words.led(before, f"called unknown by the papers' rule: {what}"),
                ["", "flagged"],
                flagged,
                after(1, head),
            )
        )
    return Folded(words.led(before, "all scores and intervals"), blocks)


def _curve(before: str, u: UncertaintyFile) -> Block:
    names = CURVE[u.task]
    rows: list[Row] = [[f"{s.severity or 0:g}°", *(_of(s, n) for n in names)] for s in (u.test, *u.rotation_degrees)]
    head = ["", *(words.title(n) for n in names)]
    return Folded(
        words.led(before, "by angle"), [Table(words.led(before, "turned test images"), head, rows, after(1, head))]
    )


def _corruptions(before: str, u: UncertaintyFile) -> Block:
    name = CURVE[u.task][0]
    levels = sorted({s.severity for s in u.corruptions if s.severity is not None})
    by_name: dict[str, dict[float | None, SetOfImages]] = {}
    for s in u.corruptions:
        by_name.setdefault(s.set, {})[s.severity] = s
    rows: list[Row] = [[what, *(_of(row.get(level), name) for level in levels)] for what, row in by_name.items()]
    known = _of(u.test, name).text
    caption = words.led(before, f"{words.title(name)} by corruption and severity; {known} on the test set")
    head = ["", *(f"{level:g}" for level in levels)]
    return Folded(words.led(before, "by corruption"), [Table(caption, head, rows, after(1, head))])


def _selective(before: str, u: UncertaintyFile) -> Block:
    points = list(next(iter(u.risk_coverage.values())).risk_at_coverage)
    rows: list[Row] = []
    for score, curve in u.risk_coverage.items():
        area = Cell(f"{curve.aurc.value:.5f}", words.span(curve.aurc, "{:.5f}".format))
        rows.append(
            [_score(score), area, *(_percent(r, 2) if (r := curve.risk_at_coverage.get(p)) else ABSENT for p in points)]
        )
    head = ["refused by", "AURC", *(words.share(float(p), 0) for p in points)]
    caption = words.led(before, "wrong answers among those kept, by the share of images answered")
    return Folded(words.led(before, "by score"), [Table(caption, head, rows, after(1, head))])


def _adaptive(before: str, u: UncertaintyFile) -> Table:
    first = u.adaptive[0]
    full = first.minus_all_passes
    rows = [[*_effort("all passes", full, full), "", ""]]
    rows += [[*_effort("fewest not worse", first.fewest_passes_not_worse, full), "", ""]]
    rows += [_rule(rule, full) for rule in u.adaptive]
    head = ["", "passes", "latency", "energy", "accuracy, less that of all passes", "NLL, less that of all passes"]
    return Table(words.led(before, "passes until certain, and what an image then costs"), head, rows, after(1, head))


def _effort(name: str, effort: Effort, full: Effort) -> Row:
    latency = words.share(effort.latency_s_per_image / full.latency_s_per_image, 0)
    energy = words.share(effort.energy_j_per_image.value / full.energy_j_per_image.value, 0)
    return [
        name,
        f"{effort.passes:.4g}",
        Cell(words.seconds(effort.latency_s_per_image), latency),
        Cell(words.joules(effort.energy_j_per_image.value), energy),
    ]


def _rule(rule: Rule, full: Effort) -> Row:
    worse = rule.worse_than_all_passes
    name = Cell(rule.rule, "shown to be worse" if worse else "", "bad" if worse else "")
    c = rule.minus_all_passes
    accuracy = Cell(f"{100 * c.accuracy.value:+.2f} %", f"{100 * c.accuracy.low:+.2f} to {100 * c.accuracy.high:+.2f}")
    nll = Cell(f"{c.nll.value:+.4f}", f"{c.nll.low:+.4f} to {c.nll.high:+.4f}")
    return [name, *_effort("", rule, full)[1:], accuracy, nll]


def _of(s: SetOfImages | None, name: str) -> Cell:
    return figure(name, s.figures[name]) if s and name in s.figures else ABSENT


def _set(s: SetOfImages) -> str:
    return s.set if s.severity is None else f"{s.set} {s.severity:g}"


def _score(name: str) -> str:
    return SCORES.get(name, name.replace("_", " "))


def _area(found: Range) -> Cell:
    return Cell(f"{found.value:.3f}", words.span(found, "{:.3f}".format))


def _percent(found: Range, digits: int = 1) -> Cell:
    return Cell(words.share(found.value, digits), words.span(found, lambda v: words.share(v, digits)))
