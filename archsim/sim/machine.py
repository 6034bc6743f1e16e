"""A running machine: one engine, its stations, streams, stages and processes, built from one round of a mapping."""

from __future__ import annotations

from collections.abc import Mapping as Table
from math import ceil

from archsim.errors import SimulationError
from archsim.mapping.activity import Activity
from archsim.mapping.layout import blocks_at_work
from archsim.mapping.plan import ACCUMULATOR_BITS, Placed
from archsim.mapping.vectors import bank_size
from archsim.sim import processes
from archsim.sim.chunks import stage_chunks
from archsim.sim.edge import legs_of
from archsim.sim.ends import build_loader, build_sink
from archsim.sim.finishing import Finishing
from archsim.sim.interconnect import Interconnect, Route
from archsim.sim.occupancy import output_buffer
from archsim.sim.operations import multiply_actions
from archsim.sim.periodic import Shortcut
from archsim.sim.randomness import Sources
from archsim.sim.rounds import Round
from archsim.sim.runtime import StageRun, Work
from archsim.sim.station import CAUSES, Engine, Level, Recorder, Station
from archsim.sim.ways import Ways
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
        start_ps: int = 0,
    ) -> None:
        self.chip = here.mapping.chip
        self.grain = grain
        self.one_pass_at_a_time = schedule != "pipelined_passes"
        self.work = Work(images, passes)
        self.engine = Engine(recorder, passes=passes, start_ps=start_ps)
        self.finished = self.engine.env.event()
        self.image_times: list[int] = []
        self.pass_times = [0, 0]  # of the first image: when its first and its last pass were done
        self.net = Interconnect(self.engine, self.chip)
        self.prices = Interconnect(Engine(), self.chip)  # for ways that are paid for and not driven on
        self._shared: dict[str, Station] = {}
        self.finishing = Finishing(self.engine, self.chip, self.prices, here.placed, self.shared)
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
            Ways(self.prices),
            grain=grain,
            layer_by_layer=schedule == "layer_by_layer",
            one_pass_at_a_time=self.one_pass_at_a_time,
        )
        self.edges, self.feeders = self.wiring.edges, self.wiring.feeders
        for edge in self.edges:
            edge.legs = legs_of(edge.route, self.net.follows(edge.route))
        sources = Sources(self.engine, here, self.shared)
        for run in self.stages:
            sources.connect(run, grain)
        self.sink = build_sink(self.engine, here, self.stages, self.wiring.stores, self.wiring.scores)
        home = here.placed[0].tiles[0]
        self.loader = build_loader(self.engine, here, self.shared, home) if here.first else None
        self.loaded = Level(self.engine, 0, "input", value=0 if here.first else images)
        self.shortcut = Shortcut(self) if shortcut else None
        if recorder is not None:
            recorder.begin(here.mapping, self.engine)

    def run(self) -> int:
        """Run until all is at rest and return the time of it in picoseconds, skipped periods included.

        That may be later than the last result: positions that no later layer looks at are computed all the same.

        Raises `SimulationError` if everything waits for everything, saying who waits for what.
        """
        env = self.engine.env
        if self.loader:
            env.start(processes.load_images(self, self.loader))
        for feeder in self.feeders:
            env.start(processes.feed(self, feeder))
        for run in self.stages:
            for source in run.sources:
                env.start(processes.draw(self, source))
            env.start(processes.multiply(run))
            env.start(processes.finish(run))
        for store in self.wiring.stores:
            env.start(processes.keep(store))
        env.start(processes.average(self, self.sink))
        env.run_out()
        if not self.finished.triggered:
            raise SimulationError(self._deadlock())
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
        """Build a layer with its stations; streams and random numbers are connected to it later."""
        engine, chip = self.engine, self.chip
        crossings = self.net.steps(placed.at_work, placed.layout.own_crossings)
        chunks = stage_chunks(chip, placed, self.grain, crossings)
        label = label_of(placed)
        largest = max(c.positions for c in chunks)
        results = placed.output_bits - placed.held_bits
        converter = chip.arch.converter
        chunk_bits = max(1, placed.outputs) * ACCUMULATOR_BITS * largest
        made, left = output_buffer(engine, label, len(chunks), chunk_bits)
        return StageRun(
            placed=placed,
            label=label,
            chunks=chunks,
            array_cursor=engine.cursor(f"{label} arrays"),
            digital_cursor=engine.cursor(f"{label} digital"),
            array=Station(engine, f"{label} arrays", f"tile {placed.tiles[0]}"),
            banks=self._banks(placed),
            sweeps=self.finishing.sweeps(placed, label, chunks, crossings, self.grain),
            multiply_op=engine.operation(
                "multiply", label, "position", multiply_actions(chip, placed, activity, self._all_crossings(placed))
            ),
            fill_ps=placed.timing.fill_ps,
            read_ahead_ps=placed.timing.read_ps if converter.sample_hold else None,
            slots=max(1, results // chunk_bits),
            results=made,
            credits=left,
            passes=Level(engine, 1, "input"),
            window=window(placed),
        )

    def _all_crossings(self, placed: Placed) -> list[Route]:
        """Return the ways of partial sums between the tiles of all copies, of which one works in a pass."""
        return self.prices.steps(placed.tiles, placed.layout.crossings)

    def _banks(self, placed: Placed) -> list[Station]:
        """Return the shared converters that a layer's crossbars hang on."""
        arch = self.chip.arch
        size = bank_size(arch)
        if size is None:
            return []
        per_tile = ceil(arch.organisation.crossbars_per_tile / size)
        return [self.shared(f"converters {b}", f"tile {b // per_tile}") for b in blocks_at_work(placed.layout, size)]


def label_of(placed: Placed) -> str:
    """Return the name of a layer, with the column tiles it holds where that is not all of them."""
    whole = placed.column_tiles == placed.tiling.column_tiles
    return placed.name if whole else f"{placed.name}[{placed.share.first}:{placed.share.last}]"
