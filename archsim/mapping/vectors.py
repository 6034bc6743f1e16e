"""How long the crossbars of a layer take for an input vector."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from archsim.hardware.arch import ArchConfig
from archsim.hardware.chip import Chip
from archsim.mapping.stages import Stage
from archsim.mapping.tiling import Tiling


@dataclass(frozen=True)
class VectorTiming:
    """How long the crossbars of one replica take for an input vector.

    `read_ps`: to drive the rows of a group and let its columns settle. `convert_ps`: to convert the columns of a
    group; 0 where the converters are shared by several crossbars. `vector_ps`: from one vector to the next.
    `fill_ps`: what the first vector of a run waits on top of it.
    """

    read_ps: int
    convert_ps: int
    vector_ps: int
    fill_ps: int


def conversion_ps(chip: Chip) -> int:
    """Return how long a converter takes from one column to the next."""
    part = chip.parts["converter"]
    pace = part.interval_ps or part.component.actions["convert"].latency_ps
    return chip.components["column_mux"].actions["select"].latency_ps + pace


def vector_timing(chip: Chip, stage: Stage, tiling: Tiling) -> VectorTiming:
    """Return how long the crossbars of a layer take for one input vector.

    Row groups of one crossbar and input bits follow each other; crossbars work side by side. Columns in use are
    spread over the converters of their crossbar. With sample-and-hold the next read overlaps the conversions of the
    last.
    """
    columns = min(tiling.columns, chip.arch.crossbar.columns)
    return _timing(chip, columns, stage.input_bits * tiling.steps)


def full_ps(chip: Chip) -> int:
    """Return from vector to vector, of one bit a row, when all crossbars have all rows and columns in use."""
    box = chip.arch.crossbar
    steps = ceil(box.rows / box.parallel_rows)
    vector = _timing(chip, box.columns, steps).vector_ps
    size = bank_size(chip.arch)
    return vector if size is None else max(vector, bank_ps(chip, steps * box.columns * size, 1))


def _timing(chip: Chip, columns: int, steps: int) -> VectorTiming:
    """Return the time of a vector: so many steps, each a read and the conversion of some columns."""
    box, converter = chip.arch.crossbar, chip.arch.converter
    read = chip.components["row_driver"].actions["drive"].latency_ps
    read += chip.components["crossbar"].actions["read"].latency_ps
    if converter.columns_per_converter is None:
        return VectorTiming(read, 0, steps * read, 0)
    turns = ceil(columns / ceil(box.columns / converter.columns_per_converter))
    convert = turns * conversion_ps(chip)
    if converter.sample_hold:
        return VectorTiming(read, convert, steps * max(read, convert), min(read, convert))
    return VectorTiming(read, convert, steps * (read + convert), 0)


def bank_size(arch: ArchConfig) -> int | None:
    """Return how many crossbars share a bank of converters, None where each crossbar has its own."""
    organisation = arch.organisation
    sizes = {"core": organisation.crossbars_per_core, "tile": organisation.crossbars_per_tile}
    return sizes.get(arch.converter.shared_by)


def bank_ps(chip: Chip, conversions: int, banks: int) -> int:
    """Return how long shared converters take for one output position, spread evenly over some banks."""
    count = chip.arch.converter.count
    assert count is not None, "the converter's own check asks for it"
    return ceil(conversions / (banks * count)) * conversion_ps(chip)


def pace_ps(chip: Chip, stage: Stage, tiling: Tiling) -> int:
    """Return from one vector to the next on one replica that has its banks of converters for itself."""
    vector = vector_timing(chip, stage, tiling).vector_ps
    size = bank_size(chip.arch)
    if size is None:
        return vector
    conversions = stage.input_bits * len(tiling.groups) * tiling.columns * tiling.blocks
    return max(vector, bank_ps(chip, conversions, ceil(tiling.crossbars_per_copy / size)))
