"""What a spintronic random-bit module does: how likely its bit is, by its own energy barrier and critical current.

A *drive* is a write current in units of the critical current of a nominal module at 300 K. `delta` and `critical` are
factors on the nominal barrier and critical current, floats or arrays of one for each module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from archsim.hardware import mtj
from archsim.hardware.mtj import LN2, ROOM, Real
from archsim.hardware.variation import Source, normal

Floats = npt.NDArray[np.float64]


class SwitchingLaw(Protocol):
    """How the probability of a bit follows from the drive."""

    def drive(self, p: float, delta: Real = 1.0, critical: Real = 1.0) -> Real:
        """Return the drive that gives a module the probability `p` at 300 K."""
        ...

    def probability(self, drive: Real, temperature: float, delta: Real = 1.0, critical: Real = 1.0) -> Real:
        """Return the probability at a temperature in K."""
        ...

    @property
    def slope(self) -> float:
        """How fast the probability of a nominal module rises with the drive where it is one half, at 300 K."""
        ...


@dataclass(frozen=True)
class ThermalSwitching:
    """Pulses of 10 ns and more: activation over the barrier (Neel-Brown, `mtj.switching_probability`).

    `stability`: of a nominal module, in kT at 300 K. `pulse`, `attempt_time` in s. `exponent`: kappa.
    """

    stability: float
    pulse: float
    attempt_time: float
    exponent: float

    def drive(self, p: float, delta: Real = 1.0, critical: Real = 1.0) -> Real:
        """Return the drive for `p`; none where a module is so unstable that it switches more often by itself."""
        relative = mtj.drive_for_probability(p, self.pulse, delta=self.stability * delta, tau=self.attempt_time)
        return np.asarray(critical * np.clip(relative, 0.0, 1.0), dtype=np.float64)

    def probability(self, drive: Real, temperature: float, delta: Real = 1.0, critical: Real = 1.0) -> Real:
        """Return the probability at a temperature."""
        return mtj.switching_probability(
            drive, self.pulse, temperature, delta=self.stability * delta, critical=critical, kappa=self.exponent,
            tau=self.attempt_time,
        )  # fmt: skip

    @property
    def slope(self) -> float:
        """ln 2 Delta / 2 (DERIVED)."""
        return LN2 * self.stability / 2


@dataclass(frozen=True)
class ShortPulseSwitching:
    """Shorter pulses, as of SOT modules: a logistic with the measured steepness (`mtj.logistic_switching_probability`).

    Its middle is taken to move with the critical current, its steepness with the barrier (ASSUMED: the measured slopes
    are those of one device at room temperature). `exponent`: kappa.
    """

    steepness: float
    exponent: float

    def drive(self, p: float, delta: Real = 1.0, critical: Real = 1.0) -> Real:
        """Return the drive for `p`: middle (1 + logit(p) / steepness)."""
        relative = 1 + np.log(p / (1 - p)) / (self.steepness * delta)
        return np.asarray(critical * np.maximum(relative, 0.0), dtype=np.float64)

    def probability(self, drive: Real, temperature: float, delta: Real = 1.0, critical: Real = 1.0) -> Real:
        """Return the probability at a temperature."""
        return mtj.logistic_switching_probability(
            drive,
            middle=mtj.critical_current(critical, temperature, self.exponent),
            steepness=self.steepness * mtj.thermal_stability(delta, temperature),
        )

    @property
    def slope(self) -> float:
        """A quarter of the steepness."""
        return self.steepness / 4


@dataclass(frozen=True)
class ModuleVariation:
    """How modules differ, as `imperfections.random_bits` states it.

    `temperature`: at which they work, in K; 300 where their current follows the temperature.
    """

    shared: bool = False
    delta_spread: float = 0.0
    current_spread: float = 0.0
    trim_error: float = 0.0
    temperature: float = ROOM

    @property
    def is_ideal(self) -> bool:
        """Whether every module has exactly the wanted probability."""
        spread = (self.delta_spread or self.current_spread) and self.shared
        return not spread and not self.trim_error and self.temperature == ROOM


def module_probabilities(p: float, count: int, law: SwitchingLaw, variation: ModuleVariation, source: Source) -> Floats:
    """Return the probability of each of `count` modules that were meant to have `p`.

    Each module's current is trimmed at 300 K with an error, stated as the deviation of a probability of one half and
    taken as one of the current, so that it shrinks where the law is flat; or one current, right for a nominal module,
    is shared by all. A `p` of 0 or 1 needs no chance.
    """
    if p <= 0 or p >= 1:
        return np.full(count, p)
    delta = normal(source("barriers"), variation.delta_spread, (count,)).astype(np.float64)
    critical = normal(source("critical currents"), variation.current_spread, (count,)).astype(np.float64)
    if variation.shared:
        drive: Real = law.drive(p)
    else:
        error = source("trimming").standard_normal(count) * (variation.trim_error / law.slope)
        drive = np.maximum(law.drive(p, delta, critical) + error, 0.0)
    return np.asarray(law.probability(drive, variation.temperature, delta, critical), np.float64)
