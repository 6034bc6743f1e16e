"""The timeline of a run against its books: time, energy, buffers and passes, on every chip, schedule and grain."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from archsim.hardware.arch import load_arch
from archsim.hardware.chip import build_chip
from archsim.hardware.library import load_library
from archsim.mapping.plan import map_trace
from archsim.mapping.vectors import conversion_ps
from archsim.metrics.energy import LEAKAGE, energy_rows
from archsim.report.timeline.check import check_timeline
from archsim.report.timeline.recorder import BUFFERS, ENERGY, TimelineRecorder
from archsim.report.timeline.writer import TimelineWriter
from archsim.sim.run import GRAINS, SCHEDULES, simulate
from tests.networks import Net, hand_chip

ARCHS = Path(__file__).parents[2] / "arch_configs"
CHIPS = sorted(p.stem for p in ARCHS.glob("*.yaml") if not p.stem.startswith("components_"))
ONE_TILE = "organisation={columns: 1, rows: 1, crossbars_per_core: 16}"
SHARED = "converter={kind: adc, bits: 8, sample_hold: true, shared_by: tile, count: 4}"


def network(random=True):
    """A small network for images of digits: 8 x 8 pixels, ten classes."""
    net = Net((1, 8, 8)).conv("conv", 4, 3).pool("pool").sign("s")
    if random:
        net.dropout("d")
    return net.flatten().linear("fc", 12).sign("t").linear("out", 10).trace()


@pytest.fixture(scope="module")
def chip():
    libraries = {}

    def build(name, *overrides):
        arch = load_arch(ARCHS / f"{name}.yaml", overrides)
        path = arch.library_path
        return build_chip(arch, libraries.setdefault(path, libraries.get(path) or load_library(path)))

    return build


class Timeline:
    """A timeline as a program reads it that knows nothing of archsim."""

    def __init__(self, path):
        self.tracks = check_timeline(path)
        self.events = json.loads(path.read_text())["traceEvents"]
        self.groups = {e["pid"]: e["args"]["name"] for e in self.events if e["name"] == "process_name"}
        self.threads = {
            (e["pid"], e["tid"]): (self.groups[e["pid"]], e["args"]["name"])
            for e in self.events
            if e["name"] == "thread_name"
        }
        self.slices = [e for e in self.events if e["ph"] == "X"]
        self.stations = [e for e in self.slices if e["cat"] != "derived"]

    def place(self, event):
        return self.threads[event["pid"], event["tid"]]

    def busy(self):
        busy = Counter()
        for e in self.stations:
            busy[self.place(e)] += e["args"]["duration_ps"]
        return {place: ps for place, ps in busy.items() if ps}

    def flows(self):
        """Return the slices that each flow touches, in order, by (image, pass) as its name says."""
        starts = defaultdict(list)
        for e in self.slices:
            starts[e["pid"], e["tid"]].append(e)
        flows = {}
        for e in self.events:
            if e["ph"] in "stf":
                touched = [x for x in starts[e["pid"], e["tid"]] if x["ts"] <= e["ts"] < x["ts"] + x["dur"]]
                assert len(touched) == 1
                _, image, _, number = e["name"].replace(",", "").split()
                flows.setdefault((int(image), int(number)), []).append(touched[0])
        return flows


@pytest.fixture
def recorded(tmp_path):
    def record(mapping, **options):
        path = tmp_path / "timeline.json"
        with TimelineWriter(path) as writer:
            recorder = TimelineRecorder(writer)
            log = simulate(mapping, recorder=recorder, **options)
            recorder.close(log)
        return log, Timeline(path)

    return record


def booked(log):
    return {(s.group, s.name): s.busy_ps for s in log.stations if s.busy_ps}


def dynamic_j(log, chip):
    joules = Counter()
    for row in energy_rows(log, chip):
        if row.action != LEAKAGE:
            joules[row.part] += row.value
    return {part: value for part, value in joules.items() if value}


@pytest.mark.parametrize("name", CHIPS)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("grain", GRAINS)
def test_every_chip_is_shown_as_long_as_it_was_busy(chip, recorded, name, schedule, grain):
    this = chip(name)
    mapping = map_trace(network(random=this.arch.stochastic is not None), this)
    log, timeline = recorded(mapping, images=2, passes=2, schedule=schedule, grain=grain, shortcut=False)
    assert timeline.busy() == booked(log)
    checked = {key: t.busy_ps for key, t in timeline.tracks.items() if t.slices and "(derived)" not in key[1]}
    assert checked == booked(log)
    peaks = {b.name: b.peak_bits for b in log.buffers}
    assert {name: t.peak for (group, name), t in timeline.tracks.items() if group == BUFFERS} == peaks
    spent = {part: t.peak * 1e-9 for (group, part), t in timeline.tracks.items() if group == ENERGY}
    assert spent == pytest.approx(dynamic_j(log, this), rel=1e-8, abs=0)
    assert timeline.flows().keys() == {(i, t) for i in (1, 2) for t in (1, 2)}


def test_every_kind_of_station_has_its_group(chip, recorded):
    overrides = ("organisation={columns: 4, rows: 3, crossbars_per_core: 1}", "interconnect.kind=htree",
                 "memory={kind: lpddr4}", "stochastic.scope=chip", "mapping.placement=packed")  # fmt: skip
    mapping = map_trace(network(), chip("spatial_spindrop_sot", *overrides))
    _, timeline = recorded(mapping, images=1, passes=2)
    order = list(timeline.groups.values())
    tiles = [int(group.split()[1]) for group in order if group.startswith("tile")]
    assert tiles == sorted(tiles)
    sort = {e["pid"]: e["args"]["sort_index"] for e in timeline.events if e["name"] == "process_sort_index"}
    shown = [timeline.groups[pid] for pid in sorted(sort, key=sort.get)]
    assert [g for g in shown if not g.startswith("tile")] == [
        "run", "interconnect", "buffers", BUFFERS, "memory", "chip", ENERGY,
    ]  # fmt: skip
    assert [int(g.split()[1]) for g in shown if g.startswith("tile")] == tiles
    assert shown.index("run") < shown.index("tile 0") < shown.index("interconnect")
    names = {name for _, name in timeline.threads.values()}
    assert {"conv arrays", "global buffer", "memory", "random bits", "averaging", "passes"} <= names
    assert any(name.startswith("htree") for name in names)
    assert any(name.startswith("digital unit") for name in names)


def test_tiles_are_in_the_order_of_their_numbers(chip, recorded):
    big = "organisation={columns: 4, rows: 4, crossbars_per_core: 1}"
    net = Net((64,)).linear("a", 64)
    for i in range(11):
        net.sign(f"s{i}").linear(f"l{i}", 64)
    _, timeline = recorded(map_trace(net.trace(), chip("spatial_spindrop_sot", big)), images=1, passes=1)
    tiles = [int(g.split()[1]) for g in timeline.groups.values() if g.startswith("tile")]
    sort = {e["pid"]: e["args"]["sort_index"] for e in timeline.events if e["name"] == "process_sort_index"}
    shown = [timeline.groups[pid] for pid in sorted(sort, key=sort.get)]
    assert [int(g.split()[1]) for g in shown if g.startswith("tile")] == sorted(tiles)
    assert max(tiles) >= 10, "so that names alone would be sorted otherwise"


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("grain", GRAINS)
def test_a_pass_flows_from_layer_to_layer(recorded, schedule, grain):
    images, passes = 2, 3
    log, timeline = recorded(
        map_trace(network(), hand_chip(ONE_TILE)), images=images, passes=passes, schedule=schedule, grain=grain
    )
    assert log.skipped_passes == 0
    layers = [f"{what} {layer}" for layer in ("conv", "fc", "out") for what in ("multiply", "digital")]
    path = ["feed input -> conv", *layers, "average output"]
    flows = timeline.flows()
    assert sorted(flows) == [(i, t) for i in range(1, images + 1) for t in range(1, passes + 1)]
    for (image, number), touched in flows.items():
        loaded = ["preprocess input", "store input"] if number == 1 else []
        assert [e["name"] for e in touched] == loaded + path
        assert [(e["args"]["image"], e["args"]["pass"]) for e in touched] == [
            *[(image, 0)] * len(loaded), *[(image, number)] * len(path)
        ]  # fmt: skip
        for e in touched:
            work = e["name"], e["args"]["image"], e["args"]["pass"]
            assert e is next(x for x in timeline.slices if (x["name"], x["args"]["image"], x["args"]["pass"]) == work)


def test_a_flow_begins_where_the_image_is_loaded(recorded):
    memory = "memory={kind: lpddr4, bandwidth: 8 Gbit/s, costs: {read: {latency: 50 ns}}}"
    _, timeline = recorded(map_trace(network(), hand_chip(ONE_TILE, memory)), images=3, passes=2)
    flows = timeline.flows()
    for image in (1, 2, 3):
        begin = [e["name"] for e in flows[image, 1]][:4]
        assert begin == ["load input", "preprocess input", "store input", "feed input -> conv"]
        assert flows[image, 2][0]["name"] == "feed input -> conv"


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_positions_that_nobody_waits_for_draw_no_flow_of_their_own(recorded, schedule):
    # the last two of nine rows of the first layer are never looked at, and computed when the pass is over
    net = (
        Net((1, 11, 7)).conv("a", 2, 3).sign("s").conv("b", 2, (3, 5), stride=(4, 1)).sign("t").flatten().linear("f", 2)
    )
    slow = "crossbar.costs={read: {latency: 300 ns}, write: {latency: 10 ns}}"
    _, timeline = recorded(
        map_trace(net.trace(), hand_chip(ONE_TILE, slow)),
        images=1, passes=4, grain="row", schedule=schedule, shortcut=False,
    )  # fmt: skip
    late = {e["args"]["pass"]: e["args"]["start_ps"] for e in timeline.slices if e["name"] == "multiply a"}
    averaged = {e["args"]["pass"]: e["args"]["start_ps"] for e in timeline.slices if e["name"] == "average output"}
    assert schedule == "layer_by_layer" or any(late[t] >= averaged[t] for t in averaged)
    names = [e["name"] for e in timeline.events if e["ph"] == "s"]
    assert sorted(names) == [f"image 1, pass {t}" for t in (1, 2, 3, 4)]


def test_a_flow_follows_a_pass_through_all_rounds(recorded):
    small = ("organisation={columns: 1, rows: 1, crossbars_per_core: 2}", "mapping.overflow=reprogram")
    this = hand_chip(*small)
    mapping = map_trace(network(), this)
    assert len(mapping.rounds) > 1
    log, timeline = recorded(mapping, images=1, passes=3, grain="map")
    assert timeline.busy() == booked(log)
    spent = {part: t.peak * 1e-9 for (group, part), t in timeline.tracks.items() if group == ENERGY}
    assert spent == pytest.approx(dynamic_j(log, this), rel=1e-8, abs=0)
    assert any(row.part == "crossbar" and row.action == "write" for row in energy_rows(log, this))
    for (_, number), touched in timeline.flows().items():
        names = [e["name"] for e in touched if e["args"]["pass"]]
        assert [n for n in names if n.startswith("multiply")] == ["multiply conv", "multiply fc", "multiply out"]
        assert names[-1] == "average output"
        assert sum(n.startswith("feed") for n in names) >= len(mapping.rounds)
        assert {e["args"]["pass"] for e in touched if e["args"]["pass"]} == {number}


def test_slices_cost_what_is_in_the_books(chip, recorded):
    this = chip("spatial_spindrop_stt")
    log, timeline = recorded(map_trace(network(), this), images=1, passes=3)
    costs = {
        (op.name, op.layer): sum(n * this.components[p].actions[a].energy.value for p, a, n in op.actions)
        for op in log.operations
    }
    shown, units = Counter(), Counter()
    for e in timeline.stations:
        shown[e["name"]] += e["args"].get("energy_pj", 0) * 1e-12
        units[e["name"]] += e["args"].get("units", 0)
    timed = [op for op in log.operations if f"{op.name} {op.layer}" in shown]
    assert len(timed) > 10
    for op in timed:
        name = f"{op.name} {op.layer}"
        assert units[name] == op.units
        assert shown[name] == pytest.approx(op.units * costs[op.name, op.layer], rel=1e-6, abs=0)


def test_what_is_skipped_is_in_the_energy_and_not_in_the_time(recorded):
    this = hand_chip(ONE_TILE)
    log, timeline = recorded(map_trace(network(), this), images=20, passes=10, schedule="pipelined_layers")
    assert log.skipped_passes > 100
    averaged = [(e["args"]["image"], e["args"]["pass"]) for e in timeline.slices if e["name"] == "average output"]
    assert len(averaged) == log.simulated_passes
    assert averaged == sorted(set(averaged))
    assert averaged[-1] == (20, 10)
    spent = {part: t.peak * 1e-9 for (group, part), t in timeline.tracks.items() if group == ENERGY}
    assert spent == pytest.approx(dynamic_j(log, this), rel=1e-8, abs=0)
    assert sum(timeline.busy().values()) < sum(booked(log).values())


def test_a_long_timeline_takes_no_more_memory_than_a_short_one(tmp_path):
    mapping = map_trace(network(), hand_chip(ONE_TILE))

    def peak(passes):
        tracemalloc.start()
        with TimelineWriter(tmp_path / f"{passes}.json") as writer:
            recorder = TimelineRecorder(writer)
            one_by_one = {"schedule": "pipelined_layers", "grain": "map", "shortcut": False}
            recorder.close(simulate(mapping, images=1, passes=passes, recorder=recorder, **one_by_one))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found, (tmp_path / f"{passes}.json").stat().st_size

    peak(2)  # what is loaded once
    (short, small), (long, large) = peak(50), peak(500)
    assert large > 9 * small
    assert long < 1.2 * short


HOLD = ("converter.sample_hold=true",)
CONVERTERS = {  # overrides; ps to read a group and to convert its columns
    "in turn": ((), 4000, 6000),
    "conversion hides the read": (HOLD, 4000, 6000),
    "the read hides conversion": ((*HOLD, "crossbar.costs={read: {latency: 12 ns}}"), 13_000, 6000),
    "groups of rows": (("crossbar.parallel_rows=4",), 4000, 6000),
    "replicas": (("mapping.replication=balanced",), 4000, 6000),
}


@pytest.mark.parametrize("name", CONVERTERS)
@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_conversions_within_the_time_of_the_arrays(recorded, name, grain, schedule):
    overrides, read_ps, convert_ps = CONVERTERS[name]
    this = hand_chip(ONE_TILE, *overrides)
    mapping = map_trace(Net((2, 8, 8), bits=2).conv("conv", 6, 3).sign("s").flatten().linear("fc", 10).trace(), this)
    passes = 3
    log, timeline = recorded(mapping, images=1, passes=passes, grain=grain, schedule=schedule)
    assert conversion_ps(this) == 6000
    assert log.skipped_passes == 0
    for placed in mapping.placed():
        layer = placed.name
        multiply = [e for e in timeline.slices if e["name"] == f"multiply {layer}"]
        convert = [e for e in timeline.slices if e["name"] == f"convert {layer}"]
        # 16 converters are enough for 6 or 10 columns at once; 18 rows of two bits, or 128 of 216 rows of one
        rows, bits = (18, 2) if layer == "conv" else (128, 1)
        steps = bits * (-(-rows // 4) if name == "groups of rows" else 1)
        vectors = -(-placed.stage.positions // placed.replicas)
        assert sum(e["args"]["busy_ps"] for e in convert) == passes * vectors * steps * convert_ps
        booked_conversions = sum(
            op.units * n for op in log.operations if op.layer == layer for p, a, n in op.actions if a == "convert"
        )
        assert sum(e["args"]["conversions"] for e in convert) == pytest.approx(booked_conversions)
        if placed.replicas == 1 and layer == "conv":
            # six columns in a crossbar, converted side by side: each conversion of a column takes the busiest's time
            assert sum(e["args"]["busy_ps"] for e in convert) == booked_conversions / 6 * conversion_ps(this)
        arrays = {e["args"]["start_ps"]: e["args"] for e in multiply}
        for e in convert:
            args = e["args"]
            around = arrays[args["start_ps"] - read_ps]
            late = {"conversion hides the read": read_ps, "the read hides conversion": convert_ps}.get(name, 0)
            assert args["start_ps"] + args["duration_ps"] == around["start_ps"] + around["duration_ps"] + late
            assert args["busy_ps"] <= args["duration_ps"]
            assert (args["image"], args["pass"]) == (around["image"], around["pass"])
        if name == "conversion hides the read" and layer == "conv":
            assert all(e["args"]["busy_ps"] == e["args"]["duration_ps"] for e in convert)


@pytest.mark.parametrize("grain", GRAINS)
@pytest.mark.parametrize("replication", ["none", "balanced"])
def test_no_conversion_is_lost_where_a_buffer_sets_the_pace(recorded, grain, replication):
    slow = "input_buffer={capacity: 4 KiB, width: 64 bit, costs: {read: {latency: 60 ns}}}"
    this = hand_chip(ONE_TILE, slow, f"mapping.replication={replication}")
    mapping = map_trace(Net((4, 8, 8)).conv("conv", 6, 3, padding=1).sign("s").flatten().linear("fc", 10).trace(), this)
    (placed, _), passes = mapping.placed(), 3
    _, timeline = recorded(mapping, images=1, passes=passes, grain=grain)
    multiplied = sum(e["args"]["duration_ps"] for e in timeline.slices if e["name"] == "multiply conv")
    vectors = -(-64 // placed.replicas)
    assert multiplied > passes * vectors * placed.timing.vector_ps, "the port is slower than the arrays"
    convert = [e["args"] for e in timeline.slices if e["name"] == "convert conv"]
    assert sum(args["conversions"] for args in convert) == pytest.approx(passes * 64 * 6)
    assert sum(args["busy_ps"] for args in convert) == passes * vectors * 6000


def test_shared_converters_are_stations_and_not_derived(recorded):
    log, timeline = recorded(map_trace(network(), hand_chip(ONE_TILE, SHARED)), images=1, passes=2)
    assert not [e for e in timeline.slices if e["cat"] == "derived"]
    assert timeline.busy() == booked(log)
    assert booked(log)["tile 0", "converters 0"] > 0
