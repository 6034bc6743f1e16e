"""Times of stochastic digital work, arbiters and run-time statistics, added up by hand, and laws that they obey."""

from __future__ import annotations

import pytest

from archsim.mapping.plan import map_trace
from archsim.metrics.energy import energy_rows, grouped
from archsim.metrics.plausibility import MACRO
from archsim.sim.run import simulate
from tests.networks import METHODS, Net, hand_chip, make_chip, method_lenet5

SLOW = "stochastic.costs.draw.latency=100 ns"
ONE_MODULE = ("stochastic.scope=chip", "stochastic.count=1", SLOW)
FED = 2000 + 2000 + 2000 + 3000  # 8 values quantised, stored, read and sent over the bus
READ, DIGITAL = 10_000, 2000  # a vector; digital work of up to 16 lanes in a cycle
AVERAGE, FINISH = 4000, 2000  # a class


def run(net, *overrides, **more):
    options = {"images": 1, "passes": 1, "schedule": "pipelined_passes", "grain": "map"} | more
    return simulate(map_trace(net.trace(), hand_chip(*overrides)), **options)


def waited(log):
    return {(s.process, s.cause): s.waited_ps for s in log.stalls}


def test_a_dropped_scale_waits_for_its_bit():
    net = Net((8,)).linear("f", 4).scale_dropout("d")
    # 7 ns are over long before the sums are there; 100 ns are not
    assert run(net).latency_ps == FED + READ + DIGITAL + 4 * (AVERAGE + FINISH)
    log = run(net, SLOW)
    assert log.latency_ps == 100_000 + DIGITAL + 4 * (AVERAGE + FINISH)
    assert waited(log)["f digital", "random bits"] == 100_000 - FED - READ
    assert ("f arrays", "random bits") not in waited(log)


def test_independent_bits_of_one_operation_are_drawn_side_by_side():
    net = Net((8,)).linear("f", 4).affine_dropout("d")
    assert run(net, SLOW).latency_ps == 100_000 + DIGITAL + 4 * (AVERAGE + FINISH)
    assert run(net, *ONE_MODULE).latency_ps == 200_000 + DIGITAL + 4 * (AVERAGE + FINISH)


def three_layers():
    net = Net((8,)).linear("f", 4).scale_dropout("a").sign("s")
    return net.linear("g", 4).scale_dropout("b").sign("t").linear("h", 3).scale_dropout("c")


def test_a_single_module_serves_one_layer_after_the_other():
    log = run(three_layers(), *ONE_MODULE)
    # bits at 100, 200 and 300 ns; each layer is ready for its own long before
    assert log.latency_ps == 300_000 + DIGITAL + 3 * (AVERAGE + FINISH)
    assert waited(log)["g digital", "random bits"] == 200_000 - (100_000 + DIGITAL + READ)
    module = next(s for s in log.stations if s.name == "random bits")
    assert (module.uses, module.busy_ps, module.queued_ps) == (3, 300_000, 100_000 + 200_000)


def test_a_single_module_is_the_bottleneck_of_a_deep_network():
    for ahead in (0, 1):
        logs = [run(three_layers(), *ONE_MODULE, f"stochastic.ahead={ahead}", passes=n) for n in (20, 40)]
        assert logs[1].total_ps - logs[0].total_ps == 20 * 300_000
    # with modules of its own, each layer draws beside the others: then the next slowest counts, averaging 3 classes
    own = [run(three_layers(), passes=n) for n in (20, 40)]
    assert own[1].total_ps - own[0].total_ps == 20 * 12_000


def test_gaussians_are_sums_of_bits():
    net = Net((8,)).linear("f", 4).gaussian_scale("g")
    # 4 Gaussians of 16 bits: 64 bits on 4 modules of 7 ns; the last one is counted when its bits are there
    drawn = 16 * 7000 + 4000
    log = run(net)
    assert log.latency_ps == drawn + DIGITAL + 4 * (AVERAGE + FINISH)
    draw = next(o for o in log.operations if o.name == "draw")
    assert draw.units == 64
    assert {(part, action): n for part, action, n in draw.actions} == {
        ("stochastic", "draw"): 1.0,
        ("popcount", "count"): 1 / 16,
    }
    half = run(net, "stochastic.gaussian_bits=8")
    assert half.latency_ps == drawn - 8 * 7000 + DIGITAL + 4 * (AVERAGE + FINISH)


