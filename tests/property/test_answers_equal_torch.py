"""The trained networks of the repository: on ideal hardware a chip answers as torch does, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.functional.digital import normalise
from archsim.hardware.arch import load_arch
from archsim.hardware.chip import build_chip
from archsim.mapping.plan import map_trace
from archsim.nn import Normalise, freeze
from archsim.pipeline import encodings
from archsim.verify import compare_with_torch, torch_scores
from archsim.workload.cache import trace_of
from archsim.workload.checkpoint import load_model
from archsim.workload.spec import load_workload
from archsim.workload.trace import Node
from archsim.workload.trace import Normalise as NormaliseOp
from archsim.workload.tracer import trace_model
from workloads.ecg import HeartNet
from workloads.regression import Regressor

ROOT = Path(__file__).parents[2]
EPSILON = 2.0**-24  # half a unit in the last place of float32
CHIPS = ("ideal", "spatial_spindrop_stt", "spindrop_stt", "digital_read_stt")


DIGITS = ("mlp_digits", "lenet5_digits", *(f"lenet5_digits_{method}" for method in (
    "spindrop", "scale", "affine", "subset", "spinbayes", "deterministic")))  # fmt: skip


@pytest.mark.parametrize("workload", DIGITS)
def test_ideal_hardware_equals_torch_on_every_image_and_pass(workload: str) -> None:
    spec = load_workload(ROOT / "workloads" / f"{workload}.yaml")
    agreement = compare_with_torch(load_model(spec).eval(), trace_of(spec), spec.data(120).images, 8)
    assert agreement.answers == 120 * 8
    assert agreement.identical == agreement.answers


@pytest.mark.parametrize("chip", CHIPS)
def test_a_chip_with_lossless_converters_equals_torch(chip: str) -> None:
    arch = load_arch(ROOT / "arch_configs" / f"{chip}.yaml")
    assert arch.lossless
    spec = load_workload(ROOT / "workloads" / "lenet5_digits.yaml")
    trace = trace_of(spec)
    read = encodings(map_trace(trace, build_chip(arch)))
    agreement = compare_with_torch(load_model(spec).eval(), trace, spec.data(40).images, 3, encodings=read)
    assert agreement.identical == agreement.answers


def test_signals_and_real_answers_equal_torch_too() -> None:
    """A 1-D network with random weights on made-up beats, and a regression: any vector is an answer."""
    torch.manual_seed(0)
    for method, model, shape in (
        ("spatial", HeartNet(method="spatial"), (1, 140)),
        ("spinbayes", HeartNet(method="spinbayes"), (1, 140)),
        ("affine", Regressor(3, [20, 10]), (3,)),
    ):
        images = np.random.default_rng(0).uniform(-1, 1, (30, *shape)).astype(np.float32)
        model(torch.from_numpy(images))  # gives the norms their statistics
        freeze(model)
        trace = trace_model(model.eval(), images[:1])
        agreement = compare_with_torch(model, trace, images, 4)
        assert agreement.answers == 120
        assert agreement.identical == 120, method


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 4000), st.sampled_from([1.0, 100.0]), st.floats(-50, 50))
def test_normalisation_differs_by_the_order_of_its_sums_at_most(
    seed: int, count: int, size: float, shift: float
) -> None:
    """The bound that verify states: means of n values differ by no more than n eps max|x|, on any data."""
    x = (np.random.default_rng(seed).normal(shift, size, (3, 1, 1, count))).astype(np.float32)
    node = Node("n", NormaliseOp("layer"), ("input",), (count,))
    ours = normalise(node, x).reshape(3, count)
    theirs = Normalise()(torch.from_numpy(x.reshape(3, count))).numpy()
    deviation = x.std()
    bound = 4 * count * EPSILON * np.abs(x).max() / deviation + 8 * EPSILON * np.abs(theirs).max() * count
    assert np.abs(ours - theirs).max() <= bound


def test_a_wrong_mask_would_be_seen() -> None:
    """Torch under the noise of another seed answers differently, so that agreement means something."""
    spec = load_workload(ROOT / "workloads" / "lenet5_digits_subset.yaml")
    trace, model, images = trace_of(spec), load_model(spec), spec.data(40).images
    ours, other = (torch_scores(model, trace, images, seed, 0, 0) for seed in (0, 1))
    assert (ours != other).any(axis=1).mean() > 0.9
