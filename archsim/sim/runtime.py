"""The moving parts of a running machine: edges with their buffers, stages, random sources, feeder, sink."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import simpy

from archsim.mapping.plan import Placed
from archsim.sim.interconnect import Route
from archsim.sim.ledger import Operation
from archsim.sim.station import Cursor, Engine, Level, Station

Use = tuple[Station, Operation, int, int]  # station, operation, units, picoseconds


class EdgeRun:
    """A stream of pixels between two stages: what is on its way, what has arrived, what has been freed.

    Counts are of pixels since the start. Space at the consumer is reserved before a transfer starts, so that the
    buffer can never overflow: `capacity` pixels.
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
        self.flight: deque[tuple[int, int, int, Level | None]] = deque()

    def fits(self, pixels: int) -> bool:
        """Return whether there is room for so many more pixels now."""
        return self.reserved + pixels <= self.freed.value + self.capacity

    def room_for(self, pixels: int) -> int:
        """Return how many pixels must have been freed before so many more fit."""
        return self.reserved + pixels - self.capacity

    def release(self, until: int) -> None:
        """Free all pixels below a count."""
        if until > self.freed.value:
            self.freed.advance(until - self.freed.value)
            self._record()

    def send(self, pixels: int, credit: Level | None = None) -> int:
        """Send pixels; return when the last has left. `credit` grows by one when they have arrived."""
        engine = self.engine
        now = engine.env.now
        self.reserved += pixels
        self.peak = max(self.peak, self.reserved - self.freed.value)
        self._record()
        if not self.route.links:
            self.engine.ledger.operations[self.op.index][0] += 1
            self.engine.ledger.operations[self.op.index][1] += pixels * self.bits
            self.arrived.advance(pixels)
            if credit is not None:
                credit.advance(1)
            return now
        left, arrival = self.route.send(self.op, pixels * self.bits, now)
        engine.order += 1
        self.flight.append((arrival, engine.order, pixels, credit))
        event = engine.env.timeout(arrival - now)
        assert event.callbacks is not None
        event.callbacks.append(self._arrive)
        return left

    def _arrive(self, _: simpy.Event) -> None:
        _, _, pixels, credit = self.flight.popleft()
        self.arrived.advance(pixels)
        if credit is not None:
            credit.advance(1)

    def _record(self) -> None:
        if self.engine.recorder is not None:
            self.engine.recorder.level(self.name, self.engine.env.now, (self.reserved - self.freed.value) * self.bits)


@dataclass(slots=True)
class Chunk:
    """What one event carries: output positions, the pixels they need and free, how long each resource takes."""

    positions: int
    needs: int
    frees: int
    mask_needs: int
    mask_frees: int
    array_ps: int
    bank_ps: int
    digital_ps: int
    fetch: tuple[Use, ...] = ()


@dataclass(slots=True)
class Out:
    """An edge that leaves a stage: how many pixels each chunk completes."""

    edge: EdgeRun
    bursts: list[int]


@dataclass(slots=True)
class ResidualRun:
    """A second input of a stage's digital work: pixels that each chunk needs."""

    edge: EdgeRun
    needs: list[int]


@dataclass(slots=True)
class RandomSource:
    """The random bits of a layer. `bursts`: (units, bits, ps, freed units needed relative to the pass's start)."""

    cursor: Cursor
    station: Station
    op: Operation
    drawn: Level
    used: Level
    per_pass: int
    bursts: list[tuple[int, int, int, int]]

    def release(self, base: int, chunk: Chunk) -> None:
        """Free the mask bits that no later chunk uses."""
        until = base + chunk.mask_frees
        if until > self.used.value:
            self.used.advance(until - self.used.value)


@dataclass(slots=True)
class StageRun:
    """A layer at work: its chunks, its stations, its buffers."""

    placed: Placed
    array_cursor: Cursor
    digital_cursor: Cursor
    edge: EdgeRun
    chunks: list[Chunk]
    array: Station
    bank: Station | None
    digital: Station
    multiply_op: Operation
    digital_op: Operation
    fill_ps: int
    read_ps: int
    sample_hold: bool
    output_chunks: int
    results: Level
    credits: Level
    passes: Level
    random: RandomSource | None = None
    outs: list[Out] = field(default_factory=list)
    residuals: list[ResidualRun] = field(default_factory=list)
    ready: deque[int] = field(default_factory=deque)


@dataclass(slots=True)
class Loader:
    """Brings images from off-chip memory; `slots` images fit the global buffer."""

    cursor: Cursor
    uses: list[Use]
    slots: int
    loaded: Level


@dataclass(slots=True)
class Feeder:
    """Sends stored pixels to a layer, once a pass. `bursts`: (pixels, bits, ps of the global buffer)."""

    cursor: Cursor
    edge: EdgeRun
    buffer: Station
    op: Operation
    bursts: list[tuple[int, int, int]]
    image: int = 0
    turn: int = 0


@dataclass(slots=True)
class Sink:
    """Takes the last results of each pass, averages them, and counts passes and images that are done."""

    cursor: Cursor
    sources: Sequence[StageRun]
    station: Station
    pass_op: Operation
    image_op: Operation
    classes: int
    pass_ps: int
    image_ps: int
    passes: Level
    finished: Level
    image: int = 0
    turn: int = 0


@dataclass(slots=True)
class Work:
    """How much there is to do. The periodic shortcut takes whole periods away."""

    images: int
    passes: int
    cut: dict[int, int] = field(default_factory=dict)

    def turns(self, image: int) -> int:
        """Return the passes of an image that are simulated."""
        return self.passes - self.cut.get(image, 0)

    @property
    def total_turns(self) -> int:
        """Passes over all images that are simulated."""
        return self.images * self.passes - sum(self.cut.values())
