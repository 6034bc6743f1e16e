"""Claims about modules, energy and memory: they need no data, only counts and the component library."""

from __future__ import annotations

from itertools import combinations

from archsim.claims.bench import LARGE_COMMON_CHIP, METHODS, PASSES, Bench, largest_parts
from archsim.claims.finding import Finding
from archsim.claims.published import published_claims
from archsim.mapping.parameters import PARAMETER_BITS
from archsim.metrics.intervals import Estimate
from archsim.metrics.result import Result
from archsim.units import show
from archsim.workload.trace import Conv, Dropout

ENERGY_ORDER = ("spindrop", "spatial", "subset", "spinbayes", "scale")  # published, from the most to the least
NUMBER_BITS = (8, 16, 32)  # of a mean, a deviation, a threshold: ASSUMED, the chip's 16 and what papers use elsewhere
NETWORK = "lenet5_mnist"
LARGE = {"vgg_small_cifar10_scale": "scale_dropout_sot_large", "resnet18_cifar10_scale": "scale_dropout_sot_large"}


def fewer_modules(bench: Bench) -> Finding:
    """Count the word-line pairs that one module gates, in every layer with 3 x 3 kernels."""
    large = bench.mapping("spatial_spindrop_sot_8x8", "vgg_small_cifar10")
    ratios = []
    for placed in large.placed():
        gate, op = placed.stage.dropout, placed.stage.node.op
        if gate is None or not isinstance(op, Conv) or op.weights.values.shape[2:] != (3, 3):
            continue
        assert isinstance(gate.op, Dropout)
        ratios.append(placed.tiling.rows / sum(d.count for d in gate.draws()))
    one, nine = (bench.chip(name).counts["stochastic"] for name in ("spindrop_stt", "spatial_spindrop_stt"))
    return Finding(
        Estimate(sum(ratios) / len(ratios), min(ratios), max(ratios), "all layers"),
        f"{len(ratios)} gated 3 x 3 layers of VGG-small",
        f"the chips that ship have {one} and {nine} modules, {one / nine:.1f} times fewer: a crossbar of 128 rows"
        " holds 14.2 feature maps of 9 rows, so it has 15; the 5 x 5 kernels of LeNet-5 save 25 times",
    )


def one_module(bench: Bench) -> Finding:
    """Run networks of all sizes on a chip with a single module."""
    chips = {NETWORK + "_scale": "scale_dropout_sot"} | LARGE
    runs = [bench.costs(chip, name) for name, chip in chips.items()]
    modules = bench.chip("scale_dropout_sot").counts["stochastic"]
    bits = [sum(row.random_bits_per_pass for row in r.layers) for r in runs]
    busy = [max((r.utilisation(s) for s in r.log.stations if s.name.startswith("random")), default=0.0) for r in runs]
    return Finding(
        Estimate(float(modules), float(modules), float(modules), "count"),
        ", ".join(chips),
        "bits a pass: " + ", ".join(f"{b:.0f}" for b in bits) + "; the module is busy "
        + ", ".join(f"{b:.1%}" for b in busy) + " of the time",
    )  # fmt: skip


def energy_of(method: str, bench: Bench) -> Finding:
    """Measure a method's energy an image on its own chip."""
    result = _own(bench, method)
    energy = result.energy_on_chip
    return Finding(energy, f"{result.arch}, {result.log.passes} passes", "; ".join(largest_parts(result)))


def energy_ranking(bench: Bench) -> Finding:
    """Compare the order of the methods' energies with the published one (Kendall's tau)."""
    energies = {m: _own(bench, m).energy_on_chip.value for m in ENERGY_ORDER}
    pairs = list(combinations(ENERGY_ORDER, 2))
    swapped = [f"{METHODS[a].title} and {METHODS[b].title}" for a, b in pairs if energies[a] <= energies[b]]
    tau = 1 - 2 * len(swapped) / len(pairs)
    order = sorted(ENERGY_ORDER, key=lambda m: -energies[m])
    return Finding(
        Estimate(tau, tau, tau, "order of nominal values"),
        "own chips",
        " > ".join(f"{METHODS[m].title} {show(energies[m], 'J')}" for m in order)
        + (f"; in another order: {', '.join(swapped)}" if swapped else ""),
    )


def saving_of(method: str, bench: Bench) -> Finding:
    """Divide the claim's baseline by a method's energy on its own chip."""
    baseline = _baseline(f"{method}_saving")
    energy = _own(bench, method).energy_on_chip
    ratio = Estimate(baseline / energy.value, baseline / energy.high, baseline / energy.low, "component ranges")
    return Finding(ratio, f"{PASSES} passes", f"{show(baseline, 'J')} over {show(energy.value, 'J')}")


def subset_memory(bench: Bench) -> Finding:
    """Compare the bits of an ensemble with the bits of binary weights and Gaussian scales."""
    large, small = (
        {bits: _saving(bench, network, bits) for bits in NUMBER_BITS}
        for network in ("vgg_small_cifar10_subset", NETWORK + "_subset")
    )
    few, usual, many = NUMBER_BITS
    baseline, published = _baseline("subset_memory"), published_claims()["subset_memory"].value
    return Finding(
        Estimate(large[usual], large[many], large[few], f"means, deviations and thresholds of {few} to {many} bits"),
        f"VGG-small, binary weights, all other numbers in {usual} bits ({few} to {many})",
        f"LeNet-5, with fewer weights for each scale: {small[usual]:.1f} x; against mean and variance in 32 bits (64"
        f" bits a weight): {large[usual] * 64 / baseline:.1f} x; the published figure leaves"
        f" {baseline / published - 1:.1%} for all numbers that are no weights, here they take"
        f" {baseline / large[usual] - 1:.1%}",
    )


def _saving(bench: Bench, network: str, bits: int) -> float:
    """Return the bits of an ensemble over those of a network whose numbers, beside the weights, have so many bits."""
    baseline = _baseline("subset_memory")
    memory = bench.costs("subset_vi_sot" if network.startswith(NETWORK) else LARGE_COMMON_CHIP, network).memory
    numbers = memory.parameters / PARAMETER_BITS
    return memory.weights * baseline / (memory.weights + numbers * bits)


def read_energy(bench: Bench) -> Finding:
    """Divide what reading the arrays takes by the synapses read, drivers and converters included."""
    result = _own(bench, "scale")
    parts = result.energy_by("part")
    reading = ("crossbar", "row_driver", "decoder", "parity", "column_mux", "sample_hold", "converter")
    synapses = sum(row.driven_rows * row.columns * row.positions * result.log.passes for row in result.layers)
    total = [sum(getattr(parts[p], end) for p in reading if p in parts) for end in ("value", "low", "high")]
    value, low, high = (t / synapses for t in total)
    cell = parts["crossbar"].value / synapses
    return Finding(
        Estimate(value, low, high, "component ranges"),
        f"{result.arch}, {synapses / 1e6:.2f} million synapses read an image",
        f"the cells alone take {show(cell, 'J')}; a converter shared by the rows of a group makes the rest",
    )


def _baseline(key: str) -> float:
    """Return what the ratio of a claim is taken of."""
    baseline = published_claims()[key].baseline
    assert baseline is not None, f"claim '{key}' compares with something"
    return baseline.value


def _own(bench: Bench, method: str) -> Result:
    return bench.costs(METHODS[method].chip, f"{NETWORK}_{method}")
