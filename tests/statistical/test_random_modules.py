"""Random-bit modules against the table of the device survey (section 1.4) and against theory."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from archsim.errors import ConfigError
from archsim.functional.chance import chances_on, module_variation, switching_law
from archsim.functional.noise import noise_of
from archsim.functional.values import Samples
from archsim.hardware.mtj import ROOM
from archsim.hardware.random_bits import ModuleVariation, ShortPulseSwitching, ThermalSwitching, module_probabilities
from archsim.hardware.variation import ChipSample
from archsim.mapping.plan import map_trace
from archsim.workload.trace import GaussianScale
from tests.networks import Net, lenet5, make_chip

SIGMAS = 5
COUNT = 20_000
SOURCE = ChipSample(0).generator
SHARED = {"shared": True, "delta_spread": 0.08}


def thermal(exponent=1.0):
    """The module of the survey: Delta 45, pulses of 10 ns."""
    return ThermalSwitching(45.0, 10e-9, 1e-9, exponent)


LAWS = [thermal(), ShortPulseSwitching(38.0, 1.0)]


@pytest.mark.parametrize(("exponent", "row"), [
    (0.0, [0.37, 0.50, 0.55, 0.64, 0.74]),
    (0.5, [0.24, 0.50, 0.61, 0.80, 0.96]),
    (1.0, [0.15, 0.50, 0.67, 0.93, 1.00]),
    (2.18, [0.05, 0.50, 0.81, 1.00, 1.00]),
])  # fmt: skip
def test_drift_with_temperature_is_that_of_the_survey(exponent, row):
    law = thermal(exponent)
    drive = law.drive(0.5)
    found = [float(law.probability(drive, t)) for t in (273.0, 300.0, 310.0, 330.0, 358.0)]
    np.testing.assert_allclose(found, row, atol=0.0061)


@pytest.mark.parametrize(("spread", "deviation"), [(0.01, 0.15), (0.02, 0.25), (0.05, 0.37), (0.07, 0.40)])
def test_a_shared_current_spreads_probabilities_as_the_survey_says(spread, deviation):
    p = module_probabilities(0.5, COUNT, thermal(), ModuleVariation(**SHARED, current_spread=spread), SOURCE)
    assert p.std() == pytest.approx(deviation, abs=0.01)
    assert ((p >= 0) & (p <= 1)).all()


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("p", [0.02, 0.1, 0.3, 0.5, 0.9])
def test_drive_and_probability_are_inverse(law, p):
    delta, critical = np.array([0.8, 1.0, 1.3]), np.array([1.1, 1.0, 0.9])
    np.testing.assert_allclose(law.probability(law.drive(p, delta, critical), ROOM, delta, critical), p, rtol=1e-9)


@pytest.mark.parametrize("law", LAWS)
def test_slope_is_the_derivative(law):
    x, h = float(law.drive(0.5)), 1e-6
    numeric = (law.probability(x + h, ROOM) - law.probability(x - h, ROOM)) / (2 * h)
    assert law.slope == pytest.approx(float(numeric), rel=1e-4)


@pytest.mark.parametrize("law", LAWS)
def test_trimmed_modules_keep_what_trimming_leaves(law):
    """The stated deviation at one half; and what the slope makes of the same error of the current elsewhere."""

    def spread(p, error):
        varied = ModuleVariation(delta_spread=0.0, current_spread=0.05, trim_error=error)
        return module_probabilities(p, COUNT, law, varied, SOURCE)

    half = spread(0.5, 0.03)
    ratio = half.std() / 0.03
    assert abs(ratio - 1) <= SIGMAS / np.sqrt(2 * COUNT) + 0.01, "the law bends a little within the error"
    assert half.mean() == pytest.approx(0.5, abs=0.002)
    assert spread(0.5, 0.03 * 1.3).std() > 0.03 * 1.2
    x, h = float(law.drive(0.1)), 1e-6
    slope = float(law.probability(x + h, ROOM) - law.probability(x - h, ROOM)) / (2 * h)
    assert spread(0.1, 0.01).std() == pytest.approx(0.01 * slope / law.slope, rel=0.05)
    assert np.ptp(spread(0.1, 0.0)) < 1e-9, "without an error every module is right"


@pytest.mark.parametrize("law", LAWS)
def test_heat_raises_the_probability_of_trimmed_modules_and_spreads_them(law):
    def at(temperature):
        varied = ModuleVariation(delta_spread=0.08, current_spread=0.05, temperature=temperature)
        return module_probabilities(0.3, COUNT, law, varied, SOURCE)

    cold, hot = at(273.0), at(330.0)
    assert cold.max() < 0.3 < hot.min()
    assert hot.std() > 0.01
    np.testing.assert_allclose(at(ROOM), 0.3, atol=1e-9)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_certainty_needs_no_module(p):
    varied = ModuleVariation(**SHARED, current_spread=0.05, temperature=358.0)
    assert np.all(module_probabilities(p, 5, thermal(), varied, SOURCE) == p)


@pytest.mark.parametrize("law", LAWS)
def test_hopeless_modules_stay_probabilities(law):
    varied = ModuleVariation(delta_spread=1.0, current_spread=1.0, trim_error=0.5, temperature=400.0)
    p = module_probabilities(0.001, COUNT, law, varied, SOURCE)
    assert np.isfinite(p).all()
    assert ((p >= 0) & (p <= 1)).all()


def chances(*settings, base="spindrop_stt.yaml", trace=None, number=0):
    mapping = map_trace(trace or lenet5(), make_chip(*settings, base=base))
    return chances_on(mapping, ChipSample(0, number))


VARIED = "imperfections.random_bits={delta_spread: library, current_spread: library, trim_error: library}"


def test_an_ideal_chip_has_no_chances():
    assert chances() == {}
    assert chances(base="ideal.yaml") == {}
    assert chances("imperfections.random_bits={delta_spread: library}") == {}, "each is trimmed exactly"


def test_each_dropout_has_the_modules_of_its_layer():
    found = chances(VARIED)
    assert set(found) == {"d1", "d2"}
    for (chance,) in found.values():  # conv2 has 150 rows and fc1 256: two crossbars of 128 modules for each of them
        assert chance.p.size == 2 * 128
        assert chance.p.mean() == pytest.approx(0.25, abs=0.01)
    (one,) = chances(VARIED, "stochastic={kind: stt_mtj, scope: tile, count: 9}")["d1"]
    assert one.p.size == 9


def test_modules_of_the_chip_are_the_same_for_every_layer():
    one = chances(VARIED, "stochastic={kind: stt_mtj, scope: chip, count: 7}")
    np.testing.assert_array_equal(one["d1"][0].p, one["d2"][0].p)
    other = chances(VARIED, "stochastic={kind: stt_mtj, scope: chip, count: 7}", number=1)
    assert not np.array_equal(one["d1"][0].p, other["d1"][0].p)
    own = chances(VARIED)
    assert not np.array_equal(own["d1"][0].p, own["d2"][0].p[: own["d1"][0].p.size])


def test_correlation_and_gaussians():
    assert chances("imperfections.random_bits.correlation=0.2")["d1"][0].correlation == 0.2
    net = Net((4, 4, 4)).conv("c", 3, 3)
    net.put("g", GaussianScale(np.ones(3, np.float32), np.ones(3, np.float32)), net.shape)
    trace = net.sign("s").flatten().linear("out", 5).trace()
    gaussian = "stochastic={kind: stt_mtj, scope: crossbar, count: 32, gaussian: popcount, gaussian_bits: 24}"
    (ideal,) = chances(gaussian, trace=trace)["g"]
    assert (ideal.p, ideal.gaussian_bits) == (None, 24)
    (varied,) = chances(gaussian, VARIED, trace=trace)["g"]
    assert varied.p.mean() == pytest.approx(0.5, abs=0.03)


def test_drawn_bits_have_the_modules_probabilities():
    """Through to the bits of the functional pass: each module's rate over many images, chi-square."""
    trace = lenet5()
    node = trace["d1"]
    shared = "imperfections.random_bits={trim: shared, delta_spread: library, current_spread: library}"
    (chance,) = chances(shared, "stochastic.count=3")["d1"]
    images = np.arange(4000)
    bits = noise_of(node, 0, Samples(1, images, np.zeros_like(images)), chance)
    p = chance.p[np.arange(bits.shape[1]) % chance.p.size].astype(np.float64)
    assert p.std() > 0.05
    keep = (p > 1e-3) & (p < 1 - 1e-3)
    z = (bits.mean(axis=0) - p)[keep] / np.sqrt(p * (1 - p) / len(images))[keep]
    assert stats.chi2.sf((z**2).sum(), keep.sum()) > 1e-5
    swapped = (bits.mean(axis=0) - np.roll(p, 1))[keep] / np.sqrt(p * (1 - p) / len(images))[keep]
    assert stats.chi2.sf((swapped**2).sum(), keep.sum()) < 1e-5, "it matters which module draws which element"


