"""The component library: every number that a chip may cost, with unit, plausible range, grade and source.

A library is a tree of entries such as

    peripheral:
      sense_amp:
        energy: {value: 6 fJ, range: [1.6 fJ, 15 fJ], grade: DERIVED, source: [neurosim_run]}

and an entry is asked for by its path, `library.figure("peripheral.sense_amp.energy", "energy")`. A plain number has
no unit and says in `unit:` what it counts. A group may hold a `formula:` beside the constants of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from pydantic import Field

from archsim import units
from archsim.config import Document, Model, read_yaml, validate
from archsim.errors import ConfigError, UnitError, nearest
from archsim.hardware.component import Figure
from archsim.hardware.entry import Corner, Entry, Formula, Macro, Technology, quantity

M = TypeVar("M", bound=Model)
T = TypeVar("T")


class LibraryFile(Document):
    """The file as it is written; the sections of entries are read apart."""

    SCHEMA: ClassVar[str] = "archsim/components@1"
    description: str = ""
    technology: Technology
    sources: dict[str, str]
    corners: dict[str, Corner]
    published_macros: dict[str, Macro] = Field({})


ROUNDING = 1e-9  # relative, of values that were computed from the ends of a range
SECTIONS = ("devices", "rng", "peripheral", "digital", "memory", "interconnect", "scaling", "models")


@dataclass(frozen=True)
class Library:
    """A checked component library."""

    name: str
    description: str
    technology: Technology
    sources: Mapping[str, str]
    entries: Mapping[str, Entry]
    formulas: Mapping[str, Formula]
    corners: Mapping[str, Corner]
    published_macros: Mapping[str, Macro]

    def figure(self, path: str, dimension: str) -> Figure:
        """Return the entry at a path in SI units.

        Raises:
            ConfigError: no such entry (names the nearest), or it is of another dimension.
        """
        entry = self._entry(path)
        if entry.dimension != dimension:
            wanted = f"'{dimension}' (like '{units.dimension_named(dimension).example}')"
            raise UnitError(f"{self.name}: {path}: expected dimension {wanted}, got '{entry.value}'")
        return entry.figure

    def number(self, path: str) -> Figure:
        """Return a dimensionless entry; errors as for `figure`."""
        return self.figure(path, "ratio")

    def formula(self, path: str) -> Formula:
        """Return the closed form of a group, such as `models.sram`; ConfigError where there is none."""
        return _pick(self.formulas, path, f"{self.name}: no formula")

    def corner(self, name: str) -> Corner:
        """Return a corner by name; ConfigError with the nearest name where there is none."""
        return _pick(self.corners, name, f"{self.name}: no corner")

    def source(self, key: str) -> str:
        """Return the citation behind a source key; ConfigError with the nearest key where there is none."""
        return _pick(self.sources, key, f"{self.name}: no source")

    def with_values(self, values: Mapping[str, Any]) -> Library:
        """Return the library with other values of some entries: by path, quantities with their units or plain numbers.

        A value must lie in its entry's range. Range and sources stay, as they are about the same thing; the grade
        becomes ASSUMED and the note says what the library states, since no source states this value.

        Raises:
            ConfigError: no such entry (names the nearest), a value of another dimension or outside the range.
        """
        changed = {path: self._with_value(path, value) for path, value in values.items()}
        return replace(self, entries=MappingProxyType({**self.entries, **changed}))

    def _with_value(self, path: str, value: Any) -> Entry:
        entry, where = self._entry(path), f"{self.name}: {path}"
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ConfigError(f"{where}: expected one value like '{entry.value}', got {value!r}")
        if isinstance(value, str) != isinstance(entry.value, str):
            raise UnitError(f"{where}: expected a value like '{entry.value}', got '{value}'")
        try:
            given = units.parse(value, entry.dimension) if isinstance(value, str) else float(value)
        except UnitError as error:
            raise UnitError(f"{where}: {error}") from None
        if given == entry.figure.value:
            return entry
        for end, written in ((entry.figure.low, entry.range[0]), (entry.figure.high, entry.range[1])):
            if math.isclose(given, end, rel_tol=ROUNDING, abs_tol=0.0):
                return entry.restated(written)
        if not entry.figure.low < given < entry.figure.high:
            raise ConfigError(f"{where}: {value} lies outside its range [{entry.range[0]}, {entry.range[1]}]")
        return entry.restated(value)

    def _entry(self, path: str) -> Entry:
        if path not in self.entries:
            raise ConfigError(f"{self.name}: no entry '{path}'{nearest(path, self._near(path))}")
        return self.entries[path]

    def __iter__(self) -> Iterator[tuple[str, Entry]]:
        """Iterate over (path, entry) in the order of the file."""
        return iter(self.entries.items())

    def __len__(self) -> int:
        return len(self.entries)

    def _near(self, path: str) -> list[str]:
        """Return the entries of the deepest group that exists on the path, or the sections where none does."""
        group = path
        while "." in group:
            group = group.rpartition(".")[0]
            if members := [known for known in self.entries if known.startswith(group + ".")]:
                return members
        return sorted({known.partition(".")[0] for known in self.entries})


def load_library(path: Path | str) -> Library:
    """Return the component library in a YAML file.

    Raises:
        ConfigError: every problem of the file at once: malformed entries, values outside their range, negative
            costs, unknown sources.
    """
    data = read_yaml(path)
    where = str(path)
    trees = {section: data.pop(section) for section in SECTIONS if section in data}
    problems: list[str] = []
    file = _collect(problems, LibraryFile, data, where)
    entries: dict[str, Entry] = {}
    formulas: dict[str, Formula] = {}
    for section, tree in trees.items():
        for place, node in _leaves(section, tree):
            if place.endswith(".formula"):
                if formula := _collect(problems, Formula, node, f"{where}: {place}"):
                    formulas[place.removesuffix(".formula")] = formula
            elif entry := _collect(problems, Entry, node, f"{where}: {place}"):
                entries[place] = entry
    if file is not None:
        problems += _unknown_sources(file, entries, where)
    problems += [f"{where}: {place}: must not be negative" for place, e in entries.items() if _is_negative(place, e)]
    if problems or file is None:
        raise ConfigError(problems)
    return Library(
        name=Path(path).name,
        description=file.description,
        technology=file.technology,
        sources=MappingProxyType(file.sources),
        entries=MappingProxyType(entries),
        formulas=MappingProxyType(formulas),
        corners=MappingProxyType(file.corners),
        published_macros=MappingProxyType(file.published_macros),
    )


def check_library(path: Path | str) -> None:
    """Read a library for its problems alone: ConfigError carries all of them."""
    load_library(path)


def _leaves(place: str, node: Any) -> Iterator[tuple[str, Any]]:
    """Yield the place of each entry and formula of a tree; what is neither is left to their validation."""
    if not isinstance(node, Mapping) or "value" in node or place.endswith(".formula"):
        yield place, node
        return
    for key, child in node.items():
        yield from _leaves(f"{place}.{key}", child)


def _collect(problems: list[str], model_type: type[M], data: Any, where: str) -> M | None:
    """Return the model, or add what is wrong with the data to the problems."""
    try:
        return validate(model_type, data, where)
    except ConfigError as error:
        problems += error.problems
        return None


def _unknown_sources(file: LibraryFile, entries: Mapping[str, Entry], where: str) -> Iterator[str]:
    cited: dict[str, tuple[str, ...]] = {place: entry.source for place, entry in entries.items()}
    cited |= {f"corners.{name}": corner.source for name, corner in file.corners.items()}
    cited |= {f"published_macros.{name}": macro.source for name, macro in file.published_macros.items()}
    for place, keys in cited.items():
        for key in keys:
            if key not in file.sources:
                yield f"{where}: {place}.source: unknown source '{key}'{nearest(key, file.sources)}"


def _is_negative(place: str, entry: Entry) -> bool:
    """Tell whether a cost is below zero; only constants of a fitted formula may be."""
    return not place.startswith("models.") and quantity(entry.range[0]).value < 0


def _pick(known: Mapping[str, T], key: str, what: str) -> T:
    if key not in known:
        raise ConfigError(f"{what} '{key}'{nearest(key, known)}")
    return known[key]
