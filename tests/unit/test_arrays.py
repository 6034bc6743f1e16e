"""Read models of placed layers: what is on acts, where it should and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.functional.arrays import cell_variation, layer_cell, read_models, seconds_read
from archsim.functional.encoding import FRACTION, nominal_lines
from archsim.hardware.arch import load_arch
from archsim.hardware.chip import build_chip
from archsim.hardware.variation import ChipSample, sampled_cells
from archsim.mapping.plan import map_trace
from archsim.pipeline import encodings, layer_converter, sample_chip
from tests.networks import ARCHS, Net, lenet5, make_chip

STT = "spindrop_stt.yaml"
SAMPLE = ChipSample(3, 0)


def models(*settings, base="spatial_spindrop_sot.yaml", trace=None, sample=SAMPLE, passes=1):
    chip = make_chip(*settings, base=base)
    placed = map_trace(trace or lenet5(), chip).placed()
    return {p.name: read_models(p, chip, sample, layer_converter(chip.arch, p.tiling), passes)[0] for p in placed}


@pytest.mark.parametrize("base", ["spatial_spindrop_sot.yaml", STT, "ideal.yaml", "digital_read_stt.yaml"])
def test_an_ideal_chip_stays_in_the_packed_tier(base):
    assert set(models(base=base).values()) == {None}
    chip = sample_chip(map_trace(lenet5(), make_chip(base=base)), 1)
    assert set(chip.tiers.values()) == {"packed"}


@pytest.mark.parametrize(("setting", "tier"), [
    ("imperfections.cells.spread=0.05", "conductance"), ("imperfections.cells.tmr_spread=0.05", "conductance"),
    ("imperfections.cells.stuck_parallel=0.01", "conductance"), ("imperfections.cells.write_error=0.01", "conductance"),
    ("imperfections.cells.read_noise=0.01", "noise"), ("imperfections.converter.offset=0.5", "noise"),
    ("imperfections.converter.gain=0.01", "noise"), ("crossbar.ir_drop=allow", "noise"),
    ("imperfections.cells.age=1 day", "packed"),
])  # fmt: skip
def test_the_tier_follows_from_what_is_on(setting, tier):
    chip = sample_chip(map_trace(lenet5(), make_chip(setting)), 1)
    assert set(chip.tiers.values()) == {tier}


def test_lines_are_the_sampled_cells_of_the_layer():
    """Against the sampling functions and the nominal table; every line of every column has its own cell."""
    trace = lenet5()
    chip = make_chip("imperfections.cells={spread: 0.05, tmr_spread: 0.04, stuck_parallel: 0.01}")
    (placed,) = [p for p in map_trace(trace, chip).placed() if p.name == "conv2"]
    (model,) = read_models(placed, chip, SAMPLE, layer_converter(chip.arch, placed.tiling), 1)
    (table,) = model.lines[0]
    (levels,) = nominal_lines(trace["conv2"].op.weights, 1)
    assert table.shape == levels.shape == (2 * 150, 16)
    cell, variation = layer_cell(chip, placed.tiling), cell_variation(placed, chip, 1)
    wanted = sampled_cells(
        levels.astype(np.uint8), cell, variation, lambda name: SAMPLE.generator("cells", "conv2", 0, 0, 0, name)
    )
    np.testing.assert_array_equal(table, np.rint(wanted.astype(np.float64) * 2**FRACTION))
    assert len(np.unique(table[levels == 1])) > 50
    pair = table[0::2].astype(float) + table[1::2] - 2**FRACTION
    apart = abs(np.corrcoef(table[0::2].ravel() - levels[0::2].ravel() * 256, pair.ravel())[0, 1])
    assert 0.5 < apart < 0.9, "the two cells of a pair are independent: each has about half of the pair's variance"


def test_a_layers_cells_do_not_depend_on_the_rest_of_the_network_or_on_the_mapping():
    setting = "imperfections={cells: {spread: 0.05}, converter: {offset: 0.5}}"
    whole = models(setting)["fc3"]
    net = Net((84,)).linear("first", 84).sign("s")
    net.rng = np.random.default_rng(9)
    alone = models(setting, trace=Net((84,)).linear("fc3", 10).trace())["fc3"]
    nominal = [nominal_lines(t["fc3"].op.weights, 1)[0] for t in (lenet5(), Net((84,)).linear("fc3", 10).trace())]
    same = nominal[0] == nominal[1]
    assert 0.3 < same.mean() < 0.7, "other weights"
    np.testing.assert_array_equal(whole.lines[0][0][same], alone.lines[0][0][same])
    moved = models(setting, "mapping.strategy=subarrays", "crossbar.rows=64", "crossbar.parallel_rows=64")
    np.testing.assert_array_equal(models(setting)["conv2"].lines[0][0], moved["conv2"].lines[0][0])


def test_layers_chips_and_seeds_differ():
    setting = "imperfections.cells.spread=0.05"
    tables = [
        models(setting, sample=sample)[layer].lines[0][0][:200, :10]
        for sample in (SAMPLE, ChipSample(3, 1), ChipSample(4, 0))
        for layer in ("fc1", "fc2")
    ]
    for i, one in enumerate(tables):
        assert not any(np.array_equal(one, other) for other in tables[i + 1 :])
    np.testing.assert_array_equal(tables[0], models(setting)["fc1"].lines[0][0][:200, :10])


def test_columns_behind_one_converter_share_its_errors():
    """8 columns a converter, 120 columns: 15 converters in each of the two crossbars of fc1; 16 groups each."""
    model = models("imperfections.converter={offset: 0.5, gain: 0.01}", base=STT)["fc1"]
    assert model.offset.shape == model.gain.shape == (32, 1, 120)
    for table in (model.offset[:, 0], model.gain[:, 0]):
        by_converter = table.reshape(2, 16, 15, 8)
        assert np.all(np.ptp(by_converter, axis=(1, 3)) == 0)
        assert len(np.unique(by_converter[:, 0, :, 0])) == 30
    assert not np.allclose(model.offset / 0.5, model.gain / 0.01)


@pytest.mark.parametrize("step", [1, 2, 4])
def test_converter_errors_have_their_deviation(step):
    """Offsets are stated in steps and handed on in cells; over 3200 converters, 5 standard errors."""
    settings = [
        "imperfections.converter={offset: 0.5, gain: 0.02}", "converter.columns_per_converter=1", "converter.bits=5",
        f"converter.lsb_cells={step}",
    ]  # fmt: skip
    trace, found = Net((128,)).linear("fc", 160).trace(), []
    for number in range(20):
        model = models(*settings, trace=trace, sample=ChipSample(0, number))["fc"]
        found.append((model.offset.ravel(), model.gain.ravel()))
    offsets, gains = (np.concatenate(part) for part in zip(*found, strict=True))
    for values, sigma in ((offsets, 0.5 * step), (gains, 0.02)):
        assert abs(values.std() / sigma - 1) <= 5 / np.sqrt(2 * values.size)
        assert abs(values.std() / (1.3 * sigma) - 1) > 5 / np.sqrt(2 * values.size)
        assert abs(values.mean()) <= 5 * sigma / np.sqrt(values.size)


def test_a_bank_of_converters_serves_all_crossbars_of_its_tile():
    settings = ["converter={kind: adc, bits: 5, shared_by: tile, count: 4}", "imperfections.converter.offset=0.5"]
    table = models(*settings)["fc1"].offset[:, 0]
    assert len(np.unique(table)) == 4
    assert np.all(table == table[0, np.arange(table.shape[1]) % 4])


def test_droop_rebuilds_the_chips_ir_drop():
    """A group of rows at the mean conductance loses on the line what the chip says."""
    chip = make_chip("crossbar.ir_drop=allow", base=STT)
    for name, model in models("crossbar.ir_drop=allow", base=STT).items():
        mean = 8 * (0.5 + model.floor)
        assert model.droop * mean == pytest.approx(chip.ir_drop.value, rel=1e-9), name
    isaac = build_chip(load_arch(ARCHS / "isaac_like.yaml", ["crossbar.ir_drop=allow"]))
    assert set(sample_chip(map_trace(lenet5(), isaac), 1).tiers.values()) == {"packed"}, "nothing is known of its cells"


def test_noise_in_cells():
    """By hand: 1 % of the current of a 9 kohm cell, and of one of 17654 ohm, over the difference of the two."""
    model = models("imperfections.cells.read_noise=0.01", base=STT)["fc2"]
    low, high = 1 / 9000, 1 / (6000 * (1 + 1.5 / 1.04) + 3000)
    assert model.sigma_on == pytest.approx(0.01 * low / (low - high), rel=1e-9)
    assert model.sigma_off == pytest.approx(0.01 * high / (low - high), rel=1e-9)
    assert model.lines is None


def test_multi_level_cells_hold_several_bits():
    trace = Net((64,)).linear("fc", 20, bits=4).trace()
    model = models("crossbar.bits_per_cell=2", "imperfections.cells.spread=0.02", trace=trace)["fc"]
    assert [t.shape for t in model.lines[0]] == [(128, 20)] * 2
    for table, levels in zip(model.lines[0], nominal_lines(trace["fc"].op.weights, 2), strict=True):
        assert set(np.unique(levels)) == {0, 1, 2, 3}
        assert abs(table / 2**FRACTION - levels).max() < 0.6
        assert (table[0::2].astype(float) + table[1::2]).mean() / 2**FRACTION == pytest.approx(3, abs=0.02)


def test_parts_of_a_grouped_convolution_have_their_own_cells_and_converters():
    trace = Net((4, 6, 6)).conv("c", 8, 3, groups=2).trace()
    model = models("imperfections={cells: {spread: 0.05}, converter: {offset: 0.5}}", trace=trace)["c"]
    assert [t.shape for (t,) in model.lines] == [(36, 4)] * 2
    assert not np.array_equal(model.lines[0][0], model.lines[1][0])
    assert model.offset.shape == (1, 1, 8)
    assert len(np.unique(model.offset)) == 2, "each part has crossbars of its own, and 4 columns share a converter"


def test_time_that_a_cell_conducts():
    """By hand: conv2 makes 64 positions; each drives half of the lines; the chip makes so many replicas."""
    chip = make_chip()
    for p in map_trace(lenet5(), chip).placed():
        on = chip.components["crossbar"].actions["read"].latency_ps * 1e-12
        kept = 0.75 if p.stage.dropout else 1.0
        wanted = 7 * p.stage.positions * kept / 2 * on / p.replicas
        assert seconds_read(p, chip, 7) == pytest.approx(wanted, rel=1e-9, abs=0)
    slow = make_chip("converter.sample_hold=false")
    p = map_trace(lenet5(), slow).placed()[0]
    assert seconds_read(p, slow, 1) > 5 * seconds_read(map_trace(lenet5(), chip).placed()[0], chip, 1) / p.replicas


def test_old_cells_are_lost():
    hot = ["temperature=358 K", "imperfections.cells={age: 10 year, delta_spread: library}"]
    fresh = {n: nominal_lines(lenet5()[n].op.weights, 1)[0] for n in ("fc1", "fc2")}
    for name, nominal in fresh.items():
        table = models(*hot)[name].lines[0][0]
        assert set(np.unique(table)) == {0, 2**FRACTION}
        assert 0.02 < ((table > 0) != nominal).mean() < 0.4


def test_reads_wear_cells_of_the_stt_chip_alone():
    settings = [
        "imperfections.cells={inferences: 1e15, delta_spread: library, current_spread: library}",
        "temperature=358 K",
    ]
    assert models(*settings, base=STT, passes=20)["conv2"].lines is not None
    assert models(*settings, passes=20)["conv2"] is None


def test_encodings_carry_the_read_models():
    mapping = map_trace(lenet5(), make_chip("imperfections.cells={spread: 0.05, read_noise: 0.01}"))
    found = encodings(mapping, SAMPLE)
    assert all(e.is_noisy and e.tier == "conductance" for e in found.values())
    assert found["fc2"].read.lines[0][0].shape == (240, 84)
