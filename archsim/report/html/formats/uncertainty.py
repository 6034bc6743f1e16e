"""What `evaluate` keeps in result.json."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from archsim.report.html.formats.base import Judged, Part, Range


class Detected(Part):
    """How well a score tells unknown images from known ones."""

    auroc: Range
    aupr_out: Range
    aupr_in: Range
    fpr95: Range
    detected: Range
    false_alarms: Range


class SetOfImages(Judged):
    """What one set of images shows."""

    set: str
    severity: float | None
    images: int
    flagged_by_percentile_rule: Range | None
    detection: dict[str, Detected]


class Effort(Part):
    """What an image costs on average with so many passes."""

    passes: float
    latency_s_per_image: float
    energy_j_per_image: Range


class Difference(Effort):
    """The adaptive answers less those of fixed passes, and what those cost."""

    accuracy: Range
    nll: Range


class Rule(Effort):
    """A stopping rule."""

    rule: str
    mean_passes: Range
    accuracy: Range
    nll: Range
    minus_all_passes: Difference
    minus_fixed_passes: Difference
    worse_than_all_passes: bool
    fewest_passes_not_worse: Effort


class Curve(Part):
    """Risk against coverage for one score."""

    aurc: Range
    risk_at_coverage: dict[str, Range]


class PercentileRule(Part):
    """The papers' rule for what is unknown."""

    level: float
    threshold: float
    grade: str


class UncertaintyFile(Part):
    """What `evaluate` keeps; see `archsim.uncertainty.Uncertainty`."""

    SCHEMA: ClassVar[str] = "archsim/uncertainty@1"
    arch: str
    workload: str
    task: Literal["classification", "regression"]
    seed: int
    config_hash: str
    images: int
    passes: int
    chips: int
    intervals: str
    percentile_rule: PercentileRule
    target_noise_std: float | None
    test: SetOfImages
    ood: list[SetOfImages]
    rotation_degrees: list[SetOfImages]
    corruptions: list[SetOfImages]
    risk_coverage: dict[str, Curve]
    adaptive: list[Rule]
    warnings: list[str]
    per_chip: list[list[SetOfImages]] = Field(default_factory=list)
