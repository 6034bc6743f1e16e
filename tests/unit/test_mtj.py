"""MTJ physics against the published points, tabulated values and the laws it must obey."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.errors import ConfigError
from archsim.hardware import mtj

CELL = {"delta": 45.0, "critical": 40e-6}  # the random-bit cell of the tabulated values
PULSE = 10e-9

# P of a cell trimmed to 1/2 at 300 K, for kappa = 0, 0.5, 1, 2.18 (project table, two decimals)
TABLE = {
    273: (0.37, 0.24, 0.15, 0.05),
    300: (0.50, 0.50, 0.50, 0.50),
    310: (0.55, 0.61, 0.67, 0.81),
    330: (0.64, 0.80, 0.93, 1.00),
    358: (0.74, 0.96, 1.00, 1.00),
}


def about(value, rel=1e-6):
    """Compare relatively alone: pytest's default absolute tolerance of 1e-12 would pass any energy in joules."""
    return pytest.approx(value, rel=rel, abs=0)


@pytest.mark.parametrize("temperature", TABLE)
def test_switching_probability_drifts_as_tabulated(temperature):
    current = mtj.current_for_probability(0.5, PULSE, **CELL)
    found = [
        mtj.switching_probability(current, PULSE, float(temperature), kappa=kappa, **CELL)
        for kappa in (0.0, 0.5, 1.0, 2.18)
    ]
    assert found == pytest.approx(TABLE[temperature], abs=0.0051)


def test_trim_current_is_that_of_the_closed_form():
    # x = 1 - (ln 10 - ln ln 2) / 45 = 1 - (2.302585 + 0.366513) / 45
    assert mtj.current_for_probability(0.5, PULSE, **CELL) == about(0.9406867 * 40e-6, rel=1e-6)


@pytest.mark.parametrize(("voltage", "measured"), [(0.275, 0.25), (0.282, 0.48), (0.288, 0.81)])
def test_measured_switching_of_nature_communications_66864(voltage, measured):
    """Three published points; one logistic (and one barrier of 42) goes through them within 6 points."""
    logistic = mtj.logistic_switching_probability(voltage, middle=0.282, steepness=55.0)
    middle = mtj.current_for_probability(0.5, PULSE, delta=42.0, critical=1.0)
    thermal = mtj.switching_probability(voltage / 0.282 * middle, PULSE, delta=42.0, critical=1.0)
    assert logistic == pytest.approx(measured, abs=0.06)
    assert thermal == pytest.approx(measured, abs=0.06)


def test_logistic_touches_the_thermal_law_at_one_half():
    steepness = mtj.logistic_steepness(42.0, PULSE)
    assert steepness == about(55.0, rel=0.01)
    middle = mtj.current_for_probability(0.5, PULSE, delta=42.0, critical=1.0)
    step = 1e-6
    slope = [
        (f(middle + step) - f(middle - step)) / (2 * step)
        for f in (
            lambda i: mtj.switching_probability(i, PULSE, delta=42.0, critical=1.0),
            lambda i: mtj.logistic_switching_probability(i, middle=middle, steepness=steepness),
        )
    ]
    assert slope[0] == about(slope[1], rel=1e-4)


def test_read_disturb_of_the_tabulated_cell():
    cell = {"delta": 40.0, "critical": 1.0}
    assert mtj.read_disturb(0.3, 2e-9, **cell) == about(1e-12, rel=0.5)
    assert mtj.read_disturb(0.5, 2e-9, **cell) == about(4e-9, rel=0.1)


def test_retention_at_85_degrees():
    ten_years = 10 * 365.25 * 86400
    hot = 273.15 + 85
    assert mtj.retention_failure(ten_years, hot, delta=60.0) == about(0.01, rel=0.05)
    assert mtj.retention_failure(ten_years, hot, delta=70.0) == about(5.7e-6, rel=0.05)


