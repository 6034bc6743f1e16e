"""The moving parts of a running machine: stages, random sources, loader, feeders, stores, sink."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import simpy

from archsim.mapping.plan import Placed
from archsim.sim.edge import EdgeRun
from archsim.sim.ledger import Operation
from archsim.sim.station import Cursor, Engine, Level, Station


class Use(NamedTuple):
    """A use of a station to come."""

    station: Station
    op: Operation
    units: int
    duration_ps: int


class Chunk(NamedTuple):
    """What one event carries: output positions, the pixels they need and free, how long each resource takes.

    `bank_ps`: on each bank of shared converters. `digital_ps`: on the digital units of each tile at work and on
    the links that carry partial sums to the next tile.
    """

    positions: int
    needs: int
    frees: int
    array_ps: int
    bank_ps: tuple[int, ...]
    digital_ps: tuple[int, ...]


@dataclass(slots=True)
class Inlet:
    """A stream into a stage: the pixels that each chunk needs and frees, and how it reads a map that is kept.

    `fetch`: by chunk, what brings the pixels from the global buffer; empty where they arrive in the input buffer.
    """

    edge: EdgeRun
    needs: Sequence[int]
    frees: Sequence[int]
    fetch: Sequence[Use | None] = ()


@dataclass(slots=True)
class RandomSource:
    """Random numbers of a layer, counted in units: pixels of a mask, or all that a pass needs as one.

    `bursts`: (units, bits, ps, freed units needed relative to the pass's start). `needs`, `frees`: by chunk of whoever
    uses them, of a pass.
    """

    cursor: Cursor
    station: Station
    op: Operation
    drawn: Level
    used: Level
    per_pass: int
    bursts: list[tuple[int, int, int, int]]
    needs: Sequence[int]
    frees: Sequence[int]

    def release(self, until: int) -> None:
        """Free the mask bits below a count."""
        if until > self.used.value:
            self.used.advance(until - self.used.value)


@dataclass(slots=True)
class SweepRun:
    """The digital units of a layer going over a map: over results as they come first, then over maps that waited.

    `positions` and `ps` (on each of `stations`): by chunk. `sends`: by chunk, the edges and pixels that it completes.
    """

    op: Operation
    stations: Sequence[Station]
    positions: Sequence[int]
    ps: Sequence[tuple[int, ...]]
    sends: list[list[tuple[EdgeRun, int]]]
    residuals: list[Inlet] = field(default_factory=list)


@dataclass(slots=True)
class StageRun:
    """A layer at work: its chunks, its stations, its streams.

    `banks`: converters that several crossbars share, empty where each has its own. `slots`: chunks whose results the
    output buffer holds, `most` held so far. `random`: the numbers that the arrays wait for, dropout masks and the
    arbiter's choice; `numbers`: those that the digital units wait for.
    """

    placed: Placed
    label: str
    chunks: Sequence[Chunk]
    array_cursor: Cursor
    digital_cursor: Cursor
    array: Station
    banks: Sequence[Station]
    sweeps: Sequence[SweepRun]
    multiply_op: Operation
    fill_ps: int
    read_ahead_ps: int | None
    slots: int
    results: Level
    credits: Level
    passes: Level
    window: int
    random: list[RandomSource] = field(default_factory=list)
    numbers: list[RandomSource] = field(default_factory=list)
    inlets: list[Inlet] = field(default_factory=list)
    ready: deque[int] = field(default_factory=deque)
    most: int = 0

    @property
    def sources(self) -> list[RandomSource]:
        """All random numbers of the layer."""
        return [*self.random, *self.numbers]

    @property
    def sends(self) -> list[tuple[EdgeRun, int]]:
        """All that the layer sends in a pass: edges and pixels."""
        return [send for sweep in self.sweeps for sends in sweep.sends for send in sends]

    @property
    def residuals(self) -> list[Inlet]:
        """All further streams into the digital units."""
        return [inlet for sweep in self.sweeps for inlet in sweep.residuals]


@dataclass(slots=True)
class Loader:
    """Brings images from off-chip memory; `slots` images fit the global buffer."""

    cursor: Cursor
    uses: Sequence[Use]
    slots: int


@dataclass(slots=True)
class Feeder:
    """Sends stored pixels to a layer, once a pass. `bursts`: (pixels, bits, ps of where they are stored).

    A burst is read while the last one leaves. `left`: when that will be; `before`: when the one before it has left.
    """

    cursor: Cursor
    edge: EdgeRun
    store: Station
    op: Operation
    bursts: Sequence[tuple[int, int, int]]
    image: int = 0
    turn: int = 0
    before: int = 0
    left: int = 0


@dataclass(slots=True)
class Store:
    """Keeps a map for a later round. `bursts`: (pixels, ps of where they are stored); the stream has priced them."""

    cursor: Cursor
    edge: EdgeRun
    station: Station
    op: Operation
    bursts: Sequence[tuple[int, int]]
    passes: Level


@dataclass(slots=True)
class Sink:
    """Counts passes and images that are done; in the last round it averages the results first.

    `sources`: what must have ended for a pass to be done. `scores`: results of earlier rounds that are read back.
    """

    cursor: Cursor
    sources: Sequence[Level]
    scores: Sequence[EdgeRun]
    pass_use: Use | None
    image_use: Use | None
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


class Running(Protocol):
    """What processes, and the periodic shortcut, may know of the machine they run on."""

    engine: Engine
    work: Work
    stages: list[StageRun]
    edges: list[EdgeRun]
    feeders: list[Feeder]
    loader: Loader | None
    loaded: Level
    sink: Sink
    one_pass_at_a_time: bool
    finished: simpy.Event

    @property
    def now(self) -> int:
        """The time, with the periods that were skipped."""

    def pass_done(self) -> None:
        """Hear of the end of a pass."""

    def image_done(self) -> None:
        """Hear of the end of an image."""
