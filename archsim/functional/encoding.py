"""How a layer's rows are read: which are driven and converted together, and by what converter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from archsim.errors import ConfigError, MappingError
from archsim.kernels.constants import FRACTION
from archsim.workload.trace import Conv, Linear, Node, Trace, Weights

Ints = npt.NDArray[np.int64]
Int16Array = npt.NDArray[np.int16]
FloatArray = npt.NDArray[np.floating[Any]]

Tier = Literal["packed", "noise", "conductance"]
"""How a layer is computed: exact bits; exact bits with errors of the readout added; every cell by its conductance."""

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
class ReadModel:
    """How the arrays of a layer on one chip differ from ideal ones.

    Conductances are in *cells*: 0 is a nominal high-resistive cell, 1 a nominal low-resistive one (of a multi-level
    cell, one step of it).

    `lines`: [part][cell], what each word line adds to each column: (2 x rows, columns), in 2**-`FRACTION` cells (see
    `fixed_point`). Line 2r conducts when input r is +1, line 2r + 1 when it is -1; rows canonical. Nominal ones are
    `nominal_lines`. None: all cells are nominal.
    `sigma_on`, `sigma_off`: deviation of one fresh read of a low- and of a high-resistive cell, in cells; reads of
    different cells, and of one cell at different times, are independent. A multi-level cell that conducts u cells of
    a peak of p has the variance u sigma_on**2 + (p - u) sigma_off**2.
    `offset`, `gain`: (groups, cells of a weight, parts x columns), static error of the converter that reads them:
    offset in cells, relative gain. Groups of one crossbar share their converters, those of several have others.
    `droop`: part of the read voltage that a conductance of one cell costs on the bit line: a column that conducts S
    cells is read as S / (1 + droop S). `floor`: conductance of a nominal high-resistive cell, in cells,
    G_AP / (G_P - G_AP), on which droop acts as well.
    """

    lines: tuple[tuple[Int16Array, ...], ...] | None = None
    sigma_on: float = 0.0
    sigma_off: float = 0.0
    offset: FloatArray | None = None
    gain: FloatArray | None = None
    droop: float = 0.0
    floor: float = 0.0

    @property
    def is_noisy(self) -> bool:
        """Whether two reads of the same may differ."""
        return self.sigma_on > 0 or self.sigma_off > 0


@dataclass(frozen=True, eq=False)
class LayerEncoding:
    """The row groups of a layer, their converter, and how the arrays differ from ideal ones (`read`; None: nowise).

    `groups`: canonical rows (input channel x kernel positions + kernel position) that are driven and converted
    together; each row is in exactly one group. The groups of a grouped convolution hold for each of its parts.
    `slices_per_cell`: how many weight bits one (multi-level) cell holds, converted as one sum.
    `alternatives`: as `read`, for each further copy of the weights that an arbiter chooses from.
    """

    groups: tuple[Ints, ...]
    converter: Converter = LOSSLESS
    slices_per_cell: int = 1
    read: ReadModel | None = None
    alternatives: tuple[ReadModel | None, ...] = ()

    def of_copies(self, count: int) -> tuple[LayerEncoding, ...]:
        """Return how each of `count` copies of the weights is read; without `alternatives` all are read alike."""
        reads = (self.read, *self.alternatives) if self.alternatives else (self.read,) * count
        return tuple(replace(self, read=read, alternatives=()) for read in reads)

    @property
    def tier(self) -> Tier:
        """The cheapest way to compute the layer that is exact (in distribution, where reads are noisy).

        Of several copies of the weights, the one that takes most.
        """
        reads = [read for read in (self.read, *self.alternatives) if read is not None]
        if not reads:
            return "packed"
        return "noise" if all(read.lines is None for read in reads) else "conductance"

    @property
    def is_noisy(self) -> bool:
        """Whether the layer's answer to one input differs from pass to pass."""
        return any(read is not None and read.is_noisy for read in (self.read, *self.alternatives))


def nominal_lines(weights: Weights, slices_per_cell: int) -> tuple[npt.NDArray[np.int64], ...]:
    """Return what ideal cells conduct, in cells: for each cell of a weight, (2 x rows, columns) as in `ReadModel`.

    A cell holds `slices_per_cell` digits of a weight, digit j being worth 2**j: line 2r conducts the sum u of those
    that are +1, line 2r + 1 the others.
    """
    peak = 2**slices_per_cell - 1
    digits = (weights.values.reshape(len(weights.values), -1).astype(np.int64) + 2**weights.bits - 1) >> 1
    cells = [digits >> low & peak for low in range(0, weights.bits, slices_per_cell)]
    return tuple(np.stack([u.T, peak - u.T], axis=1).reshape(-1, len(digits)) for u in cells)


