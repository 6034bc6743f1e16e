"""Design points as tasks: files found, settings read, and a key of everything that affects the outcome."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import archsim
from archsim.baselines import find_device, find_record
from archsim.config import content_hash, dump, read_yaml
from archsim.config.yaml_file import load_text
from archsim.errors import ArchsimError, ConfigError
from archsim.pipeline.inputs import OF_WORKLOAD, Inputs, Overrides, dataset_of, images_of
from archsim.study.points import DesignPoint
from archsim.study.settings import run_setting, text_of
from archsim.study.spec import FILES, SETTINGS, StudyConfig
from archsim.study.task import Task
from archsim.workload.cache import key_of
from archsim.workload.data import DATASETS, ImageSet, load_dataset
from archsim.workload.trace import Trace

DECIDING = (
    "config", "units.py", "hardware", "kernels", "mapping", "functional", "sim", "metrics", "pipeline", "uncertainty",
    "workload", "nn", "baselines", "comparison", "study/evaluator.py", "study/figures.py", "study/judged.py",
)  # fmt: skip
"""Sources of archsim that decide what a point's figures are."""


def tasks_of(config: StudyConfig, where: str, points: Iterable[DesignPoint]) -> Iterator[Task]:
    """Yield the task of each point of a study.

    Raises `ConfigError` for a setting of the run that is none (a rule, a schedule, a number of passes), a file that is
    not there, and a baseline that cannot be compared with. Whether the settings of chip and network go together is
    found when a task is evaluated.
    """
    keys = Keys()
    maker = _Maker(config, where, keys)
    for point in points:
        yield maker.task(point)


