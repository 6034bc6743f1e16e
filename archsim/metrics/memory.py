"""Memory footprint: what the network occupies on the chip, in bits."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from archsim.mapping.activity import bits_per_pass
from archsim.mapping.plan import ACCUMULATOR_BITS, Mapping
from archsim.sim.log import RunLog
from archsim.workload.trace import Dropout

PARAMETER_BITS = 16  # a threshold, scale or shift in the digital units
LFSR_BITS = 16


@dataclass(frozen=True)
class Memory:
    """Bits in use.

    `weight_cells`: physical non-volatile cells that hold weights, replicas and complements included.
    `weights`: the weights themselves, each once. `parameters`: thresholds, scales and shifts.
    `buffers`: the most that each buffer held, by the stream it holds. `accumulators`: running sums of the passes.
    `random_units`: mask registers and the state of pseudo-random generators.
    """

    weight_cells: int
    weights: int
    parameters: int
    buffers: dict[str, int]
    accumulators: int
    random_units: int

    @property
    def total(self) -> int:
        """All bits: cells, parameters, buffers at their peaks, accumulators, random units."""
        return self.weight_cells + self.parameters + sum(self.buffers.values()) + self.accumulators + self.random_units


def memory_of(mapping: Mapping, log: RunLog) -> Memory:
    """Return the memory footprint of a mapped network that has run."""
    box = mapping.chip.arch.crossbar
    cells = sum(
        p.tiling.rows * p.columns * p.replicas * box.cells_per_weight * p.tiling.bits_per_cell for p in mapping.placed()
    )
    weights = parameters = 0
    for node in mapping.trace.nodes:
        op = node.op
        stored = getattr(op, "weights", None)
        if stored is not None:
            weights += stored.values.size * stored.bits
            if (stored.scale != 1).any():
                parameters += stored.scale.size * PARAMETER_BITS
        for name in ("bias", "level", "shift"):
            values = getattr(op, name, None)
            parameters += values.size * PARAMETER_BITS if values is not None else 0
        if node.op.kind == "affine":
            parameters += op.scale.size * PARAMETER_BITS  # type: ignore[attr-defined]
    return Memory(
        weight_cells=cells,
        weights=weights,
        parameters=parameters,
        buffers={b.name: b.peak_bits for b in log.buffers},
        accumulators=prod(mapping.trace.output.shape) * ACCUMULATOR_BITS,
        random_units=_random_state(mapping),
    )


def _random_state(mapping: Mapping) -> int:
    """Return mask registers (whole maps; element masks lie in the input buffers) and generator state."""
    kind = mapping.chip.arch.stochastic
    if kind is None:
        return 0
    registers = sum(
        bits_per_pass(n) * (1 + kind.ahead)
        for n in mapping.trace.stochastic_nodes()
        if isinstance(n.op, Dropout) and n.op.granularity == "channel"
    )
    state = LFSR_BITS * mapping.chip.counts["stochastic"] if kind.kind == "lfsr" else 0
    return registers + state
