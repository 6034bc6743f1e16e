"""All points of a network on a device, one after the other; each is handed on as soon as it is there."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from archsim.baselines.measured import machine
from archsim.baselines.measured.device import Device, Software
from archsim.baselines.measured.energy import Energy, Idle, energy, idle, window
from archsim.baselines.measured.failures import RefusedError, chain, first_line, is_lost, is_out_of_memory
from archsim.baselines.measured.latency import Latency, latency, warm_up
from archsim.baselines.measured.meters import Meter, Missing
from archsim.baselines.measured.modes import Answer, Call, programmed
from archsim.baselines.measured.offers import Offers
from archsim.baselines.measured.protocol import Clock, Protocol
from archsim.baselines.measured.software import KINDS, check_chance, run_by
from archsim.baselines.platform import Mode, OperatingPoint, Platform, Source
from archsim.errors import ArchsimError, DeviceError, DeviceLostError
from archsim.nn.stochastic import always_on

Progress = Callable[[str, int, int], None]
PROCESSOR_MODES: tuple[Mode, ...] = ("sequential", "folded", "shared_prefix")
COPIES = 50  # of the images to the device, for the time that takes


class Setup(NamedTuple):
    """One way to run a network: an `OperatingPoint` of a measured platform has these four."""

    passes: int
    batch: int
    mode: Mode
    software: str


@dataclass(frozen=True)
class Network:
    """A network to measure: deployed, with the shape of its inputs and what makes an answer of its scores."""

    name: str
    model: nn.Module
    shape: tuple[int, ...]
    answer: Answer
    offers: Offers
    signature: str | None


@dataclass(frozen=True)
class Job:
    """One measurement. With one pass all modes are the same program: then `modes` are several."""

    passes: int
    batch: int
    modes: tuple[Mode, ...]
    software: Software

    def __str__(self) -> str:
        return f"{self.modes[0]} in {self.software.name}, {self.passes} passes, batch {self.batch}"


class Campaign:
    """Measures a network on a device, setup by setup."""

    def __init__(self, network: Network, device: Device, protocol: Protocol, clock: Clock) -> None:
        self.network, self.device, self.protocol, self.clock = network, device, protocol, clock
        self.model = network.model
        self.points: list[OperatingPoint] = []
        self.notes = [f"{mode}: not possible: {why}" for mode, why in network.offers.refused.items()]
        self.meter: Meter | None = None
        self.no_energy: str | None = None
        self.rest: Idle | None = None
        self.about = about(device, protocol)

    def run(
        self,
        jobs: Sequence[Job],
        on_point: Callable[[OperatingPoint], None] | None,
        progress: Progress | None,
        on_start: Callable[[Platform], None] | None = None,
    ) -> Platform:
        """Do all jobs and return what they found.

        Raises `DeviceLostError` when the device stops to answer, `DeviceError` when the network cannot run on it.
        """
        try:
            self.model = self.model.to(self.device.where)
            with ExitStack() as stack:
                stack.enter_context(torch.inference_mode())
                self._open_meter(stack)
                if jobs:
                    self._watch_load()
                if on_start:
                    on_start(self.platform())
                for done, job in enumerate(jobs):
                    if progress:
                        progress(f"{self.device.name}, T={job.passes}, {job.software.name}", done, len(jobs))
                    for point in self._points(job):
                        self.points.append(point)
                        if on_point:
                            on_point(point)
                if progress:
                    progress(self.device.name, len(jobs), len(jobs))
        except ArchsimError:
            raise
        except Exception as error:  # of torch or of NVML, perhaps while something is put back on a dead device
            if not any(is_lost(e) for e in chain(error)):
                raise
            raise DeviceLostError(
                f"{self.device.name} was lost after {len(self.points)} points, which are kept: {first_line(error)}",
                len(self.points),
            ) from error
        return self.platform()

    def _watch_load(self) -> None:
        """Note that other programs are at work, which makes times too long."""
        busy, cores = self.about["state"]["load"], machine.cores()
        if busy is not None and busy > cores:
            self.notes.append(f"other programs ran beside it (load {busy:g} on {cores} cores): times may be too long")

    def platform(self) -> Platform:
        """Return what has been measured so far."""
        return Platform(
            name=f"measured:{self.device.name}",
            origin="measured",
            device=self.device.title,
            network=self.network.name,
            signature=self.network.signature,
            points=tuple(self.points),
            boundary=None if self.meter is None else self.meter.boundary,
            no_energy=self.no_energy,
            sources=(Source(f"measured on this machine, protocol '{self.protocol.name}'", "RERUN"),),
            about={**self.about, "meter": None if self.meter is None else self.meter.name},
            notes=tuple(dict.fromkeys(self.notes)),
        )

    def _open_meter(self, stack: ExitStack) -> None:
        """Find the meter and measure idle power, with the device open and nothing running."""
        found = self.device.meter(self.clock.now)
        if isinstance(found, Missing):
            self.no_energy = f"energy cannot be measured: {found.reason}"
            return
        meter = stack.enter_context(found)
        self.device.synchronise()
        try:
            self.rest = idle(meter, self.protocol, self.clock)
        except RefusedError as error:
            self.no_energy = f"energy cannot be measured: {error}"
            return
        self.meter = meter
        self.notes += meter.notes

    def _points(self, job: Job) -> Iterator[OperatingPoint]:
        """Yield the point of a job, once for each of its modes; none where it is not possible, which is noted."""
        with ExitStack() as stack:
            stack.enter_context(self.device.settings(job.software.threads))
            if self.network.offers.switched:
                stack.enter_context(always_on())
            try:
                point = self._point(job)
            except RefusedError as error:
                self.notes.append(f"{job.software.name}, {job.modes[0]}: not possible: {error}")
                return
            except (RuntimeError, OSError) as error:  # of torch, of a meter
                if is_lost(error):
                    raise
                if not is_out_of_memory(error):
                    raise DeviceError(f"{self.device.name}: {job} failed: {first_line(error)}") from error
                self.notes.append(f"{job}: out of memory")
                return
        for mode in job.modes:
            yield replace(point, mode=mode)

    def _point(self, job: Job) -> OperatingPoint:
        images = self._images(job.batch)
        started = self.clock.now()
        cut = self.network.offers.cut if job.modes[0] == "shared_prefix" else None
        with (
            programmed(self.model, job.modes[0], job.batch, job.passes, self.network.answer, cut) as program,
            run_by(job.software.kind, program, images) as query,
        ):
            if self.network.offers.stochastic and job.software.kind != "eager":
                check_chance(query, program.whole(program.unit), images)
            return self._timed(job, query, images, self.clock.now() - started)

    def _timed(self, job: Job, query: Call, images: Tensor, preparing: float) -> OperatingPoint:
        """Measure what answers these images, and took so many seconds to be made."""

        def step() -> object:
            return query(images)

        rules = (self.device.synchronise, self.protocol, self.clock)
        warm_up(step, *rules)
        time = latency(step, *rules)
        terms = {"queries": float(time.queries)}
        if job.software.kind != "eager":
            terms["prepare_s"] = preparing
        if self.device.overlaps:
            terms["h2d_s"] = self._loading(images).percentiles["p50"]
        point = OperatingPoint(
            passes=job.passes,
            batch=job.batch,
            mode=job.modes[0],
            software=job.software.name,
            precision=self.device.precision,
            power_mode=self.about["machine"].get("power_mode"),
            latency_s=time.mean,
            percentiles=time.percentiles,
            terms=terms,
        )
        if self.meter is None or self.rest is None:
            return replace(point, interval_s=self._interval(step, job.batch))
        warmth = self.meter.temperature_c()
        spent = energy(step, self.device.synchronise, job.batch, self.meter, self.rest, self.protocol, self.clock)
        if warmth is not None and (after := self.meter.temperature_c()) is not None:
            terms |= {"temperature_before_c": warmth, "temperature_after_c": after}
        return _with_energy(replace(point, terms=terms), spent, self.rest)

    def _interval(self, step: Callable[[], object], images: int) -> float | None:
        """Return the seconds between images where calls do not wait for each other; None where they do."""
        if not self.device.overlaps:
            return None
        calls, seconds = window(step, self.device.synchronise, self.protocol.window_s, self.clock)
        return seconds / (calls * images)

    def _loading(self, images: Tensor) -> Latency:
        """Time the way of images from the host's memory to the device."""
        host = images.cpu().pin_memory() if images.is_cuda else images.clone()
        held = torch.empty_like(images)
        rules = replace(self.protocol, queries=COPIES)
        return latency(lambda: held.copy_(host, non_blocking=True), self.device.synchronise, rules, self.clock)

    def _images(self, batch: int) -> Tensor:
        """Return random inputs in [0, 1) on the device: what they show does not change the time."""
        generator = torch.Generator().manual_seed(0)
        return torch.rand(batch, *self.network.shape, generator=generator).to(self.device.where)


