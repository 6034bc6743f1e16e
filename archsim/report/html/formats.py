"""What a report reads of the files that `--out` writes: the same data, checked, with null for what JSON cannot hold.

Keys that are not named here are left alone, so that a file may say more than a report shows.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from archsim.config import Model


def _or(missing: float) -> BeforeValidator:
    return BeforeValidator(lambda value: missing if value is None else value)


Number = Annotated[float, _or(math.nan)]


class Part(Model):
    """A part of a file, of which other keys are ignored."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=True)


class Range(Part):
    """A figure with the ends of its range or interval; NaN where it is unknown, infinite where an end is."""

    value: Number
    low: Annotated[float, _or(-math.inf)]
    high: Annotated[float, _or(math.inf)]
    method: str = ""


class Energy(Range):
    """Joules an image."""

    on_chip: Range
    leakage: float
    by_part: dict[str, Range]
    by_layer: dict[str, Range]
    by_action: dict[str, Range]


class Area(Range):
    """Square metres."""

    by_part: dict[str, Range]


class Memory(Part):
    """Bits in use."""

    total: int
    weight_cells: int
    weights: int
    parameters: int
    parameters_by_kind: dict[str, int]
    buffers: dict[str, int]
    accumulators: int
    random_units: int


class Endurance(Part):
    """Writes an image, and what a cell stands."""

    weight_writes: float
    random_writes: float
    cycles: float | None
    lifetime_images: float | None


class Bottleneck(Part):
    """The busiest station."""

    station: str
    utilisation: float


class Station(Part):
    """A resource that serves one use after the other."""

    name: str
    group: str
    busy_s: float
    queued_s: float
    utilisation: float


class Stall(Part):
    """How long a process waited for what."""

    process: str
    cause: str
    waited_s: float


class Layer(Part):
    """A layer on crossbars."""

    name: str
    kind: str
    rows: int
    columns: int
    input_bits: int
    weight_bits: int
    crossbars: int
    replicas: int
    copies: int
    tiles: str
    array_s_per_pass: float
    utilisation: float
    driven_rows: float
    random_bits_per_pass: float
    energy_j_per_image: float


class Step(Part):
    """A part of the latency of one pass."""

    layer: str
    operation: str
    seconds: float


class Check(Part):
    """A figure of merit beside its band."""

    name: str
    unit: str
    value: Number
    low: float
    high: float
    basis: str
    plausible: bool


class Imperfection(Range):
    """An effect that is on."""

    path: str
    unit: str
    drawn: str
    grade: str


FIGURES = (
    "accuracy", "nll", "brier", "ece", "adaptive_ece", "entropy", "expected_entropy", "mutual_information",
    "confidence", "rmse", "crps", "coverage_50", "coverage_90", "deviation", "model_deviation",
)  # fmt: skip


class Judged(Part):
    """Something whose figures of quality stand among its other keys; here they are together."""

    figures: dict[str, Range] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {**data, "figures": {name: data[name] for name in FIGURES if isinstance(data.get(name), dict)}}


class ResultFile(Judged):
    """What `run` keeps; see `archsim.Result`. `chips`: the spread over sampled chips, where there were several."""

    SCHEMA: ClassVar[str] = "archsim/result@1"
    arch: str
    workload: str
    seed: int
    config_hash: str
    images: int
    passes: int
    schedule: str
    grain: str
    latency_s_per_image: float
    first_pass_s: float
    pass_interval_s: float
    image_interval_s: float
    total_s: float
    programming_s: float
    throughput_images_per_s: float
    energy_j_per_image: Energy
    power_w: float
    area_m2: Area
    memory_bits: Memory
    endurance: Endurance
    bottleneck: Bottleneck
    stations: list[Station]
    stalls: list[Stall]
    layers: list[Layer]
    critical_path: list[Step]
    plausibility: list[Check]
    events: int
    simulated_passes: int
    skipped_passes: int
    chip_sample: int
    imperfections: list[Imperfection]
    warnings: list[str]
    chips: dict[str, Any] | None = None


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
    task: str
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
    platforms: list[PlatformRow]
    ratios: list[Ratio]


class ComparisonFile(Part):
    """What `compare` keeps."""

    SCHEMA: ClassVar[str] = "archsim/comparison@1"
    chip: ResultFile
    uncertainty: UncertaintyFile | None
    comparison: Compared


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
