"""A result for people: what ran, what it cost, how good it was, what held it up. The largest things come first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from textwrap import shorten

from rich.console import RenderableType
from rich.text import Text

from archsim.metrics.chips import Batch
from archsim.metrics.costs import OFF_CHIP, PICO
from archsim.metrics.intervals import Estimate
from archsim.metrics.result import Result
from archsim.report.chips import imperfections, spread_over_chips
from archsim.report.layout import (
    Cell,
    Say,
    added,
    bar,
    count,
    heading,
    joules,
    percent,
    span,
    square_millimetres,
    table,
)
from archsim.units import show

LARGEST = 8  # rows of a ranking; the rest is one row
STEPS = 5  # of the critical path
NEGLIGIBLE = 1e-3  # of the latency: what need not be shown of its parts
QUALITY = {
    "accuracy": "right answers",
    "nll": "nats: negative log-likelihood of what is right",
    "brier": "squared error of the probabilities, 0 to 2",
    "ece": "expected calibration error",
    "adaptive_ece": "the same over bins of equally many images",
    "entropy": "nats: predictive, all uncertainty",
    "expected_entropy": "nats: of the single passes, in the data",
    "mutual_information": "nats: between passes, in the model",
    "rmse": "of the passes' mean, in the target's deviations",
    "crps": "continuous ranked probability score",
    "coverage_50": "targets inside the central interval of 50 %",
    "coverage_90": "targets inside the central interval of 90 %",
    "deviation": "predictive, all uncertainty",
    "model_deviation": "between passes, in the model",
}
SHARES = ("accuracy", "ece", "adaptive_ece", "coverage_50", "coverage_90")


def summary(result: Result, batch: Batch | None = None) -> Iterator[RenderableType]:
    """Yield what a terminal of 80 to 100 columns shows of a result; `batch`: of the chips whose result this is."""
    log = result.log
    yield Text(f"{result.workload} on {result.arch}", style="bold")
    yield (
        f"{count(log.images)} images x {count(log.passes)} passes, seed {result.seed},"
        f" schedule {log.schedule}, grain {log.grain}"
    )
    yield heading("An image costs")
    yield table(["", "", ""], _headline(result))
    yield from _critical(result)
    if result.quality:
        which = f" on chip {result.chip_sample}" if result.effects else ""
        yield heading(f"Quality{which} over {count(log.images)} images, with 95 % intervals")
        yield table(["", "", "", ""], _quality(result))
    if batch:
        yield from spread_over_chips(batch, dict.fromkeys(SHARES, percent), _number)
    yield from imperfections(result)
    yield from _ranking("Energy of an image by part", result.energy_by("part"), joules)
    yield from _ranking("Energy of an image by layer", result.energy_by("layer"), joules)
    yield from _ranking("Area by part", result.area_m2, square_millimetres)
    yield heading("Memory")
    yield table(["", "", ""], _memory(result), right=[1])
    yield heading("Busiest resources")
    yield table(["", "", "busy", "queued for", "waits for"], _stations(result), right=[2, 3])
    yield heading("Plausibility, beside published chips")
    yield table(["", "", "", "band", "which rests on"], _checks(result))
    yield heading("Simulation")
    yield table(["", ""], _simulation(result))


def _headline(result: Result) -> Iterator[list[Cell]]:
    log, energy = result.log, result.energy_j_per_image
    yield ["latency", Text(show(result.latency_s_per_image, "s"), "bold"), _latency_parts(result)]
    rate = result.throughput_images_per_s
    bottleneck = f"{result.bottleneck.name} busy {percent(result.utilisation(result.bottleneck))}"
    yield [
        "throughput",
        Text(f"{rate:.4g} images/s" if rate < 1e4 else f"{count(rate)} images/s", "bold"),
        f"one every {show(log.image_interval_ps * PICO, 's')}; bottleneck: {bottleneck}",
    ]
    yield ["energy", Text(show(energy.value, "J"), "bold"), f"{span(energy, joules)} (ranges of the components)"]
    on_chip = result.energy_on_chip
    yield ["  on chip", show(on_chip.value, "J"), span(on_chip, joules)]
    if off_chip := result.energy_by("part").get(OFF_CHIP):
        yield ["  off-chip memory", show(off_chip.value, "J"), span(off_chip, joules)]
    leakage = result.leakage_j_per_image
    yield ["  of it leakage", show(leakage.value, "J"), f"{percent(leakage.value / energy.value)} of the energy"]
    yield ["power", show(result.power_w, "W"), "average over the run"]
    area = added(result.area_m2.values())
    yield ["area", square_millimetres(area.value), span(area, square_millimetres)]
    yield from _endurance(result)


def _latency_parts(result: Result) -> str:
    log = result.log
    parts = f"first pass {show(log.first_pass_ps * PICO, 's')}"
    rest = log.latency_ps - log.first_pass_ps
    if log.passes > 1:
        parts += f" + {log.passes - 1} x {show(log.pass_interval_ps * PICO, 's')}"
        rest -= (log.passes - 1) * log.pass_interval_ps
    return parts + (f" + averaging {show(rest * PICO, 's')}" if rest > NEGLIGIBLE * log.latency_ps else "")


def _critical(result: Result) -> Iterator[RenderableType]:
    """Yield what one pass waits for; a chip that is reprogrammed has no such path."""
    steps = result.critical_path[:STEPS]
    if steps:
        whole = sum(step.seconds for step in result.critical_path)
        yield heading(f"What one pass alone waits for, {show(whole, 's')} in all")
        rows = ([f"{s.layer}: {s.operation}", show(s.seconds, "s"), percent(s.seconds / whole)] for s in steps)
        yield table(["", "", ""], rows, right=[1, 2])


def _endurance(result: Result) -> Iterator[list[Cell]]:
    wear = result.endurance
    lifetime = wear.lifetime_images
    if wear.weight_writes:
        yield ["programming", show(result.log.programming_ps * PICO, "s"), "in the run: the network exceeds the chip"]
    if lifetime is None:
        return
    most = f"{max(wear.weight_writes, wear.random_writes):.3g} writes an image of {wear.cycles:.0e}"
    days = lifetime * result.log.image_interval_ps * PICO / 86_400
    yield ["endurance", f"{lifetime:.2g} images", f"{days:.3g} days without a pause; busiest junction: {most}"]


def _quality(result: Result) -> Iterator[list[Cell]]:
    assert result.quality is not None
    for name, estimate in result.quality.estimates():
        shown = percent if name in SHARES else _number
        interval = f"{shown(estimate.low)} to {shown(estimate.high)}"
        yield [name.replace("_", " "), Text(shown(estimate.value), "bold"), interval, Text(QUALITY[name], "dim")]


def _number(value: float) -> str:
    return f"{value:.4f}"


def _ranking(title: str, parts: Mapping[str, Estimate], say: Say) -> Iterator[RenderableType]:
    """Yield the largest of some parts with their shares, and all others in one row."""
    whole = sum(e.value for e in parts.values())
    ranked = sorted(parts.items(), key=lambda item: -item[1].value)
    shown, others = ranked[:LARGEST], ranked[LARGEST:]
    if others:
        shown.append((f"{len(others)} others", added(e for _, e in others)))
    yield heading(title)
    yield table(
        ["", "", "", "", "range"],
        ([name, say(e.value), percent(e.value / whole), bar(e.value / whole), span(e, say)] for name, e in shown),
        right=[1, 2],
    )


def _memory(result: Result) -> Iterator[list[Cell]]:
    memory = asdict(result.memory)
    buffers: dict[str, int] = memory.pop("buffers")
    kinds = ", ".join(f"{kind} {show(bits, 'bit')}" for kind, bits in memory.pop("parameters_by_kind").items())
    meaning = {
        "weight_cells": "non-volatile cells, complements, replicas and copies included",
        "weights": "the weights themselves, each copy once",
        "parameters": kinds,
        "accumulators": "running sums of the passes",
        "random_units": "registers of random numbers and generator state",
    }
    for name, bits in memory.items():
        yield [name.replace("_", " "), show(bits, "bit"), Text(meaning[name], "dim")]
    worst = max(buffers, key=lambda name: buffers[name])
    yield ["buffers", show(sum(buffers.values()), "bit"), Text(f"at their peaks; the fullest: {worst}", "dim")]


def _stations(result: Result) -> Iterator[list[Cell]]:
    total = result.log.total_ps
    waits: dict[str, list[str]] = {}
    for stall in sorted(result.log.stalls, key=lambda s: -s.waited_ps):
        if stall.waited_ps > NEGLIGIBLE * total:
            waits.setdefault(stall.process, []).append(f"{stall.cause} {percent(stall.waited_ps / total)}")
    for s in sorted(result.log.stations, key=lambda s: -s.busy_ps)[:LARGEST]:
        share = result.utilisation(s)
        yield [s.name, bar(share), percent(share), percent(s.queued_ps / total), ", ".join(waits.get(s.name, []))]


def _checks(result: Result) -> Iterable[list[Cell]]:
    for check in result.plausibility:
        mark = Text("ok", "green") if check.plausible else Text("! outside", "bold yellow")
        band = f"{check.low:.3g} to {check.high:.3g}"
        yield [
            check.name,
            f"{check.value:.3g} {check.unit}",
            mark,
            band,
            Text(shorten(check.basis, 40, placeholder=" ..."), "dim"),
        ]


def _simulation(result: Result) -> Iterator[list[Cell]]:
    log = result.log
    yield ["events", count(log.events)]
    yield [
        "passes",
        f"{count(log.simulated_passes)} simulated event by event, {count(log.skipped_passes)} exact repeats of them",
    ]
    yield ["configuration", result.config_hash]
    yield ["all the data", "--json on stdout, or --out DIR for tables and manifest"]
