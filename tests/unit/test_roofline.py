"""The roofline: work, traffic and ceilings of the layers, by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from archsim.hardware.arch import load_arch
from archsim.metrics.result import Result
from archsim.pipeline import evaluate

ROOT = Path(__file__).parents[2]
CHIP, NETWORK = ROOT / "arch_configs/spatial_spindrop_sot.yaml", ROOT / "workloads/lenet5_digits.yaml"


@pytest.fixture(scope="module")
def result() -> Result:
    return evaluate(CHIP, NETWORK, function=False, passes=4, images=3)


def test_work_and_traffic_of_the_layers(result: Result) -> None:
    points = {p.layer: p for p in result.roofline.points}
    assert points["conv1"].macs == 8 * 8 * 9 * 6
    assert points["conv2"].macs == 8 * 8 * 54 * 16
    assert points["fc1"].macs == 256 * 120
    assert points["conv1"].bits == 64 * 4  # pixels of four bits
    assert points["fc2"].bits == 120
    assert points["fc2"].intensity == 84


def test_no_layer_is_above_its_ceiling_nor_that_above_the_chip(result: Result) -> None:
    for point in result.roofline.points:
        assert 0 < point.attained < point.ceiling < result.roofline.arrays
        row = next(r for r in result.layers if r.name == point.layer)
        share = point.attained / point.ceiling
        assert 0.9 * row.utilisation < share < 1.0001 * row.utilisation  # replicas may wait for the last one of a row


def test_ceiling_of_the_chip(result: Result) -> None:
    """All cells of all crossbars at work; the vector of a layer with fewer columns takes fewer turns."""
    arch = load_arch(CHIP)
    box = arch.crossbar
    seconds = box.rows * box.columns * arch.organisation.crossbars / result.roofline.arrays
    fc1 = next(r for r in result.layers if r.name == "fc1")
    turns = math.ceil(fc1.columns / (box.columns / arch.converter.columns_per_converter))
    assert seconds == pytest.approx(fc1.vector_s * arch.converter.columns_per_converter / turns, rel=1e-9, abs=0)


def test_links(result: Result) -> None:
    assert result.roofline.tiles == 10  # tiles 0 to 9
    used = sum(p.bits for p in result.roofline.points) * 12 / (result.log.total_ps * 1e-12)
    assert used < result.roofline.link * result.roofline.tiles


def test_converters_shared_by_a_tile_lower_the_ceiling() -> None:
    few = ["converter.columns_per_converter=null", "converter.shared_by=tile", "converter.count=1"]
    shared = evaluate(CHIP, NETWORK, function=False, passes=1, images=1, overrides=few).roofline
    own = evaluate(CHIP, NETWORK, function=False, passes=1, images=1).roofline
    assert shared.arrays < own.arrays / 50
