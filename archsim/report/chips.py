"""What is imperfect about a chip, and how far sampled chips differ, for people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from archsim.hardware.effects import WRITTEN, Effect
from archsim.metrics.chips import Batch, Spread
from archsim.metrics.result import Result
from archsim.metrics.waterfall import Waterfall
from archsim.report.layout import Cell, Say, count, heading, percent, table
from archsim.units import show

SHOWN = ("accuracy", "nll", "ece", "mutual_information", "rmse", "crps", "coverage_90")  # columns of a waterfall
PERCENT = frozenset({"accuracy", "ece", "coverage_90"})
TIERS = {"packed": "exactly", "noise": "with the noise of its reads", "conductance": "cell by cell"}
SECONDS_A_YEAR = 31_557_600


def imperfections(result: Result) -> Iterator[RenderableType]:
    """Yield what is on, when it is drawn and where it is from; nothing for an ideal chip."""
    if not result.effects:
        return
    yield heading("Imperfections")
    yield table(["", "", "drawn for", "from"], map(_effect, result.effects), right=[1])
    layers = defaultdict(list)
    for name, tier in result.tiers.items():
        layers[tier].append(name)
    yield table(["", ""], ([f"computed {TIERS[t]}", ", ".join(names)] for t, names in layers.items()))


def _effect(effect: Effect) -> list[Cell]:
    return [effect.path, _size(effect), f"each {effect.drawn}", Text(_origin(effect), "dim")]


def _size(effect: Effect) -> str:
    value = effect.figure.value
    if effect.unit == "s":
        return f"{value / SECONDS_A_YEAR:.3g} year" if value >= SECONDS_A_YEAR else show(value, "s")
    if effect.unit == "relative":
        return f"{100 * value:.3g} %"
    return f"{value:.3g} {effect.unit}" if effect.unit in ("K", "images") else f"{value:.3g}"


def _origin(effect: Effect) -> str:
    figure = effect.figure
    return figure.note if figure.note == WRITTEN else f"{figure.grade}: {', '.join(figure.sources)}"


def spread_over_chips(batch: Batch, say: dict[str, Say], otherwise: Say) -> Iterator[RenderableType]:
    """Yield mean, deviation, ends and the worst chip of every figure; `say`: how to write some of them."""
    yield heading(f"Quality on {count(len(batch))} sampled chips: mean, deviation between chips, range, worst chip")
    rows = (_row(name, spread, say.get(name, otherwise)) for name, spread in batch.spreads())
    yield table(["", "", "", "", ""], rows, right=[1, 2])


def _row(name: str, spread: Spread, say: Say) -> list[Cell]:
    deviation = "" if spread.deviation != spread.deviation else f"+- {say(spread.deviation)}"  # NaN for one chip
    return [
        name.replace("_", " "),
        Text(say(spread.mean), "bold"),
        deviation,
        f"{say(spread.low)} to {say(spread.high)}",
        Text(f"chip {spread.worst}", "dim"),
    ]


def waterfall_table(found: Waterfall) -> Iterator[RenderableType]:
    """Yield the quality of a design as its imperfections are switched on, one kind after the other."""
    yield Text(f"{found.workload} on {found.arch}", style="bold")
    yield (
        f"{count(found.images)} images x {count(found.passes)} passes on {count(found.chips)} sampled chips, seed"
        f" {found.seed}; mean and deviation between chips"
    )
    names = [name for name in SHOWN if name in found.steps[0].quality]
    rows = (
        [f"{'' if i == 0 else '+ '}{step.name}", *(_pair(name, step.quality[name]) for name in names)]
        for i, step in enumerate(found.steps)
    )
    yield table(["", *(name.replace("_", " ") for name in names)], rows, right=range(1, len(names) + 1))


def _pair(name: str, spread: Spread) -> str:
    say = percent if name in PERCENT else "{:.4f}".format
    return say(spread.mean) + (f" +- {say(spread.deviation)}" if spread.deviation == spread.deviation else "")
