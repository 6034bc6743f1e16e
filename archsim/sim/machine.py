"""Builds a running machine from a mapping: one engine, its stations, edges, stages and processes."""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from math import ceil, prod

from archsim.errors import MappingError, SimulationError
from archsim.mapping.activity import Activity, bits_per_pass
from archsim.mapping.plan import Mapping, Placed
from archsim.mapping.stages import Edge
from archsim.sim import processes
from archsim.sim.chunks import bursts, chunk_ends, room_needed, stage_chunks
from archsim.sim.interconnect import PORT, Interconnect
from archsim.sim.operations import digital_actions, multiply_actions, node_actions
from archsim.sim.periodic import Shortcut
from archsim.sim.runtime import (
    EdgeRun,
    Feeder,
    Loader,
    Out,
    RandomSource,
    ResidualRun,
    Sink,
    StageRun,
    Use,
    Work,
)
from archsim.sim.station import CAUSES, Engine, Level, Station
from archsim.sim.timing import cycle_ps, global_buffer_ps, memory_ps
from archsim.workload.trace import INPUT, Dropout

RAW_BITS = 8  # a value of an image as it comes from a camera or a file
DOUBLE_BUFFER = 2


class Machine:
    """The chip at work on one round of a mapping: `images` x `passes`, under one schedule, at one grain."""

    def __init__(
        self,
        mapping: Mapping,
        placed: Sequence[Placed],
        activity: Table[str, Activity],
        images: int,
        passes: int,
        *,
        schedule: str,
        grain: str,
        shortcut: bool = True,
        recorder: object = None,
    ) -> None:
        self.mapping, self.chip = mapping, mapping.chip
        self.placed, self.activity = placed, activity
        self.grain = grain
        self.layer_by_layer = schedule == "layer_by_layer"
        self.one_pass_at_a_time = schedule != "pipelined_passes"
        self.work = Work(images, passes)
        self.engine = Engine()
        self.engine.recorder = recorder
        self.finished = self.engine.env.event()
        self.image_times: list[int] = []
        self.pass_times = [0, 0]  # of the first image: when its first and its last pass were done
        self.net = Interconnect(self.engine, self.chip)
        self.global_buffer = Station(self.engine, "global buffer", "buffers")
        self._shared: dict[str, Station] = {}
        self.edges: dict[tuple[str, str], EdgeRun] = {}
        self.stages = [self._stage(p) for p in placed]
        self._residuals()
        self._outs()
        for run in self.stages:
            self._random(run)
        self.sink = self._sink()
        self.loader = self._loader()
        self.feeders = [self._feeder(run) for run in self.stages if self._external(run.placed.stage.inputs)]
        self.shortcut = Shortcut(self) if shortcut else None

    def run(self) -> int:
        """Run to the end and return the time of it in picoseconds, skipped periods included.

        Raises `SimulationError` if everything waits for everything, saying who waits for what.
        """
        env = self.engine.env
        env.process(processes.load_images(self, self.loader))
        for feeder in self.feeders:
            env.process(processes.feed(self, feeder))
        for run in self.stages:
            if run.random:
                env.process(processes.draw(self, run.random))
            env.process(processes.multiply(self, run))
            env.process(processes.finish(run))
        env.process(processes.average(self, self.sink))
        try:
            env.run(until=self.finished)
        except RuntimeError as error:
            raise SimulationError(self._deadlock()) from error
        return self.now

    @property
    def now(self) -> int:
        """The time, with the periods that were skipped."""
        return int(self.engine.env.now) + (self.shortcut.skipped_ps if self.shortcut else 0)

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
            f"{level.waiter[1].label} waits for {CAUSES[level.cause]}" for level in self.engine.levels if level.waiter
        ]
        return f"the machine stands still at {self.now} ps: {'; '.join(waiting)}"

    def _external(self, edge: Edge) -> bool:
        return edge.producer is None or all(p.name != edge.producer for p in self.placed)

    def _edge(self, edge: Edge, placed: Placed, capacity: int, copies: int) -> EdgeRun:
        """Build an edge into a layer; where it comes from decides the route."""
        sources = [p for p in self.placed if p.name == edge.producer]
        source = sources[0].tiles[0] if sources else PORT
        target = range(1) if self.layer_by_layer and sources else placed.tiles
        route = self.net.route(source, target)
        buffer = "global_buffer" if self.layer_by_layer and sources else "input_buffer"
        label = f"{edge.producer or INPUT} -> {placed.name}"
        actions = [("wire", "transfer", route.pitches), (buffer, "write", copies)]
        if route.hops:
            actions.append(("router", "hop", route.hops))
        op = self.engine.operation("transfer", label, "bit", actions)
        return EdgeRun(self.engine, label, edge.pixels, edge.bits_per_pixel, capacity, route, op)

    def _stage(self, placed: Placed) -> StageRun:
        engine, chip, stage = self.engine, self.chip, placed.stage
        chunks = stage_chunks(chip, placed, self.grain, self.layer_by_layer)
        name = self._label(placed)
        factor = DOUBLE_BUFFER if _stores_mask(placed) else 1
        capacity = placed.buffer_bits // (stage.inputs.bits_per_pixel * factor)
        burst = self._burst(stage.inputs)
        edge = self._edge(stage.inputs, placed, max(capacity, room_needed(chunks, burst)), len(placed.tiles))
        self.edges[(placed.name, stage.inputs.node)] = edge
        self._check_layer_by_layer(placed)
        home = placed.tiles[0]
        shared_by = chip.arch.converter.shared_by
        position_bits = max(1, placed.outputs * 16)
        digital = self.shared(f"digital unit {home}", f"tile {home}")
        run = StageRun(
            placed=placed,
            array_cursor=engine.cursor(f"{name} arrays"),
            digital_cursor=engine.cursor(f"{name} digital"),
            edge=edge,
            chunks=chunks,
            array=Station(engine, f"{name} arrays", f"tile {home}"),
            bank=None if shared_by == "crossbar" else self.shared(f"converters {home}", f"tile {home}"),
            digital=digital,
            multiply_op=engine.operation(
                "multiply", name, "position", multiply_actions(chip, placed, self.activity[placed.name])
            ),
            digital_op=engine.operation("digital", name, "position", digital_actions(placed)),
            fill_ps=placed.timing.fill_ps,
            read_ps=placed.timing.read_ps,
            sample_hold=chip.arch.converter.sample_hold,
            output_chunks=max(1, chip.arch.output_buffer.capacity // (position_bits * chunks[0].positions)),
            results=Level(engine, len(chunks), "input"),
            credits=Level(engine, len(chunks), "output space"),
            passes=Level(engine, 1, "input"),
        )
        if self.layer_by_layer and not self._external(stage.inputs):
            self._fetch(run)
        return run

    def _label(self, placed: Placed) -> str:
        whole = placed.fraction == 1
        return placed.name if whole else f"{placed.name}[{placed.share.first}:{placed.share.last}]"

    def _burst(self, edge: Edge) -> int:
        """Return the largest number of pixels that arrive at once on an edge."""
        producer = next((p for p in self.placed if p.name == edge.producer), None)
        if producer is None:
            columns = self.mapping.trace.shape_of(edge.node)[-1]
            return {"position": 1, "row": min(columns, edge.pixels), "map": edge.pixels}[self.grain]
        ends = chunk_ends(producer.stage, self.grain)
        return max(bursts(producer.stage.produced[edge.node], ends))

    def _check_layer_by_layer(self, placed: Placed) -> None:
        if not self.layer_by_layer:
            return
        stage = placed.stage
        shape = stage.node.shape
        bits = stage.inputs.pixels * stage.inputs.bits_per_pixel + prod(shape) * stage.input_bits
        capacity = self.chip.arch.global_buffer.capacity
        if bits > capacity:
            raise MappingError(
                f"layer by layer, '{placed.name}' keeps {bits} bits of feature maps, the global buffer holds {capacity}"
                " (global_buffer.capacity, or a pipelined schedule)"
            )

    def _fetch(self, run: StageRun) -> None:
        """Let each chunk read its new pixels back from the global buffer, where layer by layer keeps whole maps."""
        placed = run.placed
        stage = placed.stage
        route = self.net.route(PORT, placed.tiles)
        actions = [("global_buffer", "read", 1.0), ("wire", "transfer", route.pitches)]
        actions += [("input_buffer", "write", float(len(placed.tiles))), ("router", "hop", float(route.hops))]
        op = self.engine.operation("fetch", run.edge.name, "bit", [a for a in actions if a[2]])
        seen = 0
        for chunk, end in zip(run.chunks, chunk_ends(stage, self.grain), strict=True):
            bits = (int(stage.needs[end - 1]) - seen) * run.edge.bits
            seen = int(stage.needs[end - 1])
            if bits:
                serial = ceil(bits / route.width) * route.cycle_ps + route.link_ps * len(route.links)
                chunk.fetch = ((self.global_buffer, op, bits, max(global_buffer_ps(self.chip, bits), serial)),)

    def _residuals(self) -> None:
        for run in self.stages:
            stage = run.placed.stage
            ends = chunk_ends(stage, self.grain)
            for edge, reader in stage.residuals:
                # a skip connection waits in the global buffer, which must hold what the main path is late
                edge_run = self._edge(edge, run.placed, DOUBLE_BUFFER * edge.pixels, 1)
                self.edges[(run.placed.name, edge.node)] = edge_run
                needs = [int(n) for n in stage.produced[reader][ends - 1]]
                run.residuals.append(ResidualRun(edge_run, needs))

    def _outs(self) -> None:
        by_name: dict[str, list[StageRun]] = {}
        for run in self.stages:
            by_name.setdefault(run.placed.name, []).append(run)
        for run in self.stages:
            stage = run.placed.stage
            for edge in [stage.inputs, *(e for e, _ in stage.residuals)]:
                for producer in by_name.get(edge.producer or "", []):
                    ends = chunk_ends(producer.placed.stage, self.grain)
                    counts = producer.placed.stage.produced[edge.node]
                    producer.outs.append(Out(self.edges[(run.placed.name, edge.node)], bursts(counts, ends)))

    def _random(self, run: StageRun) -> None:
        """Build the random bits of a layer: which modules draw them, and how far ahead."""
        placed, arch = run.placed, self.chip.arch
        dropout = placed.stage.dropout
        if dropout is None or arch.stochastic is None:
            return
        assert isinstance(dropout.op, Dropout)
        engine, kind = self.engine, arch.stochastic
        home = placed.tiles[0]
        if kind.scope == "crossbar":
            station = Station(engine, f"{placed.name} random bits", f"tile {home}")
            modules = kind.count * len(placed.tiling.row_tiles)
        elif kind.scope == "tile":
            station = self.shared(f"random bits {home}", f"tile {home}")
            modules = kind.count
        else:
            station = self.shared("random bits", "chip")
            modules = kind.count
        one = self.chip.components["stochastic"].actions["draw"].latency_ps
        bits = bits_per_pass(self.mapping.trace, dropout)
        if dropout.op.granularity == "channel":
            plan = [(1, bits, ceil(bits / modules) * one, -kind.ahead)]
        else:
            plan = self._element_draws(run, bits, modules, one)
        per_pass = sum(p[0] for p in plan)
        run.random = RandomSource(
            cursor=engine.cursor(f"{placed.name} random bits"),
            station=station,
            op=engine.operation("draw", placed.name, "bit", [("stochastic", "draw", 1.0)]),
            drawn=Level(engine, per_pass, "random bits"),
            used=Level(engine, per_pass, "output space"),
            per_pass=per_pass,
            bursts=plan,
        )

    def _element_draws(self, run: StageRun, bits: int, modules: int, one: int) -> list[tuple[int, int, int, int]]:
        """Draw for each chunk what its new pixels need; masks are stored beside the pixels they gate."""
        per_pixel = bits // run.edge.pixels
        plan = []
        seen = 0
        for chunk in run.chunks:
            units = chunk.mask_needs - seen
            seen = chunk.mask_needs
            if units:
                drawn = units * per_pixel
                plan.append((units, drawn, ceil(drawn / modules) * one, seen - run.edge.capacity))
        return plan

    def _sink(self) -> Sink:
        engine, parts, trace = self.engine, self.chip.components, self.mapping.trace
        classes = prod(trace.output.shape)
        consumed = {e.producer for p in self.placed for e in (p.stage.inputs, *(r for r, _ in p.stage.residuals))}
        sources = [run for run in self.stages if run.placed.name not in consumed]
        averaging = [("softmax", "apply", 1.0), ("averager", "accumulate", 1.0)]
        per_class = sum(parts[c].actions[a].latency_ps for c, a, _ in averaging)
        return Sink(
            cursor=engine.cursor("averaging"),
            sources=sources,
            station=Station(engine, "averaging", "chip"),
            pass_op=engine.operation("average", "output", "class", averaging),
            image_op=engine.operation("finish", "output", "class", [("averager", "finish", 1.0)]),
            classes=classes,
            pass_ps=classes * per_class,
            image_ps=classes * parts["averager"].actions["finish"].latency_ps,
            passes=Level(engine, 1, "schedule"),
            finished=Level(engine, 0, "schedule"),
        )

    def _loader(self) -> Loader:
        """Build the way of an image: off-chip memory, digital preprocessing, global buffer."""
        engine, chip, trace = self.engine, self.chip, self.mapping.trace
        external = {e.node: e for run in self.stages for e in [run.placed.stage.inputs] if self._external(e)}
        stored = sum(e.pixels * e.bits_per_pixel for e in external.values())
        capacity = chip.arch.global_buffer.capacity
        if stored > capacity:
            raise MappingError(
                f"an image of {stored} bits does not fit the global buffer of {capacity} (global_buffer.capacity)"
            )
        raw = prod(trace.input_shape) * RAW_BITS
        uses: list[Use] = []
        if chip.arch.memory is not None:
            op = engine.operation("load", INPUT, "bit", [("memory", "read", 1.0)])
            uses.append((Station(engine, "off-chip memory", "memory"), op, raw, memory_ps(chip, raw)))
        elements = prod(trace.input_shape)
        work = [
            (*k.split(".", 1), v / elements)
            for n in self.mapping.graph.preprocessing
            for k, v in node_actions(n).items()
        ]
        if work:
            op = engine.operation("preprocess", INPUT, "element", work)  # type: ignore[arg-type]
            cycles = ceil(elements * len(work) / chip.arch.digital.lanes)
            home = self.stages[0].placed.tiles[0]
            uses.append((self.shared(f"digital unit {home}", f"tile {home}"), op, elements, cycles * cycle_ps(chip)))
        store = engine.operation("store", INPUT, "bit", [("global_buffer", "write", 1.0)])
        uses.append((self.global_buffer, store, stored, global_buffer_ps(self.chip, stored)))
        slots = min(DOUBLE_BUFFER, capacity // stored)
        return Loader(engine.cursor("loader"), uses, slots, Level(engine, 0, "input"))

    def _feeder(self, run: StageRun) -> Feeder:
        edge = run.edge
        burst = self._burst(run.placed.stage.inputs)
        sizes = [min(burst, edge.pixels - at) for at in range(0, edge.pixels, burst)]
        op = self.engine.operation("feed", edge.name, "bit", [("global_buffer", "read", 1.0)])
        plan = [(n, n * edge.bits, global_buffer_ps(self.chip, n * edge.bits)) for n in sizes]
        return Feeder(self.engine.cursor(f"feed {run.placed.name}"), edge, self.global_buffer, op, plan)


def _stores_mask(placed: Placed) -> bool:
    op = placed.stage.dropout.op if placed.stage.dropout else None
    return isinstance(op, Dropout) and op.granularity == "element" and placed.stage.input_bits == 1
