"""A clock, a device, a meter and a network of one's own, so that what a measurement says can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import nn

from archsim.baselines.measured import Clock
from archsim.baselines.measured.campaign import Network
from archsim.baselines.measured.deployed import deployed
from archsim.baselines.measured.device import Software
from archsim.baselines.measured.meters import Missing
from archsim.baselines.measured.offers import offers_of
from archsim.nn import BinaryLinear, SpinDrop


class FakeTime:
    """Time that passes only where a test lets it pass."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.sleep)


class FakeMeter:
    """Counts `idle_w` all the time and `extra` joules that a device adds; moves every `period` seconds."""

    name, boundary, notes = "fake meter", "board", ("a note of the meter",)

    def __init__(self, time: FakeTime, idle_w: float = 10.0, period: float = 0.1) -> None:
        self.time, self.idle_w, self.period, self.extra = time, idle_w, period, 0.0
        self.opened = self.closed = 0

    def joules(self) -> float:
        ticks = int(self.time.now / self.period + 1e-9)
        return ticks * self.period * self.idle_w + self.extra

    def temperature_c(self) -> float | None:
        return 40.0 + self.time.now

    def __enter__(self):
        self.opened += 1
        return self

    def __exit__(self, *_):
        self.closed += 1


class FakeDevice:
    """The processor, by the name of a GPU; each wait for it takes `seconds`, and `joules` above idle a call."""

    name, title, where, precision = "fake", "a fake device", torch.device("cpu"), "fp32"

    def __init__(self, time: FakeTime, meter: FakeMeter | None = None, seconds: float = 0.01, overlaps: bool = True):
        self.time, self.seconds, self.overlaps = time, seconds, overlaps
        self.source = meter or Missing("nobody gave it a meter")
        self.waits = 0

    def synchronise(self) -> None:
        self.waits += 1

    def software(self) -> tuple[Software, ...]:
        return (Software("eager", "eager", 1), Software("compile", "compile", 1))

    def settings(self, _threads: int):
        return nullcontext()

    def meter(self, _now: Callable[[], float]):
        return self.source

    def describe(self):
        return {"processor": "fake", "power_mode": "15W"}, {"temperature_c": 40}


class Small(nn.Module):
    """Six inputs, binary layers with a dropout between them, three scores; `on_call` happens in every forward."""

    def __init__(self, on_call: Callable[[torch.Tensor], None] | None = None) -> None:
        super().__init__()
        self.first, self.drop, self.last = BinaryLinear(6, 8), SpinDrop(0.5), BinaryLinear(8, 3)
        self.on_call = on_call

    def forward(self, x):
        if self.on_call:
            self.on_call(x)
        return self.last(self.drop(self.first(x)))


def small_network(on_call: Callable[[torch.Tensor], None] | None = None, seed: int = 0) -> Network:
    """Return `Small` ready to be measured; what happens `on_call` does so in measurements alone."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model = deployed(Small())
    offers = offers_of(model, (6,))
    model.on_call = on_call
    return Network("small", model, (6,), lambda scores: scores.softmax(-1), offers, "structure")
