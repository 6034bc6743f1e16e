"""How latency and energy are taken, under a clock that passes only when told to: every figure by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from archsim.baselines.measured import Protocol
from archsim.baselines.measured.energy import energy, idle, window
from archsim.baselines.measured.failures import RefusedError
from archsim.baselines.measured.latency import latency, measured, warm_up
from archsim.errors import ConfigError
from tests.measuring import FakeMeter, FakeTime

RULES = Protocol(
    name="test", warmup_s=1.0, warmup_queries=5, queries=100, least_queries=3, limit_s=4.0, window_s=2.0, updates=10,
    trials=3, pause_s=0.5, idle_s=5.0,
)  # fmt: skip


class Work:
    """Queries that are done when the device is waited for, `seconds` each; a list says how long each takes."""

    def __init__(self, time, seconds, meter=None, joules=0.0):
        self.time, self.seconds, self.meter, self.joules = time, seconds, meter, joules
        self.calls = self.pending = self.waits = 0

    def query(self):
        self.pending += 1
        self.time.now += 1e-4  # to call

    def wait(self):
        self.waits += 1
        while self.pending:
            self.pending -= 1
            self.time.now += self.seconds[self.calls % len(self.seconds)]
            self.calls += 1
            if self.meter:
                self.meter.extra += self.joules


def test_latency_is_from_before_the_call_until_the_device_is_done():
    time = FakeTime()
    work = Work(time, [0.01, 0.03])
    found = latency(work.query, work.wait, RULES, time.clock())
    seconds = np.array([0.0101, 0.0301] * 50)
    assert found.queries == work.calls == 100
    assert found.mean.value == pytest.approx(0.0201)
    spread = stats.t.ppf(0.975, 99) * seconds.std(ddof=1) / 10
    assert found.mean.high - found.mean.value == pytest.approx(math.hypot(spread, 0.05 * 0.0201))
    assert found.mean.value - found.mean.low == pytest.approx(math.hypot(spread, 0.05 * 0.0201))
    assert found.percentiles == pytest.approx({"p50": 0.0201, "p90": 0.0301, "p99": 0.0301})
    assert "100 queries" in found.mean.method
    assert "ASSUMED" in found.mean.method


def test_work_that_was_pending_is_not_counted():
    time = FakeTime()
    work = Work(time, [1.0])
    work.query()
    found = latency(work.query, work.wait, Protocol(queries=2, least_queries=2), time.clock())
    assert found.mean.value == pytest.approx(1.0001)
    assert work.calls == 3


@pytest.mark.parametrize(("seconds", "queries"), [(0.5, 8), (3.0, 3), (100.0, 3)])
def test_a_slow_network_stops_at_the_limit_but_not_before_a_few_queries(seconds, queries):
    time = FakeTime()
    work = Work(time, [seconds])
    assert latency(work.query, work.wait, RULES, time.clock()).queries == queries


@pytest.mark.parametrize(
    ("seconds", "calls"),
    [(0.01, 100), (0.5, 5), (1.5, 3), (9.0, 1)],  # by time, by queries, by the limit, once at least
)
def test_warm_up_lasts_both_long_and_often_enough_within_the_limit(seconds, calls):
    time = FakeTime()
    work = Work(time, [seconds - 1e-4])
    warm_up(work.query, work.wait, RULES, time.clock())
    assert work.calls == calls


def test_a_single_measurement_has_the_errors_common_to_all():
    found = measured(np.array([2.0]), "one", 0.3)
    assert (found.low, found.high) == pytest.approx((2 - math.hypot(0.1, 0.3), 2 + math.hypot(0.1, 0.3)))
    assert measured(np.array([1.0, 9.0]), "wild").low == 0


def test_a_window_waits_for_the_device_only_at_its_ends():
    time = FakeTime()
    work = Work(time, [0.01])
    calls, seconds = window(work.query, work.wait, 0.001, time.clock())
    assert (calls, work.waits) == (10, 2)
    assert seconds == pytest.approx(10 * (1e-4 + 0.01))


def test_idle_power_is_taken_from_update_to_update_of_the_meter():
    time = FakeTime()
    meter = FakeMeter(time, idle_w=12.0, period=0.25)
    time.now = 0.1  # between two updates
    found = idle(meter, RULES, time.clock())
    assert found.power.value == pytest.approx(12.0, rel=1e-9)
    assert found.period_s == pytest.approx(0.25, rel=0.01)
    assert found.power.high - 12.0 == pytest.approx(0.6, rel=0.01)  # hardly any spread: 5 %
    assert set(time.slept) == {0.002}


def test_a_meter_that_does_not_move_is_refused():
    time = FakeTime()
    with pytest.raises(RefusedError, match="did not move within 5 s"):
        idle(FakeMeter(time, idle_w=0.0), RULES, time.clock())


def test_energy_is_that_of_long_windows_less_idle_power():
    time = FakeTime()
    meter = FakeMeter(time, idle_w=10.0, period=0.05)
    rest = idle(meter, RULES, time.clock())
    time.slept.clear()
    work = Work(time, [0.0199], meter, joules=0.4)  # 20 ms a query; one at a time below, as nothing overlaps

    def query():
        work.query()
        work.wait()

    found = energy(query, work.wait, 4, meter, rest, RULES, time.clock())
    assert found.interval_s == pytest.approx(0.005)
    assert found.trials == 3
    assert found.total.value == pytest.approx(0.4 / 4 + 10 * 0.005, rel=0.03)  # a tick of the meter more or less
    assert found.dynamic.value == pytest.approx(0.1, rel=0.03)
    assert found.dynamic.low < 0.1 < found.dynamic.high
    assert time.slept == [0.5, 0.5]
    assert work.calls == pytest.approx(300, abs=3)  # three windows of 2 s, each to the end of a query
    assert "windows of 2 s" in found.total.method


def test_a_slow_meter_makes_windows_longer():
    time = FakeTime()
    meter = FakeMeter(time, period=0.5)
    rest = idle(meter, RULES, time.clock())
    work = Work(time, [0.0999], meter, joules=1.0)

    def query():
        work.query()
        work.wait()

    energy(query, work.wait, 1, meter, rest, RULES, time.clock())
    assert work.calls >= 3 * 50  # ten updates of half a second


def test_dynamic_energy_is_never_less_than_nothing():
    time = FakeTime()
    meter = FakeMeter(time, idle_w=10.0)
    rest = idle(meter, RULES, time.clock())
    meter.idle_w = 5.0  # a fan stopped
    work = Work(time, [0.1])

    def query():
        work.query()
        work.wait()

    found = energy(query, work.wait, 1, meter, rest, RULES, time.clock())
    assert found.dynamic.value == found.dynamic.low == 0
    assert found.dynamic.high >= 0


@pytest.mark.parametrize("wrong", [{"queries": 0}, {"limit_s": -1.0}, {"trials": 0}, {"pause_s": -0.1}])
def test_a_protocol_that_measures_nothing_is_refused(wrong):
    with pytest.raises(ConfigError, match=f"protocol: {next(iter(wrong))} must"):
        Protocol(**wrong)


def test_a_protocol_is_plain_data_and_the_quick_one_is_quicker():
    full, quick = Protocol().to_dict(), Protocol.quick().to_dict()
    assert full["queries"] == 1000
    assert (full["name"], quick["name"]) == ("full", "quick")
    assert not quick["compile"]
    times = ("warmup_s", "limit_s", "window_s", "pause_s", "idle_s", "queries", "trials")
    assert all(quick[name] < full[name] for name in times)
