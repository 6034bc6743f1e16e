from __future__ import annotations

import math
from fractions import Fraction

import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.errors import UnitError
from archsim.units import DIMENSIONS, UNITS, dimension_named, dimension_of, parse, picoseconds, read, show, write

PINT = pint.UnitRegistry()


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("0.35 pJ", "energy", 0.35e-12),
        ("0.41pJ", "energy", 0.41e-12),
        ("7.4 ns", "time", 7.4e-9),
        ("336 um^2", "area", 336e-12),
        ("336 µm²", "area", 336e-12),
        ("0.0214 mm^2", "area", 0.0214e-6),
        ("204.8 GB/s", "bandwidth", 204.8e9 * 8),
        ("8 pJ/bit", "energy_per_bit", 8e-12),
        ("8 pJ/B", "energy_per_bit", 1e-12),
        ("0.1 pJ/bit/mm", "energy_per_bit_length", 0.1e-9),
        ("7.5 ohm*um^2", "resistance_area", 7.5e-12),
        ("7.5 Ω·µm²", "resistance_area", 7.5e-12),
        ("0.2 fF/um", "capacitance_per_length", 0.2e-9),
        ("4 KiB", "data", 4 * 1024 * 8),
        ("4 kB", "data", 4 * 1000 * 8),
        ("23 Mbit/s", "bandwidth", 23e6),
        ("500 MHz", "frequency", 500e6),
        ("300 K", "temperature", 300.0),
        ("1e-3 W", "power", 1e-3),
        (".5 V", "voltage", 0.5),
        ("-5 uA", "current", -5e-6),
        ("60 fJ/V/m", "magnetoelectric", 60e-15),
        ("10 year", "time", 10 * 365.25 * 86_400),
        ("20 %", "ratio", 0.2),
    ],
)
def test_reads_exactly(text: str, dimension: str, value: float) -> None:
    assert parse(text, dimension) == value  # exactly: one rounding, as in the Python literal


@pytest.mark.parametrize(
    ("text", "dimension", "message"),
    [
        ("3 ns", "energy", "expected a quantity of energy in J, like '1.5 pJ', got '3 ns'"),
        ("3", "energy", "got '3' without a unit"),
        ("3 um", "area", "got '3 um'"),
        ("20 %", "energy", "got '20 %'"),
        ("3 nS", "time", "unknown unit 'nS' in '3 nS'; did you mean 'ns'"),
        ("4 KB", "data", "unknown unit 'KB' in '4 KB'; did you mean 'KiB'"),
        ("3 um2", "area", "write it like 'pJ/bit' or 'um^2'"),
        ("3 J J", "energy", "write it like"),
        ("3 J/", "energy", "write it like"),
        ("pJ", "energy", "not a number with a unit"),
        ("", "energy", "not a number with a unit"),
        ("nan J", "energy", "not a number with a unit"),
        ("inf J", "energy", "not a number with a unit"),
        ("1e999 J", "energy", "too large"),
        ("1e9999999 J", "energy", "cannot read the unit"),
        ("٣ J", "energy", "not a number with a unit"),
        ("1" * 50 + " J", "energy", "cannot read the unit"),
        ("1 J" + "/s" * 100, "energy", "not a number with a unit"),
        ("1 mbit", "data", "unknown unit 'mbit'"),
        ("1 s", "tme", "unknown dimension 'tme'; did you mean 'time'?"),
    ],
)
def test_refuses(text: str, dimension: str, message: str) -> None:
    with pytest.raises(UnitError) as error:
        parse(text, dimension)
    assert message in str(error.value)


@pytest.mark.parametrize("bare", [3, 3.5, None, True, ["3 J"]])
def test_refuses_what_is_not_text(bare: object) -> None:
    with pytest.raises(UnitError, match="expected a quantity of energy"):
        parse(bare, "energy")  # type: ignore[arg-type]


def test_no_two_dimensions_are_the_same() -> None:
    for name, dimension in DIMENSIONS.items():
        assert dimension_of(read(dimension.example)) == name
        assert parse(dimension.example, name) == read(dimension.example).value


def test_dimension_without_a_name_is_refused() -> None:
    with pytest.raises(UnitError, match="no dimension"):
        dimension_of(read("3 J*J"))


symbols = st.sampled_from(sorted(s for s in UNITS if s not in ("", "b", "%", "year") and not s.endswith("b")))
factors = st.tuples(symbols, st.integers(-3, 3).filter(bool))


