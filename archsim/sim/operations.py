"""What each operation of a layer costs: how often every (component, action) happens for one unit of it."""

from __future__ import annotations

from collections import defaultdict
from math import ceil, prod

from archsim.hardware.chip import Chip
from archsim.mapping.activity import Activity
from archsim.mapping.plan import ACCUMULATOR_BITS, Placed
from archsim.sim.timing import cycle_ps
from archsim.workload.trace import (
    Activation,
    Add,
    Affine,
    Node,
    Pool,
    Quantize,
    Sign,
    Softmax,
    Threshold,
)

Actions = list[tuple[str, str, float]]
APPLY = {
    Threshold: "threshold",
    Sign: "threshold",
    Affine: "affine",
    Activation: "activation",
    Quantize: "quantizer",
    Softmax: "softmax",
}


def multiply_actions(chip: Chip, placed: Placed, activity: Activity) -> Actions:
    """Return the actions of one output position: rows driven, cells read, columns converted, sums added."""
    arch, tiling, stage = chip.arch, placed.tiling, placed.stage
    planes, column_tiles = stage.input_bits, placed.column_tiles
    groups = len(tiling.groups) * tiling.blocks
    driven = activity.driven_rows * tiling.blocks
    reference = arch.crossbar.reference_columns * column_tiles
    conversions = planes * len(tiling.groups) * placed.columns
    multi_bit = planes * tiling.slices > 1
    crossing = placed.straddling * placed.columns / column_tiles * ACCUMULATOR_BITS
    copies = min(column_tiles, len(placed.tiles))
    actions: Actions = [
        ("row_driver", "drive", driven * column_tiles),
        ("crossbar", "read", driven * (placed.columns / tiling.blocks + reference)),
        ("column_mux", "select", conversions),
        ("sample_hold", "sample", conversions if arch.converter.sample_hold else 0),
        ("converter", "convert", conversions),
        ("decoder", "decode", planes * groups * column_tiles),
        ("parity", "compute", planes * groups),
        ("shift_add", "apply", conversions if multi_bit else 0),
        ("accumulator", "add", placed.outputs * (len(tiling.groups) - 1)),
        ("wire", "transfer", crossing),
        ("input_buffer", "read", tiling.rows * tiling.blocks * planes * copies),
        ("output_buffer", "write", placed.outputs * ACCUMULATOR_BITS),
    ]
    if arch.interconnect.kind == "mesh":
        actions.append(("router", "hop", crossing))
    return actions


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
    return {f"{APPLY[type(node.op)]}.apply": elements}


def digital_counts(placed: Placed) -> dict[str, float]:
    """Return how often a layer's digital work uses each unit in a pass."""
    counts: dict[str, float] = defaultdict(float)
    op = placed.stage.node.op
    outputs = placed.outputs * placed.stage.positions
    scaled = getattr(op, "weights").scale
    if getattr(op, "bias", None) is not None or (scaled != 1).any():
        counts["affine.apply"] += outputs
    for node in placed.stage.digital:
        for name, count in node_actions(node).items():
            counts[name] += count * placed.fraction
    return dict(counts)


def digital_actions(placed: Placed) -> Actions:
    """Return the actions of the digital work on one output position, averaged over the map."""
    per_position = 1 / placed.stage.positions
    actions: Actions = [
        (*name.split(".", 1), count * per_position)  # type: ignore[misc]
        for name, count in digital_counts(placed).items()
    ]
    return [*actions, ("output_buffer", "read", placed.outputs * ACCUMULATOR_BITS)]


def digital_ps(chip: Chip, placed: Placed, positions: int) -> int:
    """Return how long a tile's digital units take for some output positions.

    Adding partial sums and the element-wise work are pipelined, so the slower of the two counts; all tiles of the
    layer work at the same time.
    """
    arch, tiles = chip.arch, len(placed.tiles)
    sums = placed.outputs * (len(placed.tiling.groups) - 1) * positions
    elements = sum(digital_counts(placed).values()) / placed.stage.positions * positions
    cycles = max(
        ceil(sums / (arch.accumulator.per_tile * tiles)),
        ceil(elements / (arch.digital.lanes * tiles)),
        1,
    )
    return cycles * cycle_ps(chip)
