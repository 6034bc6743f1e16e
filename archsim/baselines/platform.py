"""A network on some platform: what an answer takes there, and how that is known. One type, wherever it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from archsim.metrics.intervals import Estimate

Origin = Literal["simulated", "measured", "modelled", "record", "published"]
Mode = Literal["sequential", "folded", "shared_prefix", "on_chip"]
Boundary = Literal["chip", "module", "board", "wall", "unstated"]

BOUNDARIES: Mapping[str, str] = {
    "chip": "the chip alone, or its package",
    "module": "the compute module: chip, memory, regulators",
    "board": "the board: as a module, and what else it carries",
    "wall": "the mains plug of the whole system, power supply and host included",
    "unstated": "the source does not say",
}
ON_CHIP: Mode = "on_chip"  # an image is loaded once, and the chip repeats the pass by itself; processors have `MODES`
MODES: Mapping[str, str] = {
    "sequential": "one call a pass, one after the other",
    "folded": "all passes in one call, as a larger batch",
    "shared_prefix": "as folded, with the layers before the first random number computed once",
}


@dataclass(frozen=True)
class OperatingPoint:
    """One way to run a network on a platform, and what it takes. All energies are joules an image, all passes included.

    `passes`, `mode`: None where a publication does not say. `batch`: images of a call. `software`: what runs it
    ("eager", "compile", "cuda_graph", "fused engine", ...). `latency_s`: from the call to the answers of all its
    images; `percentiles` of it by name ("p50"), where measured. `interval_s`: between images in a long run, where calls
    overlap; None: calls follow each other. `energy_j`: while busy, idle power included; `dynamic_j`: of it above idle.
    `idle_w`: power while nothing runs. `terms`: what the latency and the energy are made of, by name with unit
    ("launch_s"), where known.
    """

    passes: int | None
    batch: int
    mode: Mode | None
    software: str
    precision: str
    power_mode: str | None = None
    latency_s: Estimate | None = None
    interval_s: float | None = None
    energy_j: Estimate | None = None
    dynamic_j: Estimate | None = None
    idle_w: Estimate | None = None
    percentiles: Mapping[str, float] = field(default_factory=dict)
    terms: Mapping[str, float] = field(default_factory=dict)

    @property
    def seconds_per_image(self) -> float | None:
        """Time from image to image in a long run."""
        if self.interval_s is not None:
            return self.interval_s
        return None if self.latency_s is None else self.latency_s.value / self.batch

    def keeps_up(self, rate: float) -> bool:
        """Tell whether so many images a second can be answered."""
        seconds = self.seconds_per_image
        return seconds is not None and seconds * rate <= 1

    def energy_at(self, rate: float) -> Estimate | None:
        """Return joules an image where `rate` images come a second, and the platform idles between them.

        What is above idle, and idle power for the whole period: at the edge, waiting costs. None where the platform
        cannot keep up, or where its power is not known.
        """
        if self.dynamic_j is None or self.idle_w is None or not self.keeps_up(rate):
            return None
        idle = self.idle_w
        return Estimate(
            self.dynamic_j.value + idle.value / rate,
            self.dynamic_j.low + idle.low / rate,
            self.dynamic_j.high + idle.high / rate,
            f"{self.dynamic_j.method}; idle power over 1/{rate:g} s",
        )


@dataclass(frozen=True)
class Source:
    """Where something is known from, and how well (a grade of the component library)."""

    text: str
    grade: str


@dataclass(frozen=True)
class Platform:
    """A network on a platform, at one or more operating points.

    `name`: as a user asks for it ("modelled:jetson_agx_orin"). `device`: in words. `boundary`: of the energies; None
    where there is none, and `no_energy` says why. `network`: the name of what runs; `signature`: of its structure (see
    `archsim.baselines.network.signature`), None where it is another network that has none. `about`: machine, clocks,
    software, protocol, as plain data. `notes`: what a reader should not overlook.
    """

    name: str
    origin: Origin
    device: str
    network: str
    signature: str | None
    points: tuple[OperatingPoint, ...]
    boundary: Boundary | None = None
    no_energy: str | None = None
    sources: tuple[Source, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def at(
        self, *, passes: int | None = None, batch: int | None = None, mode: Mode | None = None
    ) -> list[OperatingPoint]:
        """Return the operating points with these properties."""
        wanted = {"passes": passes, "batch": batch, "mode": mode}
        return [p for p in self.points if all(v is None or getattr(p, k) == v for k, v in wanted.items())]

    def fastest(self, **which: Any) -> OperatingPoint | None:
        """Return the point of the least latency among those that `at` returns for `which`."""
        timed = [(p.latency_s.value, i, p) for i, p in enumerate(self.at(**which)) if p.latency_s is not None]
        return min(timed)[2] if timed else None

    def thriftiest(self, **which: Any) -> OperatingPoint | None:
        """Return the point of the least energy an image among those that `at` returns for `which`."""
        priced = [(p.energy_j.value, i, p) for i, p in enumerate(self.at(**which)) if p.energy_j is not None]
        return min(priced)[2] if priced else None

    def modes(self) -> Iterator[str]:
        """Yield the power modes, each once."""
        yield from dict.fromkeys(p.power_mode for p in self.points if p.power_mode is not None)
