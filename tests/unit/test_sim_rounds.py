"""A network that is larger than its chip: programming, maps kept between rounds, cut layers."""

from __future__ import annotations

from collections import Counter

import pytest

from archsim.errors import MappingError
from archsim.mapping.plan import map_trace
from archsim.sim.programming import program
from archsim.sim.run import simulate
from tests.networks import Net, hand_chip, lenet5, make_chip, vgg_small

ONE_CROSSBAR = ("organisation={columns: 1, rows: 1, crossbars_per_core: 1}", "mapping.overflow=reprogram")
MEMORY = "memory={kind: lpddr4, bandwidth: 8 Gbit/s, costs: {read: {latency: 50 ns}}}"


def two_layers():
    return Net((8,)).linear("f", 4).sign("s").linear("g", 3).trace()


def units(log):
    out = Counter()
    for op in log.operations:
        out[op.name, op.layer] += op.units
    return out


def test_two_rounds_by_hand():
    log = simulate(map_trace(two_layers(), hand_chip(*ONE_CROSSBAR)), images=1, passes=1, grain="map")
    # 8 and 4 rows of pairs, 10 ns a cell
    written = (8 + 4) * 2 * 10_000
    # the first layer as ever, then 4 signs over the bus (a word and the wire) and into the buffer
    first = 9000 + 10_000 + 2000 + 3000 + 2000
    # a word read and sent, the second layer, 3 classes
    second = 2000 + 3000 + 10_000 + 2000 + 12_000 + 6000
    assert log.programming_ps == written
    assert log.latency_ps == log.total_ps == written + first + second
    assert log.first_pass_ps == log.latency_ps - 6000
    # bits over the bus and in and out of the buffer
    assert units(log)["transfer", "f (s) -> global_buffer"] == 4
    assert units(log)["feed", "f (stored) -> g"] == 4
    assert units(log)["program", "weights"] == 8 * 4 + 4 * 3


def test_all_passes_and_images_pay_for_rounds():
    mapping = map_trace(two_layers(), hand_chip(*ONE_CROSSBAR))
    one, many = (simulate(mapping, images=n, passes=10) for n in (1, 6))
    assert many.total_ps == 6 * one.total_ps
    assert many.image_interval_ps == many.latency_ps == one.latency_ps
    assert many.programming_ps == 6 * one.programming_ps
    assert units(many) == Counter({k: 6 * v for k, v in units(one).items()})
    assert units(one)["feed", "f (stored) -> g"] == 10 * 4
    assert next(b for b in one.buffers if b.name.startswith("maps between")).peak_bits == 10 * 4


def test_preprocessing_and_loading_happen_once():
    log = simulate(map_trace(two_layers(), hand_chip(*ONE_CROSSBAR)), images=2, passes=5)
    assert units(log)["preprocess", "input"] == 2 * 8
    assert units(log)["store", "input"] == 2 * 8
    assert units(log)["average", "output"] == 2 * 5 * 3


def test_maps_that_outgrow_the_global_buffer_go_off_the_chip():
    net = Net((16,)).linear("f", 128).sign("s").linear("g", 3).trace()
    few, many = 10, 5000  # 5000 x 128 bits are more than 64 KiB
    log = simulate(map_trace(net, hand_chip(*ONE_CROSSBAR, MEMORY)), images=1, passes=few)
    assert any(b.name == "maps between rounds (global_buffer)" for b in log.buffers)
    log = simulate(map_trace(net, hand_chip(*ONE_CROSSBAR, MEMORY)), images=1, passes=many)
    assert any(b.name == "maps between rounds (memory)" for b in log.buffers)
    kept = next(o for o in log.operations if o.layer == "f (s) -> memory")
    assert ("memory", "write", 1.0) in kept.actions
    assert kept.units == many * 128
    with pytest.raises(MappingError, match=rf"maps of {many} passes take {many * 128} bits.*holds 524272"):
        simulate(map_trace(net, hand_chip(*ONE_CROSSBAR)), images=1, passes=many)


