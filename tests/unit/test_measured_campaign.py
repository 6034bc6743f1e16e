"""All points of a network on a made-up device: which there are, what they say, what is kept when things go wrong."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch

from archsim.baselines.measured import Protocol
from archsim.baselines.measured import campaign as campaigns
from archsim.baselines.measured.campaign import Campaign, jobs_of
from archsim.baselines.measured.failures import is_lost, is_out_of_memory
from archsim.baselines.measured.meters import MeterError, Missing
from archsim.baselines.measured.offers import Offers
from archsim.errors import DeviceError, DeviceLostError
from tests.measuring import FakeDevice, FakeMeter, FakeTime, small_network

RULES = Protocol(
    name="test", warmup_s=0.0, warmup_queries=1, queries=4, least_queries=2, limit_s=5.0, window_s=1.0, updates=5,
    trials=2, pause_s=0.25, idle_s=1.0, compile=False,
)  # fmt: skip
ALL = {"passes": [1, 3], "batches": [2], "modes": None, "software": None, "skip": ()}


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Keep what else runs on this machine out of the notes."""
    monkeypatch.setattr(campaigns.machine, "load", lambda: 0.0)


class Bench:
    """A network on a fake device: a call takes `seconds` of fake time, and `joules` above idle."""

    def __init__(self, *, meter=True, seconds=0.01, joules=0.2, overlaps=True, on_call=None, **wanted):
        self.time = FakeTime()
        self.meter = FakeMeter(self.time, idle_w=10.0, period=0.01) if meter else None
        self.seconds, self.joules, self.on_call, self.heard, self.shapes = seconds, joules, on_call, [], []
        self.network = small_network(self.call)
        self.device = FakeDevice(self.time, self.meter, overlaps=overlaps)
        self.campaign = Campaign(self.network, self.device, RULES, self.time.clock())
        self.jobs = jobs_of(self.device, self.network.offers, RULES, **(ALL | wanted))

    def call(self, x):
        self.shapes.append(tuple(x.shape))
        self.time.now += self.seconds
        if self.meter:
            self.meter.extra += self.joules
        if self.on_call:
            self.on_call(x)

    def run(self, **more):
        return self.campaign.run(self.jobs, self.heard.append, more.get("progress"), more.get("on_start"))


def test_a_network_is_measured_in_every_mode_for_every_number_of_passes():
    bench = Bench()
    found = bench.run()
    assert [(p.passes, p.mode) for p in found.points] == [
        (1, "sequential"), (1, "folded"), (1, "shared_prefix"), (3, "sequential"), (3, "folded"), (3, "shared_prefix"),
    ]  # fmt: skip
    assert list(found.points) == bench.heard
    assert set(bench.shapes) == {(2, 6), (6, 6)}
    assert {(p.software, p.precision, p.power_mode, p.batch) for p in found.points} == {("eager", "fp32", "15W", 2)}
    one, three = (found.at(passes=t, mode="sequential")[0] for t in (1, 3))
    assert one.latency_s.value == pytest.approx(0.01)
    assert three.latency_s.value == pytest.approx(0.03)
    assert three.percentiles["p99"] == pytest.approx(0.03)
    assert three.terms["queries"] == 4
    assert found.at(passes=3, mode="folded")[0].latency_s.value == pytest.approx(0.01)
    assert found.boundary == "board"
    assert found.no_energy is None
    assert found.name == "measured:fake"
    assert (found.origin, found.network, found.signature) == ("measured", "small", "structure")
    assert found.sources[0].grade == "RERUN"
    assert found.notes == ("a note of the meter",)
    assert (bench.meter.opened, bench.meter.closed) == (1, 1)