@given(st.decimals(-1000, 1000, places=4), st.lists(factors, min_size=1, max_size=3))
def test_agrees_with_pint(number: object, unit_factors: list[tuple[str, int]]) -> None:
    text = "*".join(f"{symbol}^{exponent}" for symbol, exponent in unit_factors)
    mine = read(f"{number} {text}")
    theirs = PINT.Quantity(float(str(number)), text.replace("^", "**")).to_root_units()
    # pint's root unit of mass is the gram, of data the bit
    mass = theirs.dimensionality.get("[mass]", 0)
    assert mine.value == pytest.approx(theirs.magnitude * 1e-3**mass, rel=1e-12, abs=0)
    names = ("[mass]", "[length]", "[time]", "[current]", "[temperature]")
    assert mine.powers[:5] == tuple(theirs.dimensionality.get(name, 0) for name in names)


def test_a_slash_divides_by_the_next_unit_only() -> None:
    assert read("6 J/s*m").value == pytest.approx(PINT.Quantity("6 J/s*m").to_base_units().magnitude)
    assert read("6 J/s*m").powers == read("6 W*m").powers
    assert read("6 J/s/m").powers == read("6 W*m^-1").powers


@given(st.floats(0, 1e20, allow_subnormal=False), st.sampled_from(sorted(DIMENSIONS)))
def test_what_is_written_reads_back_exactly(value: float, dimension: str) -> None:
    assert parse(write(value, dimension), dimension) == value


@pytest.mark.parametrize(
    ("value", "dimension", "text"),
    [
        (0.0, "energy", "0.0 J"),
        (4.1e-13, "energy", "410 fJ"),
        (336e-12, "area", "336 um^2"),
        (32768.0, "data", "4 KiB"),
        (1e-10, "energy_per_bit_length", "0.1 pJ/bit/mm"),
        (5e8, "frequency", "500 MHz"),
    ],
)
def test_writes_in_a_fitting_unit(value: float, dimension: str, text: str) -> None:
    assert write(value, dimension) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.234e-6, "J", "1.23 uJ"),
        (999.96e-6, "J", "1 mJ"),
        (-3.2e-3, "V", "-3.2 mV"),
        (1.3e-6, "m^2", "1.3 mm^2"),
        (0.0214e-6, "m^2", "21400 um^2"),
        (5000.0, "s", "5000 s"),
        (300.0, "K", "300 K"),
        (0.0, "J", "0 J"),
        (math.nan, "J", "nan J"),
        (3e-21, "J", "0.003 aJ"),
        (2.5e12, "bit/s", "312 GB/s"),
        (0.123456, "", "0.123"),
    ],
)
def test_shows_three_digits(value: float, unit: str, text: str) -> None:
    assert show(value, unit) == text


@given(st.floats(1e-17, 1e13), st.sampled_from(["J", "W", "Hz", "m^2", "V"]))
def test_shown_values_are_within_their_digits(value: float, unit: str) -> None:
    assert read(show(value, unit)).value == pytest.approx(value, rel=5.1e-3)


@pytest.mark.parametrize(
    ("seconds", "ticks"),
    [(0.0, 0), (7.4e-9, 7400), (0.4e-12, 0), (0.6e-12, 1), (1.0, 10**12), (86_400.0, 86_400 * 10**12)],
)
def test_picoseconds(seconds: float, ticks: int) -> None:
    assert picoseconds(seconds) == ticks
    assert isinstance(picoseconds(seconds), int)


@pytest.mark.parametrize("seconds", [-1e-12, math.nan, math.inf, 86_401.0])
def test_picoseconds_refuses(seconds: float) -> None:
    with pytest.raises(UnitError, match="between 0 s and one day"):
        picoseconds(seconds)


def test_dimension_named_gives_its_unit() -> None:
    assert dimension_named("area").unit == "m^2"


@given(
    st.from_regex(r"[+-]?[0-9]{1,30}(\.[0-9]{0,30})?(e-?[0-9]{1,2})?", fullmatch=True),
    st.sampled_from(["pJ", "GHz", "um^2", "KiB", "B", "year", "%", "fJ/bit", "kohm/um", "ohm*um^2", "min", ""]),
)
def test_values_are_rounded_once(number: str, unit: str) -> None:
    factors = {"p": "1e-12", "f": "1e-15", "G": "1e9", "u": "1e-6", "k": "1e3"}
    known = {
        "um^2": "1e-12", "KiB": "8192", "B": "8", "year": "31557600", "%": "0.01", "min": "60", "": "1",
        "kohm/um": "1e9", "ohm*um^2": "1e-12",
    }  # fmt: skip
    exact = Fraction(number) * Fraction(known.get(unit) or factors[unit[0]])
    assert read(f"{number} {unit}").value == float(exact)
