"""What a user may hand to the pipeline, turned into what it works on: a chip, a network, its images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from archsim.config import dump, override, validate
from archsim.config.yaml_file import load_text
from archsim.errors import ConfigError, DataError
from archsim.hardware.arch import ArchConfig, ArchFile, read_arch
from archsim.hardware.chip import Chip, build_chip
from archsim.hardware.library import Library, load_library
from archsim.mapping.stages import StageGraph, build_stages
from archsim.pipeline.recent import Recent
from archsim.workload.cache import trace_of
from archsim.workload.data import ImageSet, load_dataset
from archsim.workload.spec import DatasetChoice, Workload, WorkloadConfig, load_workload
from archsim.workload.trace import Trace
from archsim.workload.tracefile import load_trace

DEFAULT_PASSES = 20
DEFAULT_IMAGES = 100
OF_WORKLOAD = "workload."
OF_LIBRARY = "library."
MOST_SETS = 4  # of images that are kept; one may take a hundred megabytes
MOST_NETWORKS = 16  # that are kept; one of millions of weights takes some megabytes

ChipLike: TypeAlias = ArchConfig | Chip | Path | str
NetworkLike: TypeAlias = Workload | Trace | Path | str


@dataclass(frozen=True)
class Overrides:
    """Settings "path.to.key=value", by what they belong to; those of workload and library without their prefix."""

    arch: tuple[str, ...] = ()
    workload: tuple[str, ...] = ()
    library: tuple[str, ...] = ()

    @staticmethod
    def of(settings: Iterable[str]) -> Overrides:
        """Sort settings: "workload.PATH=value", "library.ENTRY=value", and all others, the architecture's."""
        sorted_: dict[str, list[str]] = {"": [], OF_WORKLOAD: [], OF_LIBRARY: []}
        for setting in settings:
            prefix = next((p for p in (OF_WORKLOAD, OF_LIBRARY) if setting.startswith(p)), "")
            sorted_[prefix].append(setting.removeprefix(prefix))
        return Overrides(*map(tuple, sorted_.values()))

    def entries(self) -> dict[str, Any]:
        """Return the values of library entries by path; ConfigError for a setting without `=`."""
        values = {}
        for setting in self.library:
            path, equals, text = setting.partition("=")
            where = f"--set {OF_LIBRARY}{setting}"
            if not equals:
                raise ConfigError(f"{where}: expected {OF_LIBRARY}entry=value")
            values[path.strip()] = load_text(text, where)
        return values


NONE = Overrides()


