"""Wear: how often cells are written, and how long they last at that rate."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from archsim.hardware.chip import Chip
from archsim.mapping.plan import Mapping, random_modules
from archsim.sim.log import RunLog

DRAW = ("stochastic", "draw")
DRAWS_ARE_TWO_WRITES = 2  # SET with the wanted probability, RESET for certain


@dataclass(frozen=True)
class Endurance:
    """Write cycles an image costs the most used cell of each sort, and after how many images it is worn out.

    `weight_writes`: of a weight cell (0 unless the chip is reprogrammed). `random_writes`: of a random-bit junction, in
    the modules that draw most (averaged over those that share the work). `cycles`: what a cell of the device stands;
    None for devices without figures.
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
        random = DRAWS_ARE_TWO_WRITES * _most_drawn(mapping, log) / log.images
    weights = 1.0 if mapping.reprogrammed else 0.0
    return Endurance(weights, random, _cycles(chip))


def _most_drawn(mapping: Mapping, log: RunLog) -> float:
    """Return how many bits each of the busiest modules drew."""
    kind = mapping.chip.arch.stochastic
    assert kind is not None
    bits: dict[str, int] = defaultdict(int)
    for op in log.operations:
        if op.name == "draw" and any((part, action) == DRAW for part, action, _ in op.actions):
            bits[op.layer.partition("[")[0]] += op.units
    pools: dict[object, float] = defaultdict(float)
    for p in mapping.placed():
        if p.share.first == 0 and p.name in bits:
            pool = {"crossbar": p.name, "tile": p.tiles[0], "chip": None}[kind.scope]
            pools[pool] += bits[p.name] / random_modules(p, mapping.chip)
    return max(pools.values(), default=0.0)


def _cycles(chip: Chip) -> float | None:
    path = f"devices.{chip.arch.crossbar.device}.endurance"
    return chip.library.number(path).value if path in chip.library.entries else None
