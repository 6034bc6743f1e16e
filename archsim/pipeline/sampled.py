"""A network on one sampled chip: what the arrays of that chip answer to any images."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Table
from dataclasses import dataclass
from functools import cached_property

import numpy.typing as npt

from archsim.errors import ConfigError
from archsim.functional import FunctionalRun, LayerEncoding, compute
from archsim.functional.activity import LayerActivity
from archsim.functional.arrays import read_models
from archsim.functional.chance import Chance, chances_on
from archsim.functional.encoding import Converter
from archsim.hardware.arch import ArchConfig
from archsim.hardware.variation import ChipSample
from archsim.mapping.activity import Activity, expected_activity
from archsim.mapping.plan import Mapping
from archsim.mapping.tiling import Tiling

FIRST = ChipSample(0)


@dataclass(frozen=True, eq=False)
class SampledChip:
    """One sampled chip with a network on it; what is imperfect about it is drawn when it is first needed.

    The random numbers of images and passes depend on the seed of `sample`, not on its number: chips of one seed see
    the same dropout, so that only their devices differ.
    """

    mapping: Mapping
    sample: ChipSample
    passes: int

    @cached_property
    def encodings(self) -> Table[str, LayerEncoding]:
        """How each layer is read."""
        return encodings(self.mapping, self.sample, self.passes)

    @cached_property
    def chances(self) -> Table[str, tuple[Chance, ...]]:
        """How the modules draw, by node; those not named draw ideally."""
        return chances_on(self.mapping, self.sample)

    def answers(
        self, images: npt.ArrayLike, *, first_image: int = 0, progress: Callable[[int, int], None] | None = None
    ) -> FunctionalRun:
        """Return what the network answers to some images, (N, ...), in all passes; see `functional.compute`."""
        return compute(
            self.mapping.trace, self.encodings, images, self.passes, self.sample.seed, chances=self.chances,
            first_image=first_image, progress=progress,
        )  # fmt: skip

    @property
    def tiers(self) -> dict[str, str]:
        """By layer: "packed", "noise" or "conductance", the cheapest computation that is exact there."""
        return {name: encoding.tier for name, encoding in self.encodings.items()}


def sample_chip(mapping: Mapping, passes: int, seed: int = 0, number: int = 0) -> SampledChip:
    """Return sampled chip `number` of those that `seed` makes; all are alike where the architecture is ideal.

    `passes`: of each image, which also count as reads that disturb the cells.
    """
    if number < 0:
        raise ConfigError(f"chip: the number of a sampled chip must be at least 0, got {number}")
    return SampledChip(mapping, ChipSample(seed, number), passes)


def encodings(mapping: Mapping, sample: ChipSample = FIRST, passes: int = 1) -> dict[str, LayerEncoding]:
    """Return how a chip reads each layer: its row groups, its converter set for that layer, its imperfect arrays."""
    found = {}
    for p in mapping.placed():
        converter = layer_converter(mapping.chip.arch, p.tiling)
        read, *alternatives = read_models(p, mapping.chip, sample, converter, passes)
        found[p.name] = LayerEncoding(p.tiling.groups, converter, p.tiling.bits_per_cell, read, tuple(alternatives))
    return found


def layer_converter(arch: ArchConfig, tiling: Tiling) -> Converter:
    """Return the converter as it is set for a layer: one step is never more cells than its own groups ask for.

    The reference of a converter is trimmed once for each layer; a layer that drives few rows is read finely.
    """
    largest = max(g.size for g in tiling.groups) * (2**tiling.bits_per_cell - 1)
    wanted = max(0, (largest - 1).bit_length() - arch.converter.bits)
    return Converter(arch.converter.bits, min(wanted, arch.lsb_cells.bit_length() - 1))


def activities(mapping: Mapping, counts: Table[str, LayerActivity] | None) -> dict[str, Activity]:
    """Return how busy each layer's arrays are: as the functional pass counted, or as is to be expected."""
    out = {}
    for p in mapping.placed():
        if counts is None:
            out[p.name] = expected_activity(p.stage, p.tiling.rows)
            continue
        counted = counts[p.name]
        positions = counted.evaluations * p.stage.positions * p.tiling.blocks
        out[p.name] = Activity(counted.rows_driven / positions, counted.rows_dropped / positions, measured=True)
    return out
