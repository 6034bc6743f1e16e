"""What the arrays of a layer cost: how often every (component, action) happens for one output position."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archsim.hardware.chip import Chip
from archsim.mapping.activity import Activity
from archsim.mapping.geometry import Counts
from archsim.mapping.plan import ACCUMULATOR_BITS, Placed
from archsim.sim.interconnect import Route
from archsim.sim.timing import NO_DELAY, Actions, link_cycle_ps


def multiply_actions(chip: Chip, placed: Placed, activity: Activity, crossings: Sequence[Route]) -> Actions:
    """Return the actions of one output position: rows driven, cells read, columns converted, sums added.

    `crossings`: the ways of partial sums from each tile of the layer to the next, those of all copies.

    A driven row opens the cells of the columns in use; what the reference column draws is in the energy of each
    cell. A conversion happens for every input bit, row group and column. Results of several input or weight bits are
    shifted and added; then the sums of all groups are added up, on the home tile of the column.
    """
    arch, tiling, stage = chip.arch, placed.tiling, placed.stage
    planes, column_tiles = stage.input_bits, placed.column_tiles
    reads = planes * len(tiling.groups)
    conversions = reads * placed.columns
    group_reads = reads * tiling.blocks * column_tiles
    partial = list(zip(crossing_bits(placed, placed.layout.crossings), crossings, strict=True))
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


def crossing_bits(placed: Placed, crossings: Sequence[float]) -> list[float]:
    """Return the bits of partial sums that go on from each tile to the next for one output position."""
    together = placed.columns / (placed.column_tiles * placed.tiling.blocks)
    return [times * together * ACCUMULATOR_BITS for times in crossings]


def crossing_ps(chip: Chip, placed: Placed, ends: Counts) -> list[Counts]:
    """Return how long the links from each tile at work to the next are busy for the first so many positions."""
    width, cycle = chip.arch.interconnect.width, link_cycle_ps(chip)
    bits = crossing_bits(placed, placed.layout.own_crossings)
    return [np.ceil(ends * (n / width) - NO_DELAY).astype(np.int64) * cycle for n in bits]
