"""What the answers of a chip depend on, as plain data: two designs of which it is equal answer alike.

Cells are not drawn for it; what they are drawn from stands in for them. Two designs of which it differs may still
answer alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.functional.arrays import Errors, errors_of
from archsim.functional.chance import Chance
from archsim.functional.encoding import Converter
from archsim.hardware.variation import Cell
from archsim.mapping.plan import Placed
from archsim.mapping.vectors import bank_size
from archsim.pipeline.sampled import SampledChip, layer_converter

DRAWN_ONCE = ("chip", "programming")


def identity(chip: SampledChip, trace_hash: str) -> dict[str, Any]:
    """Return what the answers of a sampled chip to given images depend on, for JSON.

    `trace_hash`: content hash of the network, which callers know already.
    """
    drawn = any(e.drawn in DRAWN_ONCE for e in chip.mapping.chip.effects.on)
    return {
        "trace": trace_hash,
        "passes": chip.passes,
        "seed": chip.sample.seed,
        "chip": chip.sample.number if drawn else None,
        "layers": {p.name: _layer(p, chip) for p in chip.mapping.placed()},
        "chances": {node: [_chance(c) for c in chances] for node, chances in chip.chances.items()},
    }


def _layer(placed: Placed, chip: SampledChip) -> list[Any]:
    """Return what the read-out of a layer depends on; one that is exact reads any groups of rows alike."""
    tiling, design = placed.tiling, chip.mapping.chip
    converter = layer_converter(design.arch, tiling)
    errors = errors_of(placed, design, converter, chip.passes)
    largest = max(g.size for g in tiling.groups)
    if errors.none and converter.is_lossless(largest, 2**tiling.bits_per_cell - 1):
        return ["exact", tiling.bits_per_cell]
    return [_read_out(converter), tiling.bits_per_cell, _rows(tiling.groups), _errors(errors, placed, chip)]


def _read_out(converter: Converter) -> list[Any]:
    return [converter.bits, converter.lsb_log2]


def _rows(groups: Sequence[npt.NDArray[np.int64]]) -> list[Any]:
    """Return the rows in their order, and where it is cut; consecutive numbers as the first and the last of them."""
    order = np.concatenate(groups)
    breaks = np.flatnonzero(np.diff(order) != 1)
    starts, ends = order[np.r_[0, breaks + 1]], order[np.r_[breaks, len(order) - 1]]
    sizes = np.array([g.size for g in groups])
    changes = np.r_[0, np.flatnonzero(np.diff(sizes)) + 1]
    return [starts.tolist(), ends.tolist(), changes.tolist(), sizes[changes].tolist()]


def _errors(errors: Errors, placed: Placed, chip: SampledChip) -> list[Any] | None:
    if errors.none:
        return None
    numbers = [errors.sigma_on, errors.sigma_off, errors.offset, errors.gain, errors.droop, errors.floor]
    cells = [_cell(errors.cell), asdict(errors.variation)] if errors.cell and errors.variation else None
    return [numbers, placed.tiling.blocks, cells, _converters(placed, chip) if errors.offset or errors.gain else None]


def _cell(cell: Cell) -> list[Any]:
    """Return the operating point of a cell and the numbers of its device, without their ranges."""
    figures = [figure.value for name, figure in vars(cell.device).items() if name != "kind"]
    return [cell.voltage, cell.temperature, cell.bits, cell.device.kind, figures]


def _converters(placed: Placed, chip: SampledChip) -> list[Any]:
    """Return what decides which columns share a converter and its errors."""
    arch, tiling = chip.mapping.chip.arch, placed.tiling
    return [
        [t.size for t in tiling.row_tiles], tiling.columns, tiling.slices, tiling.column_tiles,
        tiling.crossbars_per_copy, arch.crossbar.columns, arch.crossbar.parallel_rows,
        arch.converter.columns_per_converter, arch.converter.count, bank_size(arch),
    ]  # fmt: skip


def _chance(chance: Chance) -> list[Any]:
    p, correlation, bits = astuple(chance)
    return [None if p is None else p.tolist(), correlation, bits]
