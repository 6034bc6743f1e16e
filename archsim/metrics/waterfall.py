"""What each kind of imperfection takes from a network's quality, switched on one after the other."""

from __future__ import annotations

from collections.abc import Mapping as Table
from dataclasses import asdict, dataclass
from typing import Any

from archsim.metrics.chips import Spread
from archsim.metrics.result import finite


@dataclass(frozen=True)
class Step:
    """One kind of imperfection, and the quality on sampled chips with it and all kinds before it.

    `added`: paths of the imperfections that it switches on.
    """

    name: str
    added: tuple[str, ...]
    quality: Table[str, Spread]


@dataclass(frozen=True)
class Waterfall:
    """A design from ideal to as it is made."""

    arch: str
    workload: str
    images: int
    passes: int
    seed: int
    chips: int
    steps: tuple[Step, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return dict(finite(asdict(self)))
