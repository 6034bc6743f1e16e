"""What a user may hand to the pipeline, turned into what it works on: a chip, a network, its images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from archsim.config import validate
from archsim.errors import ConfigError, DataError
from archsim.hardware.arch import ArchConfig, load_arch
from archsim.hardware.chip import Chip, build_chip
from archsim.workload.data import ImageSet, load_dataset
from archsim.workload.spec import DatasetChoice, Workload, load_workload
from archsim.workload.trace import Trace
from archsim.workload.tracefile import load_trace

DEFAULT_PASSES = 20
DEFAULT_IMAGES = 100

ChipLike: TypeAlias = ArchConfig | Chip | Path | str
NetworkLike: TypeAlias = Workload | Trace | Path | str


def chip_of(arch: ChipLike, overrides: Iterable[str] = ()) -> Chip:
    """Return the chip of an architecture or of its file, to which `overrides` apply."""
    if isinstance(arch, Chip):
        return arch
    return build_chip(arch if isinstance(arch, ArchConfig) else load_arch(arch, overrides))


def source_of(workload: NetworkLike) -> Workload | Trace:
    """Return a workload or a trace, read from its file where it is one."""
    if isinstance(workload, Workload | Trace):
        return workload
    is_yaml = Path(workload).suffix in (".yaml", ".yml")
    return load_workload(workload) if is_yaml else load_trace(workload)


def passes_of(source: Workload | Trace, given: int | None) -> int:
    """Return the Monte-Carlo passes of an image: those given, or the workload's."""
    return _positive("passes", given, _default(source, "passes", DEFAULT_PASSES))


def images_of(source: Workload | Trace, given: int | None) -> int:
    """Return the number of images: those given, or the workload's."""
    return _positive("images", given, _default(source, "images", DEFAULT_IMAGES))


def data_of(source: Workload | Trace, count: int, *, exact: bool, split: str | None = None) -> ImageSet:
    """Return labelled images: the workload's, or those that a trace says it was made for.

    `exact`: so many were asked for, and fewer will not do. `split`: instead of the one that they name.
    """
    if isinstance(source, Workload):
        return source.data(count, split=split, exact=exact)
    made_for = source.meta.get("dataset")
    if not isinstance(made_for, dict):
        raise DataError(
            f"trace '{source.name}' does not say which data set it is for; run its workload file, or costs alone"
        )
    choice = validate(DatasetChoice, made_for, f"trace '{source.name}': dataset")
    centred = choice.preprocessing == "centred"
    return load_dataset(choice.name, split or choice.split, count=count, centred=centred, exact=exact)


def _default(source: Workload | Trace, name: str, otherwise: int) -> int:
    value = source.meta.get(name) if isinstance(source, Trace) else getattr(source.config, name)
    return value if isinstance(value, int) else otherwise


def _positive(name: str, given: int | None, default: int) -> int:
    if given is not None and given < 1:
        raise ConfigError(f"{name}: must be at least 1, got {given}")
    return default if given is None else given
