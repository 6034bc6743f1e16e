"""What runs side by side on the chip: loader, feeders, random modules, arrays, digital units, the averaging sink.

Each is a generator that yields what it waits for; before every wait it notes where it stands in its cursor.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import simpy

if TYPE_CHECKING:
    from archsim.sim.machine import Feeder, Loader, Machine, RandomSource, Sink, StageRun

Process = Generator[simpy.Event, object, None]
DONE = -1


def load_images(machine: Machine, loader: Loader) -> Process:
    """Bring images from off-chip memory into the global buffer, as long as there is room for another."""
    cursor, finished = loader.cursor, machine.sink.finished
    while cursor.turn < machine.work.images:
        if finished.value < cursor.turn + 1 - loader.slots:
            cursor.step = 1
            yield finished.reach(cursor, cursor.turn + 1 - loader.slots)
        for step, (station, op, units, duration) in enumerate(loader.uses):
            cursor.step = 2 + step
            yield station.use(cursor, op, units, duration)
        cursor.turn += 1
        loader.loaded.advance(1)
    cursor.step = DONE


def feed(machine: Machine, feeder: Feeder) -> Process:
    """Send the pixels of every image to the first layer, once a pass."""
    cursor, edge, work = feeder.cursor, feeder.edge, machine.work
    buffer, op, loaded, passes = feeder.buffer, feeder.op, machine.loader.loaded, machine.sink.passes
    while feeder.image < work.images:
        if loaded.value <= feeder.image:
            cursor.step = 1
            yield loaded.reach(cursor, feeder.image + 1)
        feeder.turn = 0
        while feeder.turn < work.turns(feeder.image):
            if machine.one_pass_at_a_time and passes.value < cursor.turn:
                cursor.step = 2
                yield passes.reach(cursor, cursor.turn)
            left = 0
            for cursor.chunk, (pixels, bits, duration) in enumerate(feeder.bursts):
                if not edge.fits(pixels):
                    cursor.step = 3
                    yield edge.freed.reach(cursor, edge.room_for(pixels))
                cursor.step = 4
                yield buffer.use(cursor, op, bits, duration, left)
                left = edge.send(pixels)
            cursor.turn += 1
            feeder.turn += 1
        feeder.image += 1
    cursor.step = DONE


def draw(machine: Machine, source: RandomSource) -> Process:
    """Draw the random bits of a layer, ahead of their use as far as they can be stored."""
    cursor, work, drawn, used = source.cursor, machine.work, source.drawn, source.used
    while cursor.turn < work.total_turns:
        base = cursor.turn * source.per_pass
        for cursor.chunk, (units, bits, duration, ahead) in enumerate(source.bursts):
            need = base + ahead
            if used.value < need:
                cursor.step = 1
                yield used.reach(cursor, need)
            cursor.step = 2
            yield source.station.use(cursor, source.op, bits, duration)
            drawn.advance(units)
        cursor.turn += 1
    cursor.step = DONE


def multiply(machine: Machine, run: StageRun) -> Process:
    """Run the crossbars of a layer, chunk after chunk, as inputs, random bits and output space allow."""
    cursor, edge, results, credits = run.array_cursor, run.edge, run.results, run.credits
    env, ready, random = machine.engine.env, run.ready, run.random
    array, bank, op, fill = run.array, run.bank, run.multiply_op, run.fill_ps
    produced = 0
    while True:
        base = cursor.turn * edge.pixels
        mask_base = cursor.turn * random.per_pass if random else 0
        for cursor.chunk, chunk in enumerate(run.chunks):
            if edge.arrived.value < base + chunk.needs:
                cursor.step = 1
                yield edge.arrived.reach(cursor, base + chunk.needs)
            if random and random.drawn.value < mask_base + chunk.mask_needs:
                cursor.step = 2
                yield random.drawn.reach(cursor, mask_base + chunk.mask_needs)
            if credits.value <= produced - run.output_chunks:
                cursor.step = 3
                yield credits.reach(cursor, produced - run.output_chunks + 1)
            for step, (station, fetch_op, bits, duration) in enumerate(chunk.fetch):
                cursor.step = 10 + step
                yield station.use(cursor, fetch_op, bits, duration)
            cursor.step = 4
            if bank is None:
                yield array.use(cursor, op, chunk.positions, chunk.array_ps)
            else:
                end = array.book(op, chunk.positions, chunk.array_ps, env.now)
                overlap = max(env.now + run.read_ps, end - chunk.bank_ps) if run.sample_hold else end
                yield bank.use(cursor, op, 0, chunk.bank_ps, overlap)
            edge.release(base + chunk.frees)
            if random:
                random.release(mask_base, chunk)
            ready.append(env.now + fill)
            produced += 1
            results.advance(1)
        cursor.turn += 1


def finish(run: StageRun) -> Process:
    """Run the digital work on a layer's results and send them on; they leave the output buffer when sent."""
    cursor, results, ready = run.digital_cursor, run.results, run.ready
    digital, op = run.digital, run.digital_op
    taken = 0
    while True:
        for cursor.chunk, chunk in enumerate(run.chunks):
            taken += 1
            if results.value < taken:
                cursor.step = 1
                yield results.reach(cursor, taken)
            for i, residual in enumerate(run.residuals):
                need = cursor.turn * residual.edge.pixels + residual.needs[cursor.chunk]
                if residual.edge.arrived.value < need:
                    cursor.step = 20 + i
                    yield residual.edge.arrived.reach(cursor, need)
            cursor.step = 2
            yield digital.use(cursor, op, chunk.positions, chunk.digital_ps, ready.popleft())
            for residual in run.residuals:
                residual.edge.release(cursor.turn * residual.edge.pixels + residual.needs[cursor.chunk])
            sent = False
            for i, out in enumerate(run.outs):
                pixels = out.bursts[cursor.chunk]
                if pixels:
                    if not out.edge.fits(pixels):
                        cursor.step = 100 + i
                        yield out.edge.freed.reach(cursor, out.edge.room_for(pixels))
                    out.edge.send(pixels, None if sent else run.credits)
                    sent = True
            if not sent:
                run.credits.advance(1)
        cursor.turn += 1
        run.passes.advance(1)


def average(machine: Machine, sink: Sink) -> Process:
    """Average the passes of an image, and say when an image is done."""
    cursor, work = sink.cursor, machine.work
    while sink.image < work.images:
        sink.turn = 0
        while sink.turn < work.turns(sink.image):
            for i, run in enumerate(sink.sources):
                if run.passes.value <= cursor.turn:
                    cursor.step = 1 + i
                    yield run.passes.reach(cursor, cursor.turn + 1)
            cursor.step = 100
            yield sink.station.use(cursor, sink.pass_op, sink.classes, sink.pass_ps)
            cursor.turn += 1
            sink.turn += 1
            sink.passes.advance(1)
            machine.pass_done()
        cursor.step = 101
        yield sink.station.use(cursor, sink.image_op, sink.classes, sink.image_ps)
        sink.image += 1
        sink.finished.advance(1)
        machine.image_done()
    cursor.step = DONE
    machine.finished.succeed()
