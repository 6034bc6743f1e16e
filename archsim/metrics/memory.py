"""Memory footprint: what the network occupies on the chip, in bits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping as Table
from dataclasses import dataclass
from math import prod

from archsim.mapping.activity import kept_bits
from archsim.mapping.parameters import PARAMETER_BITS, stored_parameters
from archsim.mapping.plan import ACCUMULATOR_BITS, Mapping
from archsim.sim.log import RunLog
from archsim.workload.trace import Dropout, Weighted

LFSR_BITS = 16


@dataclass(frozen=True)
class Memory:
    """Bits in use.

    `weight_cells`: physical non-volatile cells that hold weights: replicas, complements, copies that an arbiter chooses
    among. `weights`: the weights themselves, each copy once. `parameters`: thresholds, scales and shifts, means and
    deviations, each once; `parameters_by_kind`: the same by the kind of operation that has them.
    `buffers`: the most that each buffer held, by the stream it holds, maps that wait for their statistics included.
    `accumulators`: running sums of the passes. `random_units`: registers of random numbers that hold for a pass, and
    the state of pseudo-random generators.
    """

    weight_cells: int
    weights: int
    parameters: int
    parameters_by_kind: Table[str, int]
    buffers: Table[str, int]
    accumulators: int
    random_units: int

    @property
    def total(self) -> int:
        """All bits: cells, parameters, buffers at their peaks, accumulators, random units."""
        return self.weight_cells + self.parameters + sum(self.buffers.values()) + self.accumulators + self.random_units

    @property
    def model(self) -> int:
        """The bits that define the network: weights and parameters, however they are stored."""
        return self.weights + self.parameters


def memory_of(mapping: Mapping, log: RunLog) -> Memory:
    """Return the memory footprint of a mapped network that has run."""
    box = mapping.chip.arch.crossbar
    parameters: Counter[str] = Counter()
    for node in mapping.trace.nodes:
        if stored := stored_parameters(node.op):
            parameters[node.op.kind] += stored * PARAMETER_BITS
    copies = [w for n in mapping.trace.nodes if isinstance(n.op, Weighted) for w in n.op.copies]
    return Memory(
        weight_cells=sum(
            p.tiling.rows * p.columns * p.layout.copies * p.replicas * box.cells_per_weight * p.tiling.bits_per_cell
            for p in mapping.placed()
        ),
        weights=sum(w.values.size * w.bits for w in copies),
        parameters=parameters.total(),
        parameters_by_kind=dict(parameters),
        buffers={b.name: b.peak_bits for b in log.buffers},
        accumulators=prod(mapping.trace.output.shape) * ACCUMULATOR_BITS,
        random_units=_random_state(mapping),
    )


def _random_state(mapping: Mapping) -> int:
    """Return registers of what holds for a pass, and generator state; masks of single values are in input buffers."""
    kind = mapping.chip.arch.stochastic
    if kind is None:
        return 0
    registers = sum(
        kept_bits(n) * (1 + kind.ahead)
        for n in mapping.trace.stochastic_nodes()
        if not (isinstance(n.op, Dropout) and n.op.granularity == "element")
    )
    state = LFSR_BITS * mapping.chip.counts["stochastic"] if kind.kind == "lfsr" else 0
    return registers + state
