"""What each operation of a layer costs: how often every (component, action) happens for one unit of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import prod

import numpy as np

from archsim.hardware.chip import Chip
from archsim.hardware.parts.logic import LANE
from archsim.mapping.activity import Activity
from archsim.mapping.geometry import Counts
from archsim.mapping.plan import ACCUMULATOR_BITS, Placed
from archsim.sim.interconnect import Route
from archsim.sim.timing import cycle_ps, link_cycle_ps
from archsim.workload.trace import (
    Activation,
    Add,
    Affine,
    Conv,
    Linear,
    Node,
    Pool,
    Quantize,
    Sign,
    Softmax,
    Threshold,
)

Actions = list[tuple[str, str, float]]
NO_DELAY = 1e-9  # of a cycle: what counts as fitting into it
APPLY = {
    Threshold: "threshold",
    Sign: "threshold",
    Affine: "affine",
    Activation: "activation",
    Quantize: "quantizer",
}


def multiply_actions(chip: Chip, placed: Placed, activity: Activity, crossings: Sequence[Route]) -> Actions:
    """Return the actions of one output position: rows driven, cells read, columns converted, sums added.

    `crossings`: the ways of partial sums from each tile to the next.

    A driven row opens the cells of the columns in use; what the reference column draws is in the energy of each
    cell. A conversion happens for every input bit, row group and column. Results of several input or weight bits are
    shifted and added; then the sums of all groups are added up, on the home tile of the column.
    """
    arch, tiling, stage = chip.arch, placed.tiling, placed.stage
    planes, column_tiles = stage.input_bits, placed.column_tiles
    reads = planes * len(tiling.groups)
    conversions = reads * placed.columns
    group_reads = reads * tiling.blocks * column_tiles
    partial = list(zip(crossing_bits(placed), crossings, strict=True))
    return [
        ("row_driver", "drive", activity.driven_rows * tiling.blocks * column_tiles),
        ("crossbar", "read", activity.driven_rows * placed.columns),
        ("column_mux", "select", conversions),
        ("sample_hold", "sample", conversions if arch.converter.sample_hold else 0),
        ("converter", "convert", conversions),
        ("decoder", "decode", group_reads),
        ("parity", "compute", group_reads),
        ("shift_add", "apply", shifts(placed)),
        ("accumulator", "add", sums(placed)),
        ("wire", "transfer", sum(bits * route.pitches for bits, route in partial)),
        ("router", "hop", sum(bits * route.routers for bits, route in partial)),
        ("input_buffer", "read", placed.layout.rows_read * planes),
        ("output_buffer", "write", placed.outputs * ACCUMULATOR_BITS),
    ]


def shifts(placed: Placed) -> int:
    """Return the conversions of one output position that are shifted and added: all, if there are several bits."""
    planes, tiling = placed.stage.input_bits, placed.tiling
    return planes * len(tiling.groups) * placed.columns if planes * tiling.slices > 1 else 0


def sums(placed: Placed) -> int:
    """Return the additions over row groups for one output position."""
    return placed.outputs * (len(placed.tiling.groups) - 1)


def crossing_bits(placed: Placed) -> list[float]:
    """Return the bits of partial sums that go on from each tile to the next for one output position."""
    together = placed.columns / (placed.column_tiles * placed.tiling.blocks)
    return [times * together * ACCUMULATOR_BITS for times in placed.layout.crossings]


def crossing_ps(chip: Chip, placed: Placed, ends: Counts) -> list[Counts]:
    """Return how long the links from each tile to the next are busy for the first so many output positions."""
    width, cycle = chip.arch.interconnect.width, link_cycle_ps(chip)
    return [np.ceil(ends * (bits / width) - NO_DELAY).astype(np.int64) * cycle for bits in crossing_bits(placed)]


def node_actions(node: Node) -> dict[str, float]:
    """Return how often a digital node uses each unit in a pass, as {"component.action": count}."""
    elements = prod(node.shape)
    if isinstance(node.op, Pool):
        pairs = elements * (prod(node.op.kernel) - 1)
        if node.op.function == "max":
            return {"pool.compare": pairs}
        return {"pool.add": pairs, "affine.apply": elements}
    if isinstance(node.op, Add):
        return {"adder.add": elements * (len(node.inputs) - 1)}
    if isinstance(node.op, Softmax):
        return {"softmax.apply": elements, "softmax.reciprocal": 1}
    return {f"{APPLY[type(node.op)]}.apply": elements}


def digital_counts(placed: Placed) -> dict[str, float]:
    """Return how often a layer's digital work uses each unit in a pass."""
    counts: dict[str, float] = defaultdict(float)
    op = placed.stage.node.op
    assert isinstance(op, Linear | Conv)
    if op.bias is not None or (op.weights.scale != 1).any():
        counts["affine.apply"] += placed.outputs * placed.stage.positions
    for node in placed.stage.digital:
        for name, count in node_actions(node).items():
            counts[name] += count * placed.fraction
    return dict(counts)


