"""Physics of a magnetic tunnel junction (MTJ): resistance, switching, disturb, retention.

Pure functions of floats or NumPy arrays in SI units. Thermal stability factors are in units of kT at 300 K.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.errors import ConfigError

Real = float | npt.NDArray[np.floating[Any]]

ROOM = 300.0  # K, where every library value is stated
CURIE = 1100.0  # K, of CoFeB: vgsot-sim 0.1.1 (READ)
ANISOTROPY_EXPONENT = 2.18  # barrier ~ m^2.18: vgsot-sim 0.1.1 (READ)
CURRENT_EXPONENT = 1.0  # kappa of I_c0 ~ m^kappa: ASSUMED; 0 (Zhao 2012, short pulses) to 2.18 (macrospin)
ATTEMPT_TIME = 1e-9  # s, tau_0: the conventional value; 1e-11 in fast devices (arXiv 2402.03452)
LN2 = math.log(2)
SHORTEST_THERMAL_PULSE = 10e-9  # s: below it switching is not thermally activated (arXiv 2505.00418)


def magnetisation(temperature: Real, curie: float = CURIE) -> Real:
    """Return the saturation magnetisation relative to 300 K, m(T) = [1 - (T/Tc)^1.5] / [1 - (300/Tc)^1.5].

    Bloch's law as in vgsot-sim 0.1.1 (READ). Raises `ConfigError` outside 0 < T < Tc.
    """
    _require("temperature", temperature, "above 0 K and below the Curie temperature", 0.0, curie)
    relative: Real = (1 - (temperature / curie) ** 1.5) / (1 - (ROOM / curie) ** 1.5)
    return relative


def thermal_stability(
    delta: Real, temperature: Real, curie: float = CURIE, exponent: float = ANISOTROPY_EXPONENT
) -> Real:
    """Return Delta(T) = Delta(300 K) (300/T) m(T)^p, the energy barrier in units of kT at that temperature.

    p = 2.18 from vgsot-sim 0.1.1 (READ).
    """
    return delta * (ROOM / temperature) * magnetisation(temperature, curie) ** exponent


def critical_current(current: Real, temperature: Real, kappa: float = CURRENT_EXPONENT, curie: float = CURIE) -> Real:
    """Return I_c0(T) = I_c0(300 K) m(T)^kappa, the current that removes the barrier.

    kappa is ASSUMED to be 1: Zhao et al. 2012 see none of it (0) in short pulses from 25 to 80 C, a macrospin
    whose current follows its barrier has 2.18. It decides how far a random bit drifts with temperature.
    """
    return current * magnetisation(temperature, curie) ** kappa


def tunnel_magnetoresistance(
    tmr: Real, voltage: Real, temperature: Real, half_voltage: float, curie: float = CURIE
) -> Real:
    """Return TMR(V, T) = TMR(0, 300 K) m(T)^2 / (1 + (V/V_h)^2), as a ratio.

    The bias law is vgsot-sim's (READ); the square of m is ASSUMED (Julliere: a product of two polarisations).
    """
    return tmr * magnetisation(temperature, curie) ** 2 / (1 + (voltage / half_voltage) ** 2)


def antiparallel_resistance(parallel_resistance: Real, tmr: Real) -> Real:
    """Return R_AP = R_P (1 + TMR). R_P itself is taken as free of bias and temperature."""
    return parallel_resistance * (1 + tmr)


def switching_probability(
    current: Real,
    pulse: Real,
    temperature: Real = ROOM,
    *,
    delta: Real,
    critical: Real,
    kappa: float = CURRENT_EXPONENT,
    tau: float = ATTEMPT_TIME,
    curie: float = CURIE,
) -> Real:
    """Return the chance that a pulse flips the junction: thermal activation over a barrier (Neel-Brown).

    P = 1 - exp(-(t/tau_0) exp(-Delta(T) (1 - I/I_c0(T)))), with `delta` and `critical` stated at 300 K.
    Its slope agrees with Nature Communications s41467-025-66864-9 Fig. 1 for Delta of about 42 (DERIVED).
    From I_c0 upwards the barrier is gone and the rate stays at 1/tau_0, a lower bound there.
    Raises `ConfigError` for pulses under 10 ns, where the law does not hold (arXiv 2505.00418): use
    `logistic_switching_probability` with a slope fitted to such pulses.
    """
    _require("pulse", pulse, "of at least 10 ns (shorter ones are not thermally activated)",
             SHORTEST_THERMAL_PULSE * (1 - 1e-12), np.inf)  # fmt: skip
    _require("current", current, "of 0 A or more", -1e-300, np.inf)
    return -np.expm1(-(pulse / tau) * np.exp(-_barrier(current, temperature, delta, critical, kappa, curie)))


def current_for_probability(
    probability: Real,
    pulse: Real,
    temperature: Real = ROOM,
    *,
    delta: Real,
    critical: Real,
    kappa: float = CURRENT_EXPONENT,
    tau: float = ATTEMPT_TIME,
    curie: float = CURIE,
) -> Real:
    """Return the current at which `switching_probability` gives the wanted probability (its exact inverse).

    I = I_c0(T) [1 - ln(t / (tau_0 (-ln(1 - P)))) / Delta(T)]. Raises `ConfigError` unless 0 < P < 1, or where
    no current between 0 and I_c0 gives that probability.
    """
    drive = drive_for_probability(probability, pulse, temperature, delta=delta, tau=tau, curie=curie)
    _require("switching probability", drive, "reachable with a current between 0 and I_c0", -1e-12, 1 + 1e-12)
    return critical_current(critical, temperature, kappa, curie) * drive


def drive_for_probability(
    probability: Real, pulse: Real, temperature: Real = ROOM, *, delta: Real, tau: float = ATTEMPT_TIME,
    curie: float = CURIE,
) -> Real:  # fmt: skip
    """Return I / I_c0(T) for the wanted probability: 1 - ln(t / (tau_0 (-ln(1 - P)))) / Delta(T).

    Below 0 a junction without current switches more often, above 1 the law does not hold. Raises `ConfigError` unless
    0 < P < 1.
    """
    _require("probability", probability, "strictly between 0 and 1", 0.0, 1.0)
    _require("pulse", pulse, "of at least 10 ns (shorter ones are not thermally activated)",
             SHORTEST_THERMAL_PULSE * (1 - 1e-12), np.inf)  # fmt: skip
    barrier = np.log(pulse / (tau * -np.log1p(-probability)))
    return 1 - barrier / thermal_stability(delta, temperature, curie)


def logistic_switching_probability(voltage: Real, *, middle: Real, steepness: Real) -> Real:
    """Return P = 1 / (1 + exp(-beta (V - V50))), where `middle` is V50 and `steepness` is beta V50.

    beta V50 = 55 for STT at 10 ns (DERIVED from Nature Communications s41467-025-66864-9 Fig. 1), 38 for SOT at
    0.75 ns (READ, vgsot-sim 0.1.1). Without temperature: good only near where it was fitted.
    """
    against: Real = np.exp(-steepness * (voltage / middle - 1))
    return 1 / (1 + against)


def logistic_steepness(delta: Real, pulse: Real, tau: float = ATTEMPT_TIME) -> Real:
    """Return beta V50 of the logistic that touches the Neel-Brown law at P = 1/2.

    beta = 2 ln 2 Delta / V_c0 and V50 = V_c0 [1 - ln(t / (tau_0 ln 2)) / Delta] (DERIVED).
    """
    barrier: Real = np.log(pulse / (tau * LN2))
    return 2 * LN2 * (delta - barrier)


def read_disturb(
    current: Real,
    duration: Real,
    temperature: Real = ROOM,
    *,
    delta: Real,
    critical: Real,
    kappa: float = CURRENT_EXPONENT,
    tau: float = ATTEMPT_TIME,
    curie: float = CURIE,
) -> Real:
    """Return the chance that one read flips the cell: the switching law at a small current (DERIVED).

    Far below I_c0 the escape is thermal for any duration, so no shortest pulse holds here.
    """
    _require("read duration", duration, "of 0 s or more", -1e-300, np.inf)
    return -np.expm1(-(duration / tau) * np.exp(-_barrier(current, temperature, delta, critical, kappa, curie)))


def retention_failure(
    time: Real, temperature: Real = ROOM, *, delta: Real, tau: float = ATTEMPT_TIME, curie: float = CURIE
) -> Real:
    """Return the chance that an idle cell has lost its state after a time: 1 - exp(-t / (tau_0 e^Delta(T))).

    Funatsu et al., Nature Communications 2022, s41467-022-31788-1 (READ).
    """
    _require("time", time, "of 0 s or more", -1e-300, np.inf)
    return -np.expm1(-(time / tau) * np.exp(-thermal_stability(delta, temperature, curie)))


def write_error_rate(overdrive: Real, pulse: Real, *, delta: Real, relaxation: float) -> Real:
    """Return the chance that a deterministic write fails, for an overdrive I/I_c0 > 1 and a relaxation time tau_D.

    1 - exp(-pi^2 (i - 1) Delta / 4 / (i exp(2 (i - 1) t / tau_D) - 1)): Butler et al., IEEE Trans. Magn. 2012
    (RECALLED, not verified). Raises `ConfigError` for an overdrive of 1 or less.
    """
    _require("overdrive", overdrive, "above 1 (the precessional regime)", 1.0, np.inf)
    growth = np.exp(np.minimum(2 * (overdrive - 1) * pulse / relaxation, 700.0))
    return -np.expm1(-(np.pi**2) * (overdrive - 1) * delta / 4 / (overdrive * growth - 1))


def _barrier(current: Real, temperature: Real, delta: Real, critical: Real, kappa: float, curie: float) -> Real:
    drive = current / critical_current(critical, temperature, kappa, curie)
    return thermal_stability(delta, temperature, curie) * np.maximum(1 - drive, 0.0)


def _require(what: str, value: Any, wanted: str, low: float, high: float) -> None:
    """Refuse values that are not strictly between two bounds (NaN included)."""
    values = np.asarray(value, dtype=float)
    if not np.all((values > low) & (values < high)):
        worst = values[~((values > low) & (values < high))].flat[0]
        raise ConfigError(f"MTJ model: {what} must be {wanted}, got {worst:g}")