def test_magnetisation_is_one_at_room_temperature_and_gone_at_curie():
    assert mtj.magnetisation(300.0) == 1.0
    # (1 - (400/1100)^1.5) / (1 - (300/1100)^1.5) = 0.780713 / 0.857572
    assert mtj.magnetisation(400.0) == about(0.910376, rel=1e-5)
    assert mtj.magnetisation(1099.999) == pytest.approx(0.0, abs=1e-5)


def test_resistance_states():
    half = mtj.tunnel_magnetoresistance(1.5, 0.5, 300.0, half_voltage=0.5)
    assert half == about(0.75)  # V_h halves the TMR
    assert mtj.antiparallel_resistance(6000.0, half) == about(10500.0)


def test_write_errors_vanish_with_overdrive_and_time():
    by_time = mtj.write_error_rate(1.5, np.array([5e-9, 10e-9, 20e-9]), delta=60.0, relaxation=1e-9)
    assert np.all(np.diff(by_time) < 0)
    # pi^2 0.5 60/4 / (1.5 e^10 - 1), small enough that 1 - exp(-x) = x
    assert by_time[1] == about(math.pi**2 * 0.5 * 15 / (1.5 * math.exp(10) - 1), rel=2e-3)
    assert mtj.write_error_rate(3.0, 1e-6, delta=60.0, relaxation=1e-9) == pytest.approx(0.0, abs=1e-300)


@given(
    probability=st.floats(1e-6, 1 - 1e-4), pulse=st.floats(10e-9, 50e-9), temperature=st.floats(270.0, 360.0),
    delta=st.floats(30.0, 80.0), kappa=st.floats(0.0, 2.18),
)  # fmt: skip
def test_current_for_probability_inverts(probability, pulse, temperature, delta, kappa):
    given_cell = {"delta": delta, "critical": 40e-6, "kappa": kappa}
    current = mtj.current_for_probability(probability, pulse, temperature, **given_cell)
    assert mtj.switching_probability(current, pulse, temperature, **given_cell) == about(probability, rel=1e-6)


@given(st.floats(0.3, 0.99), st.floats(0.001, 0.2))
def test_more_current_time_or_heat_never_switches_less(drive, more):
    p = mtj.switching_probability(drive * 40e-6, PULSE, 300.0, **CELL)
    assert mtj.switching_probability(drive * (1 + more) * 40e-6, PULSE, 300.0, **CELL) >= p
    assert mtj.switching_probability(drive * 40e-6, PULSE * (1 + more), 300.0, **CELL) >= p
    assert mtj.switching_probability(drive * 40e-6, PULSE, 300.0 * (1 + more), **CELL) >= p


def test_above_the_critical_current_the_rate_stays_at_its_attempt():
    above = [mtj.switching_probability(i, PULSE, **CELL) for i in (40e-6, 80e-6)]
    assert above == [about(1 - math.exp(-10))] * 2


def test_arrays_give_what_scalars_give():
    currents = np.linspace(0.0, 60e-6, 7)
    together = mtj.switching_probability(currents, PULSE, 310.0, **CELL)
    assert together.tolist() == [mtj.switching_probability(float(i), PULSE, 310.0, **CELL) for i in currents]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mtj.switching_probability(30e-6, 2e-9, **CELL), "pulse must be of at least 10 ns"),
        (lambda: mtj.switching_probability(-1e-6, PULSE, **CELL), "current must be of 0 A or more, got -1e-06"),
        (lambda: mtj.switching_probability(30e-6, PULSE, 1200.0, **CELL), "below the Curie temperature, got 1200"),
        (lambda: mtj.magnetisation(float("nan")), "got nan"),
        (lambda: mtj.current_for_probability(1.0, PULSE, **CELL), "strictly between 0 and 1"),
        (lambda: mtj.current_for_probability(1 - 1e-7, PULSE, **CELL), "reachable with a current"),
        (lambda: mtj.write_error_rate(1.0, PULSE, delta=60.0, relaxation=1e-9), "overdrive must be above 1"),
        (lambda: mtj.read_disturb(1e-6, -1e-9, **CELL), "read duration"),
    ],
)
def test_refuses_what_the_models_do_not_cover(call, words):
    with pytest.raises(ConfigError, match=words):
        call()
