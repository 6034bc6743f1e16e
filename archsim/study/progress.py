"""How far a campaign is: told to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Standing:
    """Points of a study by now: of how many, `done` with `failed` among them, and `running` in any process.

    `functions`: functional passes computed; `shared`: points that use them. `workers`: that compute for this process.
    """

    points: int
    done: int
    failed: int
    running: int
    functions: int
    shared: int
    workers: int

    @property
    def left(self) -> int:
        """Points without an outcome."""
        return self.points - self.done


Progress: TypeAlias = Callable[[Standing], None]


def unseen(_: Standing) -> None:
    """Show nothing."""
