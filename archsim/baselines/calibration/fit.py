"""What of the GPU model fits a measured system: utilisation and time floor, idle and active power, energy an operation.

Time has two unknowns, and two runs decide them: one image, which is mostly floor, and the largest batch, which is
mostly work. Energy has two beside the idle power, and the two runs with the least and the most operations a second
decide them. All other runs are left for checking. Nothing is weighted or tuned: as many equations as unknowns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

from archsim.baselines.calibration.measurements import Case
from archsim.baselines.device import Device
from archsim.baselines.model import Spent, spend
from archsim.baselines.rates import Rates, rates
from archsim.hardware.component import Figure
from archsim.hardware.entry import Entry

LEAST_USED = 1e-3  # of the peak; no measured device is below it
HALVINGS = 34  # of the interval: to ten digits


@dataclass(frozen=True)
class TimeFit:
    """What was fitted to the times; None where the runs do not say.

    `utilisation`: share of the peak at the clock of the mode. `floor`: seconds a kernel. Ranges: with the share of the
    memory bandwidth at the ends of its own range. `problem`: why there is no fit.
    """

    utilisation: Figure | None = None
    floor: Figure | None = None
    problem: str = ""


@dataclass(frozen=True)
class EnergyFit:
    """What was fitted to the energies, in watts and joules, at the boundary of the measurement.

    `idle` and `active` together are `always`; where idle power was not measured, only their sum is known. `problem`:
    why it cannot be so. Ranges: with idle power and the energy of memory at the ends of theirs.
    """

    always: Figure
    operation: Figure
    idle: Figure | None = None
    active: Figure | None = None
    problem: str = ""


def reached(device: Device, case: Case) -> Rates:
    """Return what the device's file says it reaches, at the clocks of the run."""
    name = device.mode(case.system.power_mode)
    mode, standing = device.modes[name], rates(device, name, case.precision)
    clock = _faster(case.run.clock, mode.clock)
    return replace(
        standing,
        operations=standing.operations * clock,
        floor=standing.floor / clock,
        bandwidth=standing.bandwidth * _faster(case.run.memory_clock, mode.memory_clock),
    )


def clock_of(device: Device, case: Case) -> float:
    """Return the clock of a run relative to the standard mode."""
    return case.run.clock or _value(device.modes[device.mode(case.system.power_mode)].clock)


def at_clock(fit: EnergyFit, ratio: float) -> EnergyFit:
    """Return what a fit says at another clock: powers follow the clock, the energy of an operation its square.

    As voltage follows the clock, and as the two modes of an AGX Orin that were measured differ (idle power within 13 %,
    active power and operations within 5 %): ASSUMED of other devices.
    """
    idle, active = (figure * ratio if figure else None for figure in (fit.idle, fit.active))
    return EnergyFit(fit.always * ratio, fit.operation * ratio**2, idle, active, fit.problem)


def fitted_to(cases: Sequence[Case]) -> tuple[Case | None, Case | None]:
    """Return the runs that floor and utilisation are fitted to: the call of least work, and the rate of most.

    None where no call was timed, or no long run.
    """

    def work(case: Case) -> int:
        return case.run.batch * case.operations

    calls = [case for case in cases if case.run.latency is not None]
    long = [case for case in cases if case.run.rate is not None]
    return min(calls, key=work, default=None), max(long, key=work, default=None)


def priced_from(cases: Sequence[Case]) -> tuple[Case, Case] | None:
    """Return the runs that energies are fitted to: the least and the most operations a second."""
    priced = sorted((c for c in cases if c.run.energy is not None), key=lambda c: c.operations / c.seconds_an_image)
    return (priced[0], priced[-1]) if len(priced) > 1 else None


def fit_time(device: Device, cases: Sequence[Case]) -> TimeFit:
    """Return utilisation and floor that reproduce one image and the largest batch of a system."""
    least, most = fitted_to(cases)
    share = device.calibration.memory_share
    assert share is not None  # a device file has it
    figure = share.figure
    found = [_solve(device, least, most, s / figure.value) for s in (figure.value, figure.low, figure.high)]
    if found[0] is None:
        return TimeFit(problem="the published rate is beyond what the memory bandwidth allows")
    solutions = [solution for solution in found if solution is not None]
    grade, source = "DERIVED", (cases[0].system.source,)
    used = Figure(*_spread([s[0] for s in solutions]), grade, source) if most else None
    floor = Figure(*_spread([s[1] for s in solutions]), grade, source) if least else None
    return TimeFit(used, floor)


