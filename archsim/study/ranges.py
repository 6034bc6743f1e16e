"""Component ranges as axes: every figure of the library from the low to the high end of what is plausible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from archsim.errors import ArchsimError, ConfigError, nearest
from archsim.hardware.chip import Chip, build_chip
from archsim.hardware.entry import Amount, Entry
from archsim.pipeline.inputs import OF_LIBRARY
from archsim.study.axis import Range, Scale
from archsim.study.base import Base
from archsim.study.spec import StudyConfig

WIDE = 10  # a range whose ends differ by more is taken in equal ratios, not in equal steps
WILD = frozenset("*?[")


def with_ranges(config: StudyConfig, where: str) -> StudyConfig:
    """Return a study whose `ranges` stand among its axes: `library.ENTRY` from the low to the high end of its range.

    `all`, and names with wildcards (`peripheral.*`), take those entries that the base chip is built from and whose
    range is no point. What the study sets itself (axes, zipped, derive, overrides) stays as it is there. An entry
    counts as built in where the chip at one end of its range differs from the base in a cost, a time or a size, in an
    imperfection that is on if the study computes answers, or cannot be built. What fits into a clock cycle at both ends
    does not.

    Raises:
        ConfigError: an unknown entry (names the nearest), one without a range, a pattern that takes nothing.
    """
    if not config.ranges:
        return config
    base = Base(config, where)
    names = _chosen(config.ranges, base, f"{where}: ranges")
    taken = _set_by(config)
    axes = {f"{OF_LIBRARY}{name}": _range(base.library.entries[name]) for name in names}
    new = {path: given for path, given in axes.items() if path not in taken}
    expanded = config.model_copy(update={"axes": {**config.axes, **new}, "ranges": []})
    if not (expanded.axes or expanded.zipped):
        raise ConfigError(f"{where}: ranges: leave nothing to vary; no entry that the chip is built from has a range")
    return expanded


def built_from(base: Base) -> list[str]:
    """Return the entries with a range that the base chip depends on, in the order of the library."""
    noting, answers = _Noting(base.library.entries), base.config.quality
    here = _essence(build_chip(base.arch, replace(base.library, entries=noting)), answers)
    read = [(name, entry) for name, entry in base.library if name in noting.read and _has_range(entry)]
    return [name for name, entry in read if any(_moved(base, name, end, answers) != here for end in entry.range)]


class _Noting(dict[str, Entry]):
    """Entries that remember which of them were `read`."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        super().__init__(entries)
        self.read = set[str]()

    def __getitem__(self, name: str) -> Entry:
        self.read.add(name)
        return super().__getitem__(name)


def _chosen(patterns: Any, base: Base, where: str) -> list[str]:
    """Return the entries that a study asks for, each once, in the order of the library."""
    if patterns == "all":
        return built_from(base)
    entries, chosen = base.library.entries, set[str]()
    built = frozenset(built_from(base)) if any(WILD & set(p) for p in patterns) else frozenset[str]()
    for pattern in patterns:
        if WILD & set(pattern):
            matched = {name for name in built if fnmatchcase(name, pattern)}
            if not matched:
                some = any(fnmatchcase(name, pattern) for name in entries)
                what = "no entry with a range that the base chip is built from" if some else "no entry of the library"
                raise ConfigError(f"{where}: '{pattern}' takes {what}")
            chosen |= matched
        elif pattern not in entries:
            raise ConfigError(f"{where}: the component library has no entry '{pattern}'{nearest(pattern, entries)}")
        elif not _has_range(entries[pattern]):
            raise ConfigError(f"{where}: '{pattern}' has one value, {entries[pattern].value}, and no range")
        else:
            chosen.add(pattern)
    return [name for name in entries if name in chosen]


def _has_range(entry: Entry) -> bool:
    return entry.figure.low < entry.figure.high


def _range(entry: Entry) -> Range:
    low, high = entry.figure.low, entry.figure.high
    scale: Scale = "log" if low > 0 and high > WIDE * low else "linear"
    ends = [float(end) if isinstance(end, int) else end for end in entry.range]  # not whole numbers alone
    return Range.model_validate({"from": ends[0], "to": ends[1], "scale": scale})


def _moved(base: Base, name: str, end: Amount, answers: bool) -> list[Any] | None:
    """Return the essence of the base chip where an entry is at an end of its range; None if there is no such chip."""
    try:
        return _essence(build_chip(base.arch, base.library.with_values({name: end})), answers)
    except ArchsimError:
        return None


def _essence(chip: Chip, answers: bool) -> list[Any]:
    """Return what costs and times follow from, and `answers` too where an imperfection is on."""
    bandwidth = chip.memory_bandwidth.value if chip.memory_bandwidth else 0.0
    parts = [list(_costs(chip, name)) for name in chip.parts]
    costs = [parts, chip.counts, chip.tile_pitch.value, bandwidth]
    return [*costs, list(_imperfections(chip))] if answers and chip.effects.on else costs


def _costs(chip: Chip, name: str) -> Iterator[Any]:
    part = chip.parts[name]
    yield name, part.at_once, part.interval_ps, part.component.area.value, part.component.leakage.value
    for action, cost in part.component.actions.items():
        yield action, cost.energy.value, cost.latency_ps


def _imperfections(chip: Chip) -> Iterator[tuple[str, Any]]:
    from archsim.functional.chance import switching_law  # loads kernels, which only imperfect chips need

    yield from ((effect.path, effect.figure.value) for effect in chip.effects.on)
    if any(effect.path.startswith("random_bits.") for effect in chip.effects.on):
        yield "modules", switching_law(chip)
    if chip.device is not None:
        yield from ((field, figure.value) for field, figure in vars(chip.device).items() if field != "kind")


def _set_by(config: StudyConfig) -> set[str]:
    """Return every path that a study sets itself."""
    axes = [config.axes, *config.zipped]
    paths = {path for group in axes for path in group} | {*config.derive, *config.overrides}
    named = [given for group in axes for given in group.values() if isinstance(given, dict)]
    return paths | {path for choices in named for settings in choices.values() for path in settings}
