"""The one door through which time passes: stations that serve in order of arrival, levels that are waited for.

A station knows when it is next free, so a use costs one timeout and no request. Every use is written into the
ledger here and nowhere else.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import simpy

from archsim.sim.ledger import Ledger, Operation

CAUSES = ("input", "random bits", "output space", "residual", "schedule")


class Cursor:
    """Where a process stands: how far it has come and until when it is busy. The periodic shortcut compares them."""

    __slots__ = ("chunk", "index", "label", "order", "step", "turn", "until")

    def __init__(self, label: str, index: int) -> None:
        self.label = label
        self.index = index
        self.turn = 0  # passes begun
        self.chunk = 0
        self.step = 0
        self.until = 0
        self.order = 0

    def state(self, now: int, turns: int) -> tuple[int, ...]:
        """Return the position relative to a time and a number of completed passes."""
        return self.turn - turns, self.chunk, self.step, max(self.until - now, 0)


class Engine:
    """One simulation: its clock, its book, its order of events. Two engines share nothing."""

    def __init__(self) -> None:
        self.env = simpy.Environment(initial_time=0)
        self.ledger = Ledger()
        self.operations: list[Operation] = []
        self.stations: list[Station] = []
        self.levels: list[Level] = []
        self.cursors: list[Cursor] = []
        self.order = 0
        self.recorder: Any = None

    def operation(self, name: str, layer: str, unit: str, actions: list[tuple[str, str, float]]) -> Operation:
        """Add a priced operation to the book."""
        kept = tuple(a for a in actions if a[2] > 0)
        op = Operation(len(self.operations), name, layer, unit, kept)
        self.operations.append(op)
        self.ledger.operations.append([0, 0])
        return op

    def cursor(self, label: str) -> Cursor:
        """Add a process to the book."""
        cursor = Cursor(label, len(self.cursors))
        self.cursors.append(cursor)
        self.ledger.stalls.append([0] * len(CAUSES))
        return cursor


class Station:
    """A part of the chip that can be contended for. First come, first served."""

    __slots__ = ("engine", "free_at", "group", "index", "name", "row")

    def __init__(self, engine: Engine, name: str, group: str) -> None:
        self.engine = engine
        self.name = name
        self.group = group
        self.free_at = 0
        self.index = len(engine.stations)
        self.row = [0, 0, 0]
        engine.stations.append(self)
        engine.ledger.stations.append(self.row)

    def book(self, op: Operation, units: int, duration: int, earliest: int) -> int:
        """Serve `units` of an operation for `duration` ps from `earliest` on, or when free; return the end."""
        start = self.free_at
        row = self.row
        if start > earliest:
            row[2] += start - earliest
        else:
            start = earliest
        end = start + duration
        self.free_at = end
        row[0] += 1
        row[1] += duration
        engine = self.engine
        if units:
            count = engine.ledger.operations[op.index]
            count[0] += 1
            count[1] += units
        if engine.recorder is not None:
            engine.recorder.use(self, op, start, end)
        return end

    def use(self, cursor: Cursor, op: Operation, units: int, duration: int, earliest: int = 0) -> simpy.Event:
        """Serve as `book` does and return the event of the end, for the process of `cursor` to wait for."""
        engine = self.engine
        now = engine.env.now
        end = self.book(op, units, duration, earliest if earliest > now else now)
        cursor.until = end
        engine.order += 1
        cursor.order = engine.order
        return engine.env.timeout(end - now)


class Level:
    """A count that only grows, which one process may wait for: pixels arrived, chunks done, space freed.

    `per_pass`: by how much it grows in a pass. `cause`: what a process that waits here is waiting for.
    """

    __slots__ = ("cause", "engine", "index", "per_pass", "target", "value", "waiter")

    def __init__(self, engine: Engine, per_pass: int, cause: str) -> None:
        self.engine = engine
        self.value = 0
        self.per_pass = per_pass
        self.cause = CAUSES.index(cause)
        self.target = 0
        self.waiter: tuple[simpy.Event, Cursor] | None = None
        self.index = len(engine.levels)
        engine.levels.append(self)

    def advance(self, by: int) -> None:
        """Let the count grow, and wake the process that waits for it."""
        self.value += by
        if self.waiter is not None and self.value >= self.target:
            event, cursor = self.waiter
            self.waiter = None
            engine = self.engine
            engine.ledger.stalls[cursor.index][self.cause] += engine.env.now - cursor.until
            engine.order += 1
            cursor.order = engine.order
            event.succeed()

    def reach(self, cursor: Cursor, target: int) -> simpy.Event:
        """Return an event for the count reaching `target`; to be asked for only when it has not yet."""
        event = self.engine.env.event()
        self.target = target
        self.waiter = (event, cursor)
        cursor.until = self.engine.env.now
        return event


class Flight:
    """Chunks on their way over the interconnect, in order: when each arrives and how many pixels it brings."""

    __slots__ = ("arrivals",)

    def __init__(self) -> None:
        self.arrivals: deque[tuple[int, int]] = deque()

    def state(self, now: int) -> tuple[tuple[int, int], ...]:
        """Return what is in flight, relative to a time."""
        return tuple((t - now, n) for t, n in self.arrivals)
