"""How much a design's quality differs from chip to chip."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from archsim.metrics.quality import Quality
from archsim.metrics.regression import RegressionQuality
from archsim.metrics.result import Result, finite

MORE_IS_BETTER = frozenset({"accuracy"})
WANTED = MappingProxyType({"coverage_50": 0.5, "coverage_90": 0.9})  # neither more nor less is better


@dataclass(frozen=True)
class Spread:
    """A figure over the chips of a batch.

    `deviation`: sample standard deviation, NaN for one chip. `worst`: the number of the worst chip; of figures that are
    neither good nor bad, of the largest.
    """

    mean: float
    deviation: float
    low: float
    high: float
    worst: int


@dataclass(frozen=True, eq=False)
class Batch:
    """The qualities of sampled chips of one design, in the order of their numbers, and the costs of the first."""

    result: Result
    qualities: tuple[Quality | RegressionQuality, ...]

    def __len__(self) -> int:
        return len(self.qualities)

    def values(self) -> dict[str, tuple[float, ...]]:
        """Return every figure of quality on each chip, by name."""
        rows = [dict(quality.estimates()) for quality in self.qualities]
        return {name: tuple(row[name].value for row in rows) for name in rows[0]}

    def spreads(self) -> Iterator[tuple[str, Spread]]:
        """Yield name and spread of every figure of quality."""
        for name, values in self.values().items():
            yield name, spread_of(name, values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON: the first chip's result, and under "chips" the spread over all of them."""
        values = self.values()
        chips = {name: {**asdict(spread), "values": list(values[name])} for name, spread in self.spreads()}
        return {**self.result.to_dict(), "chips": finite({"count": len(self), **chips})}


def spread_of(name: str, values: tuple[float, ...]) -> Spread:
    """Return the spread of one figure over chips."""
    array = np.array(values)
    badness = -array if name in MORE_IS_BETTER else np.abs(array - WANTED[name]) if name in WANTED else array
    worst = int(badness.argmax())
    deviation = float(array.std(ddof=1)) if len(values) > 1 else math.nan
    return Spread(float(array.mean()), deviation, float(array.min()), float(array.max()), worst)
