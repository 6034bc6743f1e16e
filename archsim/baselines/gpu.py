"""A network on a modelled GPU, as a platform: every power mode, every way of running passes, several batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from archsim import units
from archsim.baselines.device import VALUE_BITS, Device, Measured, Precision
from archsim.baselines.model import fits, predict
from archsim.baselines.network import Kernel, kernels, signature
from archsim.baselines.platform import Mode, OperatingPoint, Platform, Source
from archsim.baselines.rates import own_calibration
from archsim.errors import ConfigError
from archsim.hardware.component import weakest
from archsim.hardware.describe import Row
from archsim.workload.trace import Trace, Weighted

LARGEST_BATCH = 1024
WORTHWHILE = 1.03  # times the throughput that a batch twice as large must bring
FOLDING: tuple[Mode, ...] = ("folded", "shared_prefix")
NOT_MEASURED: Mapping[Measured, str] = {
    "latency": "time floor or utilisation follows its family, or the clocks",
    "energy": "power follows the power limit",
}
WAYS: tuple[Mode, ...] = ("sequential", *FOLDING)
HOLDS_BITS: Mapping[Precision, int] = {"int8": 8, "fp16": 11, "fp32": 24}  # of weights, which are whole numbers


def modelled(
    device: Device,
    trace: Trace,
    *,
    passes: int,
    batches: Sequence[int] = (1,),
    power_mode: str | None = None,
    precision: str | None = None,
) -> Platform:
    """Return a network on a GPU: in all its power modes or one, with the passes run in every way, for each batch.

    Where passes are folded, larger batches are tried as well, powers of two up to 1024 as long as each brings 3 % more
    throughput, and the best of them is a point too. `precision`: the narrowest of the device by default, which must
    hold the weights.

    Raises:
        ConfigError: as `predict` does; no precision of the device holds the weights of the network.
    """
    chosen = _precision(device, trace, precision)
    launches = kernels(trace)
    power_modes = tuple(device.modes) if power_mode is None else (device.mode(power_mode),)
    points = [p for name in power_modes for p in _points(device, launches, passes, batches, chosen, name)]
    suffix = "" if power_mode is None else f"@{power_modes[0]}"
    return Platform(
        name=f"modelled:{device.name}{suffix}",
        origin="modelled",
        device=device.description,
        network=trace.name,
        signature=signature(trace),
        points=tuple(points),
        boundary=device.boundary,
        sources=tuple(_sources(device, power_modes, chosen)),
        about=_about(device),
        notes=tuple(_notes(device, trace, power_modes, chosen)),
    )


def figures(device: Device) -> tuple[Row, ...]:
    """Return every number of a device with its range, unit, grade and the keys of its sources."""
    return tuple(
        Row(path, f.value, f.low, f.high, entry.unit or units.dimension_named(entry.dimension).unit, f.grade, f.sources,
            f.note)
        for path, entry in device.entries()
        for f in [entry.figure]
    )  # fmt: skip


def _precision(device: Device, trace: Trace, wanted: str | None) -> Precision:
    """Return the precision that is asked for, or the narrowest that holds the weights."""
    bits = _bits(trace)
    choice = device.precisions if wanted is None else (device.precision(wanted),)
    for precision in choice:
        if HOLDS_BITS[precision] >= bits:
            return precision
    raise ConfigError(
        f"{device.name}: {' and '.join(choice)} cannot hold the weights of '{trace.name}', of {bits} bits"
    )


def _bits(trace: Trace) -> int:
    return max((w.bits for node in trace.nodes if isinstance(node.op, Weighted) for w in node.op.copies), default=1)


def _points(
    device: Device, launches: Sequence[Kernel], passes: int, batches: Sequence[int], precision: Precision, name: str
) -> Iterator[OperatingPoint]:
    def at(mode: Mode, batch: int) -> OperatingPoint:
        return predict(device, launches, passes=passes, batch=batch, mode=mode, precision=precision, power_mode=name)

    asked = sorted(set(batches))
    for mode in WAYS:
        yield from (at(mode, batch) for batch in asked)
    for mode in FOLDING:
        best = at(mode, 1)
        while best.batch < LARGEST_BATCH and fits(device, launches, passes, 2 * best.batch, mode, precision):
            larger = at(mode, 2 * best.batch)
            if _seconds(best) < WORTHWHILE * _seconds(larger):
                break
            best = larger
        if best.batch not in asked:
            yield best


def _seconds(point: OperatingPoint) -> float:
    assert point.seconds_per_image is not None  # a prediction has a latency
    return point.seconds_per_image


def _sources(device: Device, power_modes: Sequence[str], precision: Precision) -> Iterator[Source]:
    """Yield the sources of what these predictions rest on, each with the weakest grade among its numbers."""
    cited: dict[str, list[str]] = {}
    for path, entry in device.entries():
        if _counts(path, device, power_modes, precision):
            for key in entry.source:
                cited.setdefault(key, []).append(entry.grade)
    for key, grades in cited.items():
        yield Source(device.sources[key], weakest(grades))


def _counts(path: str, device: Device, power_modes: Sequence[str], precision: Precision) -> bool:
    """Tell whether a number can bear on predictions in these power modes and this precision."""
    place = path.split(".")
    if place[0] == "modes" and place[1] not in (*power_modes, device.standard_mode):
        return False
    if place[-1] in VALUE_BITS and place[-2] != "operation":  # the power of operations serves all precisions
        return place[-1] == precision
    if place[-1] in ("idle_share", "active_share"):
        return getattr(device.calibration, place[-1].removesuffix("_share")) is None
    return True


def _about(device: Device) -> dict[str, Any]:
    """Return the device as plain data: what a reader wants first, then all its numbers."""
    memory = device.memory
    return {
        "family": device.family,
        "power_limits_w": {name: mode.limit.figure.value for name, mode in device.modes.items()},
        "peaks_op_s": {precision: device.peak[precision].figure.value for precision in device.precisions},
        "memory": f"{memory.capacity.value} {memory.kind}, {memory.bandwidth.value}",
        "figures": [asdict(row) for row in figures(device)],
    }


def _notes(device: Device, trace: Trace, power_modes: Sequence[str], precision: Precision) -> Iterator[str]:
    bits = _bits(trace)
    network = "binary network" if bits == 1 else f"network with weights of up to {bits} bits"
    yield f"{network} run as {precision}, {VALUE_BITS[precision]} bits a value: never narrower than the device computes"
    yield "model of a fused inference engine such as TensorRT; eager PyTorch is slower, and not modelled"
    yield "images lie in the memory of the device: bringing them there is not counted"
    for what, instead in NOT_MEASURED.items():
        known = [name for name in power_modes if what in own_calibration(device, name).measured.get(precision, ())]
        others = f"calibrated in {', '.join(known)}; elsewhere " if known else "not calibrated: "
        if len(known) < len(power_modes):
            yield f"{what}: {others}{instead}, with wide bands"
    yield from device.notes
