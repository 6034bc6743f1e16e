"""simpy's environment with less work for each event: the same order of events, and a plain integer for the time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from heapq import heappop, heappush
from typing import Any

import simpy
from simpy.events import NORMAL

Callback = Callable[[Any], None]


class Tick(simpy.Event):
    """An event that has been triggered for a time to come, as a `simpy.Timeout` has; without a value.

    `callbacks`: whom to tell. A tick that has happened may be scheduled again with new ones.
    """

    _ok = True
    _value = None

    def __init__(self, callbacks: list[Callback]) -> None:
        self.callbacks = callbacks


class Walk(simpy.Process):
    """A process that goes from event to event; an error in it is raised where it happens, and ends the run."""

    def _resume(self, event: simpy.Event) -> None:
        """Go on when an event has happened, to the next one that has not."""
        try:
            target = self._generator.send(event._value)
            while target.callbacks is None:
                target = self._generator.send(target._value)
        except StopIteration as end:
            self._ok = True
            self._value = end.value
            self.env.schedule(self)
            return
        target.callbacks.append(self._resume)


class Clock(simpy.Environment):
    """Runs processes and ticks in order of time, and of scheduling where times are equal.

    `time`: now, in picoseconds.
    """

    def __init__(self) -> None:
        super().__init__(initial_time=0)
        self.time = 0

    def start(self, generator: Generator[simpy.Event, object, object]) -> Walk:
        """Begin a process now, after all that has been scheduled for now."""
        return Walk(self, generator)

    def at(self, time: int) -> Tick:
        """Return an event at a time to come, for a process to wait for."""
        tick = Tick([])
        heappush(self._queue, (time, NORMAL, next(self._eid), tick))
        return tick

    def schedule_at(self, time: int, tick: Tick, callbacks: list[Callback]) -> None:
        """Let a tick happen at a time to come, and tell `callbacks` then."""
        tick.callbacks = callbacks
        heappush(self._queue, (time, NORMAL, next(self._eid), tick))

    def step(self) -> None:
        """Let the next event happen."""
        time, _, _, event = heappop(self._queue)
        self._now = self.time = int(time)
        callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]  # as simpy does
        for callback in callbacks:
            callback(event)
        if not event._ok and not hasattr(event, "_defused"):
            raise event._value

    def run_out(self) -> None:
        """Run until nothing is left to happen."""
        queue, step = self._queue, self.step
        while queue:
            step()
