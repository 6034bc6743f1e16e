"""One design point, from configuration to result: the whole of archsim in one function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as Table
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from archsim.config import content_hash, dump, validate
from archsim.errors import ConfigError, DataError
from archsim.functional import FunctionalRun, LayerEncoding, compute
from archsim.functional.encoding import Converter
from archsim.hardware.arch import ArchConfig, load_arch
from archsim.hardware.chip import Chip, build_chip
from archsim.mapping.activity import Activity, expected_activity
from archsim.mapping.plan import Mapping, map_trace
from archsim.mapping.tiling import Tiling
from archsim.metrics.critical import critical_path
from archsim.metrics.endurance import endurance_of
from archsim.metrics.energy import energy_rows
from archsim.metrics.intervals import Estimate
from archsim.metrics.layers import layer_rows
from archsim.metrics.memory import memory_of
from archsim.metrics.plausibility import Check, plausibility
from archsim.metrics.quality import evaluate_quality
from archsim.metrics.result import Result
from archsim.sim.run import simulate
from archsim.sim.station import Recorder
from archsim.workload.cache import trace_of
from archsim.workload.data import ImageSet, load_dataset
from archsim.workload.spec import DatasetChoice, Workload, load_workload
from archsim.workload.trace import Trace
from archsim.workload.tracefile import load_trace

DEFAULT_PASSES = 20
DEFAULT_IMAGES = 100
RESAMPLING_STREAM = 1  # the seed's stream for confidence intervals; stream 0 is the hardware's
Progress = Callable[[str, int, int], None]


def evaluate(
    arch: ArchConfig | Chip | Path | str,
    workload: Workload | Trace | Path | str,
    *,
    passes: int | None = None,
    images: int | None = None,
    seed: int = 0,
    schedule: str | None = None,
    grain: str | None = None,
    overrides: Iterable[str] = (),
    function: bool = True,
    recorder: Recorder | None = None,
    progress: Progress | None = None,
) -> Result:
    """Return what a network costs on a chip, and how good its answers and its uncertainty are there.

    `arch`: a chip, an architecture, or its YAML file (to which `overrides` apply, "path.to.key=value"). `workload`: a
    workload or its YAML file, a trace or a trace file. `passes`, `images`: default to the workload's. `seed`: of
    everything random. `schedule`, `grain`: default to the architecture's. `function` = False skips the functional
    pass: costs alone, from expected activity. `recorder`: hears of every use of a station (for a timeline).
    `progress`: called with (what, done, of how many).

    Raises an `ArchsimError` for whatever does not fit together.
    """
    chip = _chip(arch, overrides)
    source = _workload(workload)
    trace = source if isinstance(source, Trace) else trace_of(source)
    passes = _positive("passes", passes, _default(source, "passes", DEFAULT_PASSES))
    wanted = _positive("images", images, _default(source, "images", DEFAULT_IMAGES))
    mapping = map_trace(trace, chip)
    data = _images(source, wanted, exact=images is not None) if function else None
    count = len(data) if data is not None else wanted
    run = None
    if data is not None:
        note = (lambda done, of: progress("images", done, of)) if progress else None
        run = compute(trace, encodings(mapping), data.images, passes, seed, progress=note)
    activity = activities(mapping, run)
    log = simulate(
        mapping, images=count, passes=passes, activity=activity, schedule=schedule, grain=grain, recorder=recorder
    )
    quality = None
    if run is not None and data is not None and data.labels is not None:
        quality = evaluate_quality(run.logits, data.labels, np.random.default_rng([seed, RESAMPLING_STREAM]))
    config = _config(chip, trace, source, log.images, passes, seed, log.schedule, log.grain, function)
    energy = tuple(energy_rows(log, chip))
    checks = plausibility(mapping, log, energy)
    return Result(
        arch=chip.arch.name,
        workload=trace.name,
        seed=seed,
        config_hash=content_hash(config),
        log=log,
        energy=energy,
        area_m2={n: Estimate(f.value, f.low, f.high, "component ranges") for n, f in chip.area_by_part().items()},
        memory=memory_of(mapping, log),
        endurance=endurance_of(mapping, log),
        plausibility=checks,
        layers=layer_rows(mapping, log, activity, energy),
        critical_path=critical_path(mapping, log.schedule, log.grain),
        quality=quality,
        warnings=(*chip.warnings, *_doubts(mapping, checks)),
        config=config,
    )


def _doubts(mapping: Mapping, checks: Iterable[Check]) -> Iterator[str]:
    """Yield what a reader of the result should not overlook."""
    if mapping.reprogrammed and mapping.chip.arch.memory is None:
        yield (
            "the weights of every round come from beyond the chip at no modelled cost; give the architecture a 'memory'"
            " to count it"
        )
    for c in checks:
        if not c.plausible:
            yield f"{c.name} of {c.value:.3g} {c.unit} lies outside {c.low:.3g} to {c.high:.3g} ({c.basis})"


def encodings(mapping: Mapping) -> dict[str, LayerEncoding]:
    """Return how the chip reads each layer: its row groups, and its converter with the range set for that layer."""
    return {
        p.name: LayerEncoding(p.tiling.groups, layer_converter(mapping.chip.arch, p.tiling), p.tiling.bits_per_cell)
        for p in mapping.placed()
    }


def layer_converter(arch: ArchConfig, tiling: Tiling) -> Converter:
    """Return the converter as it is set for a layer: one step is never more cells than its own groups ask for.

    The reference of a converter is trimmed once for each layer; a layer that drives few rows is read finely.
    """
    largest = max(g.size for g in tiling.groups) * (2**tiling.bits_per_cell - 1)
    wanted = max(0, (largest - 1).bit_length() - arch.converter.bits)
    return Converter(arch.converter.bits, min(wanted, arch.lsb_cells.bit_length() - 1))


def activities(mapping: Mapping, run: FunctionalRun | None) -> dict[str, Activity]:
    """Return how busy each layer's arrays are: as the functional pass counted, or as is to be expected."""
    out = {}
    for p in mapping.placed():
        if run is None:
            out[p.name] = expected_activity(p.stage, p.tiling.rows)
            continue
        counted = run.activity[p.name]
        positions = counted.evaluations * p.stage.positions * p.tiling.blocks
        out[p.name] = Activity(counted.rows_driven / positions, counted.rows_dropped / positions, measured=True)
    return out


