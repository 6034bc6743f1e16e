"""Traces of workloads, kept on disk so that a second run loads no torch."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from importlib.metadata import version
from pathlib import Path

from archsim.config import dump
from archsim.errors import TraceError
from archsim.workload.classes import operations_of
from archsim.workload.spec import Workload
from archsim.workload.trace import Trace
from archsim.workload.tracefile import load_trace, save_trace

ENVIRONMENT_VARIABLE = "ARCHSIM_CACHE"
TRACED_BY = ("nn", "workload")  # folders of archsim whose source decides what a trace holds

log = logging.getLogger(__name__)


def trace_of(workload: Workload) -> Trace:
    """Return the trace of a workload's trained network, from the cache where nothing that affects it has changed.

    A damaged entry is made anew; a cache that cannot be written is reported in the log and does without.

    Raises `DataError` when the checkpoint is missing, `ConfigError` or `TraceError` when the network is at fault.
    """
    operations = operations_of(workload)
    entry = cache_folder() / f"{workload.config.name}-{key_of(workload)[:20]}.safetensors"
    if entry.is_file():
        try:
            return load_trace(entry, operations)
        except TraceError as error:
            log.warning("rebuilding a damaged cache entry: %s", error)
    trace = trace_workload(workload)
    try:
        save_trace(trace, entry)
    except TraceError as error:
        log.warning("the trace is not cached: %s", error)
    return trace


def trace_workload(workload: Workload) -> Trace:
    """Trace a workload's network now, with torch; one without a checkpoint has the weights of its training's seed."""
    import numpy as np

    from archsim.workload.checkpoint import load_model  # both load torch, which takes a second
    from archsim.workload.tracer import Quantization, trace_model

    example = np.zeros((1, *workload.input_shape), np.float32)
    model = load_model(workload)
    choice = workload.config.quantization
    if choice is None:
        return trace_model(model, example, name=workload.config.name)
    return trace_model(
        model,
        example,
        name=workload.config.name,
        quantization=Quantization(choice.weight_bits, choice.input_bits),
        calibration=workload.data(choice.calibration_images, split="train").images,
    )


def cache_folder() -> Path:
    """Return where traces are kept: $ARCHSIM_CACHE, else ~/.cache/archsim, each with a folder `traces`."""
    chosen = os.environ.get(ENVIRONMENT_VARIABLE)
    return (Path(chosen) if chosen else Path.home() / ".cache" / "archsim") / "traces"


def key_of(workload: Workload) -> str:
    """Return a hash of all that affects a trace: the network's sources, its weights, the workload, torch, archsim."""
    config = dump(workload.config)
    fields = {k: config[k] for k in ("name", "model", "arguments", "dataset", "quantization", "operations")}
    if not workload.is_trained:
        fields["seed"] = workload.config.training.seed
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode())
    digest.update(version("torch").encode())  # thresholds are exactly those of torch's own arithmetic
    archsim = Path(__file__).resolve().parents[1]
    sources = [s for folder in TRACED_BY for s in (archsim / folder).rglob("*.py")]
    sources += workload.model_file().parent.glob("*.py")
    sources += [workload.source_file(o, "operations") for o in workload.config.operations]
    for source in sorted(sources):
        digest.update(source.name.encode() + b"\0" + hashlib.sha256(source.read_bytes()).digest())
    if workload.is_trained:
        digest.update(hashlib.sha256(workload.require_checkpoint().read_bytes()).digest())
    return digest.hexdigest()
