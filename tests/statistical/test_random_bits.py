"""The dropout bits against theory. Bounds are 5 standard errors (a false alarm in 2 million), seeds are fixed."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.functional import dropout_mask
from archsim.functional.randomness import limits_of
from archsim.workload.trace import Dropout, Node

SHAPE = (24, 12, 12)
IMAGES = np.arange(200)
SIGMAS = 5


def masks(name="drop", p=0.5, seed=1, pass_index=0, granularity="element"):
    return dropout_mask(Node(name, Dropout(p, granularity), ("input",), SHAPE), SHAPE, seed, IMAGES, pass_index)


def correlation(a, b):
    a, b = (np.asarray(v, float).ravel() for v in (a, b))
    return np.corrcoef(a, b)[0, 1]


@pytest.mark.parametrize("p", [0.0, 0.01, 0.1, 0.15, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("granularity", ["element", "channel"])
def test_keep_rate(p, granularity):
    kept = masks(p=p, granularity=granularity)
    if granularity == "channel":
        kept = kept[:, :, 0, 0]
    q = limits_of(p) / 2**16
    assert abs(q - (1 - p)) <= 2**-17
    assert abs(kept.mean() - q) <= SIGMAS * np.sqrt(q * (1 - q) / kept.size)


def test_keep_rate_of_every_element():
    """No element of the map is favoured: chi-square of the counts of all 3456 elements."""
    kept = masks(p=0.3).reshape(len(IMAGES), -1).sum(axis=0)
    q = limits_of(0.3) / 2**16
    chi_square = ((kept - len(IMAGES) * q) ** 2 / (len(IMAGES) * q * (1 - q))).sum()
    assert abs(chi_square - len(kept)) <= SIGMAS * np.sqrt(2 * len(kept))


def test_counts_per_image_are_binomial():
    counts = masks(p=0.3).reshape(len(IMAGES), -1).sum(axis=1)
    n, q = np.prod(SHAPE), 0.7
    spread = counts.var(ddof=1) / (n * q * (1 - q))
    assert abs(spread - 1) <= SIGMAS * np.sqrt(2 / (len(IMAGES) - 1))


@pytest.mark.parametrize("lag", [1, 2, 3, 4, 7, 8, 12, 16, 32, 64, 144])
def test_neighbouring_elements_are_uncorrelated(lag):
    bits = masks().transpose(0, 2, 3, 1).reshape(len(IMAGES), -1)
    assert abs(correlation(bits[:, lag:], bits[:, :-lag])) <= SIGMAS / np.sqrt(bits[:, lag:].size)


@pytest.mark.parametrize("other", [
    {"name": "drop2"}, {"name": "drop "}, {"seed": 2}, {"seed": -1}, {"seed": 2**70}, {"pass_index": 1},
    {"pass_index": 2**31},
])  # fmt: skip
def test_layers_seeds_and_passes_are_independent(other):
    a, b = masks(), masks(**other)
    assert abs(correlation(a, b)) <= SIGMAS / np.sqrt(a.size)


@pytest.mark.parametrize("lag", [1, 2, 64])
def test_images_are_independent(lag):
    bits = masks()
    assert abs(correlation(bits[lag:], bits[:-lag])) <= SIGMAS / np.sqrt(bits[lag:].size)


def test_image_and_pass_do_not_commute():
    """(image 3, pass 5) and (image 5, pass 3) are different streams."""
    a = masks(pass_index=5)[3]
    b = masks(pass_index=3)[5]
    assert abs(correlation(a, b)) <= SIGMAS / np.sqrt(a.size)
