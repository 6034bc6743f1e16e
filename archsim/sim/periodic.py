"""The periodic shortcut: a machine that has been in the same state before will do the same again.

Passes, and images, are alike in time. When the whole state of the machine at the end of a pass (or image) equals
that at an earlier one, what happened in between repeats for as long as no process sees the end of the work. Whole
repetitions are then taken out of the work that is left, and added to the books: the result is exactly that of
the long run, integer for integer.

The state is all there is: where each process stands and until when it is busy, when each station is free, every
count relative to the passes done, what is in flight, and in which order events of the same instant will come.
"""

from __future__ import annotations

from dataclasses import dataclass

from archsim.sim.ledger import Ledger
from archsim.sim.processes import DONE
from archsim.sim.runtime import Running

PATIENCE = 256  # ends of passes or images that are compared before the shortcut gives up
State = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Visit:
    """When a state was seen: after how many passes and images, at what time, with what in the book.

    `waits`: until when each process had been busy. Times count the periods that had been skipped.
    """

    turns: int
    images: int
    time: int
    ledger: Ledger
    waits: tuple[int, ...]


class Shortcut:
    """Watches the ends of passes and images of a machine and takes out whole periods."""

    def __init__(self, machine: Running) -> None:
        self.machine = machine
        self.skipped_ps = 0
        self.skipped_images = 0
        self.period_ps: int | None = None
        self._passes: dict[State, Visit] = {}
        self._images: dict[State, Visit] = {}

    def after_pass(self) -> None:
        """Look at the state after a pass within an image; take out passes of this image if it has been seen."""
        machine = self.machine
        sink = machine.sink
        left = machine.work.turns(sink.image) - 1 - max(f.turn for f in machine.feeders)
        if left < 1 or any(f.image != sink.image for f in machine.feeders) or len(self._passes) >= PATIENCE:
            return
        seen = self._seen(self._passes, self._state())
        if seen is None:
            return
        period = sink.cursor.turn - seen.turns
        times = min(left, self._spare_turns()) // period
        if times > 0:
            machine.work.cut[sink.image] = machine.work.cut.get(sink.image, 0) + times * period
            self._skip(seen, times)
            machine.engine.skip(0, times * period)

    def after_image(self) -> None:
        """Look at the state after an image; take out images if it has been seen."""
        self._passes.clear()
        machine = self.machine
        sink = machine.sink
        if len(self._images) >= PATIENCE:
            return
        seen = self._seen(self._images, self._state())
        if seen is None:
            return
        loading = machine.loader.cursor.turn if machine.loader else 0
        begun = max([loading, *(f.image for f in machine.feeders)])
        left = machine.work.images - 1 - begun
        period = sink.image - seen.images
        times = min(left, self._spare_turns() // machine.work.passes) // period
        if times > 0:
            self.period_ps = (machine.now - seen.time) // period
            machine.work.images -= times * period
            self._skip(seen, times)
            self._images.clear()
            self.skipped_images += times * period
            machine.engine.skip(times * period, times * period * machine.work.passes)

    def _seen(self, visits: dict[State, Visit], state: State) -> Visit | None:
        """Return the last visit to a state from which all has repeated, and remember this one."""
        seen = visits.get(state)
        if seen is None or not self._same_waits(seen):
            visits[state] = self._visit()
            return None
        return seen

    def _spare_turns(self) -> int:
        """Return how many passes nobody has begun to think of."""
        machine = self.machine
        begun = [f.cursor.turn for f in machine.feeders]
        begun += [source.cursor.turn for r in machine.stages for source in r.sources]
        return machine.work.total_turns - 1 - max(begun)

    def _visit(self) -> Visit:
        machine = self.machine
        waits = tuple(c.until + self.skipped_ps for c in machine.engine.cursors)
        return Visit(machine.sink.cursor.turn, machine.sink.image, machine.now, machine.engine.ledger.copy(), waits)

    def _same_waits(self, seen: Visit) -> bool:
        """Return whether what waits now has waited as long as it had then, or for the whole period.

        Timing does not depend on that, but the stalls in the book do.
        """
        now, then = self.machine.now, seen.time
        for cursor, before in zip(self.machine.engine.cursors, seen.waits, strict=True):
            since = cursor.until + self.skipped_ps
            if cursor.step != DONE and then < since < now and now - since != then - before:
                return False
        return True

    def _skip(self, seen: Visit, times: int) -> None:
        machine = self.machine
        ledger = machine.engine.ledger
        period = machine.now - seen.time
        ledger.add(ledger.since(seen.ledger), times)
        for cursor in machine.engine.cursors:
            if cursor.step != DONE and cursor.until + self.skipped_ps <= seen.time:
                cursor.until -= times * period  # it goes on waiting through all that is skipped
        self.skipped_ps += times * period
        self._passes.clear()

    def _state(self) -> State:
        machine = self.machine
        engine, images = machine.engine, machine.sink.image
        now, turns = engine.now, machine.sink.cursor.turn
        loader = machine.loader.cursor if machine.loader else None
        by_image = (machine.loaded, machine.sink.finished)
        processes = tuple(
            DONE if c.step == DONE else c.state(now, images if c is loader else turns) for c in engine.cursors
        )
        stations = tuple(max(s.free_at - now, 0) for s in engine.stations)
        levels = tuple(
            (level.value - (images if level in by_image else turns * level.per_pass), len(level.waiting))
            for level in engine.levels
        )
        edges = tuple(e.state(now, turns) for e in machine.edges)
        ready = tuple(tuple(max(t - now, 0) for t in r.ready) for r in machine.stages)
        left = tuple((max(f.before - now, 0), max(f.left - now, 0)) for f in machine.feeders)
        return processes, stations, levels, edges, ready, left, self._order()

    def _order(self) -> tuple[int, ...]:
        """Return who comes next, in order: ties in time are broken by who asked first."""
        engine = self.machine.engine
        now = engine.now
        pending = [(c.until, c.order, i) for i, c in enumerate(engine.cursors) if c.step != DONE and c.until >= now]
        base = len(engine.cursors)
        for i, edge in enumerate(self.machine.edges):
            pending += [(t.time, t.order, base + i) for t in edge.flight]
        return tuple(i for _, _, i in sorted(pending))
