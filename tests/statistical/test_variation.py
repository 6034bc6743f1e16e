"""Sampled cells against theory. Bounds are 5 standard errors (a false alarm in 2 million), seeds are fixed.

Each test of a deviation is also shown to notice one that is 1.3 times too large or too small.
"""

from __future__ import annotations

from itertools import pairwise
from math import exp

import numpy as np
import pytest
from scipy import stats

from archsim.hardware import mtj
from archsim.hardware.device import MtjDevice
from archsim.hardware.variation import (
    Cell,
    CellVariation,
    ChipSample,
    chosen,
    conductances,
    flip_bits,
    held_levels,
    log_normal,
    loss_probability,
    normal,
    sampled_cells,
    stick,
)
from tests.networks import library

SIGMAS = 5
YEAR = 31_557_600
SHAPE = (200, 300)
SIZE = SHAPE[0] * SHAPE[1]


def rng(seed=0):
    return np.random.default_rng(seed)


def source(seed=0, number=0):
    return ChipSample(seed, number).generator


def stt(bits=1, temperature=300.0, voltage=0.1):
    return Cell(MtjDevice.from_library(library(), "stt_mtj"), voltage, temperature, bits)


def sot(bits=1, temperature=300.0):
    return Cell(MtjDevice.from_library(library(), "sot_mtj"), 0.2, temperature, bits)


def has_deviation(values, sigma, kurtosis=3.0):
    """Tell whether a sample's deviation is `sigma` within its standard error, for the stated kurtosis of the law."""
    ratio = values.std() / sigma
    return abs(ratio - 1) <= SIGMAS * np.sqrt((kurtosis - 1) / (4 * values.size))


def has_rate(hits, trials, p):
    return abs(hits - trials * p) <= SIGMAS * np.sqrt(trials * p * (1 - p))


@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.3])
@pytest.mark.parametrize("law", [log_normal, normal])
def test_spread_follows_its_law(law, sigma):
    factors = law(rng(), sigma, SHAPE).astype(np.float64).ravel()
    z = np.log(factors) / sigma if law is log_normal else (factors - 1) / sigma
    if law is normal:
        z = z[factors > 0.051]  # the floor of a factor is far out in the tail of a spread of 30 %
    assert stats.kstest(z, "norm").pvalue > 1e-4
    assert has_deviation(z, 1.0)
    assert not has_deviation(1.3 * z, 1.0)
    assert not has_deviation(z / 1.3, 1.0)
    assert abs(z.mean()) <= SIGMAS / np.sqrt(z.size)


def test_no_factor_is_negative():
    assert normal(rng(), 1.0, (100_000,)).min() > 0
    assert log_normal(rng(), 1.0, (100_000,)).min() > 0


@pytest.mark.parametrize("p", [0.0, 1e-4, 0.02, 0.5, 1.0])
def test_chosen_are_as_many_as_a_binomial_says_and_anywhere(p):
    counts, where = [], np.zeros(1000)
    for seed in range(400):
        hit = chosen(rng(seed), 1000, p)
        assert len(set(hit)) == len(hit)
        counts.append(len(hit))
        where[hit] += 1
    assert has_rate(sum(counts), 400 * 1000, p)
    if 0 < p < 1:
        variance = np.var(counts, ddof=1) / (1000 * p * (1 - p))
        assert abs(variance - 1) <= SIGMAS * np.sqrt((2 + 1 / (1000 * p * (1 - p))) / 399)
        chi_square = ((where - 400 * p) ** 2 / (400 * p * (1 - p))).sum()
        assert abs(chi_square - 1000) <= SIGMAS * np.sqrt((2 + 1 / (400 * p * (1 - p))) * 1000)


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_every_junction_of_a_cell_flips_on_its_own(bits):
    levels = rng(1).integers(0, 2**bits, SHAPE).astype(np.uint8)
    before = levels.copy()
    changed = flip_bits(rng(), levels, bits, 0.1) ^ before
    assert np.array_equal(levels, before), "the meant levels are not touched"
    assert changed.max() < 2**bits
    flips = np.stack([changed >> b & 1 for b in range(bits)])
    for one in flips:
        assert has_rate(one.sum(), SIZE, 0.1)
        assert not has_rate(one.sum(), SIZE, 0.13)
    for one, other in pairwise(flips):
        assert has_rate((one & other).sum(), SIZE, 0.01)


