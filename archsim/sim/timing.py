"""Durations that follow from the chip alone: clock cycles, actions, buffer words, off-chip transfers."""

from __future__ import annotations

from math import ceil

from archsim.hardware.chip import Chip
from archsim.units import picoseconds

Actions = list[tuple[str, str, float]]  # component, action, how often for one unit of an operation
NO_DELAY = 1e-9  # of a cycle: what counts as fitting into it


def cycle_ps(chip: Chip) -> int:
    """Return the digital clock period."""
    return picoseconds(1 / chip.arch.clock)


def link_cycle_ps(chip: Chip) -> int:
    """Return how long a link takes for one word."""
    return picoseconds(1 / (chip.arch.interconnect.clock or chip.arch.clock))


def split(name: str) -> tuple[str, str]:
    """Return component and action of "component.action"."""
    component, action = name.split(".")
    return component, action


def action_ps(chip: Chip, name: str) -> int:
    """Return the latency of "component.action"."""
    component, action = split(name)
    return chip.components[component].actions[action].latency_ps


def storage_ps(chip: Chip, storage: str, bits: int, first: bool = True) -> int:
    """Return how long the global buffer or the off-chip memory takes for some bits.

    The memory's latency is waited for by the `first` access of a stream; the others follow at its bandwidth.
    """
    if storage == "memory":
        latency = chip.components["memory"].actions["read"].latency_ps
        return memory_ps(chip, bits) - (0 if first else latency)
    return global_buffer_ps(chip, bits)


def global_buffer_ps(chip: Chip, bits: int) -> int:
    """Return how long the global buffer's port takes for some bits."""
    return ceil(bits / chip.arch.global_buffer.width) * chip.components["global_buffer"].actions["read"].latency_ps


def memory_ps(chip: Chip, bits: int) -> int:
    """Return how long the off-chip memory takes to deliver some bits: its latency, then its bandwidth."""
    assert chip.memory_bandwidth is not None, "a chip with an off-chip memory knows its bandwidth"
    latency = chip.components["memory"].actions["read"].latency_ps
    return latency + picoseconds(bits / chip.memory_bandwidth.value)
