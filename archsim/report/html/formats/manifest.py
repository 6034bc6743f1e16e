"""What all commands keep in manifest.json."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from archsim.report.html.formats.base import Part, Range


class Assumption(Range):
    """A number that a chip was built from."""

    path: str
    unit: str
    grade: str
    sources: list[str]
    note: str


class Manifest(Part):
    """What made a result."""

    command: list[str]
    date: str
    seed: int
    config_hash: str
    config: dict[str, Any]
    versions: dict[str, str]
    platform: dict[str, str]
    figures: list[Assumption] = Field(default_factory=list)
    citations: dict[str, str] = Field(default_factory=dict)
