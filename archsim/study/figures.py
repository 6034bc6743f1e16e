"""What a point shows, as one row of plain numbers: the names of the result columns are made here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from archsim.baselines import OperatingPoint, Platform
from archsim.comparison import Terms, headline, ratios
from archsim.mapping.plan import Mapping as Placement
from archsim.metrics.costs import PICO, Costs
from archsim.metrics.intervals import Estimate
from archsim.metrics.memory import memory_of

Figures = dict[str, float]
MOVED_BY_STOPPING = (
    "image_interval_s", "throughput_images_per_s", "leakage_j_per_image", "energy_on_chip_j_per_image", "power_w",
    "bottleneck_utilisation",
)  # fmt: skip
"""What a run of all passes says nothing about where images stop early."""


def with_ends(named: Iterable[tuple[str, Estimate]]) -> Figures:
    """Return estimates as columns: NAME, NAME_low, NAME_high."""
    return {column: value for name, estimate in named for column, value in _ends(name, estimate)}


def cost_figures(costs: Costs, mapping: Placement) -> Figures:
    """Return time, energy, area and memory of a run, all in SI units."""
    log, bottleneck = costs.log, costs.bottleneck
    parts = {f"energy_j_per_image.{part}": e.value for part, e in costs.energy_by("part").items()}
    parts |= {f"area_m2.{part}": a.value for part, a in costs.area_m2.items()}
    return {
        "latency_s_per_image": costs.latency_s_per_image,
        "first_pass_s": log.first_pass_ps * PICO,
        "pass_interval_s": log.pass_interval_ps * PICO,
        "image_interval_s": log.image_interval_ps * PICO,
        "throughput_images_per_s": costs.throughput_images_per_s,
        "programming_s": log.programming_ps * PICO,
        **with_ends([("energy_j_per_image", costs.energy_j_per_image)]),
        "leakage_j_per_image": costs.leakage_j_per_image.value,
        "energy_on_chip_j_per_image": costs.energy_on_chip.value,
        "power_w": costs.power_w,
        **with_ends([("area_m2", costs.area)]),
        "memory_bits": float(memory_of(mapping, log).total),
        "crossbars": float(sum(p.crossbars for p in mapping.placed())),
        "bottleneck_utilisation": costs.utilisation(bottleneck),
        "events": float(log.events),
        **parts,
    }


def stopped_figures(figures: Figures, latency_s: float, energy: Estimate) -> Figures:
    """Return the figures of a run of all passes for images that stop early, which take less time and energy.

    How images that stop early follow each other is not simulated, nor is their energy told apart: those figures are
    not known.
    """
    unknown = {name for name in figures if name in MOVED_BY_STOPPING or name.startswith("energy_j_per_image.")}
    kept = {name: math.nan if name in unknown else value for name, value in figures.items()}
    return {**kept, "latency_s_per_image": latency_s, **with_ends([("energy_j_per_image", energy)])}


def gains(chip: Platform, other: Platform, passes: int) -> tuple[Figures, str]:
    """Return what a chip gains over another platform, as the headline of `archsim compare` does, and what is refused.

    A gain is NaN where the comparison is refused; the reasons are the text, which is empty without any.
    """
    terms = Terms(passes)
    best = headline(other, terms)
    figures: Figures = {}
    refused: list[str] = []
    for ratio in ratios(chip, other, best, terms):
        if ratio.role != "headline":
            continue
        figures |= _gain(ratio.what, ratio.estimate)
        if ratio.refused:
            refused.append(f"{ratio.what}: {ratio.refused}")
    fastest, thriftiest = (_point(other, best.of(what)) for what in ("latency", "energy"))
    figures["baseline_latency_s"] = fastest.latency_s.value if fastest and fastest.latency_s else math.nan
    figures["baseline_energy_j"] = thriftiest.energy_j.value if thriftiest and thriftiest.energy_j else math.nan
    return figures, "; ".join(refused)


def _gain(what: str, estimate: Estimate | None) -> Figures:
    if estimate is None:
        return dict.fromkeys((f"{what}_gain", f"{what}_gain_low", f"{what}_gain_high"), math.nan)
    return dict(_ends(f"{what}_gain", estimate))


def _point(platform: Platform, index: int | None) -> OperatingPoint | None:
    return None if index is None else platform.points[index]


def _ends(name: str, estimate: Estimate) -> Iterator[tuple[str, float]]:
    yield name, estimate.value
    yield f"{name}_low", estimate.low
    yield f"{name}_high", estimate.high