def digital_actions(placed: Placed) -> Actions:
    """Return the actions of the digital work on one output position, averaged over the map."""
    work = [(*_split(name), count / placed.stage.positions) for name, count in digital_counts(placed).items()]
    return [*work, ("output_buffer", "read", placed.outputs * ACCUMULATOR_BITS)]


def digital_ps(chip: Chip, placed: Placed, ends: Counts) -> list[Counts]:
    """Return how long the digital units of each tile take for the first so many output positions.

    Shifting, adding over groups, the lanes, pooling and softmax are pipelined, so the slowest of them counts, in whole
    clock cycles and at least one. A unit is busy for the latency of each action. The tiles of the layer share the work
    as they share its crossbars.
    """
    cycle = cycle_ps(chip)
    organisation = chip.arch.organisation
    per_tile, per_core = organisation.crossbars_per_tile, organisation.crossbars_per_core
    first, total = placed.layout.first, placed.layout.crossbars
    known: dict[tuple[int, int], Counts] = {}
    out = []
    for tile in placed.tiles:
        start, stop = max(first, tile * per_tile), min(first + total, (tile + 1) * per_tile)
        key = (stop - start, (stop - 1) // per_core - start // per_core + 1)
        if key not in known:
            slowest = max(_busy_ps(chip, placed, key[0] / total, key[1]).values())
            known[key] = np.maximum(np.ceil(ends * (slowest / cycle) - NO_DELAY), 1).astype(np.int64) * cycle
        out.append(known[key])
    return out


def _busy_ps(chip: Chip, placed: Placed, share: float, cores: int) -> dict[str, float]:
    """Return the time that one output position takes on each kind of digital unit of a tile with some cores."""
    arch = chip.arch
    lanes = arch.digital.lanes
    units = {
        "shift_add": arch.shift_add.per_core * cores,
        "accumulator": arch.accumulator.per_tile,
        "lanes": lanes,
        "pool": lanes,
    }
    busy: dict[str, float] = defaultdict(float)
    busy["shift_add"] = shifts(placed) * action_ps(chip, "shift_add.apply")
    busy["accumulator"] = sums(placed) * action_ps(chip, "accumulator.add")
    for name, count in digital_counts(placed).items():
        unit, _ = _split(name)
        busy["lanes" if unit in LANE else unit] += count / placed.stage.positions * action_ps(chip, name)
    softmax = busy.pop("softmax", 0.0)  # one unit on the chip
    return {"softmax": softmax} | {name: ps * share / units[name] for name, ps in busy.items()}


def action_ps(chip: Chip, name: str) -> int:
    """Return the latency of "component.action"."""
    component, action = _split(name)
    return chip.components[component].actions[action].latency_ps


def _split(name: str) -> tuple[str, str]:
    component, action = name.split(".")
    return component, action
