"""`archsim check`: all that is wrong with some files, at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import typer

from archsim.baselines.calibration.measurements import Measurements, cases
from archsim.baselines.device import Device, Family
from archsim.baselines.devices import find_device, load_device, load_family
from archsim.baselines.records import Record, load_record
from archsim.cli.console import warn
from archsim.cli.sources import is_yaml
from archsim.config import read_yaml
from archsim.errors import ArchsimError, ConfigError, DataError, nearest
from archsim.hardware.arch import ArchConfig, load_arch
from archsim.hardware.chip import build_chip
from archsim.hardware.library import load_library
from archsim.study import StudyConfig, load_study_file, space_of
from archsim.study.checks import check_study
from archsim.workload.spec import WorkloadConfig, load_workload
from archsim.workload.tracefile import load_trace

LIBRARY_SCHEMA = "archsim/components@1"


def check(files: Sequence[Path]) -> None:
    """Print a line for each good file on stdout; raise one `ConfigError` with every problem of all others."""
    problems: list[str] = []
    for file in files:
        try:
            typer.echo(f"ok  {file}: {_check(file)}")
        except ArchsimError as error:
            problems += [line if str(file) in line else f"{file}: {line}" for line in str(error).splitlines()]
    if problems:
        raise ConfigError(problems)


def _check(file: Path) -> str:
    """Return what a file is, in a few words."""
    if not is_yaml(file):
        trace = load_trace(file)
        return f"trace '{trace.name}' of {len(trace.nodes)} operations"
    kinds: dict[str, Callable[[Path], str]] = {
        ArchConfig.SCHEMA: _architecture,
        WorkloadConfig.SCHEMA: _workload,
        LIBRARY_SCHEMA: _library,
        Record.SCHEMA: _record,
        Device.SCHEMA: _device,
        Family.SCHEMA: _family,
        Measurements.SCHEMA: _measurements,
        StudyConfig.SCHEMA: _study,
    }
    schema = read_yaml(file).get("schema")
    if schema not in kinds:
        found = "missing" if schema is None else f"unknown '{schema}'"
        raise ConfigError(f"{file}: schema: {found}{nearest(str(schema or ''), kinds)}")
    return kinds[schema](file)


def _architecture(file: Path) -> str:
    chip = build_chip(load_arch(file))
    warn(f"{file}: {doubt}" for doubt in chip.warnings)
    return f"architecture '{chip.arch.name}' of {chip.arch.organisation.crossbars} crossbars"


def _library(file: Path) -> str:
    return f"component library of {len(load_library(file))} entries"


def _record(file: Path) -> str:
    record = load_record(file)
    points = sum(len(network.points) for network in record.networks)
    return f"record '{record.name}' of {points} operating points of {', '.join(n.name for n in record.networks)}"


def _device(file: Path) -> str:
    device = load_device(file)
    return f"GPU '{device.name}' with {len(device.modes)} power modes and {len(list(device.entries()))} figures"


def _family(file: Path) -> str:
    return f"what GPUs of the family '{load_family(file).family}' have in common"


def _measurements(file: Path) -> str:
    runs = [case for _, found in cases(file) for case in found]
    for device, mode in {(case.system.device, case.system.power_mode) for case in runs}:
        find_device(device).mode(mode)
    return f"measurements of {len(runs)} runs on {len({case.key for case in runs})} systems"


def _study(file: Path) -> str:
    config, where = load_study_file(file), str(file)
    check_study(config, where)
    axes = [a.path for a in space_of(config, where).axes]
    return f"study '{config.name}' over {', '.join(axes) or config.sampling.kind}"


def _workload(file: Path) -> str:
    workload = load_workload(file)
    workload.model_file()
    warn(_untrained(file))
    return f"workload '{workload.config.name}'"


def _untrained(file: Path) -> Iterator[str]:
    """Yield that the checkpoint is missing: `train` makes it, so the file may still be right."""
    try:
        load_workload(file).require_checkpoint()
    except DataError as error:
        yield str(error)
