"""archsim: what does this Bayesian network cost on this spintronic chip, and how good is its uncertainty there?

The whole question in one call, which returns a `Result` (`result.to_dict()` is all of it as plain data):

    >>> import archsim
    >>> result = archsim.evaluate(
    ...     "arch_configs/spatial_spindrop_stt.yaml", "workloads/lenet5_digits.yaml", passes=4, images=10
    ... )
    >>> result.energy_j_per_image.low <= result.energy_j_per_image.value <= result.energy_j_per_image.high
    True

or step by step, each with its own help (`help(archsim.map_trace)`):

    >>> arch = archsim.load_arch("arch_configs/spatial_spindrop_stt.yaml", ["converter.bits=5"])
    >>> chip = archsim.build_chip(arch)
    >>> workload = archsim.load_workload("workloads/lenet5_digits.yaml")
    >>> trace = archsim.trace_of(workload)
    >>> mapping = archsim.map_trace(trace, chip)
    >>> log = archsim.simulate(mapping, images=10, passes=4)
    >>> log.total_ps >= log.latency_ps > 0
    True

A torch model of your own becomes a trace by `archsim.trace_model(model, example)`, which `evaluate` takes in place of a
workload; modules with dropout in hardware are in `archsim.nn`. Whatever is wrong with an input is an `ArchsimError`
that says where and what to do. On the command line: `archsim --help`.

Every name is imported when it is first used, so that `import archsim` loads nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archsim.comparison import Comparison, compare
    from archsim.errors import (
        ArchsimError,
        ConfigError,
        DataError,
        DeviceError,
        DeviceLostError,
        MappingError,
        PlausibilityWarning,
        SimulationError,
        StoreError,
        TraceError,
        UnitError,
    )
    from archsim.functional.compute import compute
    from archsim.hardware.arch import load_arch
    from archsim.hardware.chip import build_chip
    from archsim.hardware.describe import describe
    from archsim.hardware.library import load_library
    from archsim.mapping.plan import map_trace
    from archsim.metrics.quality import evaluate_quality
    from archsim.metrics.result import Result
    from archsim.pipeline import evaluate, evaluate_chips
    from archsim.report.html import html_report, read_stored
    from archsim.sim.run import simulate
    from archsim.study.tables import load_study
    from archsim.uncertainty import evaluate_uncertainty
    from archsim.workload.cache import trace_of
    from archsim.workload.data import load_dataset
    from archsim.workload.spec import load_workload
    from archsim.workload.tracefile import load_trace, save_trace
    from archsim.workload.tracer import Quantization, trace_model

__all__ = [
    "ArchsimError",
    "Comparison",
    "ConfigError",
    "DataError",
    "DeviceError",
    "DeviceLostError",
    "MappingError",
    "PlausibilityWarning",
    "Quantization",
    "Result",
    "SimulationError",
    "StoreError",
    "TraceError",
    "UnitError",
    "build_chip",
    "compare",
    "compute",
    "describe",
    "evaluate",
    "evaluate_chips",
    "evaluate_quality",
    "evaluate_uncertainty",
    "html_report",
    "load_arch",
    "load_dataset",
    "load_library",
    "load_study",
    "load_trace",
    "load_workload",
    "map_trace",
    "read_stored",
    "save_trace",
    "simulate",
    "trace_model",
    "trace_of",
]

_PLACES = {
    "archsim.comparison": ("Comparison", "compare"),
    "archsim.errors": (
        "ArchsimError",
        "ConfigError",
        "DataError",
        "DeviceError",
        "DeviceLostError",
        "MappingError",
        "PlausibilityWarning",
        "SimulationError",
        "StoreError",
        "TraceError",
        "UnitError",
    ),
    "archsim.functional": ("compute",),
    "archsim.hardware.arch": ("load_arch",),
    "archsim.hardware.chip": ("build_chip",),
    "archsim.hardware.describe": ("describe",),
    "archsim.hardware.library": ("load_library",),
    "archsim.mapping.plan": ("map_trace",),
    "archsim.metrics.quality": ("evaluate_quality",),
    "archsim.metrics.result": ("Result",),
    "archsim.pipeline": ("evaluate", "evaluate_chips"),
    "archsim.report.html": ("html_report", "read_stored"),
    "archsim.sim.run": ("simulate",),
    "archsim.study.tables": ("load_study",),
    "archsim.uncertainty": ("evaluate_uncertainty",),
    "archsim.workload.cache": ("trace_of",),
    "archsim.workload.data": ("load_dataset",),
    "archsim.workload.spec": ("load_workload",),
    "archsim.workload.tracefile": ("load_trace", "save_trace"),
    "archsim.workload.tracer": ("Quantization", "trace_model"),
}
_HOME = {name: module for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'archsim' has no attribute '{name}'")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    """List the public names, imported yet or not."""
    return sorted({*globals(), *__all__})
