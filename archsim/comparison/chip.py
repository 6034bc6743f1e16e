"""The chip itself as a platform, so that it stands in one table with the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from archsim.baselines.network import signature
from archsim.baselines.platform import ON_CHIP, OperatingPoint, Platform, Source
from archsim.hardware.component import GRADES
from archsim.metrics.costs import OFF_CHIP, PICO, Costs
from archsim.metrics.energy import LEAKAGE, EnergyRow, total
from archsim.metrics.intervals import Estimate
from archsim.metrics.result import Result
from archsim.units import show
from archsim.workload.trace import Trace

EXACT_TIME = "event simulation; ranges of component latencies are not carried through"


def chip_platform(result: Result, trace: Trace, batches: Sequence[int] = (1,)) -> Platform:
    """Return a result as a platform with a point for each number of images that come at once.

    Its boundary is the chip: energy without off-chip memory, of which a note tells. Images that come together follow
    each other through the chip, at the interval of a long run. Latency has no interval: none is known.
    """
    return replace(
        platform_of_costs(result.arch, result, trace, batches),
        sources=tuple(_sources(result)),
        about={
            "config_hash": result.config_hash,
            "schedule": result.log.schedule,
            "grain": result.log.grain,
            "seed": result.seed,
        },
        notes=tuple(_notes(result)),
    )


def platform_of_costs(name: str, costs: Costs, trace: Trace, batches: Sequence[int] = (1,)) -> Platform:
    """Return as `chip_platform` what is compared, without what is said about it."""
    return Platform(
        name=name,
        origin="simulated",
        device="spintronic chip, simulated",
        network=trace.name,
        signature=signature(trace),
        points=tuple(_point(costs, trace, batch) for batch in batches),
        boundary="chip",
    )


def _point(costs: Costs, trace: Trace, batch: int) -> OperatingPoint:
    log = costs.log
    seconds = (log.latency_ps + (batch - 1) * log.image_interval_ps) * PICO
    inside = [row for row in costs.energy if row.part != OFF_CHIP]
    leaked = total(row for row in inside if row.action == LEAKAGE)
    dynamic = total((row for row in inside if row.action != LEAKAGE), 1 / log.images)
    whole = log.total_ps * PICO
    return OperatingPoint(
        passes=log.passes,
        batch=batch,
        mode=ON_CHIP,
        software="hardware",
        precision=_precision(trace),
        latency_s=Estimate(seconds, seconds, seconds, EXACT_TIME),
        interval_s=log.image_interval_ps * PICO,
        energy_j=costs.energy_on_chip,
        dynamic_j=dynamic,
        idle_w=replace(leaked, value=leaked.value / whole, low=leaked.low / whole, high=leaked.high / whole),
        terms={
            "first_pass_s": log.first_pass_ps * PICO,
            "pass_interval_s": log.pass_interval_ps * PICO,
            "operations_j": dynamic.value,
            "idle_j": leaked.value / log.images,
        },
    )


def _precision(trace: Trace) -> str:
    """Return the bits of the weights."""
    bits = sorted({w.bits for node in trace.crossbar_nodes() for w in node.op.copies})  # type: ignore[attr-defined]
    return "binary" if bits == [1] else "/".join(map(str, bits)) + "-bit"


def _sources(result: Result) -> Iterator[Source]:
    """Yield how much of the energy rests on figures of each grade."""
    grades = {row.path: row.grade for row in result.figures}
    rows = [row for row in result.energy if row.part != OFF_CHIP]
    whole = total(rows).value
    for grade in GRADES:
        share = total(row for row in rows if grades[_path(row)] == grade).value / whole
        if share:
            yield Source(f"{100 * share:.1f} % of the energy, by component library '{result.config['library']}'", grade)


def _path(row: EnergyRow) -> str:
    """Return the path of the figure that priced a row."""
    return f"{row.part}.{LEAKAGE}" if row.action == LEAKAGE else f"{row.part}.{row.action}.energy"


def _notes(result: Result) -> Iterator[str]:
    if result.leakage_j_per_image.value:
        yield (
            "the chip leaks all the time; its weights are non-volatile, so with power gates it could be switched off"
            " between images, which is not counted"
        )
    else:
        yield "none of the chip's parts states a leakage, so waiting costs it nothing: the figures are missing"
    if memory := result.energy_by("part").get(OFF_CHIP):
        yield f"off-chip memory of {show(memory.value, 'J')} an image lies outside the boundary and is not counted"
    if result.effects:
        yield f"sampled chip {result.chip_sample} of an imperfect design"
