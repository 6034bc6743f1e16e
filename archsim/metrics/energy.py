"""Energy: counts from the books times costs from the component library, with the interval of their ranges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from archsim.hardware.chip import Chip
from archsim.metrics.intervals import Estimate
from archsim.sim.log import RunLog

METHOD = "component ranges: every part at its low, or every part at its high end"
LEAKAGE = "leakage"


@dataclass(frozen=True, slots=True)
class EnergyRow:
    """What one action of a part cost in one layer, over the whole run: how often it happened, and joules."""

    layer: str
    part: str
    action: str
    count: float
    value: float
    low: float
    high: float


def energy_rows(log: RunLog, chip: Chip) -> list[EnergyRow]:
    """Return the energy of a run by layer, part and action, leakage included, one row for each."""
    counts: dict[tuple[str, str, str], float] = defaultdict(float)
    for op in log.operations:
        for part, action, per_unit in op.actions:
            counts[(op.layer, part, action)] += op.units * per_unit
    rows = []
    for (layer, part, action), count in counts.items():
        cost = chip.components[part].actions[action].energy
        rows.append(EnergyRow(layer, part, action, count, count * cost.value, count * cost.low, count * cost.high))
    seconds = log.total_ps * 1e-12
    for part, watts in chip.leakage_by_part().items():
        if watts.high > 0:
            scaled = (watts.value * seconds, watts.low * seconds, watts.high * seconds)
            rows.append(EnergyRow("(whole chip)", part, LEAKAGE, seconds, *scaled))
    return rows


def total(rows: Iterable[EnergyRow], share: float = 1.0) -> Estimate:
    """Return the sum of some rows times `share`; the ends of the ranges add."""
    value = low = high = 0.0
    for row in rows:
        value += row.value
        low += row.low
        high += row.high
    return Estimate(value * share, low * share, high * share, METHOD)


def grouped(rows: Iterable[EnergyRow], key: Callable[[EnergyRow], str], share: float = 1.0) -> Mapping[str, Estimate]:
    """Return sums by a key, times `share`, the largest first."""
    groups: dict[str, list[EnergyRow]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    sums = {name: total(members, share) for name, members in groups.items()}
    return dict(sorted(sums.items(), key=lambda item: -item[1].value))
