"""The roofline of a chip: how fast its layers multiply, beside what their arrays and their links would allow.

After Williams, Waterman, Patterson, "Roofline" (CACM 2009), with the weights at rest in the crossbars: the traffic that
counts is that of the activations, in bits over the interconnect.
"""

from __future__ import annotations

from dataclasses import dataclass

from archsim.mapping.plan import Mapping, Placed
from archsim.mapping.vectors import full_ps
from archsim.sim.log import RunLog

PICO = 1e-12
TRANSFER = "transfer"  # the operation that brings values to a layer


@dataclass(frozen=True)
class RooflinePoint:
    """One layer. A multiply-accumulate (MAC) is one of the layer's, whatever bits it has.

    `macs`, `bits`: of one pass of one image; the bits are those that arrive from other layers, each counted once
    however many tiles it goes to. `attained`: MAC a second over the run; `ceiling`: with its arrays never waiting.
    """

    layer: str
    macs: int
    bits: float
    attained: float
    ceiling: float

    @property
    def intensity(self) -> float:
        """MAC for each bit that arrives; infinite where nothing does."""
        return self.macs / self.bits if self.bits else float("inf")


@dataclass(frozen=True)
class Roofline:
    """The layers in order, and what holds for the whole chip.

    `arrays`: MAC a second of all crossbars of the chip with every cell of every column at work, a read after the other.
    `link`: bits a second into one tile; each of the `tiles` at work has such a link.
    """

    points: tuple[RooflinePoint, ...]
    arrays: float
    link: float
    tiles: int


def roofline(mapping: Mapping, log: RunLog) -> Roofline:
    """Return the roofline of a run."""
    arch = mapping.chip.arch
    placed = list(mapping.placed())
    cells = arch.crossbar.rows * arch.crossbar.columns * arch.organisation.crossbars
    return Roofline(
        tuple(_point(p, log) for p in placed),
        arrays=cells / (full_ps(mapping.chip) * PICO),
        link=arch.interconnect.width * (arch.interconnect.clock or arch.clock),
        tiles=len({tile for p in placed for tile in p.tiles}),
    )


def _point(placed: Placed, log: RunLog) -> RooflinePoint:
    positions, tiling = placed.stage.positions, placed.tiling
    macs = positions * tiling.rows * placed.columns // tiling.slices
    arrived = sum(op.units for op in log.operations if op.name == TRANSFER and op.layer.endswith(f"-> {placed.name}"))
    passes = log.images * log.passes
    busy_ps = -(-positions // placed.replicas) * placed.timing.vector_ps
    return RooflinePoint(
        placed.name, macs, arrived / passes, macs * passes / (log.total_ps * PICO), macs / (busy_ps * PICO)
    )
