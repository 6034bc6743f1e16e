"""The trained networks of the repository: on ideal hardware the chip answers as torch does, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.hardware.arch import load_arch
from archsim.hardware.chip import build_chip
from archsim.mapping.plan import map_trace
from archsim.pipeline import encodings
from archsim.verify import compare_with_torch
from archsim.workload.cache import trace_of
from archsim.workload.checkpoint import load_model
from archsim.workload.spec import load_workload

ROOT = Path(__file__).parents[2]
CHIPS = ("ideal", "spatial_spindrop_stt", "spindrop_stt", "digital_read_stt")


@pytest.mark.parametrize("workload", ["lenet5_digits", "mlp_digits"])
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