def test_laws_come_from_the_library():
    law = switching_law(make_chip(base="spindrop_stt.yaml"))
    assert law == ThermalSwitching(45.0, 10e-9, 1e-9, 1.0)
    assert switching_law(make_chip(base="spatial_spindrop_sot.yaml")) == ShortPulseSwitching(38.0, 1.0)
    assert switching_law(make_chip(base="ideal.yaml")) is None
    hot = make_chip("temperature=330 K", "imperfections.random_bits={temperature_drift: true, current_exponent: 2.18}")
    assert switching_law(hot) == ShortPulseSwitching(38.0, 2.18)
    assert module_variation(hot).temperature == 330.0
    assert module_variation(make_chip("temperature=330 K")).is_ideal, "a current that follows the temperature"


def test_cmos_modules_have_no_such_imperfections():
    with pytest.raises(ConfigError, match=r"random_bits\.trim_error: only spintronic .* of kind 'lfsr'"):
        make_chip(VARIED.replace("delta_spread: library, current_spread: library, ", ""), base="ideal.yaml")
    with pytest.raises(ConfigError, match="temperature_drift: only spintronic"):
        make_chip("temperature=330 K", "imperfections.random_bits.temperature_drift=true", base="ideal.yaml")
    with pytest.raises(ConfigError, match="the chip has none"):
        make_chip("stochastic=null", "imperfections.random_bits.correlation=0.1")
