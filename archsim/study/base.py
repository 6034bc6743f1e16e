"""What a study varies around: its chip, its library, its network, and the value of any setting there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from archsim import units
from archsim.config import dump
from archsim.errors import ConfigError, UnitError, nearest
from archsim.hardware.arch import ArchConfig
from archsim.hardware.chip import Chip
from archsim.hardware.library import Library
from archsim.pipeline.inputs import OF_LIBRARY, OF_WORKLOAD, Inputs, Overrides, images_of, passes_of
from archsim.study.axis import Axis
from archsim.study.spec import FILES, SETTINGS, StudyConfig
from archsim.workload.spec import Workload
from archsim.workload.trace import Trace

RUN = frozenset(SETTINGS) - frozenset(ArchConfig.model_fields)  # settings of the run that no chip has


class Base:
    """The files that a study starts from, its `overrides` applied, read when they are first needed."""

    def __init__(self, config: StudyConfig, where: str) -> None:
        self.config, self.where = config, where

    @property
    def arch(self) -> ArchConfig:
        """The architecture."""
        return self.chip.arch

    @property
    def library(self) -> Library:
        """The component library of the chip, with the values that the study overrides."""
        return self.chip.library

    @cached_property
    def chip(self) -> Chip:
        """The chip."""
        return Inputs().chip(self.config.file(self.config.arch), self._overrides)

    @cached_property
    def source(self) -> Workload | Trace:
        """The workload, or the trace where the study names one."""
        return Inputs().source(self.config.file(self.config.workload), self._overrides)

    @property
    def _overrides(self) -> Overrides:
        own = {path: value for path, value in self.config.overrides.items() if path not in RUN}
        return Overrides.of(f"{path}={json.dumps(value)}" for path, value in own.items())

    def value(self, path: str) -> Any:
        """Return what a setting is in the base, as a study file would write it; ConfigError where it is nowhere."""
        if path in self.config.overrides:
            return self.config.overrides[path]
        if path in FILES:
            return getattr(self.config, path)
        if path in SETTINGS:
            return self._of_the_run(path)
        if path.startswith(OF_LIBRARY):
            name = path.removeprefix(OF_LIBRARY)
            self._known(name, self.library.entries, path)
            return self.library.entries[name].value
        if path.startswith(OF_WORKLOAD):
            if isinstance(self.source, Trace):
                raise ConfigError(f"{self.where}: axes.{path}: a trace has no settings; name its workload file")
            return self._within(dump(self.source.config), path.removeprefix(OF_WORKLOAD), path)
        return self._within(dump(self.arch), path, path)

    def nominal(self, axis: Axis) -> Any:
        """Return the value of an axis at which the base stands, in the words of the axis where it is one of its values.

        ConfigError where an axis of names has none that stands for the base.
        """
        if axis.choices:
            for name, settings in axis.choices.items():
                if all(_same(value, self.value(path)) for path, value in settings.items()):
                    return name
            raise ConfigError(f"{self.where}: axes.{axis.path}: none of its names stands for the base files")
        here = self.value(axis.path)
        return next((value for value in axis.values if _same(value, here)), here)

    def _of_the_run(self, name: str) -> Any:
        if name == "passes":
            return passes_of(self.source, self.config.passes)
        if name == "images":
            return images_of(self.source, self.config.images)
        if name in ("schedule", "grain"):
            return getattr(self.arch, name)
        return {"seed": self.config.seed, "chip": 0, "stopping": "none", "baseline": ""}[name]

    def _within(self, data: Any, keys: str, path: str) -> Any:
        for key in keys.split("."):
            if isinstance(data, list) and key.isdigit() and int(key) < len(data):
                data = data[int(key)]
            elif isinstance(data, Mapping):
                self._known(key, data, path)
                data = data[key]
            else:
                raise ConfigError(f"{self.where}: axes.{path}: the base has no such setting to start from")
        return data

    def _known(self, key: str, known: Iterable[str], path: str) -> None:
        if key not in known:
            raise ConfigError(f"{self.where}: axes.{path}: the base has no '{key}'{nearest(key, known)}")


def _same(one: Any, other: Any) -> bool:
    """Tell whether two values are written differently at most: 0.5 GHz is 500 MHz."""
    if isinstance(one, str) and isinstance(other, str) and one != other:
        try:
            return units.read(one) == units.read(other)
        except UnitError:
            return False
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