def test_counting_can_be_slower_than_drawing():
    net = Net((8,)).linear("f", 4).gaussian_scale("g")
    # 64 modules draw all bits at once and have 4 counters; 16 modules have one, which counts 4 times
    slow = "stochastic.popcount_costs={count: {latency: 50 ns}}"
    for modules, counts in ((64, 1), (16, 4)):
        log = run(net, f"stochastic.count={modules}", slow)
        assert log.latency_ps == 7000 + counts * 50_000 + DIGITAL + 4 * (AVERAGE + FINISH)


def test_numbers_drawn_ahead_hide_the_modules():
    net = Net((8,)).linear("f", 4).gaussian_scale("g")
    drawn = 16 * 7000 + 4000
    assert run(net, "stochastic.ahead=1", passes=50).pass_interval_ps == drawn
    # otherwise drawing begins when the last pass has used its numbers
    assert run(net, "stochastic.ahead=0", passes=50).pass_interval_ps == drawn + DIGITAL


def test_arrays_wait_for_the_arbiter():
    net = Net((8,)).linear("f", 4, copies=4)
    assert run(net).latency_ps == FED + READ + DIGITAL + 4 * (AVERAGE + FINISH)
    log = run(net, SLOW)
    assert log.latency_ps == 100_000 + READ + DIGITAL + 4 * (AVERAGE + FINISH)
    assert waited(log)["f arrays", "random bits"] == 100_000 - FED
    # two bits on one module take two draws
    assert run(net, *ONE_MODULE).latency_ps == 200_000 + READ + DIGITAL + 4 * (AVERAGE + FINISH)


def test_dropout_arbiter_and_scale_of_a_layer_share_its_modules():
    net = Net((8,)).dropout("m").linear("f", 4, copies=2).scale_dropout("d")
    # on 4 modules: 8 masks in two draws, then the choice, then the scale's bit
    log = run(net, SLOW)
    assert log.latency_ps == max(300_000 + READ, 400_000) + DIGITAL + 4 * (AVERAGE + FINISH)
    station = next(s for s in log.stations if s.name == "f random bits")
    assert (station.uses, station.busy_ps) == (3, 400_000)


def normalised(over="layer"):
    return Net((1, 4, 4)).conv("c", 2, 3, padding=1).normalise("n", over).sign("s")


STATISTICS = 30_000


@pytest.mark.parametrize(("grain", "first"), [("map", 8000), ("row", 2000)])
def test_a_normalised_map_is_gone_over_twice(grain, first):
    log = run(normalised().flatten().linear("f", 3), grain=grain)
    arrays = 4000 + (2 * 2000 + 3000 if grain == "row" else 5000) + 16 * READ
    # sums of 2 values of 4 ns on 16 lanes: half a nanosecond a position, in whole cycles;
    # then the statistics, then 32 affine operations of 4 ns and as many signs of 2 ns
    second = STATISTICS + 32 * (4000 + 2000) // 16
    assert log.latency_ps == arrays + first + second + READ + DIGITAL + 3 * (AVERAGE + FINISH)
    assert {o.name for o in log.operations if o.layer == "c"} == {"multiply", "digital", "normalise"}


def test_statistics_of_channels_are_finished_lane_by_lane():
    def latency(over):
        return run(Net((8,)).linear("f", 40).normalise("n", over)).latency_ps

    assert latency("channel") - latency("layer") == 2 * STATISTICS  # three turns of 16 lanes in place of one


def test_what_follows_a_barrier_is_streamed():
    log = run(normalised().conv("d", 1, 3, padding=1).sign("t").flatten().linear("f", 3), grain="row")
    done = 4000 + (2 * 2000 + 3000) + 16 * READ + 2000 + STATISTICS
    # 12 ns for four rows of signs, in whole cycles: at 4, 6, 10 and 12 ns; a row of the next layer takes 40 ns and
    # needs the row below it; its 16 signs take one cycle, in the first row
    assert log.latency_ps == done + 6000 + 4 * 4 * READ + READ + DIGITAL + 3 * (AVERAGE + FINISH)


