"""Noise in shifted inputs against theory: distributions, signal-to-noise ratios, frequencies, independence."""

import numpy as np
import pytest
from scipy import stats

from archsim.workload.data import ImageSet, InputStatistics
from archsim.workload.shifts import shifted

ALPHA = 1e-4  # chance that a right generator fails; seeds are fixed, so it fails always or never
WIDE = 4.0  # standard errors


def flat(value: float, shape: tuple[int, ...], count: int = 200, **more) -> ImageSet:
    return ImageSet("flat", np.full((count, *shape), value, np.float32), np.zeros(count, int), 1, **more)


def shift(name, data, severity=None):
    return shifted(name, data, np.random.default_rng(11), severity).images


def test_uniform_noise_spans_the_range():
    data = flat(0.0, (1, 16, 16), inputs=InputStatistics(-1, 1))
    values = shift("uniform_noise", data)
    assert stats.kstest(values.ravel(), stats.uniform(-1, 2).cdf).pvalue > ALPHA
    assert stats.kstest(values.ravel() * 1.05, stats.uniform(-1, 2).cdf).pvalue < ALPHA, "the test would notice"
    assert (values.min(), values.max()) == pytest.approx((-1, 1), abs=1e-3)


def test_gaussian_noise_has_the_training_statistics_of_each_channel():
    inputs = InputStatistics(0, 1, (0.3, 0.5, 0.6), (0.05, 0.08, 0.1))
    values = shift("gaussian_noise", flat(0.0, (3, 16, 16), inputs=inputs))
    for channel, mean, sigma in zip(values.swapaxes(0, 1), inputs.mean, inputs.sigma, strict=True):
        assert stats.kstest(channel.ravel(), stats.norm(mean, sigma).cdf).pvalue > ALPHA
    assert stats.kstest(values[:, 0].ravel(), stats.norm(0.3, 0.052).cdf).pvalue < ALPHA, "the test would notice"


@pytest.mark.parametrize(("severity", "sigma"), [(1, 0.08), (2, 0.12)])
def test_noise_is_white_and_gaussian(severity, sigma):
    noise = shift("noise", flat(0.5, (1, 16, 16)), severity)[:, 0] - 0.5
    assert stats.kstest(noise.ravel(), stats.norm(0, sigma).cdf).pvalue > ALPHA
    bound = WIDE / np.sqrt(noise.size / 2)
    pairs = {
        "columns": (noise[:, :, 1:], noise[:, :, :-1]),
        "rows": (noise[:, 1:], noise[:, :-1]),
        "images": (noise[1:], noise[:-1]),
    }
    for name, (one, other) in pairs.items():
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < bound, name


@pytest.mark.parametrize("value", [0.2, 0.5])
def test_shot_noise_is_poisson(value):
    photons = 12  # severity 3 of grey images
    counts = shift("shot_noise", flat(value, (1, 16, 16)), 3).ravel() * photons
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-4)
    many = 9  # below what is clipped at white; all from here on are counted together
    seen = np.bincount(np.minimum(np.round(counts), many).astype(int))
    law = stats.poisson(value * photons)
    theory = np.append(law.pmf(np.arange(many)), law.sf(many - 1))
    assert stats.chisquare(seen, theory * counts.size).pvalue > ALPHA


def test_salt_and_pepper_are_equally_many():
    values = shift("salt_pepper", flat(0.5, (1, 16, 16)), 5)
    for extreme in (0, 1):
        share = np.mean(values == extreme)
        assert abs(share - 0.135) < WIDE * np.sqrt(0.135 * 0.865 / values.size)


def beats(count=400) -> ImageSet:
    return flat(0.5, (1, 140), count, inputs=InputStatistics(0, 1, (0.5,), (0.1,)), rate_hz=(140, 250))


@pytest.mark.parametrize(("severity", "decibels"), [(1, 24), (3, 12), (4, 6)])
@pytest.mark.parametrize("name", ["noise", "baseline_wander", "mains_hum"])
def test_signals_are_disturbed_at_the_stated_ratio(name, severity, decibels):
    added = shift(name, beats(), severity) - 0.5
    power = np.square(added.astype(float)).mean()
    assert 10 * np.log10(0.1**2 / power) == pytest.approx(decibels, abs=0.15)


def test_baseline_wander_is_slow():
    added = shift("baseline_wander", beats(), 3)[:, 0] - 0.5
    time = np.linspace(-1, 1, 140)
    smooth = np.polynomial.polynomial.polyval(time, np.polynomial.polynomial.polyfit(time, added.T, 4))
    assert np.abs(added - smooth).max() < 1e-3, "less than half a period in a beat"
    assert np.ptp(added, axis=1).max() > 0.05, "a slope, not only an offset"


def test_mains_hum_is_at_fifty_hertz_for_the_rates_that_beats_may_have():
    added = shift("mains_hum", beats(), 3)[:, 0] - 0.5
    spectrum = np.abs(np.fft.rfft(added * np.hanning(140), 2800))
    frequency = spectrum.argmax(axis=1) / 2800  # in cycles a sample
    assert frequency.min() == pytest.approx(50 / 250, abs=0.003)
    assert frequency.max() == pytest.approx(50 / 140, abs=0.003)
    rate = 50 / frequency
    assert stats.kstest(rate, stats.uniform(140, 110).cdf).pvalue > ALPHA


def test_features_go_missing_with_the_stated_chance():
    data = flat(0.2, (10,), 2000, inputs=InputStatistics(0, 1, (0.5,), (0.1,)))
    share = np.mean(shift("missing_features", data, 3) == 0.5)
    assert abs(share - 0.3) < WIDE * np.sqrt(0.3 * 0.7 / 20000)
