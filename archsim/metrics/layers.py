"""The per-layer table: what each layer asked of the chip, and got."""

from __future__ import annotations

from collections.abc import Mapping as Table
from dataclasses import dataclass

from archsim.mapping.activity import Activity
from archsim.mapping.plan import Mapping, Placed
from archsim.metrics.energy import EnergyRow
from archsim.sim.log import RunLog


@dataclass(frozen=True)
class LayerRow:
    """One layer, or one part of it on a reprogrammed chip. Energies are per image, times per pass.

    `crossbars`: of all `replicas`, which share the work, and all `copies`, of which an arbiter chooses one.
    `rows`, `columns`: of the weight matrix on the crossbars. `driven_rows`, `dropped_rows`: averages for one output
    position, over all input bits. `utilisation`: of its arrays over the run.
    """

    name: str
    kind: str
    positions: int
    rows: int
    columns: int
    input_bits: int
    weight_bits: int
    row_tiles: int
    column_tiles: int
    crossbars: int
    replicas: int
    copies: int
    tiles: str
    vector_s: float
    array_s_per_pass: float
    utilisation: float
    driven_rows: float
    dropped_rows: float
    random_bits_per_pass: float
    energy_j_per_image: float


def layer_rows(
    mapping: Mapping, log: RunLog, activity: Table[str, Activity], energy: tuple[EnergyRow, ...]
) -> tuple[LayerRow, ...]:
    """Return a row for every layer that is placed, in order."""
    return tuple(_row(p, log, activity[p.name], energy) for p in mapping.placed())


def _row(placed: Placed, log: RunLog, activity: Activity, energy: tuple[EnergyRow, ...]) -> LayerRow:
    stage, tiling = placed.stage, placed.tiling
    busy_ps = max((s.busy_ps for s in log.stations if s.name == f"{placed.name} arrays"), default=0)
    drawn = sum(op.units for op in log.operations if op.name == "draw" and op.layer == placed.name)
    joules = sum(r.value for r in energy if r.layer == placed.name)
    first, last = placed.tiles[0], placed.tiles[-1]
    return LayerRow(
        name=placed.name,
        kind=stage.node.op.kind,
        positions=stage.positions,
        rows=tiling.rows,
        columns=placed.columns,
        input_bits=stage.input_bits,
        weight_bits=stage.node.op.weights.bits,  # type: ignore[attr-defined]
        row_tiles=len(tiling.row_tiles),
        column_tiles=placed.column_tiles,
        crossbars=placed.crossbars,
        replicas=placed.replicas,
        copies=placed.layout.copies,
        tiles=str(first) if first == last else f"{first}-{last}",
        vector_s=placed.timing.vector_ps * 1e-12,
        array_s_per_pass=-(-stage.positions // placed.replicas) * placed.timing.vector_ps * 1e-12,
        utilisation=busy_ps / log.total_ps,
        driven_rows=activity.driven_rows,
        dropped_rows=activity.dropped_rows,
        random_bits_per_pass=drawn / (log.images * log.passes),
        energy_j_per_image=joules / log.images,
    )
