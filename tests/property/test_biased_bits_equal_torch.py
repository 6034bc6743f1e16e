"""Biased, correlated modules and Gaussians made of few bits: torch under the very same numbers answers the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.hardware.arch import load_arch
from archsim.hardware.chip import build_chip
from archsim.mapping.plan import map_trace
from archsim.pipeline import sample_chip
from archsim.verify import compare_with_torch
from archsim.workload.cache import trace_of
from archsim.workload.checkpoint import load_model
from archsim.workload.spec import load_workload

ROOT = Path(__file__).parents[2]
BIASED = "imperfections.random_bits={trim: shared, delta_spread: library, current_spread: library, correlation: 0.3}"


@pytest.mark.parametrize(("name", "arch"), [
    ("lenet5_digits_spindrop", "spindrop_stt"), ("lenet5_digits_spinbayes", "neuspin_sot"),
    ("lenet5_digits_subset", "neuspin_sot"), ("lenet5_digits_scale", "neuspin_sot"),
])  # fmt: skip
def test_torch_agrees_bit_for_bit(name, arch):
    workload = load_workload(ROOT / "workloads" / f"{name}.yaml")
    trace, images = trace_of(workload), workload.data(20).images
    chip = build_chip(load_arch(ROOT / "arch_configs" / f"{arch}.yaml", [BIASED]))
    chances = sample_chip(map_trace(trace, chip), 3).chances
    assert set(chances) == {n.name for n in trace.stochastic_nodes()}
    model = load_model(workload).eval()
    biased = compare_with_torch(model, trace, images, 3, chances=chances)
    assert biased.identical == biased.answers == 60
    ideal = compare_with_torch(model, trace, images, 3)
    assert ideal.identical == 60
