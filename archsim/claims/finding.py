"""What archsim found about a claim, and whether the published value agrees with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from archsim.claims.published import Claim
from archsim.metrics.intervals import Estimate


@dataclass(frozen=True)
class Finding:
    """archsim's value, and why it is what it is.

    `condition`: under which the value was found, such as the best of several sets. `why`: what explains the distance to
    the published value, from this run's own numbers.
    """

    value: Estimate
    condition: str = ""
    why: str = ""


@dataclass(frozen=True)
class Row:
    """One line of the table. `finding` is None where its data or network are not here, as `missing` says."""

    key: str
    claim: Claim
    finding: Finding | None
    missing: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the published value agrees with archsim's interval, None where nothing was found."""
        return None if self.finding is None else agrees(self.claim, self.finding.value)

    @property
    def factor(self) -> float | None:
        """archsim's value over the published one."""
        if self.finding is None or self.claim.value == 0:
            return None
        return self.finding.value.value / self.claim.value

    @property
    def verdict(self) -> str:
        """The outcome in a word or two."""
        if self.finding is None:
            return "not run"
        outcome = "agrees" if self.holds else "differs"
        return outcome if self.claim.verified else f"{outcome} (unverified)"


def by_ends(part: Callable[[str], float], method: str) -> Estimate:
    """Return an estimate made end by end; `part` is asked for "value", "low" and "high"."""
    return Estimate(part("value"), part("low"), part("high"), method)


def agrees(claim: Claim, value: Estimate) -> bool:
    """Return whether a claim is met: its value lies in the interval, or the interval reaches it."""
    if claim.bound == "equal":
        return claim.value in value
    return value.high >= claim.value
