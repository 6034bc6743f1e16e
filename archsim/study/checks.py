"""Is every value of every axis one that its setting can take? Asked before anything runs.

A value is tried over the study's base, all else unchanged. What is wrong with the value itself is wrong in every point,
and refused; what only does not go with other settings may be mended by another axis, and is left to the points.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from archsim.errors import ArchsimError, ConfigError, DataError, nearest
from archsim.hardware.arch import ArchConfig, load_arch
from archsim.hardware.library import Library, load_library
from archsim.pipeline.inputs import Inputs
from archsim.study.axis import Axis
from archsim.study.objectives import wrong_names
from archsim.study.points import space_of
from archsim.study.spec import SETTINGS, StudyConfig
from archsim.workload.spec import Workload, load_workload
from archsim.workload.trace import Trace
from archsim.workload.tracefile import load_trace

WORKLOAD, LIBRARY = "workload.", "library."
MOST = 64  # values of an axis that are tried; of a longer one the first, the last, and some between
YAML = (".yaml", ".yml")


def check_study(config: StudyConfig, where: str) -> None:
    """Raise `ConfigError`, with every problem found, unless all axes can be applied to the study's chip and network."""
    base = _Base(config, where)
    space = space_of(config, where)
    problems = [p for a in space.axes for p in _problems(base, a)]
    problems += [p for path, value in config.overrides.items() for p in base.problems({path: value}, "overrides")]
    problems += wrong_names(config, where)
    names = [a.path for a in space.axes]
    problems += [
        f"{where}: average: '{name}' is no axis of this study{nearest(name, names)}"
        for name in config.average
        if name not in names
    ]
    if problems:
        raise ConfigError(dict.fromkeys(problems))


def check_data(config: StudyConfig) -> None:
    """Raise `DataError` where answers are wanted, and there are no images of the study's own workload to answer."""
    if config.quality:
        inputs = Inputs()
        inputs.images(inputs.source(config.file(config.workload)), 1, exact=False)


def _problems(base: _Base, axis: Axis) -> Iterator[str]:
    values = axis.values or tuple(axis.at(share) for share in (0.0, 0.5, 1 - 1e-9))
    step = max(1, len(values) // MOST)
    for value in dict.fromkeys([*range(0, len(values), step), len(values) - 1]):
        yield from base.problems(axis.settings(values[value]), f"axes.{axis.path}")


class _Base:
    """The chip and the network that settings are tried on."""

    def __init__(self, config: StudyConfig, where: str) -> None:
        self.config, self.where = config, where
        self.arch = load_arch(config.file(config.arch))
        self.workload = self._network(config.file(config.workload), ())
        self._libraries: dict[Path, Library] = {}

    def problems(self, settings: Mapping[str, Any], place: str) -> Iterator[str]:
        """Yield what is wrong with settings that are applied together."""
        here = f"{self.where}: {place}"
        try:
            arch_file, workload_file = self._files(settings)
            self._try_workload(workload_file, settings)
            arch = self._try_arch(arch_file, settings)
        except (ConfigError, DataError) as error:
            yield from (f"{here}: {problem}" for problem in _lines(error))
            return
        for path in settings:
            if path.startswith(LIBRARY):
                name, library = path.removeprefix(LIBRARY), self._library(arch)
                if name not in library.entries:
                    yield f"{here}: the component library has no entry '{name}'{nearest(name, library.entries)}"

    def _files(self, settings: Mapping[str, Any]) -> tuple[Path, Path]:
        names = {"arch": self.config.arch, "workload": self.config.workload}
        for kind in names:
            given = settings.get(kind, names[kind])
            if not isinstance(given, str):
                raise ConfigError(f"{kind}: expected the name of a file, got {given!r}")
            names[kind] = given
        return self.config.file(names["arch"]), self.config.file(names["workload"])

    def _try_workload(self, file: Path, settings: Mapping[str, Any]) -> None:
        own = {p.removeprefix(WORKLOAD): v for p, v in settings.items() if p.startswith(WORKLOAD)}
        if not own and file == self.config.file(self.config.workload):
            return
        self._network(file, tuple(_written(own)))

    def _network(self, file: Path, overrides: tuple[str, ...]) -> Workload | Trace:
        if file.suffix in YAML:
            return load_workload(file, overrides)
        if overrides:
            raise ConfigError(f"{file}: a trace has no settings; name its workload file to change them")
        return load_trace(file)

    def _try_arch(self, file: Path, settings: Mapping[str, Any]) -> ArchConfig:
        """Return the architecture with settings; one that cannot be built from them alone is taken without."""
        own = {p: v for p, v in settings.items() if _is_of_arch(p)}
        unknown = [p for p in own if p.partition(".")[0] not in ArchConfig.model_fields]
        if unknown:
            known = [*ArchConfig.model_fields, *SETTINGS, "workload", "library", "arch"]
            word = unknown[0].partition(".")[0]
            raise ConfigError(f"'{unknown[0]}' is no setting of a chip, a workload or a run{nearest(word, known)}")
        try:
            return load_arch(file, _written(own))
        except ConfigError as error:
            named = [line for line in _lines(error) if any(f": {path}" in line for path in own)]
            if named or not own:
                raise ConfigError(named or error.problems) from None
        return load_arch(file)

    def _library(self, arch: ArchConfig) -> Library:
        if arch.library_path not in self._libraries:
            self._libraries[arch.library_path] = load_library(arch.library_path)
        return self._libraries[arch.library_path]


def _is_of_arch(path: str) -> bool:
    return not path.startswith((WORKLOAD, LIBRARY)) and path not in (*SETTINGS, "arch", "workload")


def _written(settings: Mapping[str, Any]) -> list[str]:
    return [f"{path}={json.dumps(value)}" for path, value in settings.items()]


def _lines(error: ArchsimError) -> list[str]:
    return list(error.problems) if isinstance(error, ConfigError) else [str(error)]