def test_a_layer_cut_between_rounds_reads_its_input_and_masks_again():
    net = Net((8,)).dropout("d", "element").linear("f", 10).sign("s").linear("g", 2).trace()
    chip = hand_chip(*ONE_CROSSBAR, "crossbar.columns=4", "crossbar.parallel_rows=8", "crossbar.rows=16")
    mapping = map_trace(net, chip)
    assert [[p.name for p in r] for r in mapping.rounds] == [["f"], ["f"], ["f"], ["g"]]
    log = simulate(mapping, images=1, passes=3)
    counted = units(log)
    for part in ("f[0:1]", "f[1:2]", "f[2:3]"):
        assert counted["multiply", part] == 3
        assert counted["feed", f"input -> {part}"] == 3 * 8
        assert counted["draw", part] == 3 * 8
    drawn = [a for o in log.operations if o.name == "draw" for a in o.actions]
    assert [a[:2] for a in drawn] == [
        ("stochastic", "draw"), ("global_buffer", "write"), ("global_buffer", "read"), ("global_buffer", "read"),
    ]  # fmt: skip
    assert sum(v for (name, layer), v in counted.items() if name == "transfer" and "global_buffer" in layer) == 3 * 10
    assert counted["feed", "f (stored) -> g"] == 3 * 10


def test_scores_of_a_cut_last_layer_are_brought_together():
    net = Net((8,)).linear("f", 10).trace()
    mapping = map_trace(net, hand_chip(*ONE_CROSSBAR, "crossbar.columns=4"))
    log = simulate(mapping, images=1, passes=3)
    assert len(mapping.rounds) == 3
    counted = units(log)
    assert counted["feed", "output"] == 3 * 8 * 16  # eight of ten scores were made in earlier rounds
    assert counted["average", "output"] == 3 * 10


def test_a_skip_over_rounds_is_kept():
    net = Net((2, 4, 4)).conv("a", 2, 3, 1, 1).sign("s").conv("b", 2, 3, 1, 1).add("sum", "s").sign("t")
    trace = net.flatten().linear("f", 3).trace()
    mapping = map_trace(trace, hand_chip(*ONE_CROSSBAR))
    assert len(mapping.rounds) == 3
    counted = units(simulate(mapping, images=1, passes=4))
    assert counted["transfer", "a (s) -> global_buffer"] == 4 * 32  # once, though it is read twice
    assert counted["feed", "a (stored) -> b"] == counted["feed", "a (s) (stored) -> b"] == 4 * 32


def test_programming_once():
    mapping = map_trace(two_layers(), hand_chip())
    operation, station = program(mapping, mapping.placed())
    assert station.busy_ps == 8 * 2 * 10_000  # the layers have arrays of their own
    assert operation.units == 8 * 4 + 4 * 3
    assert operation.actions == (("crossbar", "write", 2.0),)
    assert simulate(mapping, images=1, passes=1).programming_ps == 0


def test_programming_waits_for_the_memory():
    slow = "memory={kind: lpddr4, bandwidth: 1 Mbit/s, costs: {read: {latency: 50 ns}}}"
    mapping = map_trace(two_layers(), hand_chip(slow))
    operation, station = program(mapping, mapping.placed())
    assert station.busy_ps == 50_000 + 44 * 1_000_000
    assert {c: n for c, _, n in operation.actions} == {"crossbar": 2.0, "memory": 1.0}


def test_larger_networks_run_in_rounds():
    for trace, chip in (
        (lenet5(), make_chip(*ONE_CROSSBAR, "organisation.crossbars_per_core=4")),
        (vgg_small(), make_chip("mapping.overflow=reprogram", "input_buffer.capacity=16 KiB")),
    ):
        mapping = map_trace(trace, chip)
        log = simulate(mapping, images=1, passes=2)
        assert len(mapping.rounds) > 1
        assert log.programming_ps > 0
        multiplied = Counter({p.name: 2 * p.stage.positions for p in mapping.placed()})
        counted = {o.layer.split("[")[0]: o.units for o in log.operations if o.name == "multiply"}
        assert counted == multiplied
