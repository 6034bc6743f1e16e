"""Physical quantities as text: `"0.41 pJ"` to an SI float and back, with the dimension checked.

Units follow the SI brochure (9th edition); the binary prefixes Ki, Mi, Gi follow IEC 80000-13. The bit counts as a
base unit, so that an energy and an energy per bit cannot be mistaken for each other. Values are computed with exact
fractions and rounded once, hence `parse("0.35 pJ", "energy") == 0.35e-12`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType

from archsim.errors import UnitError, nearest

Powers = tuple[int, int, int, int, int, int]
"""Exponents of kg, m, s, A, K and bit."""

PURE: Powers = (0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Unit:
    """A unit symbol: its factor to SI and its dimension."""

    factor: Fraction
    powers: Powers


def _all_units() -> Mapping[str, Unit]:
    """Return every unit that can be written, with and without prefix."""
    decimal = {"a": -18, "f": -15, "p": -12, "n": -9, "u": -6, "m": -3, "c": -2, "k": 3, "M": 6, "G": 9, "T": 12}
    binary = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
    with_prefix: dict[str, Powers] = {
        "J": (1, 2, -2, 0, 0, 0),
        "W": (1, 2, -3, 0, 0, 0),
        "V": (1, 2, -3, -1, 0, 0),
        "A": (0, 0, 0, 1, 0, 0),
        "ohm": (1, 2, -3, -2, 0, 0),
        "F": (-1, -2, 4, 2, 0, 0),
        "Hz": (0, 0, -1, 0, 0, 0),
        "m": (0, 1, 0, 0, 0, 0),
        "s": (0, 0, 1, 0, 0, 0),
        "K": (0, 0, 0, 0, 1, 0),
    }
    data: Powers = (0, 0, 0, 0, 0, 1)
    units = {"": Unit(Fraction(1), PURE), "%": Unit(Fraction(1, 100), PURE)}
    for symbol, powers in with_prefix.items():
        units[symbol] = Unit(Fraction(1), powers)
        units |= {p + symbol: Unit(Fraction(10) ** e, powers) for p, e in decimal.items()}
    for symbol, bits in (("bit", 1), ("b", 1), ("B", 8)):
        units[symbol] = Unit(Fraction(bits), data)
        units |= {p + symbol: Unit(Fraction(10) ** e * bits, data) for p, e in decimal.items() if e > 0}
        units |= {p + symbol: Unit(Fraction(size * bits), data) for p, size in binary.items()}
    for symbol, seconds in (("min", 60), ("h", 3600), ("day", 86_400), ("year", 31_557_600)):  # Julian year
        units[symbol] = Unit(Fraction(seconds), with_prefix["s"])
    return MappingProxyType(units)


UNITS = _all_units()


@dataclass(frozen=True)
class Dimension:
    """A kind of quantity: the SI unit its values are stored in, and an example to show in messages."""

    unit: str
    example: str


DIMENSIONS: Mapping[str, Dimension] = MappingProxyType(
    {
        "energy": Dimension("J", "1.5 pJ"),
        "time": Dimension("s", "7.4 ns"),
        "area": Dimension("m^2", "336 um^2"),
        "power": Dimension("W", "20 mW"),
        "length": Dimension("m", "40 nm"),
        "voltage": Dimension("V", "0.9 V"),
        "current": Dimension("A", "40 uA"),
        "resistance": Dimension("ohm", "6 kohm"),
        "capacitance": Dimension("F", "50 fF"),
        "frequency": Dimension("Hz", "500 MHz"),
        "temperature": Dimension("K", "300 K"),
        "data": Dimension("bit", "4 KiB"),
        "bandwidth": Dimension("bit/s", "12.8 GB/s"),
        "energy_per_bit": Dimension("J/bit", "8 pJ/bit"),
        "energy_per_length": Dimension("J/m", "0.25 pJ/mm"),
        "energy_per_bit_length": Dimension("J/bit/m", "0.1 pJ/bit/mm"),
        "time_per_length": Dimension("s/m", "0.57 ns/mm"),
        "resistance_area": Dimension("ohm*m^2", "7.5 ohm*um^2"),
        "resistance_per_length": Dimension("ohm/m", "7.6 ohm/um"),
        "capacitance_per_length": Dimension("F/m", "0.2 fF/um"),
        "power_per_area": Dimension("W/m^2", "0.1 nW/um^2"),
        "power_per_data": Dimension("W/bit", "0.1 uW/KiB"),
        "area_per_data": Dimension("m^2/bit", "3.3 um^2/bit"),
        "magnetoelectric": Dimension("J/V/m", "60 fJ/V/m"),
        "ratio": Dimension("", "20 %"),
    }
)

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?")
_FACTOR = re.compile(r"\s*([*/])?\s*([A-Za-z%]+)(?:\^(-?[0-9]))?\s*")
_SPELLINGS = str.maketrans({"µ": "u", "μ": "u", "Ω": "ohm", "·": "*", "²": "^2"})
_LONGEST = 100
_DAY_S = 86_400


@dataclass(frozen=True)
class Quantity:
    """A value in SI units with the exponents of its base units."""

    value: float
    powers: Powers


def parse(text: str, dimension: str) -> float:
    """Return the SI value of a quantity such as `"0.41 pJ"`, which must be of the named dimension.

    Raises:
        UnitError: no unit, an unknown unit, another dimension, or not a finite number.
    """
    wanted = dimension_named(dimension)
    if not isinstance(text, str):
        raise UnitError(f"expected {_describe(dimension)}, got {text!r} without a unit")
    found = read(text)
    if found.powers == _powers_of(wanted.unit):
        return found.value
    got = f"'{text}' without a unit" if found.powers == PURE and "%" not in text else f"'{text}'"
    raise UnitError(f"expected {_describe(dimension)}, got {got}")


def read(text: str) -> Quantity:
    """Return the SI value and the dimension of any quantity.

    Raises:
        UnitError: the text is not a finite number followed by known units.
    """
    plain = text.strip().translate(_SPELLINGS)
    number = _NUMBER.match(plain)
    if number is None or len(plain) > _LONGEST:
        raise UnitError(f"'{_shorten(text)}' is not a number with a unit, like '1.5 pJ'")
    try:
        factor, powers, exponent = _unit(plain[number.end() :])
    except UnitError:
        _read_unit(plain[number.end() :], text)  # which says where it stands
        raise
    if exponent is not None and "e" not in number.group().lower():
        value = float(f"{number.group()}e{exponent}")  # rounded once as well, and much faster
        if math.isfinite(value):
            return Quantity(value, powers)
    try:
        value = float(Fraction(number.group()) * factor)
    except OverflowError:
        raise UnitError(f"'{text}' is too large") from None
    return Quantity(value, powers)


def dimension_of(quantity: Quantity) -> str:
    """Return the name of the dimension of a quantity; UnitError where archsim has no name for it."""
    if quantity.powers in _NAMES:
        return _NAMES[quantity.powers]
    raise UnitError(f"of no dimension that archsim uses ({', '.join(DIMENSIONS)})")


def dimension_named(name: str) -> Dimension:
    """Return a dimension by its name; UnitError with the nearest name where there is none."""
    if name not in DIMENSIONS:
        raise UnitError(f"unknown dimension '{name}'{nearest(name, DIMENSIONS)}")
    return DIMENSIONS[name]


def picoseconds(seconds: float) -> int:
    """Return a duration as the nearest whole number of picoseconds, the clock of the simulation.

    Raises:
        UnitError: negative, not a number, or longer than a day.
    """
    if not 0 <= seconds <= _DAY_S:  # also false for NaN
        raise UnitError(f"a duration must lie between 0 s and one day, got {seconds} s")
    return round(Fraction(seconds) * 10**12)


def show(value: float, unit: str, digits: int = 3) -> str:
    """Return a value in SI `unit` for people, with an engineering prefix: `show(1.234e-6, "J") == "1.23 uJ"`."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}".strip()
    rounded = float(f"{value:.{digits - 1}e}")  # first round, then choose the prefix: 999.96 uJ is 1 mJ
    shown = _display_unit(abs(rounded), unit)
    scaled = float(Fraction(repr(rounded)) / _read_unit(shown, shown)[0])
    number = f"{scaled:.0f}" if 10**digits <= abs(scaled) < 1e6 else f"{scaled:.{digits}g}"
    return f"{number} {shown}".strip()