@dataclass(frozen=True, eq=False)
class Inputs:
    """Reads what a user hands over, every file once: what several evaluations share is kept.

    Files are taken not to change meanwhile.
    """

    _archs: dict[str, ArchFile] = field(default_factory=dict)
    _libraries: dict[Path, Library] = field(default_factory=dict)
    _sources: Recent[tuple[str, tuple[str, ...]], Workload | Trace] = field(
        default_factory=partial(Recent, MOST_NETWORKS)
    )
    _traces: Recent[int, tuple[Workload, Trace]] = field(default_factory=partial(Recent, MOST_NETWORKS))
    _graphs: Recent[int, tuple[Trace, StageGraph]] = field(default_factory=partial(Recent, MOST_NETWORKS))
    _images: Recent[tuple[Any, ...], ImageSet] = field(default_factory=partial(Recent, MOST_SETS))

    def chip(self, arch: ChipLike, overrides: Overrides = NONE) -> Chip:
        """Return the chip of an architecture or of its file, with overrides; a chip that has none is itself."""
        if isinstance(arch, Chip):
            if not (overrides.arch or overrides.library):
                return arch
            config = self._arch(arch.arch, overrides)
            same = config.library_path == arch.arch.library_path
            library = arch.library if same else self.library(config.library_path)
        else:
            config = self._arch(arch, overrides)
            library = self.library(config.library_path)
        return build_chip(config, library.with_values(overrides.entries()) if overrides.library else library)

    def _arch(self, arch: ArchConfig | Path | str, overrides: Overrides) -> ArchConfig:
        if not isinstance(arch, ArchConfig):
            return self.arch_file(arch).arch(overrides.arch)
        return ArchFile.of(arch).arch(overrides.arch) if overrides.arch else arch

    def arch_file(self, path: Path | str) -> ArchFile:
        """Return an architecture file."""
        key = str(path)
        if key not in self._archs:
            self._archs[key] = read_arch(path)
        return self._archs[key]

    def library(self, path: Path) -> Library:
        """Return a component library."""
        if path not in self._libraries:
            self._libraries[path] = load_library(path)
        return self._libraries[path]

    def source(self, workload: NetworkLike, overrides: Overrides = NONE) -> Workload | Trace:
        """Return a workload or a trace, read from its file where it is one, with overrides; a trace takes none."""
        settings = overrides.workload
        if isinstance(workload, Workload | Trace):
            return changed(workload, settings)
        is_yaml = Path(workload).suffix in (".yaml", ".yml")
        return self._sources.get(
            (str(workload), settings),
            lambda: load_workload(workload, settings) if is_yaml else changed(load_trace(workload), settings),
        )

    def trace(self, source: Workload | Trace) -> Trace:
        """Return the network as data."""
        if isinstance(source, Trace):
            return source
        # the source is held, so that its id stays its own
        return self._traces.get(id(source), lambda: (source, trace_of(source)))[1]

    def graph(self, trace: Trace) -> StageGraph:
        """Return a network as stages."""
        return self._graphs.get(id(trace), lambda: (trace, build_stages(trace)))[1]

    def images(self, source: Workload | Trace, count: int, *, exact: bool, split: str | None = None) -> ImageSet:
        """Return labelled images: the workload's, or those that a trace says it was made for.

        `exact`: so many were asked for, and fewer will not do. `split`: instead of the one that they name.
        """
        choice = dataset_of(source)
        name, part, centred = choice.name, split or choice.split, choice.preprocessing == "centred"
        return self._images.get(
            (name, part, count, centred, exact),
            lambda: load_dataset(name, part, count=count, centred=centred, exact=exact),
        )


def changed(source: Workload | Trace, settings: tuple[str, ...]) -> Workload | Trace:
    """Return a workload with "path=value" settings; `ConfigError` for a trace with any."""
    if not settings:
        return source
    if isinstance(source, Trace):
        raise ConfigError(
            f"--set {OF_WORKLOAD}{settings[0]}: '{source.name}' is a trace, which has no settings; give its workload"
            " file instead"
        )
    config = validate(WorkloadConfig, override(dump(source.config), settings), str(source.path))
    return Workload(config, source.path)


def dataset_of(source: Workload | Trace) -> DatasetChoice:
    """Return which images a network is for; `DataError` for a trace that does not say."""
    if isinstance(source, Workload):
        return source.config.dataset
    made_for = source.meta.get("dataset")
    if not isinstance(made_for, dict):
        raise DataError(
            f"trace '{source.name}' does not say which data set it is for; run its workload file, or costs alone"
        )
    return validate(DatasetChoice, made_for, f"trace '{source.name}': dataset")


def passes_of(source: Workload | Trace, given: int | None) -> int:
    """Return the Monte-Carlo passes of an image: those given, or the workload's."""
    return _positive("passes", given, _default(source, "passes", DEFAULT_PASSES))


def images_of(source: Workload | Trace, given: int | None) -> int:
    """Return the number of images: those given, or the workload's."""
    return _positive("images", given, _default(source, "images", DEFAULT_IMAGES))


def _default(source: Workload | Trace, name: str, otherwise: int) -> int:
    value = source.meta.get(name) if isinstance(source, Trace) else getattr(source.config, name)
    return value if isinstance(value, int) else otherwise


def _positive(name: str, given: int | None, default: int) -> int:
    if given is not None and given < 1:
        raise ConfigError(f"{name}: must be at least 1, got {given}")
    return default if given is None else given
