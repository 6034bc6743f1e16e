"""Times of tiny networks, added up by hand, in picoseconds: latency, intervals, events, stalls."""

from __future__ import annotations

import pytest

from archsim.mapping.plan import map_trace
from archsim.sim.run import simulate
from tests.networks import Net, hand_chip, make_chip


def run(net, *overrides, **more):
    options = {"images": 1, "passes": 1, "schedule": "pipelined_passes", "grain": "map"} | more
    return simulate(map_trace(net.trace(), hand_chip(*overrides)), **options)


def one_layer():
    return Net((8,)).linear("f", 4)


def two_layers():
    return one_layer().sign("s").linear("g", 3)


def convolution():
    return Net((1, 4, 4)).conv("c", 2, 3, padding=1).pool("p").sign("s").flatten().linear("f", 3)


class Recorder:
    def __init__(self):
        self.uses, self.levels = [], []

    def begin(self, _mapping, engine):
        self.stations = [station.name for station in engine.stations]

    def use(self, served):
        self.uses.append((served.station, served.op.name, served.start_ps, served.end_ps))

    def level(self, name, time_ps, bits):
        self.levels.append((name, time_ps, bits))


# quantise 8 values on 16 lanes, write one word, read it, send it (a word and the wire), multiply, one cycle of
# digital work, 4 classes through softmax and sum, 4 through mean and entropy
ONE = 2000 + 2000 + 2000 + 3000 + (4000 + 6000) + 2000 + 4 * 4000 + 4 * 2000


@pytest.mark.parametrize("schedule", ["layer_by_layer", "pipelined_layers", "pipelined_passes"])
@pytest.mark.parametrize("grain", ["position", "row", "map"])
def test_latency_of_one_layer(schedule, grain):
    log = run(one_layer(), schedule=schedule, grain=grain)
    assert log.latency_ps == log.total_ps == ONE == 45_000
    assert log.first_pass_ps == ONE - 4 * 2000


def test_a_pass_takes_one_reciprocal():
    slow = "digital.softmax.costs.reciprocal.latency=7 ns"
    assert run(one_layer(), slow).latency_ps == ONE + 7000


def test_events_of_one_layer():
    recorder = Recorder()
    log = run(one_layer(), recorder=recorder)
    assert recorder.uses == [
        ("digital unit 0", "preprocess", 0, 2000),
        ("global buffer", "store", 2000, 4000),
        ("global buffer", "feed", 4000, 6000),
        ("bus", "transfer", 6000, 8000),
        ("f arrays", "multiply", 9000, 19_000),
        ("digital unit 0", "digital", 19_000, 21_000),
        ("averaging", "average", 21_000, 37_000),
        ("averaging", "finish", 37_000, 45_000),
    ]
    assert recorder.levels == [
        ("input -> f", 6000, 8),
        ("input -> f", 19_000, 0),
        ("f results", 19_000, 64),
        ("f results", 21_000, 0),
    ]
    assert recorder.stations == ["f arrays", "digital unit 0", "global buffer", "bus", "averaging"]
    # eight uses, of which one is a transfer; the feeder, the arrays, the digital unit and the sink are woken
    assert log.events == 8 + 4


def test_latency_of_two_layers():
    # on the same tile nothing is sent over the bus
    assert run(two_layers()).latency_ps == 2000 + 2000 + 2000 + 3000 + 10_000 + 2000 + 10_000 + 2000 + 12_000 + 6000


def test_latency_of_convolution_pool_and_linear():
    # 16 positions in turn; 24 comparisons on 16 lanes take 3 ns, so two cycles; 8 signs beside them take 1 ns
    assert run(convolution()).latency_ps == 9000 + 16 * 10_000 + 4000 + 10_000 + 2000 + 12_000 + 6000


def test_rows_start_as_soon_as_their_pixels_are_there():
    # each row of 4 pixels takes a word of the buffer, then the bus; row 1 is read while row 0 is on the bus
    log = run(convolution(), grain="row")
    assert log.latency_ps == 4000 + (2 * 2000 + 3000) + 4 * 40_000 + 0 + 10_000 + 2000 + 12_000 + 6000
    # two cycles of pooling: one after the first row, one after the third
    assert next(o for o in log.operations if o.name == "digital" and o.layer == "c").uses == 4


def test_bits_follow_each_other():
    # 3 input bits x 2 groups of 8 rows, each read and converted; 3 x 2 x 4 conversions shifted and added on 16 units
    log = run(Net((16,), bits=3).linear("f", 4), "crossbar.parallel_rows=8")
    assert log.latency_ps == 2000 + 2000 + 2000 + (2 * 2000 + 1000) + 6 * 10_000 + 4000 + 24_000


def test_sample_and_hold_hides_the_shorter_of_read_and_conversion():
    # 40 columns on 16 converters: 3 turns of 6 ns; the second group is read while the first is converted
    log = run(Net((16,)).linear("f", 40), "crossbar.parallel_rows=8", "converter.sample_hold=true", "digital.lanes=64")
    sums = 2000  # 40 additions on 64 adders
    assert log.latency_ps == 9000 + 4000 + 2 * 18_000 + sums + 40 * 6000


