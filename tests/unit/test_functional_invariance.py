"""No answer depends on how the work is cut, into batches, passes, threads; and the cutting keeps its budget."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from typing import ClassVar

import numpy as np
import pytest

from archsim.functional import Chance, Converter, LayerActivity, LayerEncoding, ReadModel, compute, ideal_encodings
from archsim.workload.trace import (
    AffineDropout,
    Conv,
    Draw,
    Dropout,
    Flatten,
    GaussianScale,
    Linear,
    Node,
    Normalise,
    Pool,
    ScaleDropout,
    Sign,
    Stochastic,
    Trace,
    Weights,
)

SEED, PASSES = 3, 4
PLAIN = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1)}


def weights(rng, *shape, scale=1.0):
    return Weights(rng.choice(np.array([-1, 1], np.int8), shape), 1, np.full(1, scale, np.float32))


def everything(channels=20, size=8):
    """A network with every node that draws, between two layers of which the second has four copies."""
    rng = np.random.default_rng(7)
    scale, shift = (rng.normal(m, 0.5, channels).astype(np.float32) for m in (1, 0))
    big, half, inner = (channels, size, size), (channels, size // 2, size // 2), channels * size**2 // 4
    first = Conv(weights(rng, channels, 1, 3, 3), **PLAIN)
    copies = [weights(rng, channels, channels, 3, 3, scale=s) for s in (1, 0.5, 1, 2)]
    second = Conv(copies[0], **PLAIN, alternatives=tuple(copies[1:]))
    nodes = (
        Node("s1", Sign(), ("input",), (1, size, size)), Node("c1", first, ("s1",), big),
        Node("scale", ScaleDropout(scale, 0.3), ("c1",), big), Node("n1", Normalise("layer"), ("scale",), big),
        Node("s2", Sign(), ("n1",), big), Node("d2", Dropout(0.3, "element"), ("s2",), big),
        Node("p2", Pool("max", (2, 2), (2, 2), (0, 0)), ("d2",), half), Node("c2", second, ("p2",), half),
        Node("n2", Normalise("channel"), ("c2",), half),
        Node("affine", AffineDropout(scale, shift, 0.3, 0.3), ("n2",), half),
        Node("gauss", GaussianScale(scale, shift), ("affine",), half),
        Node("s3", Sign(), ("gauss",), half), Node("d3", Dropout(0.3, "channel"), ("s3",), half),
        Node("f", Flatten(), ("d3",), (inner,)), Node("out", Linear(weights(rng, 5, inner)), ("f",), (5,)),
    )  # fmt: skip
    return Trace("everything", (1, size, size), nodes)


def chances_for(trace):
    """Modules that are biased, correlated, and that sum 10 bits for a Gaussian."""
    p = np.array([0.2, 0.35, 0.4], np.float32)
    return {n.name: (Chance(p, 0.3, 10),) * len(n.draws()) for n in trace.stochastic_nodes()}


def images(count, size=8):
    return np.random.default_rng(1).standard_normal((count, 1, size, size)).astype(np.float32)


def noisy(encodings):
    """Reads with noise, in groups of 20 rows; the copies of a layer differ in how noisy they are."""

    def read(encoding):
        rows = len(encoding.groups[0])
        groups = tuple(np.split(np.arange(rows), range(20, rows, 20)))
        reads = [ReadModel(sigma_on=s, sigma_off=0.1) for s in (0.3, 0.4, 0.5, 0.6)]
        return LayerEncoding(groups, Converter(4), 1, reads[0], tuple(reads[1:]))

    single = {name: replace(read(e), alternatives=()) for name, e in encodings.items()}
    return single | {"c2": read(encodings["c2"])}


TRACE = everything()
IDEAL = ideal_encodings(TRACE)
NOISY = noisy(IDEAL)
CASES = pytest.mark.parametrize(
    ("encodings", "chances"),
    [(IDEAL, None), (IDEAL, chances_for(TRACE)), (NOISY, None)],
    ids=["ideal", "real bits", "noisy reads"],
)


def total(runs, name):
    return sum((r.activity[name] for r in runs), LayerActivity())


@CASES
def test_cutting_does_not_change_a_bit(encodings, chances):
    x = images(6)
    whole = compute(TRACE, encodings, x, PASSES, SEED, chances=chances)
    assert all(np.ptp(whole.logits, axis=axis).any() for axis in (0, 1))
    for max_bytes in (1, 200_000):
        cut = compute(TRACE, encodings, x, PASSES, SEED, chances=chances, max_bytes=max_bytes)
        np.testing.assert_array_equal(cut.logits, whole.logits)
        assert (cut.activity, cut.bits_drawn) == (whole.activity, whole.bits_drawn)
    parts = [
        compute(TRACE, encodings, x[a:b], PASSES, SEED, chances=chances, first_image=a)
        for a, b in ((0, 3), (3, 4), (4, 6))
    ]
    np.testing.assert_array_equal(np.concatenate([p.logits for p in parts], axis=1), whole.logits)
    assert {name: total(parts, name) for name in whole.activity} == whole.activity
    fewer = compute(TRACE, encodings, x, 2, SEED, chances=chances)
    np.testing.assert_array_equal(fewer.logits, whole.logits[:2])


@CASES
def test_thread_count_does_not_change_a_bit(encodings, chances):
    import numba

    most = numba.config.NUMBA_NUM_THREADS
    if most < 2:
        pytest.skip("there is one thread")
    before, runs = numba.get_num_threads(), []
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            runs.append(compute(TRACE, encodings, images(9), PASSES, SEED, chances=chances).logits)
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(*runs)


def test_a_network_whose_reads_alone_are_noisy_is_computed_in_every_pass():
    """Without any dropout: the first noisy layer and all behind it vary, what is before it does not."""
    names = ("input", "s1", "c1", "n1", "s2", "p2", "c2", "n2", "s3", "f", "out")
    nodes = {name: replace(TRACE[name], inputs=(before,)) for before, name in pairwise(names)}
    nodes["c2"] = replace(nodes["c2"], op=replace(nodes["c2"].op, alternatives=()))
    plain = replace(TRACE, nodes=tuple(nodes.values()))
    encodings = ideal_encodings(plain)
    for noisy_layers, evaluations in (((), (5, 5, 5)), (("c2",), (5, 20, 20)), (("c1",), (20, 20, 20))):
        reads = encodings | {n: replace(NOISY[n], alternatives=()) for n in noisy_layers}
        run = compute(plain, reads, images(5), PASSES, SEED)
        assert tuple(run.activity[n].evaluations for n in ("c1", "c2", "out")) == evaluations
        assert np.ptp(run.logits, axis=0).any() == bool(noisy_layers)
        assert run.bits_drawn == {}


@pytest.mark.parametrize("name", [n.name for n in TRACE.stochastic_nodes()])
def test_every_node_that_draws_matters(name):
    """Its name is part of what its numbers are a function of: under another name other numbers are drawn."""

    def renamed(word):
        return f"{word}'" if word == name else word

    other = replace(
        TRACE,
        nodes=tuple(replace(n, name=renamed(n.name), inputs=tuple(map(renamed, n.inputs))) for n in TRACE.nodes),
    )
    a, b = (compute(t, ideal_encodings(t), images(9), PASSES, SEED).logits for t in (TRACE, other))
    assert (a != b).any()


@dataclass(frozen=True, eq=False)
class Flood(Stochastic):
    """Draws far more than it has values: 4 Gaussians and 4 indices for each."""

    kind: ClassVar[str] = "flood"

    def draws(self, shape):
        return Draw("gaussian", 4 * prod(shape)), Draw("index", 4 * prod(shape), choices=2)

    def apply(self, x, *noise):
        g, i = (n.reshape(*x.shape, 4) for n in noise)
        return x + (g * (i == 1)).sum(axis=-1)


def flooded():
    trace = everything(channels=4, size=8)
    nodes = {n.name: n for n in trace.nodes} | {"n2": Node("n2", Flood(), ("c2",), (4, 4, 4))}
    return replace(trace, nodes=tuple(nodes.values()))


@pytest.mark.parametrize(("trace", "count"), [(everything(32, 12), 8), (flooded(), 60)], ids=["maps", "noise"])
@pytest.mark.parametrize("real", [False, True], ids=["ideal bits", "real bits"])
def test_the_memory_budget_is_kept(trace, count, real):
    """Measured by what NumPy asks of the system. The estimate need not be exact, but neither may the batch matter."""
    encodings, x = ideal_encodings(trace), images(count, trace.input_shape[1])
    chances = chances_for(trace) if real else None
    compute(trace, encodings, x[:1], 1, SEED, chances=chances)  # kernels are compiled or loaded
    for budget in (2**20, 2 * 2**20):
        tracemalloc.start()
        compute(trace, encodings, x, 4, SEED, chances=chances, max_bytes=budget)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert 0.2 * budget < peak < 1.2 * budget
