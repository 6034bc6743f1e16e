"""What others measured on GPUs, as data: which network ran how, how long it took, and how that is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

import archsim
from archsim.baselines.device import Measured, Precision
from archsim.baselines.network import Kernel, kernels
from archsim.baselines.platform import Boundary
from archsim.baselines.reference_networks import NETWORKS
from archsim.config import Document, Energy, Model, Power, Time, load
from archsim.errors import ConfigError, nearest
from archsim.hardware.entry import Entry, Grade
from archsim.workload.tracefile import load_trace

FOLDER = Path("arch_configs/gpu/published")
Part = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class Run(Model):
    """One measurement: either the mean time of a call, or the images a second of a long run."""

    scenario: str
    network: str | None = Field(None, description="[the file's] a reference network, or a trace file beside this one")
    batch: int = Field(ge=1, description="images of a call")
    passes: int = Field(1, ge=1, description="folded into the batch")
    latency: Time | None = Field(None, description="mean of a call")
    p90: Time | None = None
    rate: Positive | None = Field(None, description="images a second, all chips together")
    grade: Grade = Field("READ", description="of latency and rate")
    gpu_share: Part = Field(1.0, description="part of the rate that the GPU reaches alone, where other engines help")
    clock: Positive | None = Field(None, description="[the mode's] of the GPU, relative to its standard mode")
    memory_clock: Positive | None = Field(None, description="[the mode's]")
    power: Power | None = Field(None, description="mean while it runs, all chips together")
    energy: Energy | None = Field(None, description="of an image, idle power included")

    @model_validator(mode="after")
    def _is_one_measurement(self) -> Run:
        if (self.latency is None) == (self.rate is None):
            raise ValueError("give either latency or rate")
        return self


class System(Model):
    """A machine in one state: its runs, the boundary of their powers, and which device and mode they are about.

    `calibrates`: what of the device's file is fitted to these runs; the others of its runs are predictions.
    """

    title: str
    device: str
    power_mode: str | None = Field(None, description="[the standard one]")
    calibrates: tuple[Measured, ...] = ()
    source: str
    log: str = Field(description="where in the source")
    chips: int = Field(1, ge=1, description="alike, sharing the work")
    boundary: Boundary | None = None
    idle: Entry | None = Field(None, description="power while nothing runs, all chips together")
    runs: tuple[Run, ...] = Field(min_length=1)
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_a_boundary(self) -> System:
        measured = self.idle is not None or any(run.energy is not None for run in self.runs)
        if measured and self.boundary is None:
            raise ValueError("energies need a boundary")
        if "energy" in self.calibrates and sum(run.energy is not None for run in self.runs) < 2:
            raise ValueError("calibrates: energy needs two runs with an energy")
        return self


class Measurements(Document):
    """A file of measurements with one software and precision."""

    SCHEMA: ClassVar[str] = "archsim/measurements@1"

    description: str
    network: str
    precision: Precision
    software: str
    fused: bool = Field(
        True, description="as the modelled engines; else floor and powers are fitted to the file itself"
    )
    sources: dict[str, str]
    systems: dict[str, System]

    @model_validator(mode="after")
    def _cites_known_sources(self) -> Measurements:
        cited = {
            (key, name) for key, s in self.systems.items() for name in (s.source, *(s.idle.source if s.idle else ()))
        }
        unknown = [
            f"systems.{key}: unknown source '{name}'{nearest(name, self.sources)}"
            for key, name in sorted(cited)
            if name not in self.sources
        ]
        if unknown:
            raise ValueError("; ".join(unknown))
        return self


@dataclass(frozen=True)
class Case:
    """One run with what it runs."""

    key: str
    system: System
    run: Run
    precision: Precision
    network: str
    launches: tuple[Kernel, ...]
    fused: bool

    @property
    def seconds(self) -> float:
        """Time of a call on one GPU, or as long as its images take the GPU alone in a long run."""
        if self.run.latency is not None:
            return self.run.latency
        return self.run.batch * self.seconds_an_image / self.run.gpu_share

    @property
    def seconds_an_image(self) -> float:
        """Time from image to image of one chip, with all its engines."""
        if self.run.rate is not None:
            return self.system.chips / self.run.rate
        assert self.run.latency is not None  # a run has one of them
        return self.run.latency / self.run.batch

    @property
    def energy_j(self) -> float:
        """Energy of an image, idle power included; only of runs that have one."""
        assert self.run.energy is not None
        return self.run.energy

    @property
    def operations(self) -> int:
        """Arithmetic operations of an image, with all its passes."""
        return self.run.passes * sum(kernel.operations for kernel in self.launches)


def measurement_files() -> list[Path]:
    """Return the files of measurements here and beside archsim; one here hides one of the same name."""
    shipped = Path(archsim.__file__).resolve().parents[1] / FOLDER
    return list({file.name: file for folder in (shipped, FOLDER) for file in sorted(folder.glob("*.yaml"))}.values())


def load_measurements(path: Path | str) -> Measurements:
    """Return the measurements in a YAML file; ConfigError with all that is wrong with it."""
    return load(Measurements, path)


def cases(path: Path | str) -> Iterator[tuple[str, list[Case]]]:
    """Yield the runs of each system of a file, by its key; errors as for `load_measurements`, and of its networks."""
    file = load_measurements(path)
    names = {run.network or file.network for system in file.systems.values() for run in system.runs}
    launches = {name: _launches(name, Path(path)) for name in sorted(names)}
    for key, system in file.systems.items():
        yield key, [_case(key, system, run, file, launches) for run in system.runs]


def _case(key: str, system: System, run: Run, file: Measurements, launches: Mapping[str, tuple[Kernel, ...]]) -> Case:
    network = run.network or file.network
    return Case(key, system, run, file.precision, network, launches[network], file.fused)


def _launches(name: str, beside: Path) -> tuple[Kernel, ...]:
    """Return a reference network's launches, or those of the network in a trace file."""
    if name in NETWORKS:
        return NETWORKS[name]()
    place = beside.parent / name
    if not place.is_file():
        raise ConfigError(f"{beside}: network: no reference network or trace file '{name}'{nearest(name, NETWORKS)}")
    return kernels(load_trace(place))
