"""A running machine: one engine, its stations, streams, stages and processes, built from one round of a mapping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping as Table
from itertools import pairwise
from math import ceil, inf

from archsim.errors import SimulationError
from archsim.mapping.activity import Activity
from archsim.mapping.layout import blocks_of
from archsim.mapping.plan import ACCUMULATOR_BITS, Placed, bank_size
from archsim.sim import processes
from archsim.sim.chunks import stage_chunks
from archsim.sim.edge import legs_of
from archsim.sim.ends import build_loader, build_sink
from archsim.sim.interconnect import Interconnect
from archsim.sim.operations import digital_actions, multiply_actions
from archsim.sim.periodic import Shortcut
from archsim.sim.randomness import random_source
from archsim.sim.rounds import Round
from archsim.sim.runtime import Chunk, StageRun, Work
from archsim.sim.station import CAUSES, Engine, Level, Recorder, Station
from archsim.sim.wiring import Wiring, window


class Machine:
    """The chip at work on one round of a mapping: `images` x `passes`, under one schedule, at one grain."""

    def __init__(
        self,
        here: Round,
        activity: Table[str, Activity],
        images: int,
        passes: int,
        *,
        schedule: str,
        grain: str,
        shortcut: bool = True,
        recorder: Recorder | None = None,
    ) -> None:
        self.chip = here.mapping.chip
        self.grain = grain
        self.one_pass_at_a_time = schedule != "pipelined_passes"
        self.work = Work(images, passes)
        self.engine = Engine(recorder)
        self.finished = self.engine.env.event()
        self.image_times: list[int] = []
        self.pass_times = [0, 0]  # of the first image: when its first and its last pass were done
        self.net = Interconnect(self.engine, self.chip)
        self._shared: dict[str, Station] = {}
        self._users = Counter(t for p in here.placed for t in p.tiles)
        self.stages = [self._stage(p, activity[p.name]) for p in here.placed]
        storage = {"global_buffer": self.shared("global buffer", "buffers")}
        if self.chip.arch.memory is not None:
            storage["memory"] = self.shared("memory", "memory")
        self.wiring = Wiring(
            self.engine,
            here,
            self.stages,
            storage,
            self.net,
            grain=grain,
            layer_by_layer=schedule == "layer_by_layer",
            one_pass_at_a_time=self.one_pass_at_a_time,
        )
        self.edges, self.feeders = self.wiring.edges, self.wiring.feeders
        for edge in self.edges:
            edge.legs = legs_of(edge.route, self.net.follows(edge.route))
        for run in self.stages:
            run.random = random_source(self.engine, here, run, self.shared)
        self.sink = build_sink(self.engine, here, self.stages, self.wiring.stores, self.wiring.scores)
        home = here.placed[0].tiles[0]
        self.loader = build_loader(self.engine, here, self.shared, home) if here.first else None
        self.loaded = Level(self.engine, 0, "input", value=0 if here.first else images)
        self.shortcut = Shortcut(self) if shortcut else None

    def run(self) -> int:
        """Run until all is at rest and return the time of it in picoseconds, skipped periods included.

        That may be later than the last result: positions that no later layer looks at are computed all the same.

        Raises `SimulationError` if everything waits for everything, saying who waits for what.
        """
        env = self.engine.env
        if self.loader:
            env.process(processes.load_images(self, self.loader))
        for feeder in self.feeders:
            env.process(processes.feed(self, feeder))
        for run in self.stages:
            if run.random:
                env.process(processes.draw(self, run.random))
            env.process(processes.multiply(run))
            env.process(processes.finish(run))
        for store in self.wiring.stores:
            env.process(processes.keep(store))
        env.process(processes.average(self, self.sink))
        try:
            env.run(until=self.finished)
        except RuntimeError as error:
            if env.peek() < inf:  # simpy says so when nothing is left to happen; all else is a fault of the program
                raise
            raise SimulationError(self._deadlock()) from error
        env.run()
        return self.now

    @property
    def now(self) -> int:
        """The time, with the periods that were skipped."""
        return self.engine.now + (self.shortcut.skipped_ps if self.shortcut else 0)

    def pass_done(self) -> None:
        """Called by the sink after every pass."""
        if self.sink.image == 0:
            self.pass_times = [self.pass_times[0] or self.now, self.now]
        if self.shortcut and self.sink.turn < self.work.turns(self.sink.image):
            self.shortcut.after_pass()

    def image_done(self) -> None:
        """Called by the sink after every image."""
        self.image_times.append(self.now)
        if self.shortcut:
            self.shortcut.after_image()

    def shared(self, name: str, group: str) -> Station:
        """Return the station of that name, which several layers may use."""
        if name not in self._shared:
            self._shared[name] = Station(self.engine, name, group)
        return self._shared[name]

    def _deadlock(self) -> str:
        waiting = [
            f"{cursor.label} (pass {cursor.turn}, chunk {cursor.chunk}) waits for {CAUSES[level.cause]}"
            f" ({level.value} of {target})"
            for level in self.engine.levels
            for target, _, cursor in level.waiting
        ]
        return f"the machine stands still at {self.now} ps: {'; '.join(waiting)}"

    def _stage(self, placed: Placed, activity: Activity) -> StageRun:
        """Build a layer with its stations; streams and random bits are connected to it later."""
        engine, chip = self.engine, self.chip
        tiles = placed.tiles
        steps = zip(placed.layout.crossings, pairwise(tiles), strict=True)
        crossings = [self.net.route(a, [b if times else a]) for times, (a, b) in steps]
        chunks, digital = self._digital(placed, stage_chunks(chip, placed, self.grain, crossings))
        label = label_of(placed)
        home = f"tile {tiles[0]}"
        largest = max(c.positions for c in chunks)
        converter = chip.arch.converter
        return StageRun(
            placed=placed,
            label=label,
            chunks=chunks,
            array_cursor=engine.cursor(f"{label} arrays"),
            digital_cursor=engine.cursor(f"{label} digital"),
            array=Station(engine, f"{label} arrays", home),
            banks=self._banks(placed),
            digital=[*digital, *(link for route in crossings for link in route.links)],
            multiply_op=engine.operation(
                "multiply", label, "position", multiply_actions(chip, placed, activity, crossings)
            ),
            digital_op=engine.operation("digital", label, "position", digital_actions(placed)),
            fill_ps=placed.timing.fill_ps,
            read_ahead_ps=placed.timing.read_ps if converter.sample_hold else None,
            slots=max(1, placed.output_bits // (max(1, placed.outputs) * ACCUMULATOR_BITS * largest)),
            results=Level(engine, len(chunks), "input"),
            credits=Level(engine, len(chunks), "output space"),
            passes=Level(engine, 1, "input"),
            window=window(placed),
            sends=[[] for _ in chunks],
        )

    def _digital(self, placed: Placed, chunks: list[Chunk]) -> tuple[list[Chunk], list[Station]]:
        """Return the digital units of a layer's tiles, and its chunks with the time each of them takes.

        Tiles that a layer has to itself and that always work equally long are one station: nobody can tell them apart.
        """
        groups: dict[object, list[int]] = {}
        columns = list(zip(*(c.digital_ps for c in chunks), strict=True))
        for i, tile in enumerate(placed.tiles):
            alone = self._users[tile] == 1 and i > 0  # the first tile also prepares images
            groups.setdefault(columns[i] if alone else tile, []).append(i)
        members = list(groups.values())
        kept = [m[0] for m in members] + list(range(len(placed.tiles), len(chunks[0].digital_ps)))
        stations = [self._units([placed.tiles[i] for i in m]) for m in members]
        return [c._replace(digital_ps=tuple(c.digital_ps[i] for i in kept)) for c in chunks], stations

    def _units(self, tiles: list[int]) -> Station:
        if len(tiles) == 1:
            return self.shared(f"digital unit {tiles[0]}", f"tile {tiles[0]}")
        return Station(self.engine, f"digital units {tiles[0]}-{tiles[-1]}", f"tile {tiles[0]}")

    def _banks(self, placed: Placed) -> list[Station]:
        """Return the shared converters that a layer's crossbars hang on."""
        arch = self.chip.arch
        size = bank_size(arch)
        if size is None:
            return []
        per_tile = ceil(arch.organisation.crossbars_per_tile / size)
        return [self.shared(f"converters {b}", f"tile {b // per_tile}") for b in blocks_of(placed.layout, size)]


def label_of(placed: Placed) -> str:
    """Return the name of a layer, with the column tiles it holds where that is not all of them."""
    whole = placed.column_tiles == placed.tiling.column_tiles
    return placed.name if whole else f"{placed.name}[{placed.share.first}:{placed.share.last}]"
