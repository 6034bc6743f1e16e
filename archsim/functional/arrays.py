"""What the arrays of one sampled chip are like: from device physics and mapping to the read model of each layer.

Limits: all replicas of a layer are the same sample; a layer that is written several times (a chip that is reprogrammed)
keeps the write errors of the first time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from archsim.functional.encoding import Converter, Int16Array, ReadModel, fixed_point, nominal_lines
from archsim.hardware.arch import ArchConfig
from archsim.hardware.chip import Chip
from archsim.hardware.variation import Cell, CellVariation, ChipSample, sampled_cells
from archsim.mapping.activity import expected_activity
from archsim.mapping.plan import Placed
from archsim.mapping.tiling import Tiling
from archsim.mapping.vectors import bank_size
from archsim.workload.trace import Weighted, Weights

Floats = npt.NDArray[np.float32]
PICO = 1e-12


def read_models(
    placed: Placed, chip: Chip, sample: ChipSample, converter: Converter, passes: int
) -> tuple[ReadModel | None, ...]:
    """Return how each copy of a layer's weights is read on one sampled chip; None where nothing is imperfect.

    `converter`: as it is set for the layer. `passes`: of an image, which together with `cells.inferences` says how
    often cells were read.
    """
    op = placed.stage.node.op
    assert isinstance(op, Weighted)
    errors = errors_of(placed, chip, converter, passes)
    return tuple(_read_model(weights, placed, chip, sample, errors, copy) for copy, weights in enumerate(op.copies))


@dataclass(frozen=True)
class Errors:
    """How large the errors of a layer's arrays are, before any is drawn; see `ReadModel`.

    `cell`, `variation`: None where all cells are nominal. `offset`, `gain`: deviations over the converters.
    """

    cell: Cell | None
    variation: CellVariation | None
    sigma_on: float
    sigma_off: float
    offset: float
    gain: float
    droop: float
    floor: float

    @property
    def none(self) -> bool:
        """Whether nothing is imperfect."""
        return self.variation is None and not any((self.sigma_on, self.sigma_off, self.offset, self.gain, self.droop))


def errors_of(placed: Placed, chip: Chip, converter: Converter, passes: int) -> Errors:
    """Return the errors of a layer; arguments as for `read_models`."""
    value, variation = chip.effects.value, cell_variation(placed, chip, passes)
    cell = layer_cell(chip, placed.tiling)
    on, off = cell.read_noise(value("cells.read_noise")) if cell else (0.0, 0.0)
    droop = _droop(chip, cell) if cell else 0.0
    varied = cell is not None and not variation.is_ideal
    return Errors(
        cell=cell if varied else None,
        variation=variation if varied else None,
        sigma_on=on,
        sigma_off=off,
        offset=value("converter.offset") * 2**converter.lsb_log2,
        gain=value("converter.gain"),
        droop=droop,
        floor=cell.floor if cell and droop else 0.0,
    )


def _read_model(
    weights: Weights, placed: Placed, chip: Chip, sample: ChipSample, errors: Errors, copy: int
) -> ReadModel | None:
    """Return how one copy of a layer's weights is read; None where nothing is imperfect."""
    lines = None
    if errors.cell is not None and errors.variation is not None:
        lines = _lines(weights, placed, errors.cell, errors.variation, sample, copy)
    if lines is None and replace(errors, cell=None, variation=None).none:
        return None
    where, offset, gain = (placed.name, copy), errors.offset, errors.gain
    return ReadModel(
        lines=lines,
        sigma_on=errors.sigma_on,
        sigma_off=errors.sigma_off,
        offset=_of_converters(chip.arch, placed.tiling, sample, offset, *where, "offset") if offset else None,
        gain=_of_converters(chip.arch, placed.tiling, sample, gain, *where, "gain") if gain else None,
        droop=errors.droop,
        floor=errors.floor,
    )


def layer_cell(chip: Chip, tiling: Tiling) -> Cell | None:
    """Return the cells of a layer at their operating point, None for a device without physics."""
    if chip.device is None:
        return None
    return Cell(chip.device, chip.arch.crossbar.read_voltage, chip.arch.temperature, tiling.bits_per_cell)


