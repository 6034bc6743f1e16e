"""Read noise against theory. Bounds are 5 standard errors (a false alarm in 2 million), seeds are fixed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from archsim.functional.encoding import Converter, LayerEncoding, ReadModel, fixed_point, nominal_lines
from archsim.functional.layer import compile_layer, run_layer
from archsim.functional.values import Grid, Samples, Signs, from_channels_first, pack
from archsim.kernels import imperfect_reference as twin
from archsim.kernels.constants import DITHER_BITS, NOISE_BITS, NOISE_UNIT
from archsim.workload.trace import Linear, Node, Quantize, Weights

SIGMAS = 5
COUNT = 100_000
ONE = np.ones(1, np.float32)


def gaussians(stream=1, image=0, pass_index=0, product=0, position=0, columns=COUNT):
    """The read noise of the conversions of one group, as deviations."""
    at = [np.array([v]) for v in (image, pass_index, position)]
    draw = twin.read_noise(stream, at[0], at[1], product, at[2], 3, np.arange(columns), columns)
    return np.concatenate([draw(g) for g in range(3)]).astype(float) * NOISE_UNIT


def test_moments():
    g = gaussians().ravel()
    n = g.size
    assert abs(g.mean()) <= SIGMAS / np.sqrt(n)
    assert abs(g.std() - 1) <= SIGMAS / np.sqrt(2 * n)
    assert abs(stats.skew(g)) <= SIGMAS * np.sqrt(6 / n)
    # excess kurtosis of the sum: that of the binomial, -2 / bits, and of the uniform, each weighted by its variance
    variance = NOISE_BITS / 4 + 1 / 12
    expected = (-2 / NOISE_BITS * (NOISE_BITS / 4) ** 2 - 1.2 / 144) / variance**2
    assert abs(stats.kurtosis(g) - expected) <= SIGMAS * np.sqrt(24 / n)


@pytest.mark.parametrize("stream", range(5))
def test_distribution_is_normal(stream):
    """Kolmogorov and Smirnov at 100,000 samples, at 0.1 %; the same test refuses a deviation 2 % off."""
    g = gaussians(stream)[0]
    assert stats.kstest(g, "norm").pvalue > 1e-3
    assert stats.kstest(1.02 * gaussians(stream).ravel(), "norm").pvalue < 1e-3


def test_exact_distribution_function():
    """Of a binomial and a uniform that fills its steps: nowhere further than 0.0008 from the normal one."""
    ones = np.arange(NOISE_BITS + 1) - NOISE_BITS / 2
    x = np.linspace(-6, 6, 4001)
    steps = x[:, None] / (NOISE_UNIT * 2 ** (DITHER_BITS + 1)) - ones
    exact = np.clip(steps + 0.5, 0, 1) @ stats.binom.pmf(np.arange(NOISE_BITS + 1), NOISE_BITS, 0.5)
    assert 0.0003 < np.abs(exact - stats.norm.cdf(x)).max() < 0.0008
    assert stats.kstest(gaussians().ravel(), lambda v: np.interp(v, x, exact)).pvalue > 1e-3


@pytest.mark.parametrize("lag", [1, 2, 3, 4, 7, 8, 10, 16, 64, 128, 1000])
def test_neighbouring_columns_are_uncorrelated(lag):
    g = gaussians()[0]
    for f in (np.asarray, np.square):
        assert abs(np.corrcoef(f(g[lag:]), f(g[:-lag]))[0, 1]) <= SIGMAS / np.sqrt(COUNT - lag)


@pytest.mark.parametrize("other", [
    {"stream": 2}, {"image": 1}, {"image": 2**40}, {"pass_index": 1}, {"pass_index": 7}, {"product": 1}, {"product": 9},
    {"position": 1}, {"position": 500}, {"image": 1, "pass_index": 1},
], ids=str)  # fmt: skip
def test_other_reads_are_independent(other):
    first, second = gaussians(), gaussians(**other)
    for a, b in ((first[0], second[0]), (first[0], second[1]), (first[0], first[1]), (first[0], first[2])):
        for f in (np.asarray, np.square):
            assert abs(np.corrcoef(f(a), f(b))[0, 1]) <= SIGMAS / np.sqrt(COUNT)


def test_image_and_pass_do_not_stand_for_each_other():
    assert not (gaussians(image=1, pass_index=2) == gaussians(image=2, pass_index=1)).any()


ROWS, COLUMNS, READS = 64, 40, 4000


def reads(by_cells, matching, on=0.9, off=0.4, driven=ROWS, step=0, seed=0):
    """Errors of 4000 x 40 reads of a sum, in cells: `matching` of `driven` rows match in every column."""
    w = np.ones((COLUMNS, ROWS), int)
    x = np.where(np.arange(ROWS) < matching, 1, -1)
    kept = np.arange(ROWS) < driven
    weights = Weights(w, 1, ONE)
    lines = (tuple(fixed_point(u, "fc") for u in nominal_lines(weights, 1)),) if by_cells else None
    encoding = LayerEncoding((np.arange(ROWS),), Converter(10, step), read=ReadModel(lines, on, off))
    layer = compile_layer(Node("fc", Linear(weights), ("input",), (COLUMNS,)), encoding, (ROWS,))

    def words(row):
        return np.repeat(pack(from_channels_first(row[None])), READS, axis=0)

    samples = Samples(seed, np.arange(READS) % 7, np.arange(READS) // 7)
    out = run_layer(layer, Signs(words(x > 0), ROWS, words(kept)), samples)[0].reshape(READS, COLUMNS)
    return (out - (2 * matching - driven)) / 2


@pytest.mark.parametrize("by_cells", [False, True])
@pytest.mark.parametrize(("matching", "driven"), [(0, 64), (10, 64), (64, 64), (0, 31), (20, 31), (31, 31)])
def test_variance_follows_the_number_of_cells_that_conduct(by_cells, matching, driven):
    """Variance of the read, m on^2 + (n - m) off^2, and of rounding to whole codes, 1/12 (Sheppard)."""
    error = reads(by_cells, matching, driven=driven)
    expected = matching * 0.81 + (driven - matching) * 0.16 + 1 / 12
    bound = SIGMAS * np.sqrt(2 / error.size)
    assert abs(error.var() / expected - 1) <= bound
    assert abs(1.3**2 - 1) > 10 * bound  # so a deviation 1.3 times too large fails by far


@pytest.mark.parametrize("by_cells", [False, True])
@pytest.mark.parametrize("matching", [2, 20, 31, 32, 33, 44, 62])
def test_noise_has_no_bias_whatever_the_sign_of_the_sum(by_cells, matching):
    error = reads(by_cells, matching)
    assert abs(error.mean()) <= SIGMAS * error.std() / np.sqrt(error.size)
    per_column = error.mean(axis=0) / (error.std() / np.sqrt(READS))
    assert np.abs(per_column).max() <= SIGMAS


def test_only_conducting_cells_make_noise():
    """Cells that are off and silent: a column without a match is read exactly, whatever the noise of the others."""
    assert not reads(False, 0, on=0.9, off=0.0).any()
    assert reads(False, 5, on=0.9, off=0.0).any()
    assert not reads(True, 64, on=0.0, off=0.9).any()


@pytest.mark.parametrize("by_cells", [False, True])
def test_codes_follow_the_normal_distribution(by_cells):
    """Chi-square of the codes around an exact sum against the integral of the density over each step."""
    error = reads(by_cells, 30, on=0.3, off=0.3).ravel().astype(int)
    sigma = 0.3 * np.sqrt(ROWS)
    edges = np.arange(-7, 7) + 0.5
    found = np.histogram(error, np.concatenate([[-np.inf], edges, [np.inf]]))[0]
    expected = np.diff(stats.norm.cdf(edges / sigma), prepend=0, append=1) * error.size
    assert stats.chisquare(found, expected).pvalue > 1e-4


def test_cells_and_input_bits_of_one_weight_are_read_independently():
    """Noise of 4-bit weights in single cells and 3-bit inputs: variances add up with the squares of what they count."""
    rng = np.random.default_rng(0)
    count, rows, columns = 3000, 32, 30
    weights = Weights(2 * rng.integers(0, 16, (columns, rows)) - 15, 4, ONE)
    encoding = LayerEncoding((np.arange(rows),), Converter(10), read=ReadModel(None, 0.5, 0.5))
    layer = compile_layer(Node("fc", Linear(weights), ("input",), (columns,)), encoding, (rows,))
    x = np.broadcast_to(rng.integers(0, 8, rows).astype(np.int32), (count, 1, 1, rows))
    samples = Samples(0, np.arange(count), np.zeros(count, np.int64))
    out = run_layer(layer, Grid(np.ascontiguousarray(x), Quantize(3, False, 1.0), None), samples)[0][:, 0, 0]
    error = out - x[0, 0, 0] @ weights.values.T
    driven = [(x[0, 0, 0] >> plane & 1).sum() for plane in range(3)]
    expected = sum(4 ** (plane + cell) * 4 * (0.25 * driven[plane] + 1 / 12) for plane in range(3) for cell in range(4))
    assert abs(error.var() / expected - 1) <= SIGMAS * np.sqrt(2 / error.size)
    assert abs(error.mean()) <= SIGMAS * np.sqrt(expected / error.size)
