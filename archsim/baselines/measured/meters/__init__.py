"""Where the energy of a device can be read: NVML, RAPL, the sensors of a Jetson, or nowhere."""

from __future__ import annotations

from archsim.baselines.measured.meters.jetson import Jetson, find_jetson
from archsim.baselines.measured.meters.meter import Integrator, Meter, MeterError
from archsim.baselines.measured.meters.missing import Missing
from archsim.baselines.measured.meters.nvml import Nvml, facts_of, find_nvml
from archsim.baselines.measured.meters.rapl import Rapl, find_rapl

__all__ = [
    "Integrator",
    "Jetson",
    "Meter",
    "MeterError",
    "Missing",
    "Nvml",
    "Rapl",
    "facts_of",
    "find_jetson",
    "find_nvml",
    "find_rapl",
]
