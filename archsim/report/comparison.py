"""A comparison for the terminal, and as tables: what each platform takes, what the chip gains, and why at times not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from archsim.baselines.platform import BOUNDARIES, MODES, ON_CHIP, Boundary, OperatingPoint, Platform
from archsim.comparison.comparison import Comparison, point_data
from archsim.comparison.headline import candidates
from archsim.comparison.ratios import Ratio
from archsim.hardware.component import GRADES
from archsim.metrics.intervals import Estimate
from archsim.report.layout import Cell, Say, count, heading, joules, percent, span, table
from archsim.report.summary import SHARES
from archsim.units import show

SOURCES_SHOWN = 4  # of each platform, the weakest grades first
HOW = {**MODES, ON_CHIP: "an image is loaded once, and the chip repeats the pass by itself"}
ROLES = {
    "latency": "fastest",
    "throughput": "most images/s",
    "energy": "least energy",
    "energy_at_rate": "least at rate",
    "naive_latency": "naive",
    "naive_energy": "naive",
    "naive_energy_at_rate": "naive",
}


def comparison_report(found: Comparison) -> Iterator[RenderableType]:
    """Yield what a terminal of 80 to 100 columns shows of a comparison."""
    log, terms = found.result.log, found.terms
    coming = "one by one" if terms.batch == 1 else f"{count(terms.batch)} at once"
    yield Text(f"{found.result.workload} on {found.result.arch} and elsewhere", style="bold")
    yield f"{count(log.images)} images, {coming}, x {count(terms.passes)} passes, seed {found.seed}"
    yield heading("Platforms, and what their energy covers")
    yield table(["", ""], _platforms(found.platforms))
    yield heading("How long")
    yield table(["", "", "latency", "range", "images/s"], _times(found), right=[2, 3, 4])
    yield heading("Energy of an image, while busy")
    yield table(["", "", "energy", "range", "idle"], _energies(found), right=[2, 3, 4])
    if terms.rate:
        yield heading(f"Energy of an image, {terms.rate:g} of them a second, idle power included")
        yield table(["", "", "energy", "range"], _at_rate(found, terms.rate), right=[2, 3])
    yield table(["", ""], _modes(found))
    if found.others:
        yield heading("What the chip gains: theirs over the chip's, above 1 where the chip is better")
        yield table(["", "best", "range", "naive", "range"], _gains(found), right=[1, 2, 3, 4])
        yield table(["", ""], _reservations(found))
    yield from _quality(found)
    yield heading("What this rests on")
    yield table(["", ""], _sources(found.platforms))
    yield heading("Notes")
    yield table(["", ""], _notes(found.platforms))


def comparison_tables(found: Comparison) -> dict[str, list[dict[str, Any]]]:
    """Return flat tables: `platforms` has a row for each point, `ratios` one for each ratio, refused or not."""
    platforms: list[dict[str, Any]] = []
    for platform, best in zip(found.platforms, found.headlines, strict=True):
        for index, point in enumerate(platform.points):
            where = {
                "platform": platform.name,
                "origin": platform.origin,
                "device": platform.device,
                "network": platform.network,
                "boundary": platform.boundary,
                "point": index,
                "chosen_for": ", ".join(name for name, i in vars(best).items() if i == index),
            }
            platforms.append(where | _flat(point_data(point, found.terms.rate)))
    gains = [r.to_dict() | {"boundaries": " : ".join(map(str, r.boundaries))} for r in found.ratios]
    return {name: rows for name, rows in (("platforms", platforms), ("ratios", gains)) if rows}


def _flat(point: Mapping[str, Any]) -> dict[str, Any]:
    """Return a point in columns, an estimate as three; what differs from platform to platform is left out."""
    row: dict[str, Any] = {}
    for key, value in point.items():
        if key in ("latency_s", "energy_j", "dynamic_j", "idle_w", "energy_at_rate_j"):
            ends = value or dict.fromkeys(("value", "low", "high"), float("nan"))  # a column of numbers
            row |= {key: ends["value"], f"{key}_low": ends["low"], f"{key}_high": ends["high"]}
        elif key not in ("percentiles", "terms"):
            row[key] = value
    return row


def _platforms(platforms: Sequence[Platform]) -> Iterator[list[Cell]]:
    for platform in platforms:
        yield [Text(platform.name, "bold"), f"{platform.device}; {', '.join(_common(platform))}".rstrip("; ")]
        if platform.boundary:
            yield ["", Text(f"energy: {platform.boundary}, {BOUNDARIES[platform.boundary]}", "dim")]
        else:
            yield ["", Text(f"no energy: {platform.no_energy or 'none is stated'}", "yellow")]


def _common(platform: Platform) -> Iterator[str]:
    """Yield what all points of a platform have in common."""
    for name in ("software", "precision", "power_mode"):
        values = {getattr(p, name) for p in platform.points}
        if len(values) == 1 and (value := next(iter(values))):
            yield value


def _how(platform: Platform, point: OperatingPoint, passes: int) -> str:
    """Return how a point differs from others of its platform, and from what was asked for."""
    common = {*_common(platform)}
    words = [point.mode, point.software, point.precision, point.power_mode]
    if point.batch > 1:
        words.append(f"{count(point.batch)} images a call")
    if point.passes != passes:
        words.append(f"T = {point.passes or 'unstated'}")
    return ", ".join(word.replace("_", " ") for word in words if word and word not in common)


def _chosen(found: Comparison, roles: Sequence[str]) -> Iterator[tuple[Platform, list[tuple[str, OperatingPoint]]]]:
    """Yield each platform with its points that have some of these roles, each once, the first of them in words.

    All points of a platform that has none with as many passes.
    """
    for platform, best in zip(found.platforms, found.headlines, strict=True):
        labels: dict[int, str] = {}
        for role in roles:
            if (index := getattr(best, role)) is not None:
                labels.setdefault(index, f"  {ROLES[role]}" if len(platform.points) > 1 else "")
        if not candidates(platform, found.terms):
            labels = dict.fromkeys(range(len(platform.points)), "")
        yield platform, [(label, platform.points[i]) for i, label in labels.items()]


def _times(found: Comparison) -> Iterator[list[Cell]]:
    def cells(point: OperatingPoint) -> list[Cell] | None:
        seconds = point.seconds_per_image
        return [*_pair(point.latency_s, _seconds), _per_second(1 / seconds)] if seconds else None

    return _rows(found, ("latency", "throughput", "naive_latency"), cells)


def _energies(found: Comparison) -> Iterator[list[Cell]]:
    def cells(point: OperatingPoint) -> list[Cell] | None:
        idle = show(point.idle_w.value, "W") if point.idle_w else ""
        return [*_pair(point.energy_j, joules), idle] if point.energy_j else None

    return _rows(found, ("energy", "naive_energy"), cells)


def _at_rate(found: Comparison, rate: float) -> Iterator[list[Cell]]:
    def cells(point: OperatingPoint) -> list[Cell] | None:
        energy = point.energy_at(rate)
        return _pair(energy, joules) if energy else None

    return _rows(found, ("energy_at_rate", "naive_energy_at_rate"), cells)


def _rows(
    found: Comparison, roles: Sequence[str], cells: Callable[[OperatingPoint], list[Cell] | None]
) -> Iterator[list[Cell]]:
    """Yield a row for each point with some of these roles; one that has nothing to show is left out."""
    for platform, points in _chosen(found, roles):
        name = Text(platform.name, "bold")
        shown = [(label, [_how(platform, p, found.terms.passes), *row]) for label, p in points if (row := cells(p))]
        if len(shown) == 1 and not shown[0][0]:
            yield [name, *shown[0][1]]
        elif shown:
            yield [name]
            yield from ([label, *row] for label, row in shown)


def _modes(found: Comparison) -> Iterator[list[Cell]]:
    """Yield what the modes mean that stand in the tables."""
    shown = (p.mode for _, points in _chosen(found, tuple(ROLES)) for _, p in points if p.mode)
    for mode in dict.fromkeys(shown):
        yield [Text(mode.replace("_", " "), "dim"), Text(HOW[mode], "dim")]


def _gains(found: Comparison) -> Iterator[list[Cell]]:
    """Yield the ratios that there are, by platform."""
    for name, of_platform in _by_platform(found.ratios):
        rows = {(r.what, r.role): r for r in of_platform}
        given = [what for what in found.terms.whats if any(r.estimate for r in of_platform if r.what == what)]
        if given:
            yield [Text(name, "bold")]
        for what in given:
            both = (rows.get((what, role)) for role in ("headline", "naive"))
            yield [f"  {_word(what)}", *(cell for r in both if r for cell in _gain(r))]


def _gain(ratio: Ratio) -> list[Cell]:
    if ratio.estimate is None:
        return [Text("-", "yellow"), Text("refused", "yellow")]
    return [Text(f"{_factor(ratio.estimate.value)} x", "bold"), span(ratio.estimate, _factor)]


def _reservations(found: Comparison) -> Iterator[list[Cell]]:
    """Yield why ratios are refused, and which boundaries of energy were compared all the same."""
    for name, of_platform in _by_platform(found.ratios):
        reasons: dict[str, list[str]] = {}
        for r in of_platform:
            across = r.what.startswith("energy") and r.boundaries[0] != r.boundaries[1]
            allowed = f"{_meaning(r.boundaries[1])} over {_meaning(r.boundaries[0])}" if across else None
            if reason := r.refused or allowed:
                reasons.setdefault(reason, []).append(r.what)
        for i, (reason, whats) in enumerate(reasons.items()):
            which = ", ".join(map(_word, dict.fromkeys(whats)))
            everything = set(whats) == set(found.terms.whats)
            yield [Text(name, "bold") if i == 0 else "", reason if everything else f"{which}: {reason}"]


def _by_platform(ratios: Sequence[Ratio]) -> Iterator[tuple[str, list[Ratio]]]:
    for name, of_platform in groupby(ratios, key=lambda r: r.platform):
        yield name, list(of_platform)


def _meaning(boundary: Boundary | None) -> str:
    return f"{boundary} ({BOUNDARIES[boundary]})" if boundary else "no boundary"


def _word(what: str) -> str:
    return what.replace("_", " ")


def _quality(found: Comparison) -> Iterator[RenderableType]:
    on_chip = dict(found.result.quality.estimates()) if found.result.quality else {}
    in_torch = dict(found.software.quality.estimates()) if found.software.quality else {}
    if on_chip or in_torch:
        yield heading("Quality on the same images with as many passes, with 95 % intervals")
        head = ["", "on the chip", "interval", "in software", "interval"]
        rows = (
            [name.replace("_", " "), *_pair(on_chip.get(name), _say(name)), *_pair(in_torch.get(name), _say(name))]
            for name in {**on_chip, **in_torch}
        )
        yield table(head, rows, right=[1, 3])
    if found.software.missing and on_chip:
        yield table(["", ""], [["in software", f"not computed: {found.software.missing}"]])


def _say(name: str) -> Say:
    return percent if name in SHARES else "{:.4f}".format


def _sources(platforms: Sequence[Platform]) -> Iterator[list[Cell]]:
    for platform in platforms:
        ranked = sorted(platform.sources, key=lambda s: -GRADES.index(s.grade))
        for i, source in enumerate(ranked[:SOURCES_SHOWN]):
            yield [Text(platform.name, "bold") if i == 0 else "", f"{source.grade}: {source.text}"]
        if len(ranked) > SOURCES_SHOWN:
            yield ["", Text(f"and {len(ranked) - SOURCES_SHOWN} more (--json)", "dim")]


def _notes(platforms: Sequence[Platform]) -> Iterator[list[Cell]]:
    for platform in platforms:
        for i, note in enumerate(platform.notes):
            yield [Text(platform.name, "bold") if i == 0 else "", note]


def _pair(estimate: Estimate | None, say: Say) -> list[Cell]:
    """Return a figure and its range; no range where none is known."""
    if estimate is None:
        return ["", ""]
    known = estimate.low < estimate.high
    return [Text(say(estimate.value), "bold"), span(estimate, say) if known else ""]


def _seconds(value: float) -> str:
    return show(value, "s")


def _per_second(rate: float) -> str:
    return count(rate) if rate >= 1000 else f"{rate:.3g}"


def _factor(value: float) -> str:
    return count(value) if value >= 1000 else f"{value:.3g}"
