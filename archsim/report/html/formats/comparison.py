"""What `compare` keeps in result.json."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from archsim.report.html.formats.base import Part, Range
from archsim.report.html.formats.result import ResultFile
from archsim.report.html.formats.uncertainty import UncertaintyFile


class Point(Part):
    """One way to run a network on a platform; energies are joules an image."""

    passes: int | None
    batch: int
    mode: str | None
    software: str
    precision: str
    power_mode: str | None
    latency_s: Range | None
    images_per_s: float | None
    energy_j: Range | None
    idle_w: Range | None
    energy_at_rate_j: Range | None
    percentiles: dict[str, float]


class Cited(Part):
    """Where something is known from."""

    text: str
    grade: str


class PlatformRow(Part):
    """A network on a platform."""

    name: str
    origin: str
    device: str
    network: str
    same_network: bool
    boundary: str | None
    no_energy: str | None
    notes: list[str]
    sources: list[Cited]
    about: dict[str, Any]
    points: list[Point]
    headline: dict[str, int | None]


class Ratio(Range):
    """Another platform's figure by the chip's; where it is `refused`, why, and no value."""

    platform: str
    what: str
    role: str
    point: int | None
    refused: str | None
    boundaries: list[str | None]


class Compared(Part):
    """The platforms, the chip first, and what one gains over the others."""

    passes: int
    rate: float | None
    allowed: list[str]
    software: dict[str, Range] | None
    software_missing: str | None = None
    lost: list[str] = Field(default_factory=list)
    platforms: list[PlatformRow] = Field(min_length=1)
    ratios: list[Ratio]

    @model_validator(mode="after")
    def _refers_to_what_is_there(self) -> Self:
        """Refuse an index of a point that a platform does not have."""
        sizes = {p.name: len(p.points) for p in self.platforms}
        named = [(r.platform, r.point) for r in self.ratios]
        named += [(p.name, index) for p in self.platforms for index in p.headline.values()]
        for platform, index in named:
            if index is not None and not 0 <= index < sizes.get(platform, 0):
                raise ValueError(f"'{platform}' has no point {index}")
        return self


class ComparisonFile(Part):
    """What `compare` keeps."""

    SCHEMA: ClassVar[str] = "archsim/comparison@1"
    chip: ResultFile
    uncertainty: UncertaintyFile | None
    comparison: Compared
