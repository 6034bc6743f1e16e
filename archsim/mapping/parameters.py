"""The parameter memory of a tile: thresholds, scales, shifts, means and deviations of its layers, 16 bits each.

One read brings a channel's parameters of one operation for one output position. It is the same law for every method:
the threshold of a folded batch norm, the scale vector of Scale-Dropout, the posterior of sub-set inference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields
from math import ceil

import numpy as np

from archsim.errors import MappingError
from archsim.mapping.geometry import pixels
from archsim.mapping.layout import Layout, blocks_of
from archsim.mapping.stages import Stage
from archsim.workload.trace import Node, Op, Weighted

PARAMETER_BITS = 16


def stored_parameters(op: Op) -> int:
    """Return how many numbers an operation keeps: its float arrays, and the scales of all copies of its weights.

    Weight scales that are all one are not kept.
    """
    own = [getattr(op, f.name) for f in fields(op)]
    scales = [w.scale for w in op.copies] if isinstance(op, Weighted) and is_scaled(op) else []
    return sum(a.size for a in (*own, *scales) if isinstance(a, np.ndarray) and a.dtype.kind == "f")


def read_parameters(node: Node) -> int:
    """Return how many numbers a pass reads for a node: all that one copy has, for each position."""
    stored = stored_parameters(node.op)
    if isinstance(node.op, Weighted) and is_scaled(node.op):
        stored -= sum(w.scale.size for w in node.op.copies[1:])
    return stored * pixels(node.shape)


def is_scaled(op: Weighted) -> bool:
    """Return whether the results of a layer are multiplied by a scale of its weights."""
    return any((w.scale != 1).any() for w in op.copies)


def check_parameters(stages: Sequence[Stage], layouts: Sequence[Layout], per_tile: int, capacity: int) -> None:
    """Refuse layers whose parameters do not fit the memory of a tile.

    A tile keeps the parameters of the column tiles that it has crossbars of; replicas on it share them, and so do the
    copies that an arbiter chooses among, but for their scales.
    """
    load: dict[int, int] = defaultdict(int)
    for stage, layout in zip(stages, layouts, strict=True):
        numbers = _numbers(stage, layout)
        for tile in blocks_of(layout, per_tile):
            bits = _bits_on(tile, numbers, layout, per_tile)
            load[tile] += bits
            if load[tile] > capacity:
                raise MappingError(
                    f"layer '{stage.name}' keeps {bits} bits of thresholds, scales and shifts on tile {tile}; with its"
                    f" neighbours that makes {load[tile]} bits, its parameter memory holds {capacity}"
                    " (parameter_memory.capacity)"
                )


def _numbers(stage: Stage, layout: Layout) -> tuple[int, int]:
    """Return how many parameters a layer has for all copies of its weights together, and for each of them."""
    op = stage.node.op
    assert isinstance(op, Weighted)
    scale = op.weights.scale.size if is_scaled(op) else 0
    return sum(stored_parameters(n.op) for n in (stage.node, *stage.digital)) - scale * layout.copies, scale


def _bits_on(tile: int, numbers: tuple[int, int], layout: Layout, per_tile: int) -> int:
    """Return the bits that a layer keeps in the parameter memory of a tile."""
    shared, scale = numbers
    inside = range(max(layout.first, tile * per_tile), min(layout.first + layout.crossbars, (tile + 1) * per_tile))
    columns = {layout.column(i) for i in inside}
    of_copies = {(layout.copy(i), layout.column(i)) for i in inside}
    return ceil((len(columns) * shared + len(of_copies) * scale) / layout.columns) * PARAMETER_BITS
