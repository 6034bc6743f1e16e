"""How far a campaign is: told to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from archsim.study.counts import Counts


@dataclass(frozen=True)
class Standing:
    """How far a study is by now. `workers`: that compute for this process."""

    counts: Counts
    workers: int


Progress: TypeAlias = Callable[[Standing], None]


def unseen(_: Standing) -> None:
    """Show nothing."""
