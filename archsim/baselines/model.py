"""A GPU's time and energy for a network, kernel by kernel: a roofline on top of a time floor, and four-term energy.

A kernel takes t = floor + max(operations / reached rate, bytes / reached bandwidth), a call the sum of its kernels, and
energy is (idle power + active power) x time + energy of operations + energy of bytes. Where that would draw more power
than the mode allows, the call is stretched until it does not. The floor, not the roofline, decides at batch 1: roofline
alone is 2.6 to 24 times too fast for ResNet-50, operations over peak up to 35 times (docs/gpu_models.md).

What is modelled is a fused inference engine with its input in the device's memory. Weights are read once a call;
activations stay in the last-level cache as far as they fit, and what does not fit is written to memory and read back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from archsim.baselines.device import Device, Precision
from archsim.baselines.network import Kernel
from archsim.baselines.platform import MODES, Mode, OperatingPoint
from archsim.baselines.rates import Rates, rates
from archsim.errors import ConfigError, nearest
from archsim.metrics.intervals import Estimate

SOFTWARE = "fused engine"


@dataclass(frozen=True)
class Work:
    """What one launch does: arithmetic operations, bytes of weights, bytes of activations read and written."""

    operations: float
    weights: float
    activations: float


@dataclass(frozen=True)
class Spent:
    """What some launches take: seconds by cause, operations, and bytes to and from memory."""

    launch_s: float = 0.0
    compute_s: float = 0.0
    memory_s: float = 0.0
    operations: float = 0.0
    bytes: float = 0.0

    @property
    def seconds(self) -> float:
        """All time, before any power limit."""
        return self.launch_s + self.compute_s + self.memory_s

    def __add__(self, other: Spent) -> Spent:
        return Spent(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    def __mul__(self, times: int) -> Spent:
        return Spent(*(times * a for a in vars(self).values()))


def predict(
    device: Device,
    launches: Sequence[Kernel],
    *,
    passes: int,
    batch: int = 1,
    mode: Mode = "folded",
    precision: str | None = None,
    power_mode: str | None = None,
) -> OperatingPoint:
    """Return what the answers to `batch` images take, each of so many passes.

    `precision`: the narrowest of the device by default. `power_mode`: its standard one by default.

    Raises:
        ConfigError: a mode, precision or power mode that is not there; fewer than one pass or image; a batch that
            does not fit the memory.
    """
    chosen, in_mode = device.precision(precision), device.mode(power_mode)
    _check(passes, batch, mode)
    reached = rates(device, in_mode, chosen)
    _check_memory(device, reached, launches, passes, batch, mode)
    return operating_point(reached, spend(reached, launches, passes, batch, mode), passes, batch, mode, chosen, in_mode)


def spend(reached: Rates, launches: Sequence[Kernel], passes: int, batch: int, mode: Mode) -> Spent:
    """Return what all launches for `batch` images take."""
    if mode == "sequential":
        one = _call(reached, launches, 1, batch, shared=False, merges=passes > 1)
        return one * passes
    return _call(reached, launches, passes, batch, shared=mode == "shared_prefix", merges=passes > 1)


def operating_point(
    reached: Rates, spent: Spent, passes: int, batch: int, mode: Mode, precision: str, power_mode: str | None
) -> OperatingPoint:
    """Return time and energy of what was spent, within the power limit, with their intervals."""
    work_j = reached.operation_j * spent.operations + reached.byte_j * spent.bytes
    always_w = reached.idle.value + reached.active
    least_s = work_j / (reached.most_w - always_w)  # below it, power would be above the limit
    seconds = max(spent.seconds, least_s)
    floor, work, energy = reached.floor_band, reached.work_band, reached.energy_band
    working_s = seconds - spent.launch_s
    latency = Estimate(
        seconds,
        spent.launch_s / floor + working_s / work,
        spent.launch_s * floor + working_s * work,
        f"model; time floors within a factor of {floor:g}, the rest within {work:g}",
    )
    dynamic_j = (reached.active * seconds + work_j) / batch
    terms = {
        "launch_s": spent.launch_s,
        "compute_s": spent.compute_s,
        "memory_s": spent.memory_s,
        "power_limit_s": seconds - spent.seconds,
        "idle_j": reached.idle.value * seconds / batch,
        "active_j": reached.active * seconds / batch,
        "operations_j": reached.operation_j * spent.operations / batch,
        "bytes_j": reached.byte_j * spent.bytes / batch,
    }
    idle = reached.idle
    return OperatingPoint(
        passes=passes,
        batch=batch,
        mode=mode,
        software=SOFTWARE,
        precision=precision,
        power_mode=power_mode,
        latency_s=latency,
        energy_j=_within(terms["idle_j"] + dynamic_j, energy),
        dynamic_j=_within(dynamic_j, energy),
        idle_w=Estimate(idle.value, idle.low, idle.high, "range of the idle power"),
        terms=terms,
    )


def fits(device: Device, launches: Sequence[Kernel], passes: int, batch: int, mode: Mode, precision: Precision) -> bool:
    """Tell whether a call fits the memory: all weights, and the values that the largest kernel reads and writes."""
    reached = rates(device, device.standard_mode, precision)
    return _memory_bytes(reached, launches, passes, batch, mode) <= reached.capacity_bytes


def _memory_bytes(reached: Rates, launches: Sequence[Kernel], passes: int, batch: int, mode: Mode) -> float:
    at_once = 1 if mode == "sequential" else passes
    works = _works(reached, launches, at_once, batch, shared=mode == "shared_prefix", merges=True)
    weights = sum(kernel.weights * kernel.copies for kernel in launches) * reached.value_bytes
    return weights + max((work.activations for work in works), default=0.0)


def _call(reached: Rates, launches: Sequence[Kernel], passes: int, batch: int, *, shared: bool, merges: bool) -> Spent:
    works = _works(reached, launches, passes, batch, shared=shared, merges=merges)
    return sum((_spent(reached, work) for work in works), Spent())


def _works(
    reached: Rates, launches: Sequence[Kernel], passes: int, batch: int, *, shared: bool, merges: bool
) -> Iterator[Work]:
    """Yield the launches of one call. A single pass needs no kernel that merges passes, unless calls follow."""
    for kernel in launches:
        if merges or not _merges(kernel):
            yield _work(reached, kernel, passes, batch, shared)


def _work(reached: Rates, kernel: Kernel, passes: int, batch: int, shared: bool) -> Work:
    everything = passes * batch
    done = everything if kernel.repeated or not shared else batch
    written = batch if _merges(kernel) else everything if kernel.spreads or not shared else batch
    # of so many independent choices among the copies, the expected number of different ones
    copies = kernel.copies * (1 - (1 - 1 / kernel.copies) ** done)
    return Work(
        operations=kernel.operations * done,
        weights=kernel.weights * copies * reached.value_bytes,
        activations=(kernel.inputs * done + kernel.outputs * written) * reached.value_bytes,
    )


def _merges(kernel: Kernel) -> bool:
    """Tell whether a kernel makes one result of all passes."""
    return kernel.repeated and not kernel.spreads


def _spent(reached: Rates, work: Work) -> Spent:
    traffic = work.weights + max(0.0, work.activations - reached.cache_bytes)
    compute_s, memory_s = work.operations / reached.operations, traffic / reached.bandwidth
    bound = compute_s >= memory_s
    return Spent(reached.floor, compute_s if bound else 0.0, 0.0 if bound else memory_s, work.operations, traffic)


def _within(value: float, factor: float) -> Estimate:
    return Estimate(value, value / factor, value * factor, f"model; within a factor of {factor:g}")


def _check(passes: int, batch: int, mode: str) -> None:
    if mode not in MODES:
        raise ConfigError(f"no way of running passes '{mode}'{nearest(mode, MODES)}")
    for what, count in (("passes", passes), ("batch", batch)):
        if count < 1:
            raise ConfigError(f"{what}: must be at least 1, got {count}")


def _check_memory(
    device: Device, reached: Rates, launches: Sequence[Kernel], passes: int, batch: int, mode: Mode
) -> None:
    needed = _memory_bytes(reached, launches, passes, batch, mode)
    if needed > reached.capacity_bytes:
        raise ConfigError(
            f"{device.name}: {batch} images of {passes} passes, {mode.replace('_', ' ')}, need {needed / 1e9:.3g} GB"
            f" of the {reached.capacity_bytes / 1e9:.3g} GB of memory"
        )