def test_shared_converters_serve_all_crossbars_of_a_tile():
    shared = "converter={kind: adc, bits: 8, sample_hold: %s, shared_by: tile, count: 2, "
    shared += "costs: {convert: {latency: 5 ns}}}"
    net = Net((200,)).linear("f", 6)
    # two crossbars of 6 columns: 12 conversions on 2 converters, 6 in turn
    serial = 7 * 2000 + 1000
    for hold in ("false", "true"):
        log = run(net, shared % hold, "input_buffer.width=256 bit")
        assert next(s for s in log.stations if s.name == "converters 0").busy_ps == 6 * 6000
        quantised, stored, fed = 26_000, 8000, 8000  # 200 x 2 ns / 16, 4 words, 4 words
        assert log.latency_ps == quantised + stored + fed + serial + 4000 + 36_000 + 2000 + 6 * 6000


def test_replicas_share_positions():
    log = run(convolution(), "mapping.replication=balanced")
    # seven crossbars for 16 positions: ceil(16 / 7) turns
    assert log.latency_ps == run(convolution()).latency_ps - (16 - 3) * 10_000


INTERVALS = {
    "arrays": (Net((8,)).linear("f", 1), (), 10_000),
    "averaging": (one_layer(), (), 16_000),
    "first of two layers": (two_layers(), (), 12_000),
    "convolution": (convolution(), (), 160_000),
    "random bits": (Net((64,)).dropout("d", "element").linear("f", 1), (), 16 * 7000),
    "bus": (Net((64,)).linear("f", 1), ("interconnect.width=8 bit",), 8 * 2000),
    "shared converters": (
        Net((8,)).linear("f", 6).sign("s").linear("g", 6),
        (
            (
                "converter={kind: adc, bits: 8, sample_hold: true, shared_by: tile, count: 1,"
                " costs: {convert: {latency: 5 ns}}}"
            ),
        ),
        12 * 6000,
    ),
    "digital lanes": (Net((8,)).linear("f", 40).sign("s").affine("a"), ("digital.lanes=1",), 40 * (2000 + 4000)),
    "port of the input buffer": (
        Net((1024,)).linear("f", 1),
        ("interconnect.width=512 bit", "global_buffer.width=256 bit"),
        16 * 2000,
    ),
}


@pytest.mark.parametrize("name", INTERVALS)
def test_saturated_interval_is_that_of_the_slowest_station(name):
    net, overrides, slowest = INTERVALS[name]
    short, long = (run(net, *overrides, passes=n) for n in (30, 60))
    assert long.total_ps - short.total_ps == 30 * slowest
    busy = {s.name: -s.busy_ps for s in short.stations}
    for station in long.stations:
        busy[station.name] += station.busy_ps
    if name != "port of the input buffer":  # which is part of the time of the arrays
        assert max(busy.values()) == 30 * slowest
    assert all(value <= 30 * slowest for value in busy.values())


def test_a_pass_at_a_time_costs_a_whole_latency():
    log = run(two_layers(), passes=10, schedule="pipelined_layers")
    assert log.pass_interval_ps == log.first_pass_ps - 4000  # all but preprocessing and store
    assert log.latency_ps == log.first_pass_ps + 9 * log.pass_interval_ps + 6000


def test_passes_cost_a_fill_and_intervals():
    log = run(convolution(), passes=20)
    assert log.latency_ps == log.first_pass_ps + 19 * 160_000 + 6000


def test_stalls_say_who_waits_for_what():
    # 64 masks of 7 ns on 4 modules for each pass: the arrays wait for all but their own 10 ns
    log = run(Net((64,)).dropout("d", "element").linear("f", 1), passes=3)
    waited = {(s.process, s.cause): s.waited_ps for s in log.stalls}
    draw = 16 * 7000
    fed = 8000 + 2000 + 2000 + (2 * 2000 + 1000)  # quantised, stored, fed, sent: shorter than the first draw
    assert waited["f arrays", "input"] == fed
    assert waited["f arrays", "random bits"] == 3 * draw - fed - 2 * 10_000
    assert ("f arrays", "output space") not in waited


def test_masks_drawn_ahead_hide_the_modules():
    net = Net((16,)).dropout("d").linear("f", 1)  # 16 maps: 4 draws of 7 ns
    ahead = run(net, "stochastic.ahead=1", passes=50)
    lazy = run(net, "stochastic.ahead=0", passes=50)
    assert ahead.pass_interval_ps == 28_000
    assert lazy.pass_interval_ps == 28_000 + 10_000


def test_images_are_loaded_while_others_are_computed():
    log = run(one_layer(), images=10, passes=5)
    # averaging is the slowest: 5 passes and the end of the image
    assert log.image_interval_ps == 5 * 16_000 + 8000
    assert log.total_ps == log.latency_ps + 9 * log.image_interval_ps


def test_off_chip_memory_adds_latency_and_bandwidth():
    chip = hand_chip("memory={kind: lpddr4, bandwidth: 8 Gbit/s, costs: {read: {latency: 50 ns}}}")
    log = simulate(map_trace(one_layer().trace(), chip), images=1, passes=1)
    assert log.latency_ps == ONE + 50_000 + 8 * 8 * 125


def test_same_run_twice_gives_the_same_log():
    mapping = map_trace(convolution().trace(), make_chip())
    assert simulate(mapping, images=3, passes=7) == simulate(mapping, images=3, passes=7)
