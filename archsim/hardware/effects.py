"""What is on: the imperfections of an architecture with their numbers, from the file or the component library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from archsim.errors import ConfigError
from archsim.hardware.arch import ArchConfig
from archsim.hardware.component import Figure
from archsim.hardware.device import KINDS
from archsim.hardware.figures import constant
from archsim.hardware.imperfections import LIBRARY, Section
from archsim.hardware.library import Library
from archsim.hardware.mtj import CURRENT_EXPONENT, ROOM

SECTIONS = ("cells", "converter", "random_bits")
EXPONENT = "models.mtj_switching.kappa"
LEVEL_SPREAD = "devices.sot_mtj.mlc_level_sigma"
WRITTEN = "stated by the architecture"
DEFAULT_EXPONENT = constant(CURRENT_EXPONENT, "ASSUMED", ("none",))


@dataclass(frozen=True)
class Effect:
    """One imperfection that is on.

    `path`: its place under `imperfections:`. `figure`: how large, in SI units or as `unit` says. `drawn`: when: for a
    chip, at programming, at every read, in every pass.
    """

    path: str
    figure: Figure
    unit: str
    drawn: str
    meaning: str


@dataclass(frozen=True)
class Effects:
    """All imperfections that are on; `exponent` is kappa of the critical current of random-bit modules."""

    on: tuple[Effect, ...] = ()
    exponent: Figure = DEFAULT_EXPONENT

    def value(self, path: str) -> float:
        """Return how large an imperfection is, such as "cells.spread"; 0 where it is off."""
        return next((e.figure.value for e in self.on if e.path == path), 0.0)


def what_is_on(arch: ArchConfig, library: Library, ir_drop: Figure | None) -> Effects:
    """Return the imperfections of an architecture.

    `ir_drop`: part of the read voltage that a bit line loses, None for a device without physics.

    Raises:
        ConfigError: an imperfection of something that the chip does not have, or a library without the figure.
    """
    effects = [e for name in SECTIONS for e in _section(arch, library, name)]
    if arch.imperfections.random_bits.temperature_drift and arch.temperature != ROOM:
        change = _stated(abs(arch.temperature - ROOM))
        effects.append(
            Effect("random_bits.temperature_drift", change, "K", "pass", "away from where the currents were trimmed")
        )
    _check_cells(arch, effects)
    _check_modules(arch, effects)
    if arch.crossbar.ir_drop == "allow" and ir_drop is not None:
        meaning = "part of the read voltage that the bit line takes at mean current"
        effects.append(Effect("crossbar.ir_drop", ir_drop, "relative", "read", meaning))
    return Effects(tuple(effects), _exponent(arch, library))


def _exponent(arch: ArchConfig, library: Library) -> Figure:
    """Return kappa, which counts only away from the temperature of trimming."""
    given = arch.imperfections.random_bits.current_exponent
    if given != LIBRARY:
        return _stated(given)
    drifts = arch.imperfections.random_bits.temperature_drift
    return library.number(EXPONENT) if drifts else DEFAULT_EXPONENT


def _section(arch: ArchConfig, library: Library, name: str) -> Iterator[Effect]:
    section: Section = getattr(arch.imperfections, name)
    for key, knob in section.knobs().items():
        given = getattr(section, key)
        figure = _from_library(arch, library, name, key, knob) if given == LIBRARY else _stated(given)
        if figure.value != 0:
            yield Effect(f"{name}.{key}", figure, knob["unit"], knob["drawn"], knob["meaning"])


def _stated(value: float) -> Figure:
    return constant(value, "ASSUMED", ("none",), WRITTEN)


def _from_library(arch: ArchConfig, library: Library, section: str, key: str, knob: Mapping[str, str]) -> Figure:
    try:
        if (section, key) == ("converter", "offset"):
            return _offset_steps(arch, library)
        if (section, key) == ("cells", "spread") and arch.crossbar.bits_per_cell > 1:
            return library.number(LEVEL_SPREAD)
        return library.number(knob["library"].format(device=arch.crossbar.device))
    except ConfigError as error:
        raise ConfigError(f"imperfections.{section}.{key}: {error}; state a number") from None


def _offset_steps(arch: ArchConfig, library: Library) -> Figure:
    """Return an offset voltage in steps of a converter whose full scale is the supply: sigma_V 2^bits / V_DD.

    That a step is so large is ASSUMED: a circuit in front amplifies the column's signal to full scale.
    """
    kind = "adc_sar" if arch.converter.kind == "adc" else "sense_amp"
    voltage = library.figure(f"peripheral.{kind}.offset_sigma", "voltage")
    offset = voltage * (2**arch.converter.bits / arch.supply)
    return Figure(offset.value, offset.low, offset.high, "ASSUMED", offset.sources, offset.note)


def _check_cells(arch: ArchConfig, effects: list[Effect]) -> None:
    cells = [e.path for e in effects if e.path.startswith("cells.")]
    if not cells:
        return
    where = f"imperfections.{cells[0]}"
    if arch.crossbar.device not in KINDS:
        known = " or ".join(KINDS)
        raise ConfigError(f"{where}: archsim has no physics for cells of '{arch.crossbar.device}'; it has for {known}")
    if arch.crossbar.cells_per_weight != 2:
        raise ConfigError(f"{where}: only complementary pairs are modelled; set crossbar.cells_per_weight to 2")


def _check_modules(arch: ArchConfig, effects: list[Effect]) -> None:
    bits = [e.path for e in effects if e.path.startswith("random_bits.")]
    kind = arch.stochastic.kind if arch.stochastic else None
    if bits and kind not in KINDS:
        have = f"those of the chip are of kind '{kind}'" if kind else "the chip has none (section 'stochastic')"
        raise ConfigError(f"imperfections.{bits[0]}: only spintronic random-bit modules have it; {have}")
