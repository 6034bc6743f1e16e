"""The published claims, as data."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from archsim.config import Document, Model, load
from archsim.hardware.component import GRADES

FILE = Path(__file__).with_name("published.yaml")
Bound = Literal["equal", "at_least", "up_to"]
GRADE = Field(pattern="^(" + "|".join(GRADES) + ")$")


class Baseline(Model):
    """What a published ratio is taken of: one number of a rival."""

    value: float = Field(gt=0)
    unit: str
    grade: str = GRADE
    source: str


class Claim(Model):
    """One claim of a paper: what it says, how well that is known, and what it takes to compare with it.

    `bound`: "equal" (archsim's interval should hold the value), "at_least" (archsim should reach it), "up_to" (the best
    that the paper saw in some condition). `hinges_on`: the assumption without which the comparison means nothing.
    """

    paper: str
    statement: str
    value: float
    unit: str
    bound: Bound
    grade: str = GRADE
    source: str
    compared_with: str
    baseline: Baseline | None = None
    hinges_on: str

    @property
    def verified(self) -> bool:
        """Whether the published value was seen in a source."""
        return self.grade == "READ"


class Published(Document):
    """All claims, by key."""

    SCHEMA: ClassVar[str] = "archsim/claims@1"

    claims: dict[str, Claim]


def published_claims() -> dict[str, Claim]:
    """Return the claims that ship with archsim, in the order of the table."""
    return load(Published, FILE).claims
