"""From device spread to the sums of a layer: errors of a whole chip against closed forms, 5 standard errors."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.mapping.plan import map_trace
from archsim.pipeline import sample_chip
from archsim.workload.trace import Trace
from tests.networks import Net, make_chip

SIGMAS = 5
ROWS, COLUMNS, IMAGES, CHIPS = 128, 128, 40, 12
STEP = 1 / np.sqrt(12)  # deviation of rounding to whole cells, for an error that is spread over several of them


def layer() -> Trace:
    return Net((ROWS,)).linear("fc", COLUMNS).trace()


def errors(*settings, base="spatial_spindrop_sot.yaml", passes=1, chips=CHIPS):
    """Errors of the sum of one group in cells, (chips, passes, images, columns), and low-resistive cells driven."""
    images = np.random.default_rng(5).integers(0, 2, (IMAGES, ROWS)).astype(np.float32)
    exact = ["converter.bits=10", "converter.lsb_cells=1", f"crossbar.parallel_rows={ROWS}"]
    ideal = sample_chip(map_trace(layer(), make_chip(*exact)), 1).answers(images).logits[0]
    design = map_trace(layer(), make_chip(*exact, *settings, base=base))
    found = [sample_chip(design, passes, 0, n).answers(images).logits for n in range(chips)]
    driven = images.sum(axis=1)[:, None]  # the input bit 0 drives no line
    return (np.stack(found) - ideal) / 2, (ideal + driven) / 2, driven


def cells(spread, tmr_spread=0.0):
    """Means and variances of the conductance of a low- and of a high-resistive SOT cell, in cells: quadrature."""
    x, w = np.polynomial.hermite_e.hermegauss(40)
    w = np.outer(w, w) / w.sum() ** 2
    resistance, tmr = np.exp(spread * x)[:, None], np.exp(tmr_spread * x)[None, :]
    ratio = 1.1 / (1 + (0.2 / 0.5) ** 2)
    low, high = (330e3 * resistance * (1 + tmr * level * ratio) + 3e3 for level in (0, 1))
    nominal = 1 / 333e3, 1 / (330e3 * (1 + ratio) + 3e3)
    out = []
    for r in (low, high):
        g = (1 / r - nominal[1]) / (nominal[0] - nominal[1])
        mean = (g * w).sum()
        out += [mean, ((g - mean) ** 2 * w).sum()]
    return out


@pytest.mark.parametrize(("spread", "tmr_spread"), [(0.06, 0.04), (0.1, 0.0)])
def test_spread_of_cells_adds_up_along_a_bit_line(spread, tmr_spread):
    found, matching, driven = errors(f"imperfections.cells={{spread: {spread}, tmr_spread: {tmr_spread}}}")
    low_mean, low_variance, high_mean, high_variance = cells(spread, tmr_spread)
    mean = matching * (low_mean - 1) + (driven - matching) * high_mean
    variance = matching * low_variance + (driven - matching) * high_variance + STEP**2
    z = ((found[:, 0] - mean) / np.sqrt(variance)).reshape(CHIPS, IMAGES, COLUMNS)
    # columns and chips are independent; images of one column share its cells
    column_means = (z**2).mean(axis=1)
    error = column_means.std() / np.sqrt(column_means.size)
    assert abs(column_means.mean() - 1) <= SIGMAS * error
    assert SIGMAS * error < 0.3, "a deviation that is 1.3 times too large or too small would be seen"
    assert abs(z.mean(axis=1).mean()) <= SIGMAS * z.mean(axis=1).std() / np.sqrt(column_means.size)


def test_static_errors_stay_and_noise_does_not():
    static, _, _ = errors("imperfections.cells.spread=0.06", passes=3, chips=2)
    assert np.ptp(static, axis=1).max() == 0
    assert not np.array_equal(static[0], static[1])
    fresh, matching, driven = errors("imperfections.cells.read_noise=0.05", passes=30, chips=1)
    nominal = 1 / 333e3, 1 / (330e3 * (1 + 1.1 / 1.16) + 3e3)
    low, high = (0.05 * g / (nominal[0] - nominal[1]) for g in nominal)
    variance = matching * low**2 + (driven - matching) * high**2 + STEP**2
    z = fresh[0] / np.sqrt(variance)
    assert abs(z.var() - 1) <= SIGMAS * np.sqrt(2 / z.size) + 0.01
    assert abs((1.3 * z).var() - 1) > 0.5
    assert abs(z.mean()) <= SIGMAS / np.sqrt(z.size) + 0.01
    neighbours = np.corrcoef(z[:, :, 1:].ravel(), z[:, :, :-1].ravel())[0, 1]
    passes = np.corrcoef(z[1:].ravel(), z[:-1].ravel())[0, 1]
    assert abs(neighbours) <= SIGMAS / np.sqrt(z.size)
    assert abs(passes) <= SIGMAS / np.sqrt(z.size)


def test_stuck_cells_take_what_they_hold_from_the_sum():
    """A stuck cell is off by one where it should be the other: mean n_high p_low - n_low p_high, binomial variance."""
    found, matching, driven = errors("imperfections.cells={stuck_parallel: 0.06, stuck_antiparallel: 0.02}")
    others = driven - matching
    mean = others * 0.06 - matching * 0.02
    variance = others * 0.06 * 0.94 + matching * 0.02 * 0.98
    column_means = (((found[:, 0] - mean) ** 2) / variance).mean(axis=1)
    error = column_means.std() / np.sqrt(column_means.size)
    assert abs(column_means.mean() - 1) <= SIGMAS * error
    bias = (found[:, 0] - mean).mean(axis=1)
    assert abs(bias.mean()) <= SIGMAS * bias.std() / np.sqrt(bias.size)
    assert abs(mean.mean()) > 5 * SIGMAS * bias.std() / np.sqrt(bias.size), "the bias itself is large"


def test_offset_and_gain_are_seen_through_the_converter():
    found, _, _ = errors("imperfections.converter.offset=3")
    per_converter = found[:, 0].mean(axis=1).reshape(CHIPS, COLUMNS // 8, 8)
    assert np.ptp(per_converter, axis=2).max() == 0
    deviation = per_converter[:, :, 0].std()
    assert abs(deviation / np.hypot(3, STEP) - 1) <= SIGMAS / np.sqrt(2 * CHIPS * COLUMNS / 8)
    assert np.ptp(found[:, 0], axis=1).max() == 0, "the same for every image"


def test_ir_drop_bends_every_sum_as_the_line_says():
    """128 STT rows at once: v(S) S - v(S_ref) S_ref by hand for every column, to within rounding."""
    found, matching, driven = errors("crossbar.ir_drop=allow", base="spindrop_stt.yaml", chips=1)
    chip = make_chip(
        "crossbar.ir_drop=allow", "crossbar.parallel_rows=128", "converter.bits=10", base="spindrop_stt.yaml"
    )
    nominal = 1 / 9e3, 1 / (6e3 * (1 + 1.5 / 1.04) + 3e3)
    step = nominal[0] - nominal[1]
    floor, per_cell = nominal[1] / step, chip.ir_drop.value / 128 * step / (sum(nominal) / 2)
    s, reference = matching + driven * floor, driven // 2 + driven * floor
    read = s / (1 + per_cell * s) - reference / (1 + per_cell * reference)
    wanted = read - (matching - driven // 2)
    assert np.abs(wanted).max() > 3, "it matters"
    assert np.abs(found[0, 0] - wanted).max() <= 0.501
