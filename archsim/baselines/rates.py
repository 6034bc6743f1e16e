"""What a GPU reaches in one power mode and precision: the figures of its file, resolved to plain numbers.

Where a mode was measured, its figures are taken as they stand. Any other mode is scaled from the standard one: the peak
by clock and number of processors, the time floor by 1 / clock (what launches kernels slows down with what runs them),
the bandwidth by the clock of the memory, idle and active power by the power limit. The energy of an operation stays,
unless operations at full use then drew a larger share of the limit than in the standard mode: then it is so much less,
as a lower voltage makes it.

Where the energy of operations is known in one precision, others are taken to draw the same power at full use. Where it
is known in none, operations draw what idle and active power, and the memory at its full bandwidth, leave of the limit;
half of what idle and active power leave at least.
"""

from __future__ import annotations

from dataclasses import dataclass

from archsim.baselines.device import VALUE_BITS, Bands, Calibration, Device, Measured, Precision
from archsim.errors import ConfigError
from archsim.hardware.component import Figure
from archsim.hardware.entry import Entry

BITS_PER_BYTE = 8


@dataclass(frozen=True)
class Rates:
    """What a device does in a power mode and precision, all in SI units and bytes.

    `operations`: a second, and `bandwidth`: bytes a second, both as reached in a large batch. `floor`: seconds a kernel
    at least. `idle`, `active`: watts. `operation_j`, `byte_j`: energies above those. `most_w`: power that it cannot
    exceed, at the boundary of the energies. `floor_band`, `work_band`, `energy_band`: factors of uncertainty.
    """

    operations: float
    bandwidth: float
    floor: float
    idle: Figure
    active: float
    operation_j: float
    byte_j: float
    most_w: float
    value_bytes: int
    cache_bytes: float
    capacity_bytes: float
    floor_band: float
    work_band: float
    energy_band: float


def rates(device: Device, power_mode: str, precision: Precision) -> Rates:
    """Return what a device reaches. Both must be its own: see `Device.mode` and `Device.precision`.

    Raises:
        ConfigError: idle and active power alone reach the limit of the mode.
    """
    mode, common, memory = device.modes[power_mode], device.calibration, device.memory
    own, standard_mode = own_calibration(device, power_mode), device.modes[device.standard_mode]
    floor = own.floor or common.floor
    assert floor is not None  # a device file has it
    reached, bandwidth = _operations(device, power_mode, precision), _bandwidth(device, power_mode)
    idle, active, operation_j = _powers(device, power_mode, precision)
    byte_j = _value(memory.energy) * BITS_PER_BYTE
    most = _most(device, power_mode, idle.value + active + operation_j * reached + byte_j * bandwidth)
    if idle.value + active >= most:
        raise ConfigError(
            f"{device.name}: modes.{power_mode}: idle and active power, {idle.value + active:.3g} W, leave nothing of"
            f" the limit of {most:.3g} W for operations"
        )
    latency, energy = (_bands(device, own, precision, what) for what in ("latency", "energy"))
    return Rates(
        operations=reached,
        bandwidth=bandwidth,
        floor=_value(floor) if own.floor else _value(floor) * _factor(standard_mode.clock) / _factor(mode.clock),
        idle=idle,
        active=active,
        operation_j=operation_j,
        byte_j=byte_j,
        most_w=most,
        value_bytes=VALUE_BITS[precision] // BITS_PER_BYTE,
        cache_bytes=_value(memory.cache) / BITS_PER_BYTE,
        capacity_bytes=_value(memory.capacity) / BITS_PER_BYTE,
        floor_band=_value(latency.floor),
        work_band=_value(latency.work),
        energy_band=_value(energy.energy),
    )


def own_calibration(device: Device, power_mode: str) -> Calibration:
    """Return what was measured in the mode itself."""
    return device.calibration if power_mode == device.standard_mode else device.modes[power_mode].calibration


def _most(device: Device, power_mode: str, at_full_use: float) -> float:
    """Return the power that a mode cannot exceed, in watts, at the boundary of the device's energies.

    The limit is the module's or the board's. Where energies hold for more than that, up to the mains plug, what the
    device draws with operations and memory at full use was within its limit when that was measured, and counts if it
    is more.
    """
    limit = _value(device.modes[power_mode].limit)
    return limit if device.boundary == device.limit_boundary else max(limit, at_full_use)


def _operations(device: Device, power_mode: str, precision: Precision) -> float:
    """Return the operations a second of a large batch."""
    mode = device.modes[power_mode]
    used = own_calibration(device, power_mode).utilisation.get(precision) or device.calibration.utilisation[precision]
    return _value(device.peak[precision]) * _factor(mode.clock) * _factor(mode.units) * _value(used)


def _bandwidth(device: Device, power_mode: str) -> float:
    """Return the bytes a second that are reached."""
    mode = device.modes[power_mode]
    share = own_calibration(device, power_mode).memory_share or device.calibration.memory_share
    assert share is not None  # a device file has it
    return _value(device.memory.bandwidth) * _factor(mode.memory_clock) * _value(share) / BITS_PER_BYTE


def _powers(device: Device, power_mode: str, precision: Precision) -> tuple[Figure, float, float]:
    """Return idle power and active power in watts, and the energy of an operation in joules."""
    standard, limit = device.calibration, device.modes[device.standard_mode].limit.figure
    own = own_calibration(device, power_mode)
    scale = _value(device.modes[power_mode].limit) / limit.value
    idle_share, active_share = (_value(s) if s else 0.0 for s in (standard.idle_share, standard.active_share))
    idle = own.idle or standard.idle
    active = own.active or standard.active
    idle_w = idle.figure if idle else limit * idle_share
    active_w = _value(active) if active else limit.value * active_share
    reached = _operations(device, power_mode, precision)
    if own.operation:
        operation_j = _same_power(device, power_mode, own, precision)
    else:
        at_standard = _operations(device, device.standard_mode, precision)
        if standard.operation:
            operation_j = _same_power(device, device.standard_mode, standard, precision)
        else:
            left = limit.value * (1 - idle_share - active_share)
            memory_w = _bandwidth(device, device.standard_mode) * _value(device.memory.energy) * BITS_PER_BYTE
            operation_j = max(left - memory_w, left / 2) / at_standard
        operation_j *= min(1.0, scale * at_standard / reached)
    return (
        idle_w if own.idle else scale * idle_w,
        active_w if own.active else scale * active_w,
        operation_j,
    )


def _same_power(device: Device, power_mode: str, given: Calibration, precision: Precision) -> float:
    """Return the energy of an operation: as given, or so that all of them draw what those of the given precision do."""
    known = precision if precision in given.operation else next(iter(given.operation))
    return (
        _value(given.operation[known])
        * _operations(device, power_mode, known)
        / _operations(device, power_mode, precision)
    )


def _bands(device: Device, own: Calibration, precision: Precision, what: Measured) -> Bands:
    kinds = device.bands
    return kinds.calibrated if what in own.measured.get(precision, ()) else kinds.default


def _value(entry: Entry) -> float:
    return entry.figure.value


def _factor(entry: Entry | None) -> float:
    return 1.0 if entry is None else _value(entry)