def test_cells_flip_each_with_its_own_chance():
    p = np.tile([0.0, 0.05, 0.5, 1.0], SIZE // 4).reshape(SHAPE)
    changed = flip_bits(rng(), np.zeros(SHAPE, np.uint8), 1, p)
    for chance in (0.05, 0.5):
        assert has_rate(changed[p == chance].sum(), SIZE // 4, chance)
    assert not changed[p == 0].any()
    assert changed[p == 1].all()


def test_stuck_cells_have_their_rates_and_states():
    levels = rng(1).integers(0, 2, SHAPE).astype(np.uint8)
    held = stick(rng(), levels, 1, 0.03, 0.01)
    lows, highs = levels == 1, levels == 0
    assert has_rate((held[highs] == 1).sum(), highs.sum(), 0.03)
    assert has_rate((held[lows] == 0).sum(), lows.sum(), 0.01)
    assert not has_rate((held[highs] == 1).sum(), highs.sum(), 0.03 * 1.3)
    assert not np.any(stick(rng(), levels, 1, 0.0, 0.0) != levels)
    assert set(np.unique(stick(rng(), np.full(SHAPE, 2, np.uint8), 3, 0.1, 0.1))) == {0, 2, 3}


@pytest.mark.parametrize("cell", [stt(), sot(), stt(temperature=358.0), sot(bits=2), stt(bits=3)])
def test_ideal_cells_conduct_whole_steps(cell):
    levels = np.tile(np.arange(cell.peak + 1, dtype=np.uint8), (50, 1))
    found = sampled_cells(levels, cell, CellVariation(), source())
    np.testing.assert_allclose(found, levels, atol=2e-5)


def test_conductances_by_hand():
    """6 kohm with 3 kohm in series; TMR 150 % at 0.1 V of a half voltage of 0.5 V."""
    cell = stt()
    high = 6000 * (1 + 1.5 / (1 + 0.2**2)) + 3000
    assert cell.extremes == pytest.approx((1 / 9000, 1 / high), rel=1e-9, abs=0)
    assert cell.floor == pytest.approx((1 / high) / (1 / 9000 - 1 / high), rel=1e-9)
    on, off = cell.read_noise(0.01)
    assert on == pytest.approx(0.01 * (1 / 9000) / (1 / 9000 - 1 / high), rel=1e-9)
    assert off == pytest.approx(0.01 * cell.floor, rel=1e-9)
    on3, off3 = stt(bits=2).read_noise(0.01)
    assert 3 * on3**2 == pytest.approx((3 * on) ** 2, rel=1e-9), "a full cell of three steps is three times as noisy"
    assert 3 * off3**2 == pytest.approx((3 * off) ** 2, rel=1e-9)


def test_heat_takes_contrast_away():
    cold, hot = stt(), stt(temperature=358.0)
    m = float(mtj.magnetisation(358.0))
    assert hot.extremes[0] == cold.extremes[0]
    assert 1 / hot.extremes[1] - 3000 == pytest.approx(6000 * (1 + 1.5 * m**2 / 1.04), rel=1e-9)
    assert hot.floor > cold.floor
    assert hot.read_noise(0.01)[0] > cold.read_noise(0.01)[0]


def expected(cell, spread, tmr_spread, level):
    """Mean, deviation and kurtosis of a cell's conductance in steps, by Gauss-Hermite quadrature over both factors."""
    x, w = np.polynomial.hermite_e.hermegauss(40)
    w = w / w.sum()
    resistance, tmr = np.exp(spread * x)[:, None], np.exp(tmr_spread * x)[None, :]
    device = cell.device
    parallel = device.parallel.value * resistance
    ratio = device.tmr.value * tmr / (1 + (cell.voltage / device.half_voltage.value) ** 2)
    low, high = 1 / (parallel + device.series.value + 0 * tmr), 1 / (parallel * (1 + ratio) + device.series.value)
    g = ((low if level else high) - cell.extremes[1]) / cell.step
    weight = w[:, None] * w[None, :]
    mean = (g * weight).sum()
    moments = [((g - mean) ** k * weight).sum() for k in (2, 4)]
    return mean, np.sqrt(moments[0]), moments[1] / moments[0] ** 2


@pytest.mark.parametrize("cell", [stt(), sot()])
@pytest.mark.parametrize(("spread", "tmr_spread"), [(0.05, 0.04), (0.06, 0.0), (0.0, 0.08), (0.2, 0.1)])
@pytest.mark.parametrize("level", [0, 1])
def test_deviation_of_conductances_is_the_closed_form(cell, spread, tmr_spread, level):
    levels = np.full(SHAPE, level, np.uint8)
    found = conductances(levels, cell, CellVariation(spread=spread, tmr_spread=tmr_spread), source()).astype(np.float64)
    mean, deviation, kurtosis = expected(cell, spread, tmr_spread, level)
    if deviation < 1e-6:
        assert np.ptp(found) < 1e-5, "the TMR is nothing to a parallel cell"
        return
    assert abs(found.mean() - mean) <= SIGMAS * deviation / np.sqrt(SIZE) + 1e-5
    assert has_deviation(found, deviation, kurtosis)
    for wrong in (1.3, 1 / 1.3):
        scaled = conductances(
            levels, cell, CellVariation(spread=spread * wrong, tmr_spread=tmr_spread * wrong), source()
        )
        assert not has_deviation(scaled.astype(np.float64), deviation, kurtosis)


def test_without_a_transistor_the_law_is_log_normal():
    """One number by hand: a 330 kohm SOT cell hardly feels its 3 kohm transistor; sigma(ln G) = 6 %."""
    found = conductances(np.ones(SHAPE, np.uint8), sot(), CellVariation(spread=0.06), source())
    g = found.astype(np.float64) * sot().step + sot().extremes[1]
    assert has_deviation(np.log(g), 0.06 * 330 / 333)
    assert not has_deviation(np.log(g), 0.06 * 1.3)


def test_both_states_of_a_cell_are_one_device():
    variation = CellVariation(spread=0.05, tmr_spread=0.04)
    low, high = (conductances(np.full(SHAPE, v, np.uint8), stt(), variation, source()).ravel() for v in (1, 0))
    assert np.corrcoef(low, high)[0, 1] > 0.8


def test_multi_level_cells_spread_with_their_whole_resistance():
    levels = rng(1).integers(0, 4, SHAPE).astype(np.uint8)
    cell = sot(bits=2)
    found = conductances(levels, cell, CellVariation(spread=0.06), source()).astype(np.float64)
    for level in range(4):
        nominal = cell.extremes[1] + level * cell.step
        ratio = (found[levels == level] * cell.step + cell.extremes[1]) / nominal
        assert has_deviation(np.log(ratio), 0.06)
        assert not has_deviation(np.log(ratio), 0.06 * 1.3)


def test_neighbours_and_chips_are_independent():
    levels = np.ones(SHAPE, np.uint8)
    variation = CellVariation(spread=0.05)
    one, other = (conductances(levels, stt(), variation, source(number=n)) for n in (0, 1))
    again = conductances(levels, stt(), variation, source(number=0))
    assert np.array_equal(one, again)
    for a, b in ((one, other), (one[:, 1:], one[:, :-1]), (one[1:], one[:-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) <= SIGMAS / np.sqrt(a.size)


@pytest.mark.parametrize("place", [("layer",), ("layer", 1), ("layer", "1"), ("a", "b, c"), ("a, b", "c")])
def test_every_place_of_a_chip_has_its_own_generator(place):
    others = [("layer",), ("layer", 1), ("layer", "1"), ("a", "b, c"), ("a, b", "c")]
    seeds = {ChipSample(0, 0).generator(*p).integers(2**62) for p in others}
    assert len(seeds) == len(others)
    mine = ChipSample(0, 0).generator(*place).integers(2**62)
    assert mine == ChipSample(0, 0).generator(*place).integers(2**62)
    assert mine not in {
        ChipSample(1, 0).generator(*place).integers(2**62),
        ChipSample(0, 1).generator(*place).integers(2**62),
    }


def test_switching_an_effect_on_leaves_the_others_draws():
    levels = rng(1).integers(0, 2, SHAPE).astype(np.uint8)
    plain = sampled_cells(levels, stt(), CellVariation(spread=0.05), source())
    more = CellVariation(spread=0.05, stuck_parallel=0.01, write_error=0.01)
    faulty = sampled_cells(levels, stt(), more, source())
    same = held_levels(levels, stt(), more, source()) == levels
    assert 0.97 < same.mean() < 0.99
    assert np.array_equal(plain[same], faulty[same])


def test_age_of_nominal_cells_is_the_retention_law():
    """Delta of 60 loses about 1 % in ten years at 85 C, 70 about 5e-6 (device parameters, section 1.3)."""
    levels = np.zeros((1, 1), np.uint8)
    hot = stt(temperature=358.15)
    (p,) = loss_probability(levels, hot, CellVariation(age=10 * YEAR), source()).ravel()
    assert p == pytest.approx(mtj.retention_failure(10 * YEAR, 358.15, delta=70.0), rel=1e-4, abs=0)
    assert 4e-6 < p < 8e-6
    (p,) = loss_probability(levels, sot(temperature=358.15), CellVariation(age=10 * YEAR), source()).ravel()
    assert 0.008 < p < 0.012


def test_a_forgotten_cell_is_right_half_the_time():
    p = loss_probability(np.zeros((1, 1), np.uint8), sot(temperature=423.0), CellVariation(age=1e6 * YEAR), source())
    assert p == pytest.approx(0.5)


def test_reads_disturb_a_parallel_cell_more():
    """By hand: 0.1 V over 9 kohm is 11.1 uA of 40 uA; P = 1 - exp(-(t/1 ns) exp(-70 (1 - 0.278)))."""
    variation = CellVariation(read_seconds=1e6)
    low, high = (loss_probability(np.full((1, 1), v, np.uint8), stt(), variation, source()).item() for v in (1, 0))
    assert low == pytest.approx(1 - exp(-1e15 * exp(-70 * (1 - 0.1 / 9000 / 40e-6))), rel=1e-3)
    assert 0 < high < 1e-3 * low
    assert not loss_probability(np.ones((1, 1), np.uint8), sot(), variation, source()).any(), (
        "SOT reads take another path"
    )


def test_weak_cells_are_lost_first():
    """With a spread of the barrier the loss is the mean over the barriers, far above that of a nominal cell."""
    hot, variation = stt(temperature=358.15), CellVariation(age=10 * YEAR, delta_spread=0.08)
    levels = rng(1).integers(0, 2, SHAPE).astype(np.uint8)
    lost = held_levels(levels, hot, variation, source()) != levels
    x, w = np.polynomial.hermite_e.hermegauss(60)

    def mean_loss(spread):
        barrier = mtj.thermal_stability(70 * (1 + spread * x), 358.15)
        return ((1 - np.exp(-2 * 10 * YEAR / 1e-9 * np.exp(-barrier))) / 2 * w).sum() / w.sum()

    assert mean_loss(0.08) > 100 * mtj.retention_failure(10 * YEAR, 358.15, delta=70.0)
    assert has_rate(lost.sum(), SIZE, mean_loss(0.08))
    assert not has_rate(lost.sum(), SIZE, mean_loss(0.08 * 1.3))
    assert not has_rate(lost.sum(), SIZE, mean_loss(0.08 / 1.3))


@pytest.mark.parametrize(("what", "values"), [
    ("age", (YEAR, 10 * YEAR, 100 * YEAR)), ("read_seconds", (1e3, 1e5, 1e7)), ("delta_spread", (0.0, 0.05, 0.1)),
])  # fmt: skip
def test_losses_grow(what, values):
    levels = rng(1).integers(0, 2, (100, 100)).astype(np.uint8)
    base = {"age": YEAR, "read_seconds": 100.0, "delta_spread": 0.08, "current_spread": 0.05}
    means = [
        loss_probability(levels, stt(temperature=358.0), CellVariation(**base | {what: v}), source()).mean()
        for v in values
    ]
    assert means == sorted(means)
    assert means[0] < means[-1]


def test_an_ideal_variation_says_so():
    assert CellVariation(delta_spread=0.1, current_spread=0.1).is_ideal, "they count with age and reads alone"
    for name in ("spread", "tmr_spread", "stuck_parallel", "stuck_antiparallel", "write_error", "age", "read_seconds"):
        assert not CellVariation(**{name: 0.01}).is_ideal, name
