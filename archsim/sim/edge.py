"""Streams of pixels between stages, with finite space where they arrive."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import simpy

from archsim.sim.clock import Tick
from archsim.sim.interconnect import Route
from archsim.sim.ledger import Operation, Row
from archsim.sim.station import Cursor, Engine, Level, Station


class Transfer(Tick):
    """Pixels on their way, as the event of their next step: its time, the legs taken, what they wake on arrival.

    `turn`: the passes that have been sent before theirs.
    """

    __slots__ = ("credit", "hop", "order", "pixels", "serial_ps", "time", "turn")

    def __init__(self, pixels: int, serial_ps: int, credit: Level | None, turn: int) -> None:
        self.pixels = pixels
        self.serial_ps = serial_ps
        self.credit = credit
        self.turn = turn
        self.hop = 0
        self.time = 0
        self.order = 0


class Leg(NamedTuple):
    """Links that a transfer takes with one event.

    `links`: those it queues for, all at once. `followers`: those that only transfers from them go on to, one after the
    other; these come in the same order and at least as far apart, so they never queue. Each has the time its head takes
    to get there. `delay_ps`: until the head has passed them all. `rows`: what the book says of the followers.
    """

    links: tuple[Station, ...]
    followers: tuple[tuple[Station, int], ...]
    delay_ps: int
    rows: tuple[Row, ...] = ()


def legs_of(route: Route, follows: Sequence[bool]) -> list[Leg]:
    """Return the legs of a route. `follows`: for each hop, whether it is a follower of the one before it."""
    legs: list[Leg] = []
    for hop, follower in zip(route.hops, follows, strict=True):
        if follower:
            last = legs[-1]
            followers = (*last.followers, (hop.links[0], last.delay_ps))
            rows = (*last.rows, hop.links[0].row)
            legs[-1] = last._replace(followers=followers, delay_ps=last.delay_ps + hop.delay_ps, rows=rows)
        else:
            legs.append(Leg(hop.links, (), hop.delay_ps))
    return legs


class EdgeRun:
    """A stream of pixels between two stages: what is on its way, what has arrived, what has been freed.

    Counts are of pixels since the start. Space at the consumer is reserved before a transfer starts, so that the
    buffer can never overflow: `capacity` pixels. Transfers keep their order, as every link serves in order.
    """

    def __init__(
        self, engine: Engine, name: str, pixels: int, bits: int, capacity: int, route: Route, op: Operation
    ) -> None:
        self.engine = engine
        self.name = name
        self.pixels = pixels
        self.bits = bits
        self.capacity = capacity
        self.route = route
        self.op = op
        self.arrived = Level(engine, pixels, "input")
        self.freed = Level(engine, pixels, "output space")
        self.reserved = 0
        self.peak = 0
        self.flight: deque[Transfer] = deque()
        self.legs = legs_of(route, [False] * len(route.hops))
        self._told = engine.recorder is not None
        self._next = self._go_on

    def fits(self, pixels: int) -> bool:
        """Return whether there is room for so many more pixels now."""
        return self.reserved + pixels <= self.freed.value + self.capacity

    def room(self, cursor: Cursor, pixels: int) -> simpy.Event:
        """Return an event for enough room for so many more pixels; to be asked for only when they do not fit."""
        return self.freed.reach(cursor, self.reserved + pixels - self.capacity)

    @property
    def held(self) -> int:
        """Pixels that take space; none where the consumer has already done without those to come."""
        return max(0, self.reserved - self.freed.value)

    def release(self, until: int) -> None:
        """Free all pixels below a count, arrived or to come."""
        if until > self.freed.value:
            self.freed.advance(until - self.freed.value)
            if self._told:
                self._tell()

    def send(self, pixels: int, credit: Level | None = None) -> int:
        """Send pixels; return when the last has left. `credit` grows by one when they have arrived."""
        engine, route = self.engine, self.route
        turn = self.reserved // self.pixels
        self.reserved += pixels
        held = self.reserved - self.freed.value
        if held > self.peak:
            self.peak = held
        if self._told:
            self._tell()
        bits = pixels * self.bits
        transfer = Transfer(pixels, route.serial_ps(bits), credit, turn)
        if not route.hops:
            engine.count(self.op, bits)
            self._arrive(transfer)
            return engine.now
        self.flight.append(transfer)
        return self._take(transfer, bits)

    def _take(self, transfer: Transfer, bits: int) -> int:
        """Take a leg, and go on when the head has passed it; return when its first links are free again."""
        engine, serial, turn = self.engine, transfer.serial_ps, transfer.turn
        links, followers, delay_ps, rows = self.legs[transfer.hop]
        env = engine.env
        now = env.time
        end = links[0].book(self.op, bits, serial, now, turn)
        for link in links[1:]:
            end = max(end, link.book(self.op, 0, serial, now, turn))
        if self._told:
            for link, after in followers:
                link.follow(self.op, serial, end - serial + after, turn)
        else:
            for row in rows:
                row[0] += 1
                row[1] += serial
        transfer.hop += 1
        passed = end - serial + delay_ps
        transfer.time = passed if transfer.hop < len(self.legs) else passed + serial + self.route.exit_ps
        transfer.order = engine.order = engine.order + 1
        env.schedule_at(transfer.time, transfer, [self._next])
        return end

    def _go_on(self, transfer: Transfer) -> None:
        if transfer.hop < len(self.legs):
            self._take(transfer, 0)
        else:
            self.flight.popleft()
            self._arrive(transfer)

    def _arrive(self, transfer: Transfer) -> None:
        self.arrived.advance(transfer.pixels)
        if transfer.credit is not None:
            transfer.credit.advance(1)

    def _tell(self) -> None:
        self.engine.tell_level(self.name, self.held * self.bits)

    def state(self, now: int, turns: int) -> tuple[object, ...]:
        """Return what is reserved and on its way, relative to a time and a number of completed passes."""
        flight = tuple((t.time - now, t.hop, t.pixels) for t in self.flight)
        return self.reserved - turns * self.pixels, flight
