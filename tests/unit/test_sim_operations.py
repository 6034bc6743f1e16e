"""What one output position costs, counted by hand on small layers."""

from __future__ import annotations

from math import prod

import pytest

from archsim.mapping.activity import Activity, expected_activity
from archsim.mapping.plan import map_trace
from archsim.sim.digital import digital_counts
from archsim.sim.ledger import Ledger, Operation
from archsim.sim.operations import multiply_actions
from archsim.sim.run import simulate
from tests.networks import Net, hand_chip, make_chip


def actions(net, activity, *overrides):
    (placed,) = map_trace(net.trace(), hand_chip(*overrides)).placed()
    chip = hand_chip(*overrides)
    counted = multiply_actions(chip, placed, activity, [])
    return {f"{c}.{a}": n for c, a, n in counted if n}


def test_binary_layer():
    # 20 rows in groups of 8, 8 and 4; 10 columns; one array
    counted = actions(Net((20,)).linear("f", 10), Activity(15.0, 5.0, True), "crossbar.parallel_rows=8")
    assert counted == {
        "row_driver.drive": 15,
        "crossbar.read": 15 * 10,
        "column_mux.select": 3 * 10,
        "converter.convert": 3 * 10,
        "decoder.decode": 3,
        "parity.compute": 3,
        "accumulator.add": 2 * 10,
        "input_buffer.read": 20,
        "output_buffer.write": 10 * 16,
    }


def test_bit_serial_layer_with_weight_slices():
    # 2 input bits, 3 columns a weight: 12 columns in tiles of 8 and 4, 2 row tiles of 8 rows, all on one tile
    counted = actions(
        Net((16,), bits=2).linear("f", 4, bits=3), Activity(16.0, 0.0, True),
        "crossbar.rows=8", "crossbar.columns=8", "crossbar.parallel_rows=8", "converter.sample_hold=true",
    )  # fmt: skip
    assert counted == {
        "row_driver.drive": 16 * 2,  # of both column tiles
        "crossbar.read": 16 * 12,
        "column_mux.select": 2 * 2 * 12,
        "sample_hold.sample": 2 * 2 * 12,
        "converter.convert": 2 * 2 * 12,
        "decoder.decode": 2 * 4,
        "parity.compute": 2 * 4,
        "shift_add.apply": 2 * 2 * 12,
        "accumulator.add": 4,
        "input_buffer.read": 2 * 16,
        "output_buffer.write": 4 * 16,
    }


def test_grouped_convolution():
    # 2 groups of 9 rows and 3 columns, each with its own array
    net = Net((2, 5, 5)).conv("c", 6, 3, groups=2)
    counted = actions(net, Activity(9.0, 0.0, True))
    assert counted["row_driver.drive"] == 18
    assert counted["crossbar.read"] == 9 * 6
    assert counted["converter.convert"] == 6
    assert counted["decoder.decode"] == 2
    assert counted["input_buffer.read"] == 18


def test_partial_sums_cross_tiles():
    # 3 row tiles on tiles of 2 crossbars: each of 4 columns sends one 16-bit sum over one tile pitch and two routers
    chip = make_chip(
        "organisation={columns: 2, rows: 1, crossbars_per_core: 2}", "crossbar.rows=8", "crossbar.columns=8",
        "crossbar.parallel_rows=8", "mapping.replication=none",
    )  # fmt: skip
    log = simulate(map_trace(Net((24,)).linear("f", 4).trace(), chip), images=1, passes=3)
    multiply = next(o for o in log.operations if o.name == "multiply")
    counted = {f"{c}.{a}": n for c, a, n in multiply.actions}
    assert counted["wire.transfer"] == 4 * 16
    assert counted["router.hop"] == 2 * 4 * 16
    link = next(s for s in log.stations if s.name == "mesh 0 1")
    fed = 3 * 2000  # 24 bits over the same link to tile 1, a word a pass
    assert link.busy_ps == 3 * (64 // 32) * 2000 + fed


def test_digital_counts_of_a_stage():
    net = Net((1, 4, 4)).conv("c", 2, 3, padding=1).affine("a").pool("p", function="avg").sign("s")
    (placed,) = map_trace(net.trace(), hand_chip()).placed()
    # 32 outputs scaled; 8 means of four values: three additions and a scaling each; 8 signs
    assert digital_counts(placed) == {"affine.apply": 32 + 8, "pool.add": 24, "threshold.apply": 8}


def test_expected_reads_of_bit_planes():
    (stage,) = [p.stage for p in map_trace(Net((10,), bits=4).linear("f", 1).trace(), hand_chip()).placed()]
    assert expected_activity(stage, 10).driven_rows == 10 * 4 / 2


def test_energy_counts_of_a_whole_run_are_closed_forms():
    net = Net((2, 6, 6)).conv("c", 3, 3).sign("s").dropout("d", "element").flatten().linear("f", 5)
    trace = net.trace()
    images, passes = 3, 4
    log = simulate(map_trace(trace, hand_chip()), images=images, passes=passes, grain="row")
    units = {(o.name, o.layer): o.units for o in log.operations}
    n = images * passes
    assert units == {
        ("preprocess", "input"): images * 72,
        ("store", "input"): images * 72,
        ("feed", "input -> c"): n * 72,
        ("transfer", "input -> c"): n * 72,
        ("multiply", "c"): n * 16,
        ("digital", "c"): n * 16,
        ("transfer", "c -> f"): n * 48,
        ("draw", "f"): n * 48,
        ("multiply", "f"): n,
        ("digital", "f"): n,
        ("average", "output"): n * 5,
        ("finish", "output"): images * 5,
    }
    assert prod(trace.output.shape) == 5


def test_an_operation_without_a_price_does_not_exist():
    with pytest.raises(ValueError, match="no priced action"):
        Operation(0, "x", "y", "bit", ())


def test_ledgers_add():
    one = Ledger([[1, 2]], [[3, 4, 5]], [[0, 6]])
    sum_ = one.copy()
    sum_.add(Ledger([[10, 20]], [[30, 40, 50]], [[0, 60]]), times=2)
    assert sum_ == Ledger([[21, 42]], [[63, 84, 105]], [[0, 126]])
    assert sum_.since(one) == Ledger([[20, 40]], [[60, 80, 100]], [[0, 120]])
    assert one == Ledger([[1, 2]], [[3, 4, 5]], [[0, 6]])
