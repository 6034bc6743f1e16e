"""How layers on the same tiles share its input and output buffers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import ceil

import numpy as np

from archsim.errors import MappingError
from archsim.mapping.stages import Stage
from archsim.workload.trace import Dropout


def window_pixels(stage: Stage) -> int:
    """Return how many pixels of its input a layer must hold at least, vector by vector."""
    freed = np.concatenate(([0], stage.frees[:-1]))
    return max(1, int((stage.needs - freed).max()))


def stored_bits(stage: Stage) -> int:
    """Return what a pixel takes in the input buffer: its values, and with element-wise dropout a mask bit for each."""
    op = stage.dropout.op if stage.dropout else None
    masks = stage.inputs.bits_per_pixel // stage.input_bits
    return stage.inputs.bits_per_pixel + (masks if isinstance(op, Dropout) and op.granularity == "element" else 0)


def share_input(stages: Sequence[Stage], tiles: Sequence[range], capacity: int) -> list[int]:
    """Return the bits of a tile's input buffer that each layer gets: in proportion to what it needs at least.

    A layer holds its input on every one of its tiles, so the fullest of them decides. Raises `MappingError` when the
    windows of the layers on a tile do not fit.
    """
    minimum = [window_pixels(s) * stored_bits(s) for s in stages]
    load = _load(minimum, tiles)
    out = []
    for stage, need, where in zip(stages, minimum, tiles, strict=True):
        worst = max(load[t] for t in where)
        if worst > capacity:
            raise MappingError(
                f"layer '{stage.name}' keeps {need} bits of its input at a time; with its neighbours that makes {worst}"
                f" bits on a tile whose input buffer holds {capacity} (input_buffer.capacity)"
            )
        out.append(capacity * need // worst)
    return out


def share_output(
    names: Sequence[str], tiles: Sequence[Sequence[int]], held: Sequence[int], one: Sequence[int], capacity: int
) -> list[int]:
    """Return the bits of all output buffers that each layer gets: a tile divides equally what no held map takes.

    `held`: the bits of a layer's maps that wait for their statistics. A layer spreads its results evenly over its
    tiles, so the fullest of them decides. Raises `MappingError` when held maps leave no room for the results of one
    output position, `one` bits.
    """
    shares = [ceil(bits / len(where)) for bits, where in zip(held, tiles, strict=True)]
    taken, layers = _load(shares, tiles), _load([1] * len(tiles), tiles)
    out = []
    for name, where, waits, position in zip(names, tiles, held, one, strict=True):
        left = min((capacity - taken[t]) // layers[t] for t in where) * len(where)
        if any(taken[t] for t in where) and left < position:
            raise MappingError(
                f"layer '{name}' has {waits} bits of maps that wait for their statistics in the output buffers of"
                f" {len(where)} tiles; with its neighbours' that leaves {max(left, 0)} bits for new results, of which"
                f" one position takes {position}; each buffer holds {capacity} (output_buffer.capacity; pooling before"
                " a normalisation makes its map smaller)"
            )
        out.append(left + waits)
    return out


def _load(bits: Sequence[int], tiles: Sequence[Sequence[int]]) -> dict[int, int]:
    load: dict[int, int] = defaultdict(int)
    for need, where in zip(bits, tiles, strict=True):
        for t in where:
            load[t] += need
    return load
