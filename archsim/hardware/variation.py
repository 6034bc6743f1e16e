"""How the cells of one chip differ from nominal ones: small functions, each with its random generator.

A cell holds a *level*: 0 is fully high-resistive (antiparallel), `peak` = 2^bits - 1 fully low-resistive (parallel);
a binary cell has levels 0 and 1. Every array has the shape of the cells, whatever that is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.hardware import mtj
from archsim.hardware.device import MtjDevice

Generator = np.random.Generator
Source = Callable[[str], Generator]
Floats = npt.NDArray[np.float32]
Levels = npt.NDArray[np.uint8]

LOWEST_RATIO = 0.05  # of a normally distributed factor, so that no barrier or current is negative


@dataclass(frozen=True)
class ChipSample:
    """One of many chips of the same design: everything static about it is a function of `seed` and its `number`."""

    seed: int
    number: int = 0

    def generator(self, *place: str | int) -> Generator:
        """Return the generator of one place on the chip, which no other place has."""
        text = repr((self.seed, self.number, *place))
        return np.random.default_rng(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little"))


def log_normal(rng: Generator, sigma: float, shape: tuple[int, ...]) -> Floats:
    """Return factors exp(sigma z) with median 1, z standard normal: positive, relative deviation sigma to first order.

    For resistances, which are exponential in the thickness of the barrier (ASSUMED law; the sources state sigma only).
    """
    z = rng.standard_normal(shape, np.float32)
    return np.asarray(np.exp(np.float32(sigma) * z), np.float32)


def normal(rng: Generator, sigma: float, shape: tuple[int, ...]) -> Floats:
    """Return factors 1 + sigma z, z standard normal, not below `LOWEST_RATIO`: for energy barriers and currents."""
    z = rng.standard_normal(shape, np.float32)
    return np.asarray(np.maximum(1 + np.float32(sigma) * z, LOWEST_RATIO), np.float32)


def chosen(rng: Generator, size: int, p: float) -> npt.NDArray[np.int64]:
    """Return which of `size` things happen, each with chance p on its own: as fast as p is small, and exact."""
    count = rng.binomial(size, p)
    return np.asarray(rng.choice(size, count, replace=False, shuffle=False), np.int64)


def flip_bits(rng: Generator, levels: Levels, bits: int, p: float | npt.NDArray[np.floating[Any]]) -> Levels:
    """Return levels in which each of a cell's `bits` junctions has changed its state with chance p.

    `p`: one chance for all, or one for each cell. A junction is one binary digit of the level: s junctions in series,
    their resistances in powers of two, make 2^s levels.
    """
    out = levels.copy()
    flat = out.reshape(-1)
    for bit in range(bits):
        if isinstance(p, np.ndarray):
            hit = np.flatnonzero(rng.random(flat.size) < p.reshape(-1))
        else:
            hit = chosen(rng, flat.size, p)
        flat[hit] ^= np.uint8(1 << bit)
    return out


def stick(rng: Generator, levels: Levels, peak: int, parallel: float, antiparallel: float) -> Levels:
    """Return levels in which a cell is stuck parallel (low-resistive) or antiparallel with these chances.

    Models a shorted barrier (pinhole) as a parallel cell; a cell that keeps the random state it was made with is one
    of either kind.
    """
    out = levels.copy()
    flat = out.reshape(-1)
    stuck = chosen(rng, flat.size, parallel + antiparallel)
    is_parallel = rng.random(stuck.size) * (parallel + antiparallel) < parallel
    flat[stuck] = np.where(is_parallel, peak, 0)
    return out


@dataclass(frozen=True)
class Cell:
    """A kind of cell at its operating point: read voltage in V, temperature in K, bits that it holds.

    Conductances are in siemens, the access transistor included; *relative* ones are in steps of a level: 0 is the
    nominal high-resistive cell, `peak` the nominal low-resistive one.
    """

    device: MtjDevice
    voltage: float
    temperature: float
    bits: int = 1

    @property
    def peak(self) -> int:
        """The highest level."""
        return (1 << self.bits) - 1

    @cached_property
    def extremes(self) -> tuple[float, float]:
        """Nominal conductances of the highest and of the lowest level."""
        parallel, antiparallel = self.device.conductances(self.voltage, self.temperature)
        return float(parallel), float(antiparallel)

    @property
    def step(self) -> float:
        """Conductance from one level to the next."""
        parallel, antiparallel = self.extremes
        return (parallel - antiparallel) / self.peak

    @property
    def floor(self) -> float:
        """Conductance of the lowest level, in steps."""
        return self.extremes[1] / self.step

    def nominal(self, levels: Levels) -> Floats:
        """Return the conductances of ideal cells."""
        return (np.float32(self.extremes[1]) + np.float32(self.step) * levels).astype(np.float32)

    def relative(self, conductances: Floats) -> Floats:
        """Return conductances in steps above the lowest level: (G - G_AP) / step."""
        return ((conductances - np.float32(self.extremes[1])) / np.float32(self.step)).astype(np.float32)

    def read_noise(self, relative: float) -> tuple[float, float]:
        """Return the deviation of one read of a low- and of a high-resistive cell, in steps, such that peak steps of
        the one have the variance peak times the square of it; `relative`: deviation over mean of a cell's current.
        """
        parallel, antiparallel = (g / self.step * relative / np.sqrt(self.peak) for g in self.extremes)
        return float(parallel), float(antiparallel)


@dataclass(frozen=True)
class CellVariation:
    """Static differences between cells. Spreads are relative deviations from device to device.

    `spread`: of the resistance (of the whole cell where it holds several bits). `tmr_spread`: of the TMR.
    `stuck_parallel`, `stuck_antiparallel`, `write_error`: chances for each cell (and bit written). `delta_spread`,
    `current_spread`: of the energy barrier and the critical current, which decide what is lost after `age` seconds
    and after cells were read for `read_seconds` in all.
    """

    spread: float = 0.0
    tmr_spread: float = 0.0
    stuck_parallel: float = 0.0
    stuck_antiparallel: float = 0.0
    write_error: float = 0.0
    delta_spread: float = 0.0
    current_spread: float = 0.0
    age: float = 0.0
    read_seconds: float = 0.0

    @property
    def ages(self) -> bool:
        """Whether cells may have lost their state since they were written."""
        return self.age > 0 or self.read_seconds > 0

    @property
    def is_ideal(self) -> bool:
        """Whether all cells are nominal."""
        drawn = (self.spread, self.tmr_spread, self.stuck_parallel, self.stuck_antiparallel, self.write_error)
        return not any(drawn) and not self.ages


def held_levels(levels: Levels, cell: Cell, variation: CellVariation, source: Source) -> Levels:
    """Return what cells hold that were meant to hold `levels`: after programming, ageing and with stuck cells.

    `source`: gives each effect its generator by name, so that switching one on leaves the others' draws as they were.
    """
    out = flip_bits(source("write errors"), levels, cell.bits, variation.write_error)
    if variation.ages:
        out = flip_bits(source("losses"), out, cell.bits, loss_probability(out, cell, variation, source))
    return stick(source("stuck cells"), out, cell.peak, variation.stuck_parallel, variation.stuck_antiparallel)


def loss_probability(levels: Levels, cell: Cell, variation: CellVariation, source: Source) -> npt.NDArray[np.float64]:
    """Return the chance that each cell has lost its state, by its own barrier and critical current.

    Waiting flips either way, so a state lost twice is right again: half the loss after twice the time. Reading is taken
    to disturb whichever state the cell is in (ASSUMED: the polarity is unknown); cells whose read path is not their
    write path are not disturbed.
    """
    device, shape = cell.device, levels.shape
    delta = device.delta.value * normal(source("barriers"), variation.delta_spread, shape).astype(np.float64)
    tau = device.attempt_time.value
    lost: mtj.Real = mtj.retention_failure(2 * variation.age, cell.temperature, delta=delta, tau=tau) / 2
    if variation.read_seconds and device.disturbed_by_reads:
        critical = device.critical.value * normal(source("critical currents"), variation.current_spread, shape)
        current = cell.voltage * cell.nominal(levels).astype(np.float64)
        disturbed = mtj.read_disturb(
            current, variation.read_seconds, cell.temperature, delta=delta, critical=critical, tau=tau
        )
        lost = 1 - (1 - lost) * (1 - disturbed)
    return np.asarray(lost, np.float64)


def conductances(levels: Levels, cell: Cell, variation: CellVariation, source: Source) -> Floats:
    """Return the conductance of each cell in steps (see `Cell`), with its own resistance and TMR.

    Both states of a binary junction share one resistance factor, which stands before the nominal access transistor. In
    a cell of several bits the factor is that of the whole cell.
    """
    shape = levels.shape
    resistance = log_normal(source("resistances"), variation.spread, shape)
    if cell.bits > 1:
        return cell.relative(cell.nominal(levels) / resistance)
    tmr = log_normal(source("magnetoresistances"), variation.tmr_spread, shape)
    low, high = cell.device.conductances(cell.voltage, cell.temperature, resistance, tmr)
    return cell.relative(np.where(levels > 0, low, high).astype(np.float32))


def sampled_cells(levels: Levels, cell: Cell, variation: CellVariation, source: Source) -> Floats:
    """Return the conductances, in steps, of cells that were meant to hold `levels`."""
    return conductances(held_levels(levels, cell, variation, source), cell, variation, source)
