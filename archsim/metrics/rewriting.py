"""What it costs to write weights again: the price of sampling every weight afresh in every pass.

Full variational inference has a distribution for each weight. On crossbars a sample of it is written before a pass can
read it, which is what the methods that keep their weights avoid.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from archsim.errors import MappingError, nearest
from archsim.mapping.plan import Mapping
from archsim.metrics.energy import METHOD
from archsim.metrics.intervals import Estimate
from archsim.sim.programming import program


@dataclass(frozen=True)
class Rewriting:
    """Writing all weights of some layers once.

    `energy_j`: joules. `seconds`: layers and crossbars side by side, row after row. `junctions`: how many are written,
    those of replicas and complements included; each is written once, so cells that stand n cycles stand n rewritings.
    """

    energy_j: Estimate
    seconds: float
    junctions: float


def rewriting(mapping: Mapping, layers: Collection[str] | None = None) -> Rewriting:
    """Return what writing the weights of some layers (all, if None) takes once, such as once a pass.

    From the programming model of `archsim.sim.programming`: off-chip memory is read only where the chip has one, and
    drawing the new weights is not counted. Raises `MappingError` for a layer that is not on crossbars.
    """
    known = {p.name for p in mapping.placed()}
    for name in layers or ():
        if name not in known:
            raise MappingError(f"no layer on crossbars is called '{name}'{nearest(name, known)}")
    operation, station = program(mapping, [p for p in mapping.placed() if layers is None or p.name in layers])
    counts = {(part, action): operation.units * each for part, action, each in operation.actions}
    costs = {key: mapping.chip.components[key[0]].actions[key[1]].energy for key in counts}
    value, low, high = (
        sum(count * getattr(costs[key], end) for key, count in counts.items()) for end in ("value", "low", "high")
    )
    return Rewriting(Estimate(value, low, high, METHOD), station.busy_ps * 1e-12, counts["crossbar", "write"])
