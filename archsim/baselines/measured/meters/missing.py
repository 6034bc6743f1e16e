"""No meter, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Missing:
    """That a device's energy cannot be measured; `reason` is a clause that says why."""

    reason: str
