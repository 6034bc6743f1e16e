"""What the operations in the books have cost so far, by part: the curves of energy beneath a timeline."""

from __future__ import annotations

from collections import defaultdict

from archsim.hardware.chip import Chip
from archsim.sim.ledger import Operation
from archsim.sim.station import Engine


class Spending:
    """Dynamic energy of a run while it goes on. A chip that is reprogrammed has one book after the other: they add."""

    def __init__(self) -> None:
        self._closed: dict[str, float] = {}
        self._engine: Engine | None = None
        self._costs: list[list[tuple[str, float]]] = []

    def begin(self, chip: Chip, engine: Engine) -> None:
        """Go on with the book of another engine."""
        self._closed = self.by_part()
        self._engine = engine
        self._costs = [_costs(chip, op) for op in engine.operations]

    def per_unit_j(self, op: Operation) -> float:
        """Return what one unit of an operation of the present book costs, in joules."""
        return sum(joules for _, joules in self._costs[op.index])

    def by_part(self) -> dict[str, float]:
        """Return the joules that each part has spent on what is in the books, skipped repetitions included."""
        total = defaultdict(float, self._closed)
        rows = self._engine.ledger.operations if self._engine else []
        for costs, (_, units) in zip(self._costs, rows, strict=True):
            for part, joules in costs:
                total[part] += units * joules
        return dict(total)


def _costs(chip: Chip, op: Operation) -> list[tuple[str, float]]:
    """Return the joules that each part spends on one unit of an operation, where it spends any."""
    costs = [(part, times * chip.components[part].actions[action].energy.value) for part, action, times in op.actions]
    return [(part, joules) for part, joules in costs if joules]
