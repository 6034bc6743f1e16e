"""Laws of the GPU model: more work never takes less, folding never takes more, and terms add up."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.baselines.devices import device_names, find_device
from archsim.baselines.gpu import WAYS
from archsim.baselines.model import operating_point, predict, spend
from archsim.baselines.network import AVERAGE, Kernel, kernels
from archsim.baselines.platform import Mode, OperatingPoint
from archsim.baselines.rates import Rates, rates
from tests.networks import METHODS, method_lenet5, vgg_small

COUNT = st.integers(0, 10**8)
TINY = 1 + 1e-9  # room for rounding


@st.composite
def networks(draw: st.DrawFn) -> tuple[Kernel, ...]:
    """Some kernels, those that repeat after those that do not, and the one that averages."""
    prefix, rest = draw(st.integers(0, 3)), draw(st.integers(1, 3))
    launches = [
        Kernel(
            f"k{i}", draw(COUNT), draw(COUNT), draw(COUNT), draw(COUNT),
            repeated=i >= prefix, spreads=i >= prefix - 1, copies=draw(st.integers(1, 8)),
        )
        for i in range(prefix + rest)
    ]  # fmt: skip
    scores = draw(st.integers(1, 1000))
    return (*launches, Kernel(AVERAGE, 2 * scores, 0, scores, scores, repeated=True, spreads=False))


@st.composite
def devices(draw: st.DrawFn) -> Rates:
    """What some shipped device reaches in one of its modes, with memory for any batch."""
    device = find_device(draw(st.sampled_from(sorted(device_names()))))
    mode = draw(st.sampled_from(sorted(device.modes)))
    return replace(rates(device, mode, draw(st.sampled_from(device.precisions))), capacity_bytes=math.inf)


PASSES, BATCH = st.integers(1, 50), st.integers(1, 64)
WAY = st.sampled_from(WAYS)


def point(reached: Rates, network: tuple[Kernel, ...], passes: int, batch: int, way: Mode) -> OperatingPoint:
    spent = spend(reached, network, passes, batch, way)
    return operating_point(reached, spent, passes, batch, way, "int8", None)


def call(reached: Rates, network: tuple[Kernel, ...], passes: int, batch: int, way: Mode) -> tuple[float, float]:
    """Return seconds and joules of a call."""
    found = point(reached, network, passes, batch, way)
    return found.latency_s.value, found.energy_j.value * batch


@settings(deadline=None)
@given(devices(), networks(), PASSES, BATCH, WAY, st.integers(1, 20), st.integers(1, 20))
def test_more_passes_and_images_take_no_less(reached, network, passes, batch, way, more_passes, more_images):
    seconds, joules = call(reached, network, passes, batch, way)
    for larger in ((passes + more_passes, batch), (passes, batch + more_images)):
        longer, dearer = call(reached, network, *larger, way)
        assert longer * TINY >= seconds
        assert dearer * TINY >= joules


@settings(deadline=None)
@given(devices(), networks(), PASSES, BATCH, WAY, st.sampled_from(["operations", "weights", "inputs", "outputs"]),
       st.integers(0, 5), st.integers(1, 10**8))  # fmt: skip
def test_more_work_takes_no_less(reached, network, passes, batch, way, what, which, more):
    which %= len(network)
    heavier = replace(network[which], **{what: getattr(network[which], what) + more})
    seconds, joules = call(reached, network, passes, batch, way)
    longer, dearer = call(reached, (*network[:which], heavier, *network[which + 1 :]), passes, batch, way)
    assert longer * TINY >= seconds
    assert dearer * TINY >= joules


@settings(deadline=None)
@given(devices(), networks(), PASSES, BATCH)
def test_sharing_what_all_passes_have_in_common_takes_no_more(reached, network, passes, batch):
    folded, shared = (call(reached, network, passes, batch, way) for way in ("folded", "shared_prefix"))
    assert shared[0] <= folded[0] * TINY
    assert shared[1] <= folded[1] * TINY


@settings(deadline=None)
@given(devices(), networks(), PASSES, BATCH)
def test_folding_takes_no_more_but_for_what_the_cache_spares(reached, network, passes, batch):
    """One call for all passes may outgrow the cache that a call for one pass fits into; else it never takes more."""
    cacheless = replace(reached, cache_bytes=0.0)
    sequential, folded = (call(cacheless, network, passes, batch, way) for way in ("sequential", "folded"))
    assert folded[0] <= sequential[0] * TINY
    assert folded[1] <= sequential[1] * TINY
    sequential, folded = (call(reached, network, passes, batch, way) for way in ("sequential", "folded"))
    spared = (passes - 1) * len(network) * reached.cache_bytes
    work_w = reached.most_w - reached.idle.value - reached.active
    assert folded[0] <= (sequential[0] + spared / reached.bandwidth + spared * reached.byte_j / work_w) * TINY


@settings(deadline=None)
@given(devices(), networks(), PASSES, BATCH, WAY)
def test_terms_add_up_within_the_power_limit_and_the_intervals(reached, network, passes, batch, way):
    found = point(reached, network, passes, batch, way)
    for estimate, suffix in ((found.latency_s, "_s"), (found.energy_j, "_j")):
        assert estimate.value == pytest.approx(
            sum(v for k, v in found.terms.items() if k.endswith(suffix)), rel=1e-9, abs=0
        )
        assert estimate.value in estimate
    assert all(v >= 0 for v in found.terms.values())
    assert found.energy_j.value * batch / found.latency_s.value <= reached.most_w * TINY
    assert found.dynamic_j.value == pytest.approx(
        found.energy_j.value - reached.idle.value * found.latency_s.value / batch, rel=1e-6, abs=0
    )
    assert found.dynamic_j.value in found.dynamic_j
    assert found.dynamic_j.low <= found.energy_j.low
    assert found.idle_w.value in found.idle_w


@settings(deadline=None)
@given(devices(), st.integers(2, 1000), st.integers(1, 10), st.floats(1e-6, 1e6))
def test_time_grows_in_proportion_to_passes_only_when_saturated(reached, passes, layers, work_over_floor):
    """With work of so many floors a pass, T passes take (1 + T w) / (1 + w) times as long as one."""
    operations = max(1, round(work_over_floor * reached.floor * reached.operations))
    network = (Kernel("k", operations, 0, 0, 0, repeated=True, spreads=True),) * layers
    one, all_of_them = (call(reached, network, t, 1, "folded")[0] for t in (1, passes))
    w = operations / reached.operations / reached.floor
    assert all_of_them / one == pytest.approx((1 + passes * w) / (1 + w), rel=1e-9)
    assert (all_of_them / one > 0.99 * passes) == ((1 + passes * w) / (1 + w) > 0.99 * passes)


@pytest.mark.parametrize("name", sorted(device_names()))
def test_on_shipped_devices_folding_takes_no_more(name):
    """With networks of the six methods, small and large; for the small ones it pays many times over."""
    device = find_device(name)
    for network in (*map(method_lenet5, METHODS), vgg_small()):
        launches = kernels(network)
        for mode in device.modes:
            for passes, batch in ((1, 1), (20, 1), (20, 16)):
                took = [
                    predict(device, launches, passes=passes, batch=batch, mode=way, power_mode=mode) for way in WAYS
                ]
                for times in ([p.latency_s.value for p in took], [p.energy_j.value for p in took]):
                    sequential, folded, shared = times
                    assert shared <= folded * TINY
                    # of many images at once, those of one pass may fit a cache that those of all passes do not
                    assert folded <= sequential * (TINY if batch == 1 else 1.02)
                    if passes > 1 and len(launches) < 10 and batch == 1:
                        assert folded < sequential / 4
