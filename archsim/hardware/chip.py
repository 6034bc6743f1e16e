"""A chip that is ready to be used: its components with their costs, how many there are, and what they add up to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from types import MappingProxyType

from archsim.errors import ConfigError
from archsim.hardware.arch import ArchConfig
from archsim.hardware.component import ZERO, Component, Figure
from archsim.hardware.device import MtjDevice
from archsim.hardware.effects import Effects, what_is_on
from archsim.hardware.library import Library, load_library
from archsim.hardware.parts.converter import check_bits, sample_hold
from archsim.hardware.parts.logic import LANE
from archsim.hardware.parts.site import Part, Site
from archsim.units import picoseconds

LEVELS = ("crossbar", "core", "tile", "chip")
PROGRAMMING = ("crossbar", "write")
SUPPLY_TOLERANCE = 0.12  # of the library's supply: beyond it delays change, and the library has no law for that


@dataclass(frozen=True)
class Chip:
    """One chip under one set of conditions.

    `components` and `counts` (instances on the whole chip) are keyed by component name; a part that the chip does not
    have (such as a router on a bus, or an off-chip memory) is in neither. `parts` says where each stands.
    `tile_pitch` is in metres; `device` is None for cells that archsim has no physics for; `ir_drop` is the part of the
    read voltage lost on a bit line; `effects` are the imperfections that are on. `warnings` says what was accepted
    although it is doubtful.
    """

    arch: ArchConfig
    library: Library
    parts: Mapping[str, Part]
    components: Mapping[str, Component]
    counts: Mapping[str, int]
    device: MtjDevice | None
    ir_drop: Figure | None
    effects: Effects
    tile_pitch: Figure
    memory_bandwidth: Figure | None
    warnings: tuple[str, ...]

    def instances(self, name: str, level: str = "chip") -> int:
        """Return how many instances of a component one block of a level holds (those of blocks inside included)."""
        part = self.parts[name]
        return part.count * _blocks(self.arch, part.level, level)

    def area(self, level: str = "chip") -> Figure:
        """Return the area of one block of a level, in m^2."""
        return _total(self.area_by_part(level).values())

    def area_by_part(self, level: str = "chip") -> dict[str, Figure]:
        """Return the area that each component takes in one block of a level, in m^2."""
        return {n: c.area * self.instances(n, level) for n, c in self._inside(level)}

    def leakage(self, level: str = "chip") -> Figure:
        """Return the static power of one block of a level, in W."""
        return _total(self.leakage_by_part(level).values())

    def leakage_by_part(self, level: str = "chip") -> dict[str, Figure]:
        """Return the static power of each component in one block of a level, in W."""
        return {n: c.leakage * self.instances(n, level) for n, c in self._inside(level)}

    def peak_power(self, level: str = "chip") -> Figure:
        """Return the power of one block of a level when all its parts are busy computing, in W.

        Each instance repeats its most power-hungry action without a pause; of the units that share a digital lane
        only the hungriest counts; leakage is added. Programming the crossbars is not computing.
        """
        power = {n: self._busy_power(n) * self.instances(n, level) for n, _ in self._inside(level)}
        lane = max((power.pop(n) for n in sorted(LANE) if n in power), key=lambda f: f.value, default=ZERO)
        return _total(power.values()) + lane + self.leakage(level)

    def _busy_power(self, name: str) -> Figure:
        part = self.parts[name]
        powers = [
            action.energy * (part.at_once / (period * 1e-12))
            for key, action in part.component.actions.items()
            if (name, key) != PROGRAMMING and (period := part.interval_ps or action.latency_ps)
        ]
        return max(powers, key=lambda f: f.value, default=ZERO)

    def _inside(self, level: str) -> Iterator[tuple[str, Component]]:
        return ((n, c) for n, c in self.components.items() if self.instances(n, level))


def build_chip(arch: ArchConfig, library: Library | None = None) -> Chip:
    """Return the chip that an architecture describes, priced by its component library (read unless given).

    Raises:
        ConfigError: a cost that nothing states, a model used outside its validity, a bit line that loses too much of
            the read voltage.
    """
    library = load_library(arch.library_path) if library is None else library
    try:
        return _build(arch, library)
    except ConfigError as error:
        raise ConfigError(f"{arch.name}: {problem}" for problem in error.problems) from None


def _build(arch: ArchConfig, library: Library) -> Chip:
    _check_supply(arch, library)
    site = Site(library, arch.corner, arch.supply, arch.temperature, arch.clock)
    local = list(_local_parts(arch, site))
    pitch = _pitch(arch, [*local, *_router(arch, site)])
    parts = {
        p.component.name: p
        for p in (*local, *arch.interconnect.parts(site, arch.organisation.columns, arch.organisation.rows, pitch))
    }
    ir_drop = arch.crossbar.ir_drop_ratio(site)
    return Chip(
        arch=arch,
        library=library,
        parts=MappingProxyType(parts),
        components=MappingProxyType({n: p.component for n, p in parts.items()}),
        counts=MappingProxyType({n: p.count * _blocks(arch, p.level, "chip") for n, p in parts.items()}),
        device=arch.crossbar.mtj(site),
        ir_drop=ir_drop,
        effects=what_is_on(arch, library, ir_drop),
        tile_pitch=pitch,
        memory_bandwidth=arch.memory.rate(site) if arch.memory else None,
        warnings=tuple(_doubts(arch, ir_drop)),
    )


def _local_parts(arch: ArchConfig, site: Site) -> Iterator[Part]:
    """Yield everything but the interconnect, whose wires are as long as the rest is wide."""
    yield from _crossbar_parts(arch, site)
    yield arch.shift_add.part(site, arch.converter.bits)
    yield arch.accumulator.part(site)
    yield Part(arch.input_buffer.component(site, "input_buffer"), "tile", 1, arch.input_buffer.width)
    yield Part(arch.output_buffer.component(site, "output_buffer"), "tile", 1, arch.output_buffer.width)
    yield Part(arch.global_buffer.component(site, "global_buffer"), "chip", 1, arch.global_buffer.width)
    yield Part(arch.parameter_memory.component(site, "parameter_memory"), "tile", 1, arch.parameter_memory.width)
    yield from arch.digital.parts(site)
    yield arch.controller.part(site)
    if arch.stochastic is not None:
        yield from arch.stochastic.parts(site)
    if arch.memory is not None:
        memory = arch.memory.component(site)
        word = arch.memory.WORD
        yield Part(memory, "chip", 1, word, picoseconds(word / arch.memory.rate(site).value))


def _crossbar_parts(arch: ArchConfig, site: Site) -> Iterator[Part]:
    crossbar, converter = arch.crossbar, arch.converter
    check_bits(converter, crossbar, site)
    level, count = _converters(arch)
    turns = math.ceil(crossbar.columns * _blocks(arch, "crossbar", level) / count)  # columns behind one converter
    array = crossbar.component(site, converter.sample_hold, converter.conversion(site, crossbar))
    mux = arch.column_mux.component(site, crossbar, turns)
    convert = converter.component(site, crossbar)
    read_ps = array.actions["read"].latency_ps
    convert_ps = convert.actions["convert"].latency_ps
    # the next group waits until this one is converted, or at least sampled
    group_ps = max(read_ps, turns * convert_ps) if converter.sample_hold else read_ps + turns * convert_ps

    conducting = crossbar.parallel_rows * (crossbar.columns + crossbar.reference_columns)
    yield Part(array, "crossbar", 1, conducting, group_ps)
    yield Part(arch.row_driver.component(site, crossbar), "crossbar", 1, crossbar.parallel_rows, group_ps)
    yield Part(arch.decoder.component(site, crossbar), "crossbar", 1, 1, group_ps)
    yield Part(arch.parity.component(site, crossbar), "crossbar", 1, 1, group_ps)
    yield Part(mux, level, count, 1, convert_ps)
    yield Part(convert, level, count)
    if converter.kind == "adc" and converter.sample_hold:
        hold = sample_hold(site, converter.sample_hold_costs, crossbar.columns)
        yield Part(hold, "crossbar", 1, crossbar.columns, group_ps)


def _converters(arch: ArchConfig) -> tuple[str, int]:
    """Return at which level converters stand, and how many each block of it has."""
    converter = arch.converter
    if converter.columns_per_converter is None:
        assert converter.count is not None, "the converter's own check asks for it"
        return converter.shared_by, converter.count
    return "crossbar", math.ceil(arch.crossbar.columns / converter.columns_per_converter)


def _router(arch: ArchConfig, site: Site) -> Iterator[Part]:
    if arch.interconnect.kind == "mesh":
        yield Part(arch.interconnect.router(site), "tile", 1)


def _pitch(arch: ArchConfig, parts: Iterable[Part]) -> Figure:
    """Return the side of a square tile, in metres."""
    area = _total(p.component.area * (p.count * _blocks(arch, p.level, "tile")) for p in parts)
    value, low, high = (math.sqrt(a) for a in (area.value, area.low, area.high))
    return Figure(value, low, high, area.grade, area.sources)


def _blocks(arch: ArchConfig, inner: str, outer: str) -> int:
    """Return how many blocks of one level lie in one block of another: 0 where the outer one is the smaller."""
    if LEVELS.index(inner) > LEVELS.index(outer):
        return 0
    inside = {
        "crossbar": 1,
        "core": arch.organisation.crossbars_per_core,
        "tile": arch.organisation.crossbars_per_tile,
        "chip": arch.organisation.crossbars,
    }
    return inside[outer] // inside[inner]


def _doubts(arch: ArchConfig, ir_drop: Figure | None) -> Iterator[str]:
    """Yield what is accepted with a warning; refuse a drop that the architecture does not allow."""
    if ir_drop is None:
        yield f"crossbar.device '{arch.crossbar.device}': no device physics, so the voltage drop is not checked"
        return
    limit = arch.crossbar.ir_drop_limit
    if ir_drop.value <= limit:
        return
    fitting = math.floor(arch.crossbar.parallel_rows * limit / ir_drop.value)
    text = (
        f"crossbar: {arch.crossbar.parallel_rows} parallel rows of {arch.crossbar.device} cells lose"
        f" {ir_drop.value:.0%} of the read voltage on the bit line (ir_drop_limit {limit:.0%})"
    )
    if arch.crossbar.ir_drop == "refuse":
        ways = f"drive at most {fitting} rows at a time, " if fitting else "shorten the bit line (fewer rows), "
        raise ConfigError(f"{text}; {ways}take a device of higher resistance, or set ir_drop: allow")
    yield f"{text}; the answers include the error that this makes"


def _check_supply(arch: ArchConfig, library: Library) -> None:
    nominal = library.technology.supply
    if abs(arch.supply / nominal - 1) > SUPPLY_TOLERANCE:
        raise ConfigError(
            f"supply: {arch.supply:g} V is more than {SUPPLY_TOLERANCE:.0%} away from the"
            f" {nominal:g} V at which '{library.name}' states delays"
        )


def _total(figures: Iterable[Figure]) -> Figure:
    return reduce(add, figures, ZERO)
