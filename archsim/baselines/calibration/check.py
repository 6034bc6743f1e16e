"""How far the GPU model is from what was measured: with each device's own figures, and with those of its family.

A row is *fitted* where the figures of the device's file come from that very run, and *predicted* where they do not:
the call of eight images, another machine with the same GPU, another power mode. *Left out* means that nothing measured
on the device was used: its utilisation, floor and shares of power are the medians of the other devices of its family.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from archsim.baselines.calibration.fit import clock_of, fit_energy, fit_time, fitted_to, priced_from, reached
from archsim.baselines.calibration.measurements import Case
from archsim.baselines.device import Device
from archsim.baselines.devices import find_device
from archsim.baselines.model import operating_point, spend
from archsim.baselines.rates import Rates

Quantity = Literal["latency", "throughput", "energy"]
Role = Literal["fitted", "predicted", "left out"]


@dataclass(frozen=True)
class Row:
    """One published figure beside the model's: seconds a call, images a second of one GPU, or joules an image.

    `low`, `high`: the model's interval. `roofline`: what a roofline without floor and utilisation says. `boundaries`:
    of the published and of the modelled energy.
    """

    system: str
    device: str
    family: str
    title: str
    network: str
    scenario: str
    quantity: Quantity
    role: Role
    published: float
    modelled: float
    low: float
    high: float
    roofline: float | None = None
    boundaries: tuple[str, str] | None = None

    @property
    def error(self) -> float:
        """The model's relative to the published one, less one."""
        return self.modelled / self.published - 1

    @property
    def covered(self) -> bool:
        """Whether the published figure lies in the model's interval."""
        return self.low <= self.published <= self.high

    @property
    def comparable(self) -> bool:
        """Whether both mean the same: energies of different boundaries do not."""
        return self.boundaries is None or self.boundaries[0] == self.boundaries[1]


@dataclass(frozen=True)
class Summary:
    """Errors of some rows: the mean of their sizes, the largest factor up or down, and how many intervals hold."""

    rows: int
    mape: float
    worst: float
    covered: float


@dataclass(frozen=True)
class Shares:
    """What one device contributes to its family: how its full power divides, and what it reaches."""

    device: str
    family: str
    utilisation: float | None
    floor: float | None
    idle: float | None = None
    active: float | None = None


def checked(systems: Iterable[Sequence[Case]]) -> Iterator[Row]:
    """Yield a row for each published time, rate and energy, modelled with the figures of the device's own file."""
    for cases in systems:
        device = find_device(cases[0].system.device)
        own = None if cases[0].fused else _as_launched(device, cases)
        for case in cases:
            yield from _rows(device, case, own or reached(device, case), _roles(cases, case))


def left_out(systems: Sequence[Sequence[Case]]) -> Iterator[Row]:
    """Yield the rows of each device as its family's others predict it; a family of one device has none."""
    shares = family_shares(systems)
    for cases in systems:
        device = find_device(cases[0].system.device)
        others = [s for s in shares if s.family == device.family and s.device != device.name]
        if cases[0].precision != "int8" or not others:
            continue
        for case in cases:
            yield from _rows(device, case, _from_others(device, case, others), ("left out", "left out"))


def family_shares(systems: Iterable[Sequence[Case]]) -> list[Shares]:
    """Return what was fitted to each device: in its standard mode, and of energies in any mode that can be so."""
    found = []
    for cases in systems:
        system, device = cases[0].system, find_device(cases[0].system.device)
        standard = device.mode(system.power_mode) == device.standard_mode
        used = floor = idle = active = None
        if "latency" in system.calibrates and standard:
            fit = fit_time(device, cases)
            used = fit.utilisation.value if fit.utilisation else None
            floor = fit.floor.value if fit.floor else None
        if "energy" in system.calibrates and device.boundary == system.boundary:
            idle, active = _power_shares(device, cases)
        if any(share is not None for share in (used, floor, idle)):
            found.append(Shares(device.name, device.family, used, floor, idle, active))
    return found


def summary(rows: Iterable[Row]) -> Summary | None:
    """Return the errors of the rows whose figures mean the same; None where there is none."""
    kept = [row for row in rows if row.comparable]
    if not kept:
        return None
    worst = max(max(row.modelled / row.published, row.published / row.modelled) for row in kept)
    mean, covered = (sum(sizes) / len(kept) for sizes in ([abs(r.error) for r in kept], [r.covered for r in kept]))
    return Summary(len(kept), mean, worst, covered)


