"""Laws that hold for any logits, and the cover of the intervals."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from archsim.metrics.calibration import equal_width_bins
from archsim.metrics.intervals import calibration_error, mean, proportion
from archsim.metrics.quality import evaluate_quality, predict

shapes = st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 5))
logits_of_any_shape = shapes.flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=st.floats(-800, 800, allow_subnormal=False))
)


@given(logits_of_any_shape)
def test_entropy_laws(logits):
    p = predict(logits)
    assert np.all(p.mutual_information >= 0)
    assert np.all(p.mutual_information <= p.entropy)
    assert np.all(p.entropy <= math.log(logits.shape[2]))
    assert p.probabilities.sum(axis=1) == pytest.approx(np.ones(logits.shape[1]))
    # T passes can tell at most T answers apart
    assert np.all(p.mutual_information <= math.log(logits.shape[0]) + 1e-12)


@settings(deadline=None)
@given(logits_of_any_shape, st.randoms(use_true_random=False))
def test_order_of_images_and_passes_does_not_matter(logits, random):
    passes, images, classes = logits.shape
    labels = np.array([random.randrange(classes) for _ in range(images)])
    p = np.sort(predict(logits).probabilities, axis=1)
    if classes > 1:
        assume(np.all(p[:, -1] - p[:, -2] > 1e-9))  # a tie may be broken either way by rounding
    image_order, pass_order = random.sample(range(images), images), random.sample(range(passes), passes)
    a = evaluate_quality(logits, labels, np.random.default_rng(0), resamples=5)
    shuffled = logits[pass_order][:, image_order]
    b = evaluate_quality(shuffled, labels[image_order], np.random.default_rng(0), resamples=5)
    for (name, x), (_, y) in zip(a.estimates(), b.estimates(), strict=True):
        assert x.value == pytest.approx(y.value, rel=1e-9, abs=1e-9), name


@settings(deadline=None)
@given(logits_of_any_shape, st.data())
def test_figures_stay_in_their_ranges(logits, data):
    _, images, classes = logits.shape
    labels = data.draw(hnp.arrays(np.int64, images, elements=st.integers(0, classes - 1)))
    q = evaluate_quality(logits, labels, np.random.default_rng(0), resamples=20)
    tops = {"accuracy": 1, "ece": 1, "adaptive_ece": 1, "brier": 2, "nll": math.inf}
    for name, e in q.estimates():
        top = tops.get(name, math.log(classes))
        assert 0 <= e.low <= e.value + 1e-12, name
        assert e.value - 1e-12 <= e.high <= top, name
    assert q.nll.value <= 1600 + math.log(classes)


TRIALS = 400
# With 400 trials a true cover of 95 % is seen below 92 % in 0.3 % of the cases, and these seeds are fixed.
LEAST = 0.92


def cover(draw, truth: float, seed: int) -> float:
    r = np.random.default_rng(seed)
    return sum(truth in draw(r) for _ in range(TRIALS)) / TRIALS


@pytest.mark.parametrize(("share", "trials"), [(0.98, 100), (0.9, 50), (0.5, 20)])
def test_wilson_intervals_cover_the_truth(share, trials):
    seen = cover(lambda r: proportion(int(r.binomial(trials, share)), trials), share, 1)
    assert LEAST <= seen <= 0.995


@pytest.mark.parametrize("n", [5, 30, 500])
def test_mean_intervals_cover_the_truth(n):
    assert LEAST <= cover(lambda r: mean(r.normal(3.0, 2.0, n)), 3.0, 2) <= 0.98


@pytest.mark.parametrize("shift", [0.0, 0.1])
@pytest.mark.parametrize("n", [400, 1000])
def test_calibration_intervals_cover_the_truth(shift, n):
    """A network that is right with probability confidence - shift has a calibration error of just that shift."""

    def draw(r):
        confidence = 0.3 + 0.7 * r.beta(4, 1, n)
        gaps = confidence - (r.random(n) < confidence - shift)
        return calibration_error(gaps, equal_width_bins(confidence, 15), 15, r, resamples=150)

    assert cover(draw, shift, 3) >= LEAST