def _chip(arch: ArchConfig | Chip | Path | str, overrides: Iterable[str]) -> Chip:
    if isinstance(arch, Chip):
        return arch
    return build_chip(arch if isinstance(arch, ArchConfig) else load_arch(arch, overrides))


def _workload(workload: Workload | Trace | Path | str) -> Workload | Trace:
    if isinstance(workload, Workload | Trace):
        return workload
    is_yaml = Path(workload).suffix in (".yaml", ".yml")
    return load_workload(workload) if is_yaml else load_trace(workload)


def _default(source: Workload | Trace, name: str, otherwise: int) -> int:
    value = source.meta.get(name) if isinstance(source, Trace) else getattr(source.config, name)
    return value if isinstance(value, int) else otherwise


def _positive(name: str, given: int | None, default: int) -> int:
    if given is not None and given < 1:
        raise ConfigError(f"{name}: must be at least 1, got {given}")
    return default if given is None else given


def _images(source: Workload | Trace, count: int, *, exact: bool) -> ImageSet:
    """Return labelled images: the workload's, or those that a trace says it was made for.

    `exact`: so many were asked for, and fewer will not do.
    """
    if isinstance(source, Workload):
        return source.data(count, exact=exact)
    made_for = source.meta.get("dataset")
    if not isinstance(made_for, dict):
        raise DataError(
            f"trace '{source.name}' does not say which data set it is for; run its workload file, or costs alone"
        )
    choice = validate(DatasetChoice, made_for, f"trace '{source.name}': dataset")
    centred = choice.preprocessing == "centred"
    return load_dataset(choice.name, choice.split, count=count, centred=centred, exact=exact)


def _config(
    chip: Chip,
    trace: Trace,
    source: Workload | Trace,
    images: int,
    passes: int,
    seed: int,
    schedule: str,
    grain: str,
    function: bool,
) -> Table[str, Any]:
    """Return everything that affects the result, as plain data."""
    return {
        "archsim": version("archsim"),
        "arch": dump(chip.arch),
        "library": chip.library.name,
        "costs": {
            name: {
                "actions": {k: {**asdict(a.energy), "latency_ps": a.latency_ps} for k, a in part.actions.items()},
                "area_m2": asdict(part.area),
                "leakage_w": asdict(part.leakage),
            }
            for name, part in chip.components.items()
        },
        "trace": trace.content_hash(),
        "workload": dump(source.config) if isinstance(source, Workload) else dict(trace.meta),
        "images": images,
        "passes": passes,
        "seed": seed,
        "schedule": schedule,
        "grain": grain,
        "function": function,
    }
