"""What `run` keeps in result.json."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from archsim.report.html.formats.base import Judged, Number, Part, Range


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
    tiers: dict[str, str]
    warnings: list[str]
    chips: dict[str, Any] | None = None
    buffers: list[dict[str, Any]] = Field(default_factory=list)