class Keys:
    """Hashes of what tasks depend on, each computed once. Files are taken not to change meanwhile."""

    def __init__(self, inputs: Inputs | None = None) -> None:
        self.inputs = inputs or Inputs()
        self._known: dict[tuple[Any, ...], str] = {}

    def key(self, task: Task) -> str:
        """Return the key of a task: it follows from everything that affects the outcome, and from nothing else."""
        own = tuple(o for o in task.overrides if o.startswith(OF_WORKLOAD))
        library = next((o for o in reversed(task.overrides) if o.startswith("library=")), "")
        parts = (
            sources_hash(),
            self._once("arch", task.arch),
            self._once("library", task.arch, library),
            self._once("network", task.workload, own),
            self._once("data", task.workload, own, task.images, task.ood) if task.quality else "",
            self.baseline(task.baseline) if task.baseline else "",
            *task.overrides,
            repr((task.passes, task.images, task.seed, task.chip, task.schedule, task.grain, task.stopping)),
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def baseline(self, name: str) -> str:
        """Return a hash of what is compared with; an `ArchsimError` where there is no such device or record."""
        return self._once("baseline", name)

    def _once(self, what: str, *of: Any) -> str:
        place = (what, *of)
        if place not in self._known:
            self._known[place] = getattr(self, f"_{what}")(*of)
        return self._known[place]

    def _arch(self, path: str) -> str:
        return content_hash(dict(self.inputs.arch_file(path).data))

    def _library(self, path: str, override: str) -> str:
        """Return the hash of a component library; of one that is not there, its name: points with it fail."""
        file = self.inputs.arch_file(path)
        name = load_text(override.partition("=")[2], path) if override else file.data.get("library")
        try:
            return content_hash(read_yaml(file.folder / str(name)))
        except ConfigError:
            return f"no library {name}"

    def _network(self, path: str, settings: Sequence[str]) -> str:
        try:
            source = self.inputs.source(path, Overrides.of(settings))
            if isinstance(source, Trace):
                return source.content_hash() + content_hash(dict(source.meta))
            return f"{key_of(source)} {source.config.passes} {source.config.images}"
        except ArchsimError as error:
            return f"no network: {error}"

    def _data(self, path: str, settings: Sequence[str], images: int | None, ood: Sequence[str]) -> str:
        """Return the hash of all images that are looked at: those of the test, those to be told from them."""
        try:
            source = self.inputs.source(path, Overrides.of(settings))
            count = images_of(source, images)
            test = self.inputs.images(source, count, exact=images is not None)
            sets = [test]
            if test.task == "regression":  # its noise may be found on inputs of the training
                sets.append(self.inputs.images(source, len(test), exact=False, split="train"))
            sets += [load_dataset(n, count=len(test), exact=False) for n in ood if n in DATASETS]
            return " ".join([dataset_of(source).name, *ood, *map(images_hash, sets)])
        except ArchsimError as error:
            return f"no data: {error}"

    def _baseline(self, name: str) -> str:
        kind, _, what = name.partition(":")
        if kind == "record":
            return content_hash(dump(find_record(what)))
        device, _, mode = what.partition("@")
        found = find_device(device)
        return f"{content_hash(dump(found))} {found.mode(mode) if mode else ''}"


class _Maker:
    """Makes tasks of the points of one study."""

    def __init__(self, config: StudyConfig, where: str, keys: Keys) -> None:
        self.config, self.where, self.keys = config, where, keys
        run = {"passes": config.passes, "images": config.images, "seed": config.seed}
        self.base = {**run, "arch": config.arch, "workload": config.workload, **config.overrides}
        self._read: dict[tuple[str, str], Any] = {}

    def task(self, point: DesignPoint) -> Task:
        """Return the task of a point."""
        settings = {**self.base, **point.settings}
        own = {name: self._once(name, settings.pop(name)) for name in (*FILES, *SETTINGS) if name in settings}
        overrides = tuple(f"{path}={text_of(settings[path], f'{self.where}: {path}')}" for path in sorted(settings))
        task = Task(
            point.number, "", overrides=overrides, quality=self.config.quality, ood=tuple(self.config.ood), **own
        )
        self._check(task)
        return replace(task, key=self.keys.key(task))

    def _once(self, name: str, value: Any) -> Any:
        """Return the value of a file or of a setting of the run, as a task holds it."""
        place = (name, repr(value))
        if place not in self._read:
            where = f"{self.where}: {name}"
            self._read[place] = self._file(value, where) if name in FILES else self._setting(name, value, where)
        return self._read[place]

    def _file(self, name: Any, where: str) -> str:
        if not isinstance(name, str):
            raise ConfigError(f"{where}: expected the name of a file, got {name!r}")
        path = os.path.abspath(self.config.file(name))
        if not os.path.isfile(path):
            raise ConfigError(f"{where}: there is no file {path}")
        return path

    def _setting(self, name: str, value: Any, where: str) -> Any:
        read = run_setting(name, value, where)
        if name != "baseline" or not read:
            return read
        kind, _, what = read.partition(":")
        file, at, mode = what.partition("@")
        if (path := self.config.file(file)).is_file():  # a file is named relative to the study's, a device is none
            read = f"{kind}:{os.path.abspath(path)}{at}{mode}"
        try:
            self.keys.baseline(read)
        except ArchsimError as error:
            raise ConfigError(f"{where}: {error}") from None
        return read

    def _check(self, task: Task) -> None:
        """Refuse what needs answers in a study without, and a comparison that would be none."""
        for what, given in (("stopping", task.stopping), ("ood", task.ood)):
            if given and not task.quality:
                raise ConfigError(f"{self.where}: {what}: needs answers; leave out 'quality: false'")
        if task.stopping and task.baseline:
            raise ConfigError(
                f"{self.where}: stopping: '{task.stopping}' stops images early on the chip alone, which is no"
                f" comparison with '{task.baseline}'; vary one of the two"
            )


@cache
def sources_hash() -> str:
    """Return a hash of the sources of archsim that decide what a point's figures are."""
    folder = Path(archsim.__file__).parent
    digest = hashlib.sha256()
    for name in DECIDING:
        place = folder / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def images_hash(images: ImageSet) -> str:
    """Return a hash of inputs and labels."""
    digest = hashlib.sha256(repr((images.name, images.images.shape, images.inputs, images.target)).encode())
    digest.update(np.ascontiguousarray(images.images).tobytes())
    digest.update(np.ascontiguousarray(images.labels).tobytes())
    return digest.hexdigest()
