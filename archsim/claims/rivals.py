"""The methods beside their rivals, all on one chip: quality, memory, energy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.claims.bench import COMMON_CHIP, METHODS, TRUSTED_PASSES, Bench
from archsim.claims.finding import by_ends
from archsim.claims.quality import NETWORK, UNKNOWN
from archsim.errors import DataError
from archsim.metrics.intervals import Estimate
from archsim.metrics.ood import auroc, uncertainty_scores
from archsim.metrics.quality import evaluate_quality
from archsim.metrics.result import Result
from archsim.pipeline import deploy
from archsim.sim.programming import program
from archsim.units import show
from archsim.workload.software import software_scores

RESAMPLING_STREAM = 1  # of the seed, as in the pipeline
VARIATIONAL_BITS = 8  # of a mean and of a deviation: ASSUMED
Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Rival:
    """One network with one way of being uncertain.

    `memory_bits`: weights and parameters, each once. `crossbars`: that hold it once, without replicas for speed.
    """

    title: str
    passes: int
    accuracy: Estimate
    nll: Estimate
    ece: Estimate
    auroc: Estimate
    memory_bits: int
    energy_j_per_image: Estimate
    latency_s_per_image: float
    crossbars: int
    note: str = ""


def rivals(bench: Bench) -> Iterator[Rival]:
    """Yield the deterministic network, the six methods, a deep ensemble and full variational inference.

    Those whose data or checkpoints are not here are left out.
    """
    yield _on_chip(bench, "Deterministic", "deterministic", 1)
    yield _ideal(bench)
    for method in METHODS.values():
        yield _on_chip(bench, method.title, method.suffix, TRUSTED_PASSES, method.chip)
    yield _ensemble(bench)
    yield _variational(bench)


def _on_chip(bench: Bench, title: str, suffix: str, passes: int, own_chip: str = COMMON_CHIP) -> Rival:
    name = f"{NETWORK}_{suffix}"
    on = bench.deployment(COMMON_CHIP, name, passes)
    cost = bench.costs(COMMON_CHIP, name, passes)
    return Rival(
        title,
        passes,
        *_judged(bench, bench.logits(on), [bench.logits(on, *unknown) for unknown in _present(bench)]),
        memory_bits=cost.memory.weights + cost.memory.parameters,
        energy_j_per_image=cost.energy_j_per_image,
        latency_s_per_image=cost.latency_s_per_image,
        crossbars=_crossbars(cost),
        note="" if own_chip == COMMON_CHIP else _there(bench, own_chip, name, passes),
    )


def _there(bench: Bench, chip: str, name: str, passes: int) -> str:
    """Return how a network does on the chip that was made for it."""
    accuracy, nll, ece, _ = _judged(bench, bench.logits(bench.deployment(chip, name, passes)), [])
    cost = bench.costs(chip, name, passes)
    return (
        f"on its own chip, {chip}: accuracy {accuracy.value:.2%}, NLL {nll.value:.4f}, ECE {ece.value:.4f},"
        f" {show(cost.energy_j_per_image.value, 'J')} and {show(cost.latency_s_per_image, 's')} an image"
    )


def _ideal(bench: Bench) -> Rival:
    """Run element-wise Monte-Carlo dropout in software; its costs are those of pseudo-random bits on the chip."""
    name = f"{NETWORK}_spindrop"
    cost = bench.costs(COMMON_CHIP, name, TRUSTED_PASSES, "stochastic.kind=lfsr")
    return Rival(
        "MC-dropout, ideal",
        TRUSTED_PASSES,
        *_in_software(bench, name),
        memory_bits=cost.memory.weights + cost.memory.parameters,
        energy_j_per_image=cost.energy_j_per_image,
        latency_s_per_image=cost.latency_s_per_image,
        crossbars=_crossbars(cost),
        note="SpinDrop's network in software, without converters; costs with a 16-bit LFSR in place of each junction",
    )


def _in_software(bench: Bench, name: str) -> tuple[Estimate, Estimate, Estimate, Estimate]:
    """Judge a workload in torch."""
    known, *unknown = (
        software_scores(bench.workload(name), bench.inputs(name, *which).images, TRUSTED_PASSES, bench.seed)
        for which in [(None, None), *_present(bench)]
    )
    return _judged(bench, known, unknown)


def _ensemble(bench: Bench) -> Rival:
    """Run each member once, one after the other; all of them stay on the chip."""
    members = bench.workload(f"{NETWORK}_deterministic").ensemble()
    on = [deploy(bench.chip(COMMON_CHIP), m, passes=1, images=bench.images, seed=bench.seed) for m in members]
    cost = bench.costs(COMMON_CHIP, f"{NETWORK}_deterministic", 1)
    count = len(members)
    energy = cost.energy_j_per_image

    def together(*unknown: str | float | None) -> Logits:
        return np.concatenate([bench.logits(m, *unknown) for m in on])  # type: ignore[arg-type]

    return Rival(
        f"Deep ensemble of {count}",
        count,
        *_judged(bench, together(), [together(*unknown) for unknown in _present(bench)]),
        memory_bits=count * (cost.memory.weights + cost.memory.parameters),
        energy_j_per_image=by_ends(lambda end: count * getattr(energy, end), energy.method),
        latency_s_per_image=count * cost.latency_s_per_image,
        crossbars=count * _crossbars(cost),
        note=f"{count} deterministic networks from different seeds, run one after the other",
    )


def _variational(bench: Bench) -> Rival:
    """Draw and write every weight anew in each pass; what that costs comes on top of the network's own passes."""
    name, settings = f"{NETWORK}_deterministic", ("mapping.replication=none",)
    cost = bench.costs(COMMON_CHIP, name, TRUSTED_PASSES, *settings)
    mapping = bench.deployment(COMMON_CHIP, name, TRUSTED_PASSES, *settings).mapping
    chip = mapping.chip
    assert chip.arch.stochastic is not None, "the common chip draws random bits"
    writing, station = program(mapping, mapping.placed())
    drawing = chip.components["stochastic"].actions["draw"]
    numbers = cost.memory.weights
    bits = numbers * chip.arch.stochastic.gaussian_bits
    write = [(chip.components[part].actions[action].energy, count) for part, action, count in writing.actions]

    def joules(end: str) -> float:
        each_pass = bits * getattr(drawing.energy, end)
        each_pass += writing.units * sum(count * getattr(energy, end) for energy, count in write)
        return float(getattr(cost.energy_j_per_image, end) + TRUSTED_PASSES * each_pass)

    seconds = 1e-12 * (station.busy_ps + -(-bits // chip.counts["stochastic"]) * drawing.latency_ps)
    return Rival(
        "Full variational inference",
        TRUSTED_PASSES,
        *_in_software(bench, f"{NETWORK}_vi"),
        memory_bits=numbers * 2 * VARIATIONAL_BITS + cost.memory.parameters,
        energy_j_per_image=by_ends(joules, "component ranges"),
        latency_s_per_image=cost.latency_s_per_image + TRUSTED_PASSES * seconds,
        crossbars=_crossbars(cost),
        note=f"quality in software, real weights; costs of binary weights that are drawn ({bits / numbers:.0f} bits a"
        f" Gaussian) and written anew in each pass ({show(station.busy_ps * 1e-12, 's')} of writing), without the"
        f" arithmetic between; mean and deviation in {VARIATIONAL_BITS} bits each (ASSUMED)",
    )


def _judged(bench: Bench, known: Logits, unknown: list[Logits]) -> tuple[Estimate, Estimate, Estimate, Estimate]:
    """Return accuracy, NLL, ECE, and the AUROC of predictive entropy averaged over the unknown sets."""
    labels = bench.inputs(f"{NETWORK}_deterministic").labels
    quality = evaluate_quality(known, labels, np.random.default_rng([bench.seed, RESAMPLING_STREAM]))
    scores = uncertainty_scores(known)["entropy"]
    areas = [auroc(scores, uncertainty_scores(logits)["entropy"]) for logits in unknown]
    if not areas:
        return quality.accuracy, quality.nll, quality.ece, Estimate(math.nan, math.nan, math.nan, "no unknown set")
    area = by_ends(lambda end: float(np.mean([getattr(a, end) for a in areas])), "mean over the sets")
    return quality.accuracy, quality.nll, quality.ece, area


def _present(bench: Bench) -> list[tuple[str, float | None]]:
    """Return the unknown sets that are here."""
    found = []
    for name, severity in UNKNOWN:
        try:
            bench.inputs(f"{NETWORK}_deterministic", name, severity)
        except DataError:
            continue
        found.append((name, severity))
    return found


def _crossbars(cost: Result) -> int:
    return sum(row.crossbars // row.replicas for row in cost.layers)
