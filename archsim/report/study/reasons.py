"""Why points failed: the same reason with other numbers and names is one reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame

_PARTICULAR = re.compile(r"'[^']*'|(?<![\w.])[-+]?\d[\d.]*(?:e[-+]?\d+)?")
_PLACE = re.compile(r"\S*/(?=[^/\s]+)")


@dataclass(frozen=True)
class Reason:
    """A reason: its first message, without folders; how often it came, with any numbers and names; the first point."""

    text: str
    count: int
    first: int


def reasons(failed: DataFrame) -> list[Reason]:
    """Group the points that failed by what is wrong; the commonest come first. `failed`: with a column `error`."""
    found: dict[str, list[tuple[int, str]]] = {}
    for point, error in zip(failed.index.tolist(), failed["error"], strict=True):
        text = _PLACE.sub("", error.splitlines()[0] if error else "no reason given")
        found.setdefault(_PARTICULAR.sub("#", text), []).append((point, text))
    groups = [Reason(first[0][1], len(first), first[0][0]) for first in found.values()]
    return sorted(groups, key=lambda r: -r.count)
