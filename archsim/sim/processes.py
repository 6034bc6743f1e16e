"""What runs side by side on the chip: loader, feeders, random modules, arrays, digital units, stores, the sink.

Each is a generator that yields what it waits for; before every wait it notes where it stands in its cursor.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import simpy

from archsim.sim.runtime import Chunk, Feeder, Inlet, Loader, RandomSource, Running, Sink, StageRun, Store, Use
from archsim.sim.station import Cursor, use_together

Process = Generator[simpy.Event, object, None]
DONE = -1


def _serve(cursor: Cursor, use: Use) -> simpy.Event:
    return use.station.use(cursor, use.op, use.units, use.duration_ps)


def load_images(machine: Running, loader: Loader) -> Process:
    """Bring images from off-chip memory into the global buffer, as long as there is room for another."""
    cursor, finished = loader.cursor, machine.sink.finished
    while cursor.turn < machine.work.images:
        if finished.value < cursor.turn + 1 - loader.slots:
            cursor.step = 1
            yield finished.reach(cursor, cursor.turn + 1 - loader.slots)
        for step, use in enumerate(loader.uses):
            cursor.step = 2 + step
            yield _serve(cursor, use)
        cursor.turn += 1
        machine.loaded.advance(1)
    cursor.step = DONE


def feed(machine: Running, feeder: Feeder) -> Process:
    """Send the stored pixels of every image to a layer, once a pass."""
    cursor, edge, work = feeder.cursor, feeder.edge, machine.work
    store, op, loaded, passes = feeder.store, feeder.op, machine.loaded, machine.sink.passes
    while feeder.image < work.images:
        if loaded.value <= feeder.image:
            cursor.step = 1
            yield loaded.reach(cursor, feeder.image + 1)
        feeder.turn = 0
        while feeder.turn < work.turns(feeder.image):
            if machine.one_pass_at_a_time and passes.value < cursor.turn:
                cursor.step = 2
                yield passes.reach(cursor, cursor.turn)
            for cursor.chunk, (pixels, bits, duration) in enumerate(feeder.bursts):
                if not edge.fits(pixels):
                    cursor.step = 3
                    yield edge.room(cursor, pixels)
                cursor.step = 4
                yield store.use(cursor, op, bits, duration, feeder.before)
                feeder.before, feeder.left = feeder.left, edge.send(pixels)
            cursor.turn += 1
            feeder.turn += 1
        feeder.image += 1
    cursor.step = DONE


def draw(machine: Running, source: RandomSource) -> Process:
    """Draw the random numbers of a layer, ahead of their use as far as they can be stored."""
    cursor, work, drawn, used = source.cursor, machine.work, source.drawn, source.used
    while cursor.turn < work.total_turns:
        base = cursor.turn * source.per_pass
        for cursor.chunk, (units, bits, duration, ahead) in enumerate(source.bursts):
            if used.value < base + ahead:
                cursor.step = 1
                yield used.reach(cursor, base + ahead)
            cursor.step = 2
            yield source.station.use(cursor, source.op, bits, duration)
            drawn.advance(units)
        cursor.turn += 1
    cursor.step = DONE


def multiply(run: StageRun) -> Process:
    """Run the crossbars of a layer, chunk after chunk, as inputs, random bits and output space allow."""
    cursor, results, done, random = run.array_cursor, run.results, run.credits, run.random
    ready, array, op, slots = run.ready, run.array, run.multiply_op, run.slots
    env = array.env
    produced = 0
    while True:
        for cursor.chunk, chunk in enumerate(run.chunks):
            yield from _inputs(cursor, run.inlets, cursor.chunk)
            for source in random:
                if source.drawn.value < cursor.turn * source.per_pass + source.needs[cursor.chunk]:
                    yield from _numbers(cursor, source, cursor.chunk)
            if done.value <= produced - slots:
                cursor.step = 3
                yield done.reach(cursor, produced - slots + 1)
            cursor.step = 4
            if not run.banks:
                yield array.use(cursor, op, chunk.positions, chunk.array_ps)
            else:
                yield _convert(run, chunk)
            for inlet in run.inlets:
                inlet.edge.release(cursor.turn * inlet.edge.pixels + inlet.frees[cursor.chunk])
            for source in random:
                source.release(cursor.turn * source.per_pass + source.frees[cursor.chunk])
            ready.append(env.time + run.fill_ps)
            produced += 1
            if produced - done.value > run.most:
                run.most = produced - done.value
            results.advance(1)
        cursor.turn += 1


def _numbers(cursor: Cursor, source: RandomSource, chunk: int) -> Process:
    """Wait for random numbers that are not there yet."""
    cursor.step = 2
    yield source.drawn.reach(cursor, cursor.turn * source.per_pass + source.needs[chunk])


def _inputs(cursor: Cursor, inlets: Sequence[Inlet], chunk: int) -> Process:
    """Wait for the pixels that a chunk needs, and fetch those that are kept in the global buffer."""
    for i, inlet in enumerate(inlets):
        edge = inlet.edge
        need = cursor.turn * edge.pixels + inlet.needs[chunk]
        if edge.arrived.value < need:
            cursor.step = 20 + 2 * i
            yield edge.arrived.reach(cursor, need)
        if inlet.fetch:
            use = inlet.fetch[chunk]
            if use is not None:
                cursor.step = 21 + 2 * i
                yield _serve(cursor, use)


def _convert(run: StageRun, chunk: Chunk) -> simpy.Event:
    """Read, and convert with shared converters: after the first read with sample-and-hold, else after the last."""
    now = run.array.env.time
    end = run.array.book(run.multiply_op, chunk.positions, chunk.array_ps, now, run.array_cursor.turn)
    start = end if run.read_ahead_ps is None else max(now + run.read_ahead_ps, end - max(chunk.bank_ps))
    return use_together(run.banks, run.array_cursor, run.multiply_op, 0, chunk.bank_ps, start)


def finish(run: StageRun) -> Process:
    """Run the digital work on a layer's results and send them on, map after map where statistics have to be waited for.

    Results leave the output buffer when they are sent or, in the first of several sweeps, kept for the next.
    """
    cursor, results, ready, done = run.digital_cursor, run.results, run.ready, run.credits
    taken = 0
    while True:
        first = 0
        for sweep in run.sweeps:
            credit = done if first == 0 else None
            for chunk, (positions, durations) in enumerate(zip(sweep.positions, sweep.ps, strict=True)):
                cursor.chunk = first + chunk
                if credit is not None:
                    taken += 1
                    if results.value < taken:
                        cursor.step = 1
                        yield results.reach(cursor, taken)
                if sweep.residuals:
                    yield from _inputs(cursor, sweep.residuals, chunk)
                for source in run.numbers:
                    if source.drawn.value <= cursor.turn:
                        yield from _numbers(cursor, source, 0)
                cursor.step = 3
                earliest = ready.popleft() if credit is not None else 0
                yield use_together(sweep.stations, cursor, sweep.op, positions, durations, earliest)
                for inlet in sweep.residuals:
                    inlet.edge.release(cursor.turn * inlet.edge.pixels + inlet.frees[chunk])
                sends = sweep.sends[chunk]
                for i, (edge, pixels) in enumerate(sends):
                    if not edge.fits(pixels):
                        cursor.step = 100 + i
                        yield edge.room(cursor, pixels)
                    edge.send(pixels, credit if i == len(sends) - 1 else None)
                if not sends and credit is not None:
                    credit.advance(1)
            first += len(sweep.ps)
        cursor.turn += 1
        for source in run.numbers:
            source.release(cursor.turn)
        run.passes.advance(1)


def keep(store: Store) -> Process:
    """Write a map into the memory that keeps it for a later round."""
    cursor, edge = store.cursor, store.edge
    while True:
        at = cursor.turn * edge.pixels
        for cursor.chunk, (pixels, duration) in enumerate(store.bursts):
            at += pixels
            if edge.arrived.value < at:
                cursor.step = 1
                yield edge.arrived.reach(cursor, at)
            cursor.step = 2
            yield store.station.use(cursor, store.op, 0, duration)
            edge.release(at)
        cursor.turn += 1
        store.passes.advance(1)


def average(machine: Running, sink: Sink) -> Process:
    """Average the passes of an image, and say when an image is done."""
    cursor, work = sink.cursor, machine.work
    while sink.image < work.images:
        sink.turn = 0
        while sink.turn < work.turns(sink.image):
            for i, done in enumerate(sink.sources):
                if done.value <= cursor.turn:
                    cursor.step = 1000 + i
                    yield done.reach(cursor, cursor.turn + 1)
            if sink.pass_use:
                cursor.step = 1
                yield _serve(cursor, sink.pass_use)
            cursor.turn += 1
            for edge in sink.scores:
                edge.release(cursor.turn * edge.pixels)
            sink.turn += 1
            sink.passes.advance(1)
            machine.pass_done()
        if sink.image_use:
            cursor.step = 2
            yield _serve(cursor, sink.image_use)
        sink.image += 1
        sink.finished.advance(1)
        machine.image_done()
    cursor.step = DONE
    machine.finished.succeed()
