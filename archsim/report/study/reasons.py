"""Why points failed: the same reason with other numbers and names is one reason."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_PARTICULAR = re.compile(r"'[^']*'|(?<![\w.])[-+]?\d[\d.]*(?:e[-+]?\d+)?")
_PLACE = re.compile(r"\S*/(?=[^/\s]+)")


@dataclass(frozen=True)
class Reason:
    """A reason: its first message, without folders; how often it came, with any numbers and names; the first point."""

    text: str
    count: int
    first: int


def reasons(errors: Iterable[tuple[int, str]]) -> list[Reason]:
    """Group points that failed, each its number and its error, by what is wrong; the commonest come first."""
    found: dict[str, list[tuple[int, str]]] = {}
    for point, error in errors:
        text = _PLACE.sub("", error.splitlines()[0] if error else "no reason given")
        found.setdefault(_PARTICULAR.sub("#", text), []).append((point, text))
    groups = [Reason(first[0][1], len(first), first[0][0]) for first in found.values()]
    return sorted(groups, key=lambda r: -r.count)