def test_energies_are_joules_an_image_of_all_passes():
    point = Bench(joules=0.2, seconds=0.01).run().at(passes=3, mode="sequential")[0]
    # three calls of 10 ms and 0.2 J above 10 W of idle power, for two images; the meter ticks every 10 ms
    assert point.idle_w.value == pytest.approx(10.0, rel=0.01)
    assert point.energy_j.value == pytest.approx(3 * (0.2 + 0.1) / 2, rel=0.02)
    assert point.dynamic_j.value == pytest.approx(3 * 0.2 / 2, rel=0.02)
    assert point.energy_j.low < 0.45 < point.energy_j.high
    assert point.interval_s == pytest.approx(0.03 / 2)
    assert point.terms["trials"] == 2
    assert point.terms["meter_period_s"] == pytest.approx(0.01, rel=0.05)
    assert point.terms["temperature_after_c"] > point.terms["temperature_before_c"] >= 40
    assert point.energy_at(1.0).value == pytest.approx(0.3 + 10, rel=0.02)


@pytest.mark.parametrize("overlaps", [True, False])
def test_without_a_meter_there_is_no_energy_and_a_reason(overlaps):
    bench = Bench(meter=False, overlaps=overlaps)
    found = bench.run()
    assert found.boundary is None
    assert found.no_energy == "energy cannot be measured: nobody gave it a meter"
    assert all((p.energy_j, p.dynamic_j, p.idle_w) == (None,) * 3 for p in found.points)
    point = found.at(passes=3, mode="sequential")[0]
    assert point.interval_s == (pytest.approx(0.015) if overlaps else None)  # where calls follow each other: latency
    assert ("h2d_s" in point.terms) == overlaps


def test_a_meter_that_stands_still_is_no_meter():
    bench = Bench()
    bench.meter.idle_w = 0.0
    found = bench.run()
    assert (found.boundary, found.no_energy) == (
        None,
        "energy cannot be measured: fake meter: it did not move within 1 s",
    )
    assert found.points[0].energy_j is None


@pytest.mark.parametrize(("load", "busy"), [(3.0, True), (1.0, False), (None, False)])
def test_a_busy_machine_is_a_note(monkeypatch, load, busy):
    monkeypatch.setattr(campaigns.machine, "load", lambda: load)
    monkeypatch.setattr(campaigns.machine, "cores", lambda: 2)
    note = "other programs ran beside it (load 3 on 2 cores): times may be too long"
    found = Bench().run()
    assert (note in found.notes) == busy
    assert found.about["state"] == {"temperature_c": 40, "load": load}
    idle = Bench()
    assert note not in idle.campaign.run([], None, None).notes  # nothing was measured beside it


def test_who_measures_hears_first_of_the_platform_and_then_of_each_point():
    bench, started, progress = Bench(), [], []
    found = bench.run(on_start=started.append, progress=lambda *now: progress.append(now))
    assert started[0].points == ()
    assert started[0].about == found.about
    assert progress[0][1:] == (0, 4)
    assert progress[-1] == ("fake", 4, 4)


def test_what_is_known_is_not_measured_again():
    skip = [(1, 2, "folded", "eager"), (3, 2, "sequential", "eager"), (3, 2, "shared_prefix", "eager")]
    found = Bench(skip=skip).run()
    assert [(p.passes, p.mode) for p in found.points] == [(1, "sequential"), (1, "shared_prefix"), (3, "folded")]
    everything = [(t, 2, m, "eager") for t in (1, 3) for m in ("sequential", "folded", "shared_prefix")]
    assert not Bench(skip=everything).jobs


def test_modes_and_software_can_be_chosen():
    assert {job.modes for job in Bench(modes=["folded"]).jobs} == {("folded",)}
    assert {job.software.kind for job in Bench(software=["compile"]).jobs} == {
        "compile"
    }  # although the protocol skips it
    assert {job.software.kind for job in Bench().jobs} == {"eager"}


def test_a_mode_that_is_not_possible_is_left_out_with_the_reason():
    offers = Offers({"folded": "because", "shared_prefix": "so"}, None, stochastic=True, switched=False)
    bench = Bench()
    bench.jobs = jobs_of(bench.device, offers, RULES, **ALL)
    assert {job.modes for job in bench.jobs} == {("sequential",)}
    notes = Campaign(
        type(bench.network)(**{**vars(bench.network), "offers": offers}), bench.device, RULES, bench.time.clock()
    ).notes
    assert notes == ["folded: not possible: because", "shared_prefix: not possible: so"]


