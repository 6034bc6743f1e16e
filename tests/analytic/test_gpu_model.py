"""Time and energy of a GPU, against sums done by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from archsim.baselines.device import Device
from archsim.baselines.devices import find_device
from archsim.baselines.gpu import modelled
from archsim.baselines.model import fits, predict, spend
from archsim.baselines.network import Kernel, kernels, signature
from archsim.baselines.platform import Mode, OperatingPoint
from archsim.baselines.rates import rates
from archsim.baselines.reference_networks import resnet50
from archsim.errors import ConfigError
from tests.gpus import gpu
from tests.networks import Net, lenet5, vgg_small

CONV = Kernel("conv", operations=1000, weights=50, inputs=200, outputs=100, repeated=False, spreads=True)
DENSE = Kernel("fc", operations=400, weights=300, inputs=100, outputs=10, repeated=True, spreads=True)
AVERAGE = Kernel("average", operations=20, weights=0, inputs=10, outputs=10, repeated=True, spreads=False)
NETWORK = (CONV, DENSE, AVERAGE)
US, MICRO = 1e-6, 1e-6


def at(device: Device, mode: Mode, passes: int = 4, batch: int = 2, network=NETWORK, **rest) -> OperatingPoint:
    return predict(device, network, passes=passes, batch=batch, mode=mode, **rest)


def memory(what: str, value: str) -> str:
    return f"memory.{what}={{value: {value}, range: [{value}, {value}], grade: ASSUMED, source: [test]}}"


def exactly(value: float):
    return pytest.approx(value, rel=1e-12, abs=0)


# time, at 50 operations and 10 bytes a microsecond, 2 us a kernel, 100 bytes of cache


def test_folded_by_hand():
    point = at(gpu(), "folded")  # eight times everything
    conv = (50 + 8 * 300 - 100) / 10  # bytes, against 8 * 1000 / 50 = 160 us of operations
    dense = (300 + 8 * 110 - 100) / 10  # against 64 us
    average = 8 * 20 / 50  # its 8 * 10 + 2 * 10 bytes fit the cache
    assert point.terms["launch_s"] == exactly(6 * US)
    assert point.terms["memory_s"] == exactly((conv + dense) * US)
    assert point.terms["compute_s"] == exactly(average * US)
    assert point.latency_s.value == exactly((6 + conv + dense + average) * US)


def test_shared_prefix_by_hand():
    point = at(gpu(), "shared_prefix")
    conv = (50 + 2 * 200 + 8 * 100 - 100) / 10  # twice the work, but an output for each pass; 40 us of operations
    dense, average = (300 + 8 * 110 - 100) / 10, 8 * 20 / 50
    assert point.latency_s.value == exactly((6 + conv + dense + average) * US)


def test_sequential_is_so_many_calls():
    point = at(gpu(), "sequential")
    conv, dense, average = (50 + 2 * 300 - 100) / 10, (300 + 2 * 110 - 100) / 10, 2 * 20 / 50
    assert point.latency_s.value == exactly(4 * (6 + conv + dense + average) * US)


@pytest.mark.parametrize("mode", ["sequential", "folded", "shared_prefix"])
def test_a_single_pass_is_not_averaged(mode):
    point = at(gpu(), mode, passes=1, batch=1)
    assert point.latency_s.value == exactly((4 + 1000 / 50 * 1.25 + (300 + 110 - 100) / 10) * US)  # conv: 250 bytes


def test_copies_that_are_drawn_are_read():
    two = replace(DENSE, copies=2, inputs=0, outputs=0)
    for passes, drawn in ((1, 1.0), (2, 1.5), (3, 1.75)):  # 2 (1 - (1/2)^T)
        point = at(gpu(), "folded", passes, 1, (two,))
        assert point.terms["memory_s"] == exactly(drawn * 30 * US)
    each = at(gpu(), "sequential", 3, 1, (two,))
    assert each.terms["memory_s"] == exactly(3 * 30 * US)


# energy: 10 W idle, 20 W active, 1.3998 uJ an operation (69.99 W at full use), 1 nJ a byte (10 mW at full use)


def test_energy_by_hand():
    point = at(gpu(), "folded")
    seconds, images = point.latency_s.value, 2
    operations, traffic = 8 * (1000 + 400 + 20), 2350 + 1080
    assert point.terms["idle_j"] == exactly(10 * seconds / images)
    assert point.terms["active_j"] == exactly(20 * seconds / images)
    assert point.terms["operations_j"] == exactly(operations * 1.3998 * MICRO / images)
    assert point.terms["bytes_j"] == exactly(traffic * 1e-9 / images)
    assert point.terms["power_limit_s"] == 0
    assert point.energy_j.value == exactly(sum(v for name, v in point.terms.items() if name.endswith("_j")))
    assert point.dynamic_j.value == exactly(point.energy_j.value - point.terms["idle_j"])
    assert point.idle_w.value == exactly(10)


def test_a_call_is_stretched_to_the_power_limit():
    hungry = gpu(memory("energy", "1 mJ/B"))
    point, free = at(hungry, "folded"), at(gpu(), "folded")
    work_j = 8 * 1420 * 0.7e-6 + 3430 * 1e-3  # operations keep half of 70 W
    assert point.latency_s.value == exactly(work_j / (100 - 30))
    assert point.terms["power_limit_s"] == exactly(work_j / 70 - free.latency_s.value)
    assert 2 * point.energy_j.value / point.latency_s.value == exactly(100)
    times = [v for name, v in point.terms.items() if name.endswith("_s")]
    assert point.latency_s.value == exactly(sum(times))


def test_intervals_by_hand():
    point = at(gpu(), "folded")
    launch, work = 6 * US, (235 + 108 + 3.2) * US
    assert point.latency_s.low == exactly(launch / 2 + work / 1.5)
    assert point.latency_s.high == exactly(launch * 2 + work * 1.5)
    assert point.energy_j.low == exactly(point.energy_j.value / 3)
    assert point.dynamic_j.high == exactly(point.dynamic_j.value * 3)
    known = at(gpu("calibration.measured={int8: [latency]}"), "folded")
    assert known.latency_s.high == exactly(launch * 1.5 + work * 1.25)
    assert known.energy_j.high == point.energy_j.high


# batches that do not fit


def test_a_batch_that_exceeds_the_memory_is_refused():
    small = gpu(
        'memory.capacity={"value": "2800 B", "range": ["2800 B", "2800 B"], "grade": ASSUMED, "source": [test]}'
    )
    assert at(small, "folded", passes=4, batch=2).batch == 2  # 350 bytes of weights, and 8 * 300 of the first kernel
    with pytest.raises(ConfigError, match=r"3 images of 4 passes, folded, need 3\.95e-06 GB of the 2\.8e-06 GB"):
        at(small, "folded", passes=4, batch=3)
    assert at(small, "sequential", passes=4, batch=3).batch == 3


def test_all_copies_count_against_the_memory():
    small = gpu(memory("capacity", "900 B"))
    at(small, "folded", 1, 1, (DENSE,))
    with pytest.raises(ConfigError, match="of memory"):
        at(small, "folded", 1, 1, (replace(DENSE, copies=3),))


# the floor


# device: batch 1 of ResNet-50 in INT8, as MLPerf Inference v1.1 and v3.0 measured it
BATCH_1 = {"jetson_agx_orin": 0.69e-3, "rtx_4090": 0.222e-3, "l4": 0.328e-3, "t4": 0.812e-3, "a100": 0.455e-3}


@pytest.mark.parametrize("name", BATCH_1)
def test_without_the_floor_a_small_batch_is_far_too_fast(name):
    """The peak alone promises 4 to 35 times too much, the roofline 2.5 times and more; the floor mends it."""
    device, network, seconds = find_device(name), resnet50(), BATCH_1[name]
    reached = rates(device, device.standard_mode, "int8")
    peak, bandwidth = device.peak["int8"].figure.value, device.memory.bandwidth.figure.value / 8

    def ideal(bytes_a_second: float) -> float:
        rates = replace(reached, floor=0.0, operations=peak, bandwidth=bytes_a_second, most_w=math.inf)
        return spend(rates, network, passes=1, batch=1, mode="folded").seconds

    assert 4 < seconds / ideal(math.inf) < 36
    assert seconds / ideal(bandwidth) > 2.5
    whole = predict(device, network, passes=1).latency_s
    assert whole.low < seconds < whole.high


def test_a_small_network_takes_its_kernels():
    """A network of a few thousand operations is all floor: time follows the number of kernels."""
    device = find_device("jetson_agx_orin")
    tiny = [replace(k, operations=k.operations * 10) for k in (CONV, DENSE)]
    one, ten = (predict(device, tiny * n, passes=1).latency_s.value for n in (1, 10))
    assert ten == pytest.approx(10 * one, rel=1e-9)
    assert one == pytest.approx(2 * rates(device, "MAXN", "int8").floor, rel=0.01)


# a network on a GPU as a platform


def test_platform_of_a_trace():
    trace = lenet5()
    device = gpu()
    platform = modelled(device, trace, passes=5, batches=(1, 3))
    assert (platform.name, platform.origin, platform.boundary) == ("modelled:made_up", "modelled", "board")
    assert (platform.network, platform.signature) == (trace.name, signature(trace))
    assert {p.power_mode for p in platform.points} == {"full", "half"}
    for mode in ("sequential", "folded", "shared_prefix"):
        for batch in (1, 3):
            assert len(platform.at(passes=5, batch=batch, mode=mode)) == 2
    assert {p.software for p in platform.points} == {"fused engine"}
    assert {p.precision for p in platform.points} == {"int8"}
    assert any("binary network run as int8" in note for note in platform.notes)
    assert any("eager" in note for note in platform.notes)
    assert [source.grade for source in platform.sources] == ["ASSUMED"]
    rows = platform.about["figures"]
    assert [(r["value"], r["unit"], r["grade"]) for r in rows if r["path"] == "peak.int8"] == [(1e8, "op/s", "ASSUMED")]
    assert len(rows) == len(list(device.entries()))


def test_one_power_mode_and_precision():
    platform = modelled(gpu(), lenet5(), passes=5, power_mode="HALF", precision="fp16")
    assert platform.name == "modelled:made_up@half"
    assert {(p.power_mode, p.precision) for p in platform.points} == {("half", "fp16")}


def test_sources_are_those_of_what_is_predicted():
    """Numbers of another precision, of other power modes, or that a measured one replaces, are not rested on."""
    said = {"int8": "READ", "fp16": "RECALLED", "half": "DERIVED", "share": "ASSUMED"}
    device = gpu(
        "sources={test: made up, int8: of int8, fp16: of fp16, half: of half, share: of shares}",
        "calibration.idle={value: 9 W, range: [9 W, 9 W], grade: READ, source: [int8]}",
        "calibration.idle_share.source=[share]",
        "modes.half.clock.source=[half]",
        *(f"peak.{p}.source=[{p}]" for p in ("int8", "fp16")),
        *(f"peak.{p}.grade={said[p]}" for p in ("int8", "fp16")),
        f"modes.half.clock.grade={said['half']}",
    )
    full = modelled(device, lenet5(), passes=1, power_mode="full").sources
    assert {(s.text, s.grade) for s in full} == {("made up", "ASSUMED"), ("of int8", "READ")}
    fp16 = modelled(device, lenet5(), passes=1, precision="fp16").sources
    assert {(s.text, s.grade) for s in fp16} == {
        ("made up", "ASSUMED"), ("of int8", "READ"), ("of fp16", "RECALLED"), ("of half", "DERIVED"),
    }  # fmt: skip
    shares = modelled(gpu("sources.share=of shares", "calibration.idle_share.source=[share]"), lenet5(), passes=1)
    assert "of shares" in [s.text for s in shares.sources]


def test_notes_say_what_was_not_measured():
    def notes(*settings: str) -> list[str]:
        return [n for n in modelled(gpu(*settings), lenet5(), passes=1).notes if n.startswith(("latency", "energy"))]

    assert [n.split(":")[1] for n in notes()] == [" not calibrated", " not calibrated"]
    known = notes("calibration.measured={int8: [latency]}")
    assert known[0].startswith("latency: calibrated in full; elsewhere ")
    assert known[1].startswith("energy: not calibrated: ")
    both = "{measured: {int8: [latency, energy]}}"
    assert notes(f"calibration.measured={both[11:-1]}", f"modes.half.calibration={both}") == []


def test_batches_are_searched_until_they_bring_little():
    device, trace = find_device("jetson_agx_orin"), vgg_small()

    def rate(batch: int) -> float:
        return batch / predict(device, kernels(trace), passes=5, batch=batch, mode="folded").latency_s.value

    points = modelled(device, trace, passes=5, power_mode="MAXN").at(mode="folded")
    best = points[-1].batch
    assert [p.batch for p in points] == [1, best]
    assert best in [2**i for i in range(1, 11)]
    assert rate(best) > 1.03 * rate(best // 2)
    assert rate(2 * best) < 1.03 * rate(best)


def test_the_search_stops_where_the_memory_ends():
    trace = lenet5()
    small = gpu(
        'memory.capacity={"value": "600 kB", "range": ["600 kB", "600 kB"], "grade": ASSUMED, "source": [test]}'
    )
    largest = max(b for b in (2**i for i in range(11)) if fits(small, kernels(trace), 5, b, "folded", "int8"))
    platform = modelled(small, trace, passes=5)
    assert max(p.batch for p in platform.points) <= largest < 1024


def test_wide_weights_need_a_wide_precision():
    wide = Net((8,)).linear("fc", 4, bits=9).trace()
    assert {p.precision for p in modelled(gpu(), wide, passes=1).points} == {"fp16"}
    with pytest.raises(ConfigError, match=r"int8 cannot hold the weights of .* of 9 bits"):
        modelled(gpu(), wide, passes=1, precision="int8")
    notes = modelled(gpu(), wide, passes=1).notes
    assert any("weights of up to 9 bits run as fp16" in note for note in notes)