def write(value: float, dimension: str) -> str:
    """Return the text that `parse` reads back as exactly `value`, in a fitting unit where that loses nothing."""
    unit = dimension_named(dimension).unit
    if value and math.isfinite(value):
        shown = _display_unit(abs(value), unit)
        scaled = float(Fraction(repr(float(value))) / _read_unit(shown, shown)[0])
        text = f"{scaled!r}".removesuffix(".0") + f" {shown}".rstrip()
        if parse(text, dimension) == value:
            return text
    return f"{float(value)!r} {unit}".strip()


@lru_cache(maxsize=1024)
def _unit(text: str) -> tuple[Fraction, Powers, int | None]:
    """Return factor and dimension of a unit, and the exponent of a factor that is a power of ten."""
    factor, powers = _read_unit(text, text)
    digits = str(max(factor.numerator, factor.denominator))
    is_power = 1 in (factor.numerator, factor.denominator) and digits.rstrip("0") == "1"
    exponent = len(digits) - 1 if is_power else None
    return factor, powers, -exponent if exponent and factor < 1 else exponent


def _read_unit(text: str, whole: str) -> tuple[Fraction, Powers]:
    """Return factor and dimension of a product of units such as `pJ/bit/mm`; empty text is a pure number."""
    factor, powers, position = Fraction(1), PURE, 0
    while position < len(text):
        match = _FACTOR.match(text, position)
        if match is None or (match[1] is None) == (position > 0):
            raise UnitError(f"cannot read the unit in '{_shorten(whole)}'; write it like 'pJ/bit' or 'um^2'")
        exponent = int(match[3] or 1) * (-1 if match[1] == "/" else 1)
        unit = UNITS.get(match[2])
        if unit is None:
            raise UnitError(f"unknown unit '{match[2]}' in '{_shorten(whole)}'{nearest(match[2], UNITS)}")
        factor *= unit.factor**exponent
        a, b, c, d, e, f = (old + exponent * new for old, new in zip(powers, unit.powers, strict=True))
        powers = (a, b, c, d, e, f)
        position = match.end()
    return factor, powers


