"""The one door through which time passes: stations that serve in order of arrival, levels that are waited for.

A station knows when it is next free, so a use costs one timeout and no request. Every use is written into the
ledger here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import simpy

from archsim.mapping.plan import Mapping
from archsim.sim.clock import Clock
from archsim.sim.ledger import Ledger, Once, Operation

CAUSES = ("input", "random bits", "output space", "residual", "schedule")


class Served(NamedTuple):
    """A station has served an operation, from a time to a time.

    `station`, `group`: its name, and where it is. `units`: what this use counts in the book; 0 where the same units
    take several stations and another one has counted them. `image`, `turn`: for which image, and which pass of it, from
    1; `turn` is 0 for what happens once an image, both are 0 for what happens once a run.
    """

    station: str
    group: str
    op: Operation
    units: int
    image: int
    turn: int
    start_ps: int
    end_ps: int


class Recorder(Protocol):
    """Who hears of every use of a station and every change of a buffer, in order of time for each of them.

    Uses are heard of when they are booked, which may be before they start. Times count from the start of the run.
    """

    def begin(self, mapping: Mapping, engine: Engine) -> None:
        """Hear that the work of an engine begins: all of it, or a round of a chip that is reprogrammed."""

    def use(self, served: Served) -> None:
        """Hear of a use of a station."""

    def level(self, name: str, time_ps: int, bits: int) -> None:
        """Hear what a buffer holds from a time on."""

    def skip(self, time_ps: int, images: int, passes: int) -> None:
        """Hear that so many passes, `images` whole images among them, repeat exactly and take no time from here on."""


class Cursor:
    """Where a process stands: how far it has come and until when it is busy. The periodic shortcut compares them.

    `until`: the end of its use of a station, or the time since which it has been waiting for a level.
    """

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
    """One simulation: its clock, its book, its order of events. Two engines share nothing.

    `recorder` hears of it, with times that begin at `start_ps`. `passes`: those of an image.
    """

    def __init__(self, recorder: Recorder | None = None, *, passes: int = 1, start_ps: int = 0) -> None:
        self.env = Clock()
        self.ledger = Ledger()
        self.operations: list[Operation] = []
        self.stations: list[Station] = []
        self.levels: list[Level] = []
        self.cursors: list[Cursor] = []
        self.order = 0  # events so far: ties in time are broken by it, as in simpy's queue
        self.recorder = recorder
        self.passes = passes
        self.start_ps = start_ps
        self.skipped_turns = 0

    @property
    def now(self) -> int:
        """The time in picoseconds."""
        return self.env.time

    def operation(
        self, name: str, layer: str, unit: str, actions: Sequence[tuple[str, str, float]], once: Once = "pass"
    ) -> Operation:
        """Add a priced operation to the book; actions that never happen are left out."""
        kept = tuple(a for a in actions if a[2] > 0)
        op = Operation(len(self.operations), name, layer, unit, kept, once)
        self.operations.append(op)
        self.ledger.operations.append([0, 0])
        return op

    def count(self, op: Operation, units: int) -> None:
        """Write units of an operation that takes no time of any station into the book."""
        row = self.ledger.operations[op.index]
        row[0] += 1
        row[1] += units

    def cursor(self, label: str) -> Cursor:
        """Add a process to the book."""
        cursor = Cursor(label, len(self.cursors))
        self.cursors.append(cursor)
        self.ledger.stalls.append([0] * len(CAUSES))
        return cursor

    def tell_use(self, station: Station, op: Operation, units: int, turn: int, start: int, end: int) -> None:
        """Tell the recorder of a use of a station. `turn`: the pass, as the process that asked for it counts."""
        assert self.recorder is not None
        image, of_image = divmod(turn + self.skipped_turns, self.passes)
        if op.once == "pass":
            number = image + 1, of_image + 1
        else:
            number = (self.ledger.operations[op.index][0] if op.once == "image" else 0), 0
        times = self.start_ps + start, self.start_ps + end
        self.recorder.use(Served(station.name, station.group, op, units, *number, *times))

    def tell_level(self, name: str, bits: int) -> None:
        """Tell the recorder, if there is one, what a buffer holds now."""
        if self.recorder is not None:
            self.recorder.level(name, self.start_ps + self.now, bits)

    def skip(self, images: int, passes: int) -> None:
        """Count passes that are taken out of the work, and tell the recorder, if there is one."""
        self.skipped_turns += passes
        if self.recorder is not None:
            self.recorder.skip(self.start_ps + self.now, images, passes)


class Station:
    """A part of the chip that can be contended for. First come, first served."""

    __slots__ = ("counts", "engine", "env", "free_at", "group", "index", "name", "recorder", "row")

    def __init__(self, engine: Engine, name: str, group: str) -> None:
        self.engine = engine
        self.env = engine.env
        self.recorder = engine.recorder
        self.name = name
        self.group = group
        self.free_at = 0
        self.index = len(engine.stations)
        self.row = [0, 0, 0]
        self.counts = engine.ledger.operations
        engine.stations.append(self)
        engine.ledger.stations.append(self.row)

    def book(self, op: Operation, units: int, duration: int, earliest: int, turn: int = 0) -> int:
        """Serve `units` of an operation for `duration` ps from `earliest` on, or when free; return the end.

        `turn`: the passes that whoever asks for it has done before.
        """
        start = self.free_at
        row = self.row
        if start > earliest:
            row[2] += start - earliest
        else:
            start = earliest
        end = self.free_at = start + duration
        row[0] += 1
        row[1] += duration
        if units:
            count = self.counts[op.index]
            count[0] += 1
            count[1] += units
        if self.recorder is not None:
            self.engine.tell_use(self, op, units, turn, start, end)
        return end

    def follow(self, op: Operation, duration: int, start: int, turn: int) -> None:
        """Serve what is known to find the station free at `start`."""
        row = self.row
        row[0] += 1
        row[1] += duration
        if self.recorder is not None:
            self.engine.tell_use(self, op, 0, turn, start, start + duration)

    def use(self, cursor: Cursor, op: Operation, units: int, duration: int, earliest: int = 0) -> simpy.Event:
        """Serve as `book` does and return the event of the end, for the process of `cursor` to wait for."""
        env, engine = self.env, self.engine
        now = env.time
        end = cursor.until = self.book(op, units, duration, earliest if earliest > now else now, cursor.turn)
        cursor.order = engine.order = engine.order + 1
        return env.at(end)


def use_together(
    stations: Sequence[Station],
    cursor: Cursor,
    op: Operation,
    units: int,
    durations: Sequence[int],
    earliest: int = 0,
) -> simpy.Event:
    """Serve an operation on several stations, each for its own time; the event is the end of the last one."""
    first = stations[0]
    if len(stations) == 1:
        return first.use(cursor, op, units, durations[0], earliest)
    engine, env = first.engine, first.env
    if earliest < env.time:
        earliest = env.time
    end = 0
    for station, duration in zip(stations, durations, strict=True):
        done = station.book(op, units, duration, earliest, cursor.turn)
        if done > end:
            end = done
        units = 0
    cursor.until = end
    cursor.order = engine.order = engine.order + 1
    return env.at(end)


class Level:
    """A count that only grows, which processes may wait for: pixels arrived, chunks done, space freed.

    `per_pass`: by how much it grows in a pass. `cause`: what a process that waits here is waiting for.
    """

    __slots__ = ("cause", "engine", "index", "per_pass", "value", "waiting")

    def __init__(self, engine: Engine, per_pass: int, cause: str, value: int = 0) -> None:
        self.engine = engine
        self.value = value
        self.per_pass = per_pass
        self.cause = CAUSES.index(cause)
        self.waiting: list[tuple[int, simpy.Event, Cursor]] = []
        self.index = len(engine.levels)
        engine.levels.append(self)

    def advance(self, by: int) -> None:
        """Let the count grow, and wake the processes whose target is reached."""
        self.value += by
        if self.waiting:
            self._wake()

    def reach(self, cursor: Cursor, target: int) -> simpy.Event:
        """Return an event for the count reaching `target`; to be asked for only when it has not yet."""
        env = self.engine.env
        event = env.event()
        self.waiting.append((target, event, cursor))
        cursor.until = env.time
        return event

    def _wake(self) -> None:
        engine = self.engine
        now = engine.env.time
        still = []
        for target, event, cursor in self.waiting:
            if self.value < target:
                still.append((target, event, cursor))
                continue
            engine.ledger.stalls[cursor.index][self.cause] += now - cursor.until
            cursor.until = now
            cursor.order = engine.order = engine.order + 1
            event.succeed()
        self.waiting = still