def _rows(device: Device, case: Case, rates: Rates, roles: tuple[Role, Role]) -> Iterator[Row]:
    """Yield the time of a run, and its energy where it has one."""
    run, share = case.run, case.run.gpu_share
    spent = spend(rates, case.launches, run.passes, run.batch, "folded")
    point = operating_point(rates, spent, run.passes, run.batch, "folded", case.precision, case.system.power_mode)
    time = point.latency_s
    assert time is not None  # a prediction has one
    head = (case.key, device.name, device.family, case.system.title, case.network, run.scenario)
    bare = _roofline(device, case, rates)
    if run.rate is not None:
        images = run.batch
        ends = (images / time.value, images / time.high, images / time.low)
        yield Row(*head, "throughput", roles[0], images / case.seconds, *ends, roofline=images / bare)
    else:
        yield Row(*head, "latency", roles[0], case.seconds, time.value, time.low, time.high, roofline=bare)
    if run.energy is not None and device.boundary is not None and case.system.boundary is not None:
        always = (rates.idle.value + rates.active) * time.value / run.batch
        # what is always drawn is shared with the images of the other engines
        energy = always * share + (rates.operation_j * spent.operations + rates.byte_j * spent.bytes) / run.batch
        ends = (energy, energy / rates.energy_band, energy * rates.energy_band)
        boundaries = (case.system.boundary, device.boundary)
        yield Row(*head, "energy", roles[1], run.energy, *ends, boundaries=boundaries)


def _as_launched(device: Device, cases: Sequence[Case]) -> Rates:
    """Return what a device reaches with software whose launches take longer: as fitted to these runs alone."""
    time, energy = fit_time(device, cases), fit_energy(device, cases)
    assert time.floor is not None  # one image was measured
    launched = replace(reached(device, cases[0]), floor=time.floor.value, most_w=float("inf"))
    if energy is None:
        return launched
    # what is always drawn is one figure here, whatever part of it is idle power
    return replace(launched, idle=energy.always, active=0.0, operation_j=energy.operation.value)


def _roles(cases: Sequence[Case], case: Case) -> tuple[Role, Role]:
    """Return whether time and energy of a run were used to fit the device's file."""
    calibrates, priced = case.system.calibrates, priced_from(cases)
    timed = (not case.fused or "latency" in calibrates) and case in fitted_to(cases)
    counted = (not case.fused or "energy" in calibrates) and priced is not None and case in priced
    return "fitted" if timed else "predicted", "fitted" if counted else "predicted"


def _roofline(device: Device, case: Case, rates: Rates) -> float:
    """Return the seconds of a call by operations over peak or bytes over bandwidth alone."""
    mode = device.modes[device.mode(case.system.power_mode)]
    units = mode.units.figure.value if mode.units else 1.0
    share = device.calibration.memory_share
    assert share is not None  # a device file has it
    ideal = replace(
        rates,
        floor=0.0,
        operations=device.peak[case.precision].figure.value * units * clock_of(device, case),
        bandwidth=rates.bandwidth / share.figure.value,
    )
    return spend(ideal, case.launches, case.run.passes, case.run.batch, "folded").seconds


def _power_shares(device: Device, cases: Sequence[Case]) -> tuple[float | None, float | None]:
    """Return idle and active power as shares of what the system draws in its largest batch."""
    fit = fit_energy(device, cases)
    if fit is None or fit.problem or fit.idle is None or fit.active is None:
        return None, None
    priced = priced_from(cases)
    assert priced is not None  # there is a fit
    full = priced[1].energy_j / priced[1].seconds_an_image
    return fit.idle.value / full, fit.active.value / full


def _from_others(device: Device, case: Case, others: Sequence[Shares]) -> Rates:
    """Return what a device would reach if nothing but its data sheet and its family were known."""
    own, clock = reached(device, case), clock_of(device, case)
    used = median(s.utilisation for s in others if s.utilisation is not None)
    floor = median(s.floor for s in others if s.floor is not None)
    operations = device.peak[case.precision].figure.value * clock * used
    limit = device.modes[device.standard_mode].limit.figure * clock
    idle, active = (
        _median([getattr(s, name) for s in others if getattr(s, name) is not None], device, name)
        for name in ("idle", "active")
    )
    bands = device.bands.default
    return replace(
        own,
        operations=operations,
        floor=floor / clock,
        idle=limit * idle,
        active=limit.value * active,
        operation_j=limit.value * (1 - idle - active) / operations,
        most_w=limit.value,
        floor_band=bands.floor.figure.value,
        work_band=bands.work.figure.value,
        energy_band=bands.energy.figure.value,
    )


def _median(values: Sequence[float], device: Device, name: str) -> float:
    """Return the median of the others' shares, or the family's own figure where no other was measured."""
    if values:
        return median(values)
    entry = getattr(device.calibration, f"{name}_share")
    return float(entry.figure.value)