def _powers_of(unit: str) -> Powers:
    return _read_unit(unit, unit)[1]


def _display_unit(magnitude: float, unit: str) -> str:
    """Return the unit to show a magnitude in: SI with a prefix, or for compound units that of the example."""
    if unit == "bit" and magnitude % 8192 == 0:
        return "KiB"
    if unit in ("", "K"):
        return unit
    if re.search(r"[*/]", unit):
        examples = (d.example.partition(" ")[2] for d in DIMENSIONS.values() if d.unit == unit)
        return next(examples, unit)
    symbol = unit.partition("^")[0]
    usual = "afpnum" if symbol in ("s", "m") else "afpnumkMGT"
    prefixes = [p for p in ("", *usual) if p + symbol in UNITS]
    # read as a unit rather than multiplied: in um^2 the prefix is squared
    scales: list[tuple[Fraction, str]] = sorted((_read_unit(p + unit, unit)[0], p + unit) for p in prefixes)
    fitting = [shown for scale, shown in scales if scale <= Fraction(repr(magnitude))]
    return fitting[-1] if fitting else scales[0][1]


def _describe(dimension: str) -> str:
    kind = DIMENSIONS[dimension]
    unit = f" in {kind.unit}" if kind.unit else ""
    return f"a quantity of {dimension.replace('_', ' ')}{unit}, like '{kind.example}'"


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


_NAMES: Mapping[Powers, str] = MappingProxyType({_powers_of(d.unit): name for name, d in DIMENSIONS.items()})