def test_a_map_that_waits_takes_its_part_of_the_output_buffer():
    log = run(normalised().flatten().linear("f", 3), grain="row", passes=3)
    held = 16 * 2 * 16
    assert next(b for b in log.buffers if b.name == "c maps").peak_bits == held
    normalise = next(o for o in log.operations if o.name == "normalise")
    counted = {(part, action): n for part, action, n in normalise.actions}
    assert counted["output_buffer", "read"] * 16 == held
    assert counted["statistics", "finish"] * 16 == 1
    digital = next(o for o in log.operations if o.name == "digital" and o.layer == "c")
    counted = {(part, action): n for part, action, n in digital.actions}
    assert counted["statistics", "accumulate"] == 2
    assert counted["output_buffer", "write"] * 16 == held
    assert counted["output_buffer", "read"] * 16 == held  # the results of the arrays, of 16 bits as well


def test_the_next_pass_goes_on_in_the_arrays_while_a_map_is_normalised():
    # one position after the other of 10 ns is slower than both sweeps over the map, 8 and 42 ns
    log = run(normalised().flatten().linear("f", 3), passes=20)
    assert log.pass_interval_ps == 16 * READ


def test_sums_of_several_tiles_are_brought_together():
    def log_of(over, *more):
        settings = ("organisation={columns: 2, rows: 1, crossbars_per_core: 1}", "interconnect.costs={}", *more)
        return run(Net((8,)).linear("f", 200).normalise("n", over), *settings)

    # sum and sum of squares, 32 bits each, to the home tile; mean and deviation back: two words and one of 2 ns
    # over the bus, whose wire takes 1 ns
    one, two = (log_of(over, "interconnect.costs={transfer: {latency: 1 ns}}") for over in ("channel", "layer"))
    exchange = (2 * 2000 + 1000) + (2000 + 1000)
    turns = 200 // 2 // 16 + 1  # of the lanes of a tile, for its half of the channels
    assert two.latency_ps - one.latency_ps == exchange + STATISTICS - turns * STATISTICS
    normalise = next(o for o in two.operations if o.name == "normalise")
    assert ("wire", "transfer", 64.0 + 32.0) in normalise.actions


def test_more_copies_never_change_what_a_read_costs():
    chip = make_chip("mapping.replication=none", "organisation.crossbars_per_core=32")
    reads = []
    for copies in (1, 2, 4, 8):
        mapping = map_trace(method_lenet5("spinbayes", copies), chip)
        log = simulate(mapping, images=2, passes=10)
        parts = grouped(energy_rows(log, chip), lambda r: f"{r.part} {r.action}")
        macro = [p for p in parts if p.split()[0] in MACRO and "leakage" not in p]
        reads.append({p: parts[p].value for p in (*macro, "output_buffer write", "input_buffer read")})
        assert sum(p.crossbars for p in mapping.placed()) == 10 * copies
    assert all(r == pytest.approx(reads[0], rel=1e-12, abs=0) for r in reads)


@pytest.mark.parametrize("method", ["scale", "affine", "subset", "spinbayes"])
@pytest.mark.parametrize("scope", ["crossbar", "tile", "chip"])
def test_more_modules_are_never_slower(method, scope):
    times = []
    for count in (1, 2, 8, 64):
        chip = make_chip(
            "organisation.crossbars_per_core=16", f"stochastic={{kind: sot_mtj, scope: {scope}, count: {count},"
            " ahead: 0, gaussian: popcount, costs: {draw: {latency: 200 ns}}}", "digital.statistics={}",
        )  # fmt: skip
        log = simulate(map_trace(method_lenet5(method, 4), chip), images=1, passes=10, schedule="pipelined_layers")
        times.append(log.latency_ps)
    assert times == sorted(times, reverse=True)
    assert times[-1] < times[0] or method == "scale"  # where every layer draws one bit


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("schedule", ["layer_by_layer", "pipelined_layers", "pipelined_passes"])
def test_every_method_runs_under_every_schedule_and_repeats_exactly(method, schedule):
    chip = make_chip(base="neuspin_sot.yaml")
    mapping = map_trace(method_lenet5(method), chip)
    logs = [
        simulate(mapping, images=4, passes=25, schedule=schedule, grain="map", shortcut=shortcut)
        for shortcut in (True, False)
    ]
    assert logs[0].skipped_passes > 0 or schedule == "pipelined_passes"  # whose period may be longer than this run
    assert logs[0].total_ps == logs[1].total_ps
    assert logs[0].operations == logs[1].operations
    assert all(b.peak_bits <= b.granted_bits for b in logs[0].buffers)
