"""The one book: counts of priced operations, busy and waiting time of stations, stalls by cause. Ledgers add."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Row = list[int]
Once = Literal["pass", "image", "run"]


@dataclass(frozen=True)
class Operation:
    """Something that costs energy: for each unit of it, how often each (component, action) happens.

    `layer` says where the books show it; `unit` is what is counted (position, bit, class, ...). `once`: whether every
    pass asks for it, every image or the run; each may use a station for it several times.
    """

    index: int
    name: str
    layer: str
    unit: str
    actions: tuple[tuple[str, str, float], ...]
    once: Once = "pass"

    def __post_init__(self) -> None:
        if not self.actions:
            raise ValueError(f"operation '{self.name}' of '{self.layer}' has no priced action")


@dataclass
class Ledger:
    """What a run did. Everything is an integer, so that ledgers add and scale exactly.

    `operations`: by operation, [uses, units]. `stations`: by station, [uses, busy ps, ps that users queued].
    `stalls`: by process, [ps waited for each of `CAUSES`].
    """

    operations: list[Row] = field(default_factory=list)
    stations: list[Row] = field(default_factory=list)
    stalls: list[Row] = field(default_factory=list)

    def copy(self) -> Ledger:
        """Return an independent copy."""
        return Ledger(*([row[:] for row in table] for table in self._tables()))

    def add(self, other: Ledger, times: int = 1) -> None:
        """Add another ledger of the same machine, `times` over."""
        for mine, theirs in zip(self._tables(), other._tables(), strict=True):
            for row, more in zip(mine, theirs, strict=True):
                for i, value in enumerate(more):
                    row[i] += times * value

    def since(self, earlier: Ledger) -> Ledger:
        """Return what happened after an earlier copy of this ledger."""
        difference = self.copy()
        difference.add(earlier, -1)
        return difference

    def _tables(self) -> tuple[list[Row], list[Row], list[Row]]:
        return self.operations, self.stations, self.stalls
