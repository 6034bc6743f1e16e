"""Wear: how often cells are written, and how long they last at that rate."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.hardware.chip import Chip
from archsim.mapping.plan import Mapping
from archsim.sim.log import RunLog

DRAWS_ARE_TWO_WRITES = 2  # SET with the wanted probability, RESET for certain


@dataclass(frozen=True)
class Endurance:
    """Write cycles an image costs the most used cell of each sort, and after how many images it is worn out.

    `weight_writes`: of a weight cell (0 unless the chip is reprogrammed). `random_writes`: of a random-bit junction,
    averaged over the modules. `cycles`: what a cell of the device stands; None for devices without figures.
    """

    weight_writes: float
    random_writes: float
    cycles: float | None

    @property
    def lifetime_images(self) -> float | None:
        """Images until the most used cell has seen its cycles; None if nothing wears, or nothing is known."""
        worst = max(self.weight_writes, self.random_writes)
        return self.cycles / worst if self.cycles is not None and worst else None


def endurance_of(mapping: Mapping, log: RunLog) -> Endurance:
    """Return what a run wears out."""
    chip = mapping.chip
    kind = chip.arch.stochastic
    random = 0.0
    if kind is not None and kind.kind in ("stt_mtj", "sot_mtj"):
        drawn = sum(op.units for op in log.operations if op.name == "draw")
        random = DRAWS_ARE_TWO_WRITES * drawn / log.images / _modules_in_use(mapping)
    weights = 1.0 if mapping.reprogrammed else 0.0
    return Endurance(weights, random, _cycles(chip))


def _modules_in_use(mapping: Mapping) -> int:
    kind = mapping.chip.arch.stochastic
    assert kind is not None
    drawing = [p for p in mapping.placed() if p.stage.dropout is not None]
    if kind.scope == "crossbar":
        return max(1, sum(kind.count * len(p.tiling.row_tiles) for p in drawing))
    return max(1, kind.count * (len({p.tiles[0] for p in drawing}) if kind.scope == "tile" else 1))


def _cycles(chip: Chip) -> float | None:
    path = f"devices.{chip.arch.crossbar.device}.endurance"
    return chip.library.number(path).value if path in chip.library.entries else None