def fit_energy(device: Device, cases: Sequence[Case]) -> EnergyFit | None:
    """Return the powers and the energy of an operation that reproduce two runs of a system; None where too few are."""
    pair = priced_from(cases)
    if pair is None:
        return None
    low, high = pair
    memory = device.memory.energy.figure
    solved = [_price(device, low, high, e / memory.value) for e in (memory.value, memory.low, memory.high)]
    grade, source = "DERIVED", (low.system.source,)
    always = Figure(*_spread([s[0] for s in solved]), grade, source)
    operation = Figure(*_spread([s[1] for s in solved]), grade, source)
    idle = low.system.idle.figure * (1 / low.system.chips) if low.system.idle else None
    active = None
    if idle is not None:
        # the narrower of the two: idle power and what is above it make up what was measured
        ends = [a - i for a, i in product((always.low, always.high), (idle.low, idle.high))]
        active = Figure(*_spread([always.value - idle.value, *ends]), grade, source)
    return EnergyFit(always, operation, idle, active, _unphysical(operation, active))


def _unphysical(operation: Figure, active: Figure | None) -> str:
    if operation.value <= 0:
        return f"not physical: {operation.value * 1e12:.2g} pJ an operation; the power hardly depends on the load"
    if active is not None and active.value < 0:
        return f"not physical: {active.value:.2g} W of active power"
    return ""


def _solve(device: Device, least: Case | None, most: Case | None, bandwidth: float) -> tuple[float, float] | None:
    """Return utilisation and floor, in the mode of the system; None where no utilisation up to 1 is fast enough."""
    known = least or most
    assert known is not None  # a system has runs
    mode = device.modes[device.mode(known.system.power_mode)]
    own = _value(mode.clock)

    def floor(used: float) -> float:
        if least is None:
            return rates(device, device.mode(known.system.power_mode), known.precision).floor
        seconds = least.seconds - _work(device, least, used, bandwidth).seconds
        return seconds / len(least.launches) * clock_of(device, least) / own

    def excess(used: float) -> float:
        assert most is not None
        launching = floor(used) * len(most.launches) * own / clock_of(device, most)
        return launching + _work(device, most, used, bandwidth).seconds - most.seconds

    if most is None:
        used = _value(device.calibration.utilisation[known.precision])
    elif excess(1.0) > 0:
        return None
    else:
        used = _falling_root(excess, LEAST_USED, 1.0)
    return used, floor(used)


def _work(device: Device, case: Case, used: float, bandwidth: float) -> Spent:
    """Return what a call takes beside its floors, at a utilisation, with the bandwidth scaled by a factor."""
    standing = reached(device, case)
    peak = device.peak[case.precision].figure.value * _value(device.modes[_mode(device, case)].units)
    spent = replace(
        standing,
        floor=0.0,
        operations=peak * clock_of(device, case) * used,
        bandwidth=standing.bandwidth * bandwidth,
    )
    return spend(spent, case.launches, case.run.passes, case.run.batch, "folded")


def _price(device: Device, low: Case, high: Case, memory: float) -> tuple[float, float]:
    """Return watts that are always drawn and joules an operation, from two runs; energies of memory times a factor."""
    rows = []
    for case in (low, high):
        used = _value(device.calibration.utilisation[case.precision])
        moved = _work(device, case, used, 1.0).bytes / case.run.batch
        left = case.energy_j - moved * reached(device, case).byte_j * memory
        rows.append((case.seconds_an_image, case.operations, left))
    (t1, n1, e1), (t2, n2, e2) = rows
    scale = t1 * n2 - t2 * n1
    return (e1 * n2 - e2 * n1) / scale, (t1 * e2 - t2 * e1) / scale


def _falling_root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a falling function is zero, by bisection."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return high


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return values[0], min(values), max(values)


def _faster(run: float | None, mode: Entry | None) -> float:
    return 1.0 if run is None else run / _value(mode)


def _mode(device: Device, case: Case) -> str:
    return device.mode(case.system.power_mode)


def _value(entry: Entry | None) -> float:
    return 1.0 if entry is None else entry.figure.value