def about(device: Device, protocol: Protocol) -> dict[str, Any]:
    """Return what a device is measured as: the machine, how it is now, the software, the protocol, the date."""
    lasting, passing = device.describe()
    return {
        "machine": lasting,
        "state": {**passing, "load": machine.load()},
        "software": machine.software(),
        "protocol": protocol.to_dict(),
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    }


def jobs_of(
    device: Device,
    offers: Offers,
    protocol: Protocol,
    passes: Sequence[int],
    batches: Sequence[int],
    modes: Collection[Mode] | None,
    software: Collection[str] | None,
    skip: Collection[tuple[int, int, Mode, str]],
) -> list[Job]:
    """Return what is to be measured: every combination that is wanted, possible, and not there yet."""
    kinds = software or [kind for kind in KINDS if protocol.compile or kind != "compile"]
    allowed = [mode for mode in PROCESSOR_MODES if mode not in offers.refused and (modes is None or mode in modes)]
    jobs = []
    for ran_by in device.software():
        if ran_by.kind not in kinds:
            continue
        for batch in batches:
            for count in passes:
                ways = [allowed] if count == 1 else [[mode] for mode in allowed]
                for way in ways:
                    left = [mode for mode in way if (count, batch, mode, ran_by.name) not in skip]
                    if left:
                        jobs.append(Job(count, batch, tuple(left), ran_by))
    return jobs


def _with_energy(point: OperatingPoint, spent: Energy, rest: Idle) -> OperatingPoint:
    terms = {**point.terms, "trials": float(spent.trials), "meter_period_s": rest.period_s}
    return replace(
        point,
        interval_s=spent.interval_s,
        energy_j=spent.total,
        dynamic_j=spent.dynamic,
        idle_w=rest.power,
        terms=terms,
    )
