"""How a layer's rows are read: which are driven and converted together, and by what converter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.errors import ConfigError, MappingError
from archsim.workload.trace import Conv, Linear, Node, Trace

Ints = npt.NDArray[np.int64]

MAX_COUNT = 2**15 - 1
"""The kernels count in 16 bits."""


@dataclass(frozen=True)
class Converter:
    """What reads a column: `bits` bits of step 2**`lsb_log2` cells; `bits` = None reads exactly (DESIGN.md)."""

    bits: int | None
    lsb_log2: int = 0

    def __post_init__(self) -> None:
        if self.bits is not None and not 1 <= self.bits <= 32:
            raise ConfigError(f"converter: bits must be between 1 and 32, or null for an exact one, got {self.bits}")
        if not 0 <= self.lsb_log2 <= 12:
            raise ConfigError(f"converter: lsb_log2 must be between 0 and 12, got {self.lsb_log2}")
        if self.bits is None and self.lsb_log2:
            raise ConfigError("converter: an exact converter (bits: null) has a step of one cell, lsb_log2 = 0")

    @property
    def low(self) -> int:
        """The smallest code."""
        return -MAX_COUNT if self.bits is None else max(1 - 2 ** (self.bits - 1), -MAX_COUNT)

    @property
    def high(self) -> int:
        """The largest code."""
        return MAX_COUNT if self.bits is None else min(2 ** (self.bits - 1), MAX_COUNT)

    def is_lossless(self, rows: int, cell_peak: int = 1) -> bool:
        """Tell whether any sum of up to `rows` driven rows, in cells worth up to `cell_peak`, is read exactly."""
        if self.bits is None:
            return True
        reach = (cell_peak * (rows // 2), cell_peak * ((rows + 1) // 2))
        return self.lsb_log2 == 0 and -reach[0] >= self.low and reach[1] <= self.high


LOSSLESS = Converter(bits=None)


@dataclass(frozen=True, eq=False)
class LayerEncoding:
    """The row groups of a layer and their converter.

    `groups`: canonical rows (input channel x kernel positions + kernel position) that are driven and converted
    together; each row is in exactly one group. The groups of a grouped convolution hold for each of its parts.
    `slices_per_cell`: how many weight bits one (multi-level) cell holds, converted as one sum.
    """

    groups: tuple[Ints, ...]
    converter: Converter = LOSSLESS
    slices_per_cell: int = 1


def weight_rows(node: Node) -> int:
    """Return the rows of a crossbar layer: inputs of one output (of one part of a grouped convolution)."""
    assert isinstance(node.op, Linear | Conv)
    return int(np.prod(node.op.weights.values.shape[1:]))


def check_encoding(node: Node, encoding: LayerEncoding) -> None:
    """Refuse an encoding that does not fit its layer, naming the layer. Raises `MappingError`."""
    assert isinstance(node.op, Linear | Conv)
    rows = weight_rows(node)
    used = np.concatenate([np.asarray(g).ravel() for g in encoding.groups]) if encoding.groups else np.empty(0)
    if any(len(g) == 0 for g in encoding.groups) or not np.array_equal(np.sort(used), np.arange(rows)):
        raise MappingError(f"layer '{node.name}': the row groups must hold each of its {rows} rows exactly once")
    slices, bits = encoding.slices_per_cell, node.op.weights.bits
    if slices < 1 or bits % slices:
        raise MappingError(f"layer '{node.name}': {bits}-bit weights do not fill cells of {slices} bits each")
    largest = max(len(g) for g in encoding.groups)
    if not encoding.converter.is_lossless(largest, 2**slices - 1) and (2**slices - 1) * largest > MAX_COUNT // 2:
        raise MappingError(f"layer '{node.name}': a group of {largest} rows is too large to be read at once")


def check_encodings(trace: Trace, encodings: Mapping[str, LayerEncoding]) -> None:
    """Refuse encodings that do not fit a network. Raises `MappingError`."""
    for node in trace.crossbar_nodes():
        if node.name not in encodings:
            raise MappingError(f"layer '{node.name}' has no encoding")
        check_encoding(node, encodings[node.name])


def ideal_encodings(trace: Trace) -> dict[str, LayerEncoding]:
    """Return encodings that read every layer exactly, all rows at once: the reference that equals torch."""
    return {n.name: LayerEncoding((np.arange(weight_rows(n)),)) for n in trace.crossbar_nodes()}