def fixed_point(conductances: npt.ArrayLike, layer: str) -> Int16Array:
    """Return conductances in cells as whole numbers of 2**-`FRACTION` cells.

    Sums of whole numbers are the same in any order, so that no result depends on batch or threads. Raises
    `MappingError`, naming the layer, for what is not finite or too large.
    """
    scaled = np.rint(np.asarray(conductances, np.float64) * 2**FRACTION)
    limit = np.iinfo(np.int16).max
    if not np.all(np.abs(scaled) <= limit):  # also where it is not a number
        worst = np.asarray(conductances, np.float64).flat[np.argmax(~(np.abs(scaled) <= limit))]
        raise MappingError(
            f"layer '{layer}': a cell conducts {worst:.6g} times what a nominal cell adds (low- minus high-resistive);"
            f" the arrays are computed with at most {limit / 2**FRACTION:.6g}"
        )
    return np.asarray(scaled, np.int16)


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
    largest, peak = max(len(g) for g in encoding.groups), 2**slices - 1
    is_exact = encoding.read is None and encoding.converter.is_lossless(largest, peak)
    if not is_exact and peak * largest > MAX_COUNT // 2:
        raise MappingError(f"layer '{node.name}': a group of {largest} rows is too large to be read at once")
    copies, reads = len(node.op.copies), 1 + len(encoding.alternatives)
    has_cells = encoding.read is not None and encoding.read.lines is not None
    if reads != copies and (encoding.alternatives or has_cells):
        raise MappingError(f"layer '{node.name}': {copies} copies of the weights have cells of their own, not {reads}")
    for read in (encoding.read, *encoding.alternatives):
        if read is not None:
            _check_read(node, encoding, read)


def _check_read(node: Node, encoding: LayerEncoding, read: ReadModel) -> None:
    """Refuse a read model that does not fit its layer, naming the layer. Raises `MappingError`."""
    op = node.op
    assert isinstance(op, Linear | Conv)
    parts, cells = op.groups if isinstance(op, Conv) else 1, op.weights.bits // encoding.slices_per_cell
    for name in ("sigma_on", "sigma_off", "droop", "floor"):
        value = getattr(read, name)
        if not 0 <= value < np.inf:
            raise MappingError(f"layer '{node.name}': {name} of its arrays must be at least 0 and finite, got {value}")
    expected = (len(encoding.groups), cells, len(op.weights.values))
    for name in ("offset", "gain"):
        errors = getattr(read, name)
        if errors is not None and (errors.shape != expected or not np.all(np.isfinite(errors))):
            raise MappingError(
                f"layer '{node.name}': {name} must hold {expected} finite numbers (row groups, cells of a weight,"
                f" columns), got an array of shape {errors.shape}"
            )
    if read.lines is None:
        return
    if len(read.lines) != parts or any(len(part) != cells for part in read.lines):
        raise MappingError(f"layer '{node.name}': its arrays need lines of {parts} x {cells} parts and cells")
    table = (2 * weight_rows(node), len(op.weights.values) // parts)
    for lines in (lines for part in read.lines for lines in part):
        if lines.shape != table or lines.dtype != np.int16:
            raise MappingError(
                f"layer '{node.name}': the lines of its arrays must be int16 of shape {table}, not {lines.dtype} of"
                f" shape {lines.shape}"
            )


def check_encodings(trace: Trace, encodings: Mapping[str, LayerEncoding]) -> None:
    """Refuse encodings that do not fit a network. Raises `MappingError`."""
    for node in trace.crossbar_nodes():
        if node.name not in encodings:
            raise MappingError(f"layer '{node.name}' has no encoding")
        check_encoding(node, encodings[node.name])


def ideal_encodings(trace: Trace) -> dict[str, LayerEncoding]:
    """Return encodings that read every layer exactly, all rows at once: the reference that equals torch."""
    return {n.name: LayerEncoding((np.arange(weight_rows(n)),)) for n in trace.crossbar_nodes()}