def test_out_of_memory_costs_one_point():
    def burst(x):
        if len(x) == 6:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 TiB")

    found = Bench(on_call=burst).run()
    assert [(p.passes, p.mode) for p in found.points][3:] == [(3, "sequential"), (3, "shared_prefix")]
    assert "folded in eager, 3 passes, batch 2: out of memory" in found.notes


@pytest.mark.parametrize(
    "text", ["CUDA error: unspecified launch failure", "CUDA error: device-side assert triggered\nmore", "HIP error: 1"]
)
def test_a_device_lost_midway_keeps_what_was_delivered(text):
    def die(x):
        if len(x) == 6:
            raise RuntimeError(text)

    bench = Bench(on_call=die)
    with pytest.raises(DeviceLostError, match="fake was lost after 4 points, which are kept: ") as caught:
        bench.run()
    assert caught.value.points == len(bench.heard) == 4
    assert text.splitlines()[0] in str(caught.value)
    assert "more" not in str(caught.value)
    assert bench.meter.closed == 1


def test_a_device_that_dies_while_it_is_put_back_is_lost_too(monkeypatch):
    class Dying:
        def __enter__(self):
            return None

        def __exit__(self, *_):
            raise ValueError("cannot put the generator back")

    def die(x):
        if len(x) == 6:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    bench = Bench(on_call=die)
    monkeypatch.setattr(bench.device, "settings", lambda _: Dying() if bench.heard[3:] else torch.no_grad())
    with pytest.raises(DeviceLostError) as caught:
        bench.run()
    assert caught.value.points == 4


def test_a_meter_that_dies_with_its_gpu_is_a_lost_device():
    bench = Bench()
    real = bench.meter.joules

    def joules():
        if bench.heard:
            raise MeterError(15, "NVML: GPU is lost")
        return real()

    bench.meter.joules = joules
    with pytest.raises(DeviceLostError, match="after 3 points"):
        bench.run()


def test_any_other_failure_names_the_point():
    def fail(x):
        if len(x) == 6:
            raise RuntimeError("expected scalar type Float but found Half")

    with pytest.raises(DeviceError, match="fake: folded in eager, 3 passes, batch 2 failed: expected scalar type"):
        Bench(on_call=fail).run()


def test_a_mistake_of_ours_is_not_dressed_up():
    def fail(_):
        raise KeyError("x")

    with pytest.raises(KeyError):
        Bench(on_call=fail).run()


def test_an_interrupt_keeps_what_was_delivered():
    def stop(x):
        if len(x) == 6:
            raise KeyboardInterrupt

    bench = Bench(on_call=stop)
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    assert len(bench.heard) == 4
    assert bench.meter.closed == 1


def test_software_whose_masks_are_frozen_is_refused(monkeypatch):
    @contextmanager
    def frozen(kind, program, x):
        answer = program.whole(program.unit)(x)
        yield lambda _: answer

    monkeypatch.setattr(campaigns, "run_by", frozen)
    found = Bench(software=["compile"], passes=[3]).run()
    assert not found.points
    assert len(found.notes) == 1 + 3
    assert "compile, folded: not possible: 100 answers in a row are identical" in found.notes[2]


@pytest.mark.parametrize(
    ("error", "memory", "lost"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True, False),
        (RuntimeError("CUDA error: out of memory"), True, False),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), True, False),
        (RuntimeError("CUDA error: operation not permitted when stream is capturing"), False, False),
        (RuntimeError("CUDA error: no kernel image is available"), False, True),
        (RuntimeError("shape mismatch"), False, False),
        (ValueError("CUDA error: of a user"), False, False),
    ],
)
def test_errors_of_torch_are_told_apart(error, memory, lost):
    assert (is_out_of_memory(error), is_lost(error)) == (memory, lost)


def test_a_missing_meter_is_no_error():
    assert Missing("x").reason == "x"
