"""The random numbers of nodes against theory. Bounds are 5 standard errors or p = 1e-6, seeds are fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from scipy import stats

from archsim.functional import Chance, node_noise
from archsim.functional.noise import UNIFORM_BITS, normal
from archsim.functional.randomness import BitSource, limits_of, stream_of
from archsim.kernels import reference
from archsim.workload.trace import Draw, Dropout, Node, Stochastic

SIGMAS, ALPHA = 5, 1e-6
IMAGES, PASSES = np.arange(400), range(10)


@dataclass(frozen=True, eq=False)
class Draws(Stochastic):
    kind: ClassVar[str] = "draws"
    what: tuple[Draw, ...]

    def draws(self, _shape):
        return self.what

    def apply(self, x, *_):
        return x


def node(*what, name="node"):
    return Node(name, Draws(what), ("input",), (40,))


def numbers(what, chance=None, seed=1, **more):
    """Return the numbers of one draw: (passes, images, count)."""
    chances = None if chance is None else (chance,)
    return np.stack([node_noise(node(what, **more), seed, IMAGES, t, chances)[0] for t in PASSES])


def p_value(counts, probabilities):
    return stats.chisquare(counts, np.asarray(probabilities) * counts.sum()).pvalue


def correlation(a, b):
    return np.corrcoef(np.ravel(a).astype(float), np.ravel(b).astype(float))[0, 1]


@pytest.mark.parametrize("p", [0.02, 0.2, 0.5, 0.85])
def test_bits_are_1_with_their_probability(p):
    bits = numbers(Draw("bit", 20, p))
    assert bits.dtype == np.bool_
    ones = bits.sum(axis=(0, 1))
    each = bits[..., 0].size
    q = 1 - limits_of(p) / 2**16
    assert abs(q - p) <= 2**-17
    chi_square = ((ones - each * q) ** 2 / (each * q * (1 - q))).sum()
    assert stats.chi2.sf(chi_square, len(ones)) > ALPHA


@pytest.mark.parametrize("p", [0, 1])
def test_never_and_always_are_exact(p):
    assert (numbers(Draw("bit", 300, p)) == p).all()


def test_the_smallest_probabilities_are_rounded_to_the_resolution():
    assert limits_of([0, 1e-6, 2**-16, 0.5, 1 - 2**-16, 1 - 1e-6, 1]).tolist() == [65536, 65536, 65535, 32768, 1, 1, 0]


@pytest.mark.parametrize("choices", [2, 8, 32])
def test_indices_are_equally_likely(choices):
    drawn = numbers(Draw("index", 10, choices=choices))
    assert drawn.dtype == np.int64
    counts = np.bincount(drawn.ravel(), minlength=choices)
    assert len(counts) == choices
    assert p_value(counts, np.full(choices, 1 / choices)) > ALPHA


def test_a_biased_arbiter_prefers_copies_with_many_ones():
    q = 1 - limits_of(0.6) / 2**16
    counts = np.bincount(numbers(Draw("index", 10, choices=8), Chance(np.array([0.6], np.float32))).ravel())
    ones = np.array([i.bit_count() for i in range(8)])
    assert p_value(counts, q**ones * (1 - q) ** (3 - ones)) > ALPHA
    assert p_value(counts, np.full(8, 1 / 8)) < ALPHA


def test_exact_gaussians_are_normal():
    drawn = numbers(Draw("gaussian", 25))
    assert drawn.dtype == np.float32
    assert stats.kstest(drawn.ravel(), "norm").pvalue > ALPHA
    assert abs(stats.kurtosis(drawn.ravel())) < SIGMAS * np.sqrt(24 / drawn.size)
    wrong = stats.kstest(drawn.ravel() * 1.03, "norm").pvalue
    assert wrong < ALPHA, "the test has the power to see a deviation that is 3 % off"


def test_the_outermost_gaussians_are_finite_and_symmetric():
    highest = stats.norm.isf(2.0**-33)
    np.testing.assert_allclose(normal(np.array([0, 2**UNIFORM_BITS - 1])), [-highest, highest], rtol=1e-7)


@pytest.mark.parametrize("bits", [1, 8, 15, 16, 40])
@pytest.mark.parametrize("p", [None, 0.45])
def test_summed_bits_are_binomial(bits, p):
    chance = Chance(None if p is None else np.array([p], np.float32), gaussian_bits=bits)
    drawn = numbers(Draw("gaussian", 5), chance)
    ones = drawn.astype(float) * np.sqrt(bits / 4) + bits / 2
    np.testing.assert_allclose(ones, np.rint(ones), atol=1e-5)
    q = 0.5 if p is None else 1 - limits_of(np.float32(p)) / 2**16
    law = stats.binom(bits, q)
    low, high = law.ppf(1e-3), law.ppf(1 - 1e-3)  # merge tails, so that every class is expected often enough
    counts = np.bincount(np.clip(np.rint(ones), low, high).astype(int).ravel(), minlength=int(high) + 1)[int(low) :]
    expected = law.pmf(np.arange(low, high + 1))
    expected[0], expected[-1] = law.cdf(low), law.sf(high - 1)
    assert p_value(counts, expected) > ALPHA
    if p is None:
        assert abs(drawn.mean()) < SIGMAS / np.sqrt(drawn.size)
        assert abs(drawn.var() - 1) < SIGMAS * np.sqrt(2 / drawn.size)


KINDS = {
    "bit": (Draw("bit", 20, 0.3), None),
    "index": (Draw("index", 20, choices=16), None),
    "normal": (Draw("gaussian", 20), None),
    "summed": (Draw("gaussian", 20), Chance(gaussian_bits=12)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_are_independent(kind):
    """Of neighbouring passes, images and elements; of other seeds, nodes and draws."""
    what, chance = KINDS[kind]
    drawn = numbers(what, chance)
    second = np.stack([node_noise(node(what, what), 1, IMAGES, t, chance and (chance,) * 2)[1] for t in PASSES])
    others = [numbers(what, chance, seed=2), numbers(what, chance, name="node2"), second]
    pairs = [(drawn[1:], drawn[:-1]), (drawn[:, 1:], drawn[:, :-1]), (drawn[..., 1:], drawn[..., :-1])]
    for a, b in (*pairs, *((drawn, other) for other in others)):
        assert abs(correlation(a, b)) < SIGMAS / np.sqrt(a.size)
    first = np.stack([node_noise(node(what, what), 1, IMAGES, t, chance and (chance,) * 2)[0] for t in PASSES])
    np.testing.assert_array_equal(first, drawn)


def test_a_name_with_a_number_is_not_another_draw():
    """Streams are told apart by node and use, not by a text in which the two run together."""
    keys = [stream_of(1, name, use) for name in ("a", "a1", "a/draw 1", "adraw 1") for use in ("", "draw 1", "repeat ")]
    assert len(set(keys)) == len(keys)


def test_every_module_has_its_own_probability():
    p = np.array([0.1, 0.5, 0.25, 0.9, 0.0, 1.0, 0.3], np.float32)
    drawn = numbers(Draw("bit", 40, 0.5), Chance(p))
    each = drawn[..., 0].size
    expected = (1 - limits_of(p) / 2**16)[np.arange(40) % 7]
    error = np.sqrt(expected * (1 - expected) / each)
    assert (np.abs(drawn.mean(axis=(0, 1)) - expected) <= SIGMAS * error).all()


def test_modules_of_an_element_wise_dropout():
    p = np.array([0.1, 0.4, 0.7], np.float32)
    drop = Node("drop", Dropout(0.25, "element"), ("input",), (5, 2, 3))
    dropped = np.stack([node_noise(drop, 1, IMAGES, t, (Chance(p),))[0] for t in PASSES]).mean(axis=(0, 1))
    expected = p[np.arange(30).reshape(6, 5) % 3].T.ravel()  # pixel by pixel, channels in a row
    error = np.sqrt(expected * (1 - expected) / (len(IMAGES) * len(PASSES)))
    assert (np.abs(dropped - expected) <= SIGMAS * error + 2**-16).all()


def test_the_law_of_a_gaussian_of_many_modules():
    """Module m makes numbers m, m + 2, ...: their means are n (p - 1/2) / sqrt(n / 4)."""
    p = np.array([0.45, 0.56], np.float32)
    drawn = numbers(Draw("gaussian", 6), Chance(p, gaussian_bits=16))
    mean = 16 * (p - 0.5) / 2
    for module in range(2):
        mine = drawn[..., module::2]
        assert abs(mine.mean() - mean[module]) < SIGMAS / np.sqrt(mine.size) + 16 / 2**17


# Correlated modules


@pytest.mark.parametrize("rho", [0.1, 0.5, 0.9])
def test_a_correlated_bit_forgets_geometrically_and_keeps_its_rate(rho):
    """corr(t, t + k) = rho**k; the rate is that of pass 0 in every pass; images share nothing."""
    p, passes = 0.3, 12
    what = Draw("bit", 200, p)
    drawn = np.stack(
        [node_noise(node(what), 1, np.arange(200), t, (Chance(correlation=rho),))[0] for t in range(passes)]
    )
    each = drawn[0].size
    assert (np.abs(drawn.mean(axis=(1, 2)) - p) <= SIGMAS * np.sqrt(p * (1 - p) / each) + 2**-17).all()
    for t in (0, passes // 2):
        for lag in (1, 2, 4):
            assert abs(correlation(drawn[t], drawn[t + lag]) - rho**lag) < SIGMAS / np.sqrt(each)
    assert abs(correlation(drawn[:, 1:], drawn[:, :-1])) < SIGMAS * np.sqrt((1 + rho) / (1 - rho) / drawn[:, 1:].size)


def test_full_correlation_never_draws_again():
    what = Draw("bit", 50, 0.5)
    first, last = (node_noise(node(what), 1, IMAGES, t, (Chance(correlation=1),))[0] for t in (0, 40))
    np.testing.assert_array_equal(first, last)
    assert 0 < first.mean() < 1


def test_correlated_bits_are_the_chain_walked_from_pass_0():
    """Walked by itself with the NumPy twin of the generator, for rows that leave bits of their words unused."""
    rows, live, rho = 3, 21, 0.6
    p = np.random.default_rng(0).random((rows, live))
    source = BitSource(9, "n", "draw 1", rows, live, p, rho)
    images, last = np.array([4, 0, 7, 7]), 6

    def drawn(use, limits, t):
        key = np.full(4, stream_of(9, "n", use), np.uint64)
        uniforms = reference.uniforms(reference.fold(reference.fold(key, images), np.full(4, t)), rows * 32)
        return uniforms.reshape(4, rows, 32)[..., :live] >= limits

    bits = drawn("draw 1", limits_of(p), 0)
    for t in range(1, last + 1):
        bits = np.where(drawn("repeat draw 1", limits_of(rho), t), bits, drawn("draw 1", limits_of(p), t))
    words = source.bits(images, np.full(4, last))
    np.testing.assert_array_equal(reference.unpack(words, live), bits)
    assert not (words[..., 1] >> 5).any(), "spare bits are 0"


def test_correlation_of_a_gaussian_and_of_an_arbiter():
    """A sum of bits, each repeated with probability rho, is itself correlated by rho; so is a binary number."""
    rho = 0.4
    for what in (Draw("gaussian", 20), Draw("index", 20, choices=8)):
        drawn = numbers(what, Chance(correlation=rho, gaussian_bits=16))
        assert abs(correlation(drawn[1:], drawn[:-1]) - rho) < SIGMAS / np.sqrt(drawn[1:].size)
