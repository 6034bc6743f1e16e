"""How a file on the command line is told to be a workload or a trace."""

from __future__ import annotations

from pathlib import Path

from archsim.workload.cache import trace_of
from archsim.workload.spec import load_workload
from archsim.workload.trace import Trace
from archsim.workload.tracefile import load_trace

YAML = (".yaml", ".yml")


def is_yaml(path: Path) -> bool:
    """Return whether a file is read as YAML; any other is taken for a trace."""
    return path.suffix in YAML


def read_trace(path: Path) -> Trace:
    """Return the trace in a file, or that of the network which a workload file names."""
    return trace_of(load_workload(path)) if is_yaml(path) else load_trace(path)
