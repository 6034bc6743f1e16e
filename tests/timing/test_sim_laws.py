"""Laws of time: two grains within a bound, more of a resource never slower, one process like another."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from archsim.mapping.plan import map_trace
from archsim.sim.chunks import stage_chunks, sweep_chunks
from archsim.sim.interconnect import Interconnect
from archsim.sim.run import simulate
from archsim.sim.station import Engine
from tests.networks import Net, hand_chip, lenet5, make_chip

NETS = {
    "conv": Net((2, 8, 8)).conv("c", 4, 3, padding=1).sign("s").flatten().linear("f", 5),
    "two convs": Net((1, 9, 9), bits=2).conv("a", 4, 3).sign("s").conv("b", 3, 3, stride=2).sign("t").flatten("x"),
    "pool": Net((1, 10, 10)).conv("a", 4, 3).pool("p").sign("s").dropout("d").conv("b", 3, 3).sign("t").flatten("x"),
    "line": Net((2, 70)).conv("a", 4, 5).sign("s").conv("b", 3, 3, padding=2, dilation=2),
    "statistics": Net((2, 8, 8)).conv("c", 4, 3, padding=1).affine_dropout("a").normalise("n", "channel").sign("s"),
    "copies": Net((1, 9, 9))
    .conv("a", 4, 3, copies=4)
    .gaussian_scale("g")
    .sign("s")
    .conv("b", 3, 3, copies=2)
    .sign("t"),
    "lenet5": None,
}
NETS["statistics"].conv("b", 3, 3).normalise("m").sign("t").flatten("x")
NETS["copies"].scale_dropout("d").sign("u").flatten("x")
for _name in ("two convs", "pool", "statistics", "copies"):
    NETS[_name].linear("f", 4)


def mapping_of(name, *overrides, base=hand_chip):
    trace = lenet5() if NETS[name] is None else NETS[name].trace()
    return map_trace(trace, base("organisation.crossbars_per_core=16", *overrides))


def bound(mapping, grain, logs):
    """Return the bound of `simulate`'s docstring for one pass."""
    nowhere = Interconnect(Engine(), mapping.chip)
    total = 0
    for placed in mapping.placed():
        ways = [nowhere.route(a, [a]) for a in placed.tiles[:-1]]
        chunks = stage_chunks(mapping.chip, placed, grain, ways)
        total += max(c.array_ps for c in chunks) + max(max(c.digital_ps) for c in chunks) + placed.timing.fill_ps
        for sweep in range(1, len(placed.stage.sweeps)):
            total += max(max(times) for times in sweep_chunks(mapping.chip, placed, grain, sweep)[1])
    moving = ("interconnect", "buffers", "memory")
    moved = [sum(s.busy_ps for s in log.stations if s.group in moving or "random" in s.name) for log in logs]
    return total + max(moved)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("grains", [("position", "row"), ("row", "map"), ("position", "map")])
def test_two_grains_agree_within_the_bound(name, grains):
    mapping = mapping_of(name)
    fine, coarse = (simulate(mapping, images=1, passes=1, grain=g) for g in grains)
    limit = bound(mapping, grains[1], (fine, coarse))
    assert abs(coarse.latency_ps - fine.latency_ps) <= limit
    many = [simulate(mapping, images=1, passes=20, grain=g).latency_ps for g in grains]
    assert abs(many[1] - many[0]) <= 20 * limit


@pytest.mark.parametrize("name", NETS)
def test_a_coarser_grain_hides_overlap_and_never_work(name):
    mapping = mapping_of(name)
    logs = [simulate(mapping, images=1, passes=1, grain=g) for g in ("position", "row", "map")]
    arrays = [{s.name: s.busy_ps for s in log.stations if "arrays" in s.name or "digital" in s.name} for log in logs]
    assert arrays[0] == arrays[1] == arrays[2]


def latencies(name, settings, **options):
    options = {"images": 1, "passes": 10} | options
    return [simulate(mapping_of(name, *s), **options).latency_ps for s in settings]


@pytest.mark.parametrize("name", NETS)
def test_a_wider_bus_is_never_slower(name):
    times = latencies(
        name, [(f"interconnect.width={w} bit",) for w in (8, 16, 32, 64, 128)], schedule="pipelined_layers"
    )
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("name", ["conv", "two convs", "pool"])
def test_more_converters_are_never_slower(name):
    times = latencies(
        name, [(f"converter.columns_per_converter={n}",) for n in (128, 64, 32, 8)], schedule="pipelined_layers"
    )
    assert times == sorted(times, reverse=True)
    assert times[-1] < times[0]


def test_a_larger_input_buffer_is_never_slower():
    # one layer: its buffer is all there is between the global buffer and the arrays
    # of a pass all but the last pixels are freed late, so only room for more lets the next pass come early
    trace = Net((128, 12, 12), bits=4).conv("c", 8, 3).trace()
    times = []
    for kib in (2, 3, 4, 8, 16):
        chip = hand_chip(
            f"input_buffer.capacity={kib} KiB", "global_buffer.capacity=1 MiB", "organisation.crossbars_per_core=16"
        )
        times.append(simulate(map_trace(trace, chip), images=1, passes=5, grain="position").latency_ps)
    assert times == sorted(times, reverse=True)
    assert times[-1] < times[0]


def test_more_random_modules_are_never_slower():
    net = Net((64,)).dropout("d", "element").linear("f", 3)
    times = [
        simulate(map_trace(net.trace(), hand_chip(f"stochastic.count={n}")), images=1, passes=20).latency_ps
        for n in (1, 3, 8, 64, 100)
    ]
    assert times == sorted(times, reverse=True)
    assert times[-2] == times[-1]


CONFIGURATIONS = [
    (name, schedule, grain)
    for name in ("conv", "pool")
    for schedule, grain in (("pipelined_passes", "row"), ("layer_by_layer", "map"))
]


def digest(name, schedule, grain):
    mapping = mapping_of(name, base=lambda *o: make_chip(*o))
    return json.loads(json.dumps(asdict(simulate(mapping, images=4, passes=9, schedule=schedule, grain=grain))))


def test_many_configurations_in_one_process_equal_each_in_a_fresh_one():
    here = [digest(*c) for c in CONFIGURATIONS]
    code = "import json, sys\nfrom tests.timing.test_sim_laws import digest\nprint(json.dumps(digest(*sys.argv[1:])))"
    for configuration, mine in zip(CONFIGURATIONS, here, strict=True):
        command = [sys.executable, "-c", code, *configuration]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
        assert json.loads(done.stdout) == mine