def cell_variation(placed: Placed, chip: Chip, passes: int) -> CellVariation:
    """Return how the cells of a layer differ; they were read in `cells.inferences` images of so many passes."""
    value = chip.effects.value
    return CellVariation(
        spread=value("cells.spread"),
        tmr_spread=value("cells.tmr_spread"),
        stuck_parallel=value("cells.stuck_parallel"),
        stuck_antiparallel=value("cells.stuck_antiparallel"),
        write_error=value("cells.write_error"),
        delta_spread=value("cells.delta_spread"),
        current_spread=value("cells.current_spread"),
        age=value("cells.age"),
        read_seconds=value("cells.inferences") * seconds_read(placed, chip, passes),
    )


def seconds_read(placed: Placed, chip: Chip, passes: int) -> float:
    """Return how long a cell of a layer conducts for one image, in seconds.

    Each output position drives one line of a pair for every input bit that is set, on one of the replicas and on the
    copy that the arbiter chose; a driven cell conducts until its column is sampled, or converted where nothing samples.
    """
    rows, stage = placed.tiling.rows, placed.stage
    assert isinstance(stage.node.op, Weighted)
    reads = passes * stage.positions * expected_activity(stage, rows).driven_rows / rows / 2
    shared = placed.replicas * len(stage.node.op.copies)
    on_ps = chip.components["crossbar"].actions["read"].latency_ps
    if not chip.arch.converter.sample_hold:
        on_ps += chip.components["converter"].actions["convert"].latency_ps
    return reads / shared * on_ps * PICO


def _lines(
    weights: Weights, placed: Placed, cell: Cell, variation: CellVariation, sample: ChipSample, copy: int
) -> tuple[tuple[Int16Array, ...], ...] | None:
    """Return what every line adds to every column; None where all cells turn out nominal, as rare faults often do.

    Each part and cell of the layer has a sample of its own.
    """
    lines, all_nominal = [], True
    for part, values in enumerate(np.split(weights.values, placed.tiling.blocks)):
        cells = []
        for index, levels in enumerate(nominal_lines(replace(weights, values=values), cell.bits)):
            source = partial(sample.generator, "cells", placed.name, copy, part, index)
            drawn = fixed_point(sampled_cells(levels.astype(np.uint8), cell, variation, source), placed.name)
            all_nominal = all_nominal and np.array_equal(drawn, fixed_point(levels, placed.name))
            cells.append(drawn)
        lines.append(tuple(cells))
    return None if all_nominal else tuple(lines)


def _of_converters(
    arch: ArchConfig, tiling: Tiling, sample: ChipSample, sigma: float, layer: str, copy: int, error: str
) -> Floats:
    """Return a static error of the converter behind each group, cell of a weight and column (see `ReadModel`).

    Neighbouring columns share a converter of their crossbar; a bank takes the columns of its crossbars in turn.
    """
    depth, width = len(tiling.row_tiles), arch.crossbar.columns
    groups = [-(-t.size // arch.crossbar.parallel_rows) for t in tiling.row_tiles]
    row_tile = np.repeat(np.arange(depth), groups)[:, None, None]
    outputs = tiling.columns // tiling.slices
    column = np.arange(outputs) * tiling.slices + np.arange(tiling.slices)[:, None]
    block = np.arange(tiling.blocks)[:, None, None, None]
    crossbar = (block * tiling.column_tiles + column // width) * depth + row_tile
    shared = arch.converter.columns_per_converter
    bank = bank_size(arch) or 1
    converter = column % width // shared if shared else column % (arch.converter.count or 1)
    count = int(converter.max()) + 1
    rng = sample.generator("converters", layer, copy, error)
    errors = sigma * rng.standard_normal((-(-tiling.crossbars_per_copy // bank), count))
    table = errors[crossbar // bank, converter]  # (blocks, groups, cells, outputs)
    return np.asarray(table.transpose(1, 2, 0, 3).reshape(*table.shape[1:3], -1), np.float32)


def _droop(chip: Chip, cell: Cell) -> float:
    """Return which part of the read voltage one step of a cell costs, driven at the middle of the bit line.

    A group of n rows at the mean conductance costs n G R_line / 2 (`Crossbar.ir_drop_ratio`).
    """
    a_row = chip.effects.value("crossbar.ir_drop") / chip.arch.crossbar.parallel_rows
    return a_row * cell.step / (sum(cell.extremes) / 2)
