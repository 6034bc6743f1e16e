"""Streams of a machine: between layers, from what is stored, to what is kept for a later round.

A stream goes straight into the input buffer of its consumer, or it is held: written as a whole map into the global
buffer and fetched chunk by chunk. Held are all maps layer by layer, and, when layers are pipelined, residuals and what
several layers read: a buffer of one map more than a consumer needs keeps the branches of a network from waiting for
each other (a machine in which every fork has it cannot deadlock: whoever waits for space would have to be a pass ahead
of whoever waits for data).
"""

from __future__ import annotations

from collections.abc import Sequence

from archsim.errors import MappingError
from archsim.mapping.plan import Placed
from archsim.mapping.sharing import stored_bits
from archsim.mapping.stages import Edge
from archsim.sim.chunks import bursts, chunk_ends, feed_bursts, room_needed
from archsim.sim.edge import EdgeRun
from archsim.sim.interconnect import PORT, Interconnect, Route
from archsim.sim.ledger import Operation
from archsim.sim.rounds import OUTPUT, WHOLE, Round, Span, image_bits, part_bits
from archsim.sim.runtime import Feeder, Inlet, StageRun, Store, Use
from archsim.sim.station import Engine, Level, Station
from archsim.sim.timing import storage_ps
from archsim.sim.ways import Way, Ways
from archsim.workload.trace import INPUT

DOUBLE_BUFFER = 2


class Wiring:
    """Builds the streams of one round. `storage`: the stations of the global buffer and the off-chip memory.

    `ways`: what the ways over the interconnect cost; `net` books them.
    """

    def __init__(
        self,
        engine: Engine,
        here: Round,
        stages: Sequence[StageRun],
        storage: dict[str, Station],
        net: Interconnect,
        ways: Ways,
        *,
        grain: str,
        layer_by_layer: bool,
        one_pass_at_a_time: bool,
    ) -> None:
        self.engine = engine
        self.here = here
        self.chip = here.mapping.chip
        self.trace = here.mapping.trace
        self.stages = stages
        self.storage = storage
        self.grain = grain
        self.layer_by_layer = layer_by_layer
        self.maps_held = 1 if one_pass_at_a_time else DOUBLE_BUFFER
        self.net = net
        self.ways = ways
        self.edges: list[EdgeRun] = []
        self.feeders: list[Feeder] = []
        self.stores: list[Store] = []
        self.scores: list[EdgeRun] = []
        self._by_name = {run.placed.name: run for run in stages}
        self._held: list[EdgeRun] = []
        for run in stages:
            self._connect(run)
        self._check_held()
        for run in stages:
            for edge in [] if here.last else here.kept(run.placed):
                self._keep(run, edge)
        self._read_scores()

    def _connect(self, run: StageRun) -> None:
        stage = run.placed.stage
        needs = [c.needs for c in run.chunks]
        self._stream(run, stage.inputs, WHOLE, needs, [c.frees for c in run.chunks], run.inlets)
        for edge, reader in stage.residuals:
            made, sweep = stage.produced[reader], stage.sweep_of[reader]
            needs = [int(n) for n in made[chunk_ends(stage, self.grain, sweep) - 1] * edge.pixels // made[-1]]
            self._stream(run, edge, run.placed.span, needs, needs, run.sweeps[sweep].residuals)

    def _stream(
        self, run: StageRun, edge: Edge, span: Span, needs: list[int], frees: list[int], inlets: list[Inlet]
    ) -> None:
        """Connect what a layer reads of a stream's channels: a part that is stored, a part that is made now."""
        main = inlets is run.inlets
        stored = self.here.stored_bits(edge, span)
        if stored:
            sizes = feed_bursts(self.trace.shape_of(edge.node), self.grain)
            room = room_needed(needs, frees, max(sizes))
            fed = self._direct(run, edge, stored, max(room, run.window) if main else room, None)
            inlets.append(Inlet(fed, needs, frees))
            storage = "global_buffer" if edge.producer is None else self.here.storage
            self._feed(run.label, fed, sizes, storage)
        producer = self._by_name.get(edge.producer or "")
        bits = part_bits(edge.bits_per_pixel, producer.placed.span, span) if producer else 0
        if producer is None or not bits:
            return
        sent = self._bursts(producer.placed, edge.node)
        if self.layer_by_layer or not main or self._forks(edge):
            held = self._hold(run, edge, bits, producer.placed)
            fetch = self._fetch(run, held, needs)
            whole = [edge.pixels] * len(needs) if self.layer_by_layer and main else needs
            inlets.append(Inlet(held, whole, frees, fetch))
            self._send(producer, held, edge.node, sent)
        else:
            room = room_needed(needs, frees, max(sent))
            direct = self._direct(run, edge, bits, max(room, run.window), producer.placed)
            inlets.append(Inlet(direct, needs, frees))
            self._send(producer, direct, edge.node, sent)

    def _forks(self, edge: Edge) -> bool:
        """Return whether several streams leave the layer where this one starts."""
        return sum(e.producer == edge.producer for run in self.stages for e in run.placed.stage.edges) > 1

    def _direct(self, run: StageRun, edge: Edge, bits: int, capacity: int, source: Placed | None) -> EdgeRun:
        """Build a stream into the input buffers of a layer's tiles at work; without a source it comes from the port."""
        name = _name(edge, run, stored=source is None)
        route = self.net.route(PORT if source is None else source.tiles[0], run.placed.at_work)
        way = self.ways.between(source, run.placed)
        op = self._transfer(name, way, [("input_buffer", "write", way.tiles)])
        return self._edge(name, edge.pixels, bits, capacity, route, op)

    def _hold(self, run: StageRun, edge: Edge, bits: int, producer: Placed) -> EdgeRun:
        route = self.net.route(producer.tiles[0], [PORT])
        name = _name(edge, run)
        op = self._transfer(name, self.ways.between(producer, None), [("global_buffer", "write", 1.0)])
        held = self._edge(name, edge.pixels, bits, self.maps_held * edge.pixels, route, op)
        self._held.append(held)
        return held

    def _fetch(self, run: StageRun, held: EdgeRun, needs: Sequence[int]) -> list[Use | None]:
        """Return the reads of a held map by chunk: the port of the global buffer is busy until they have arrived."""
        route = self.net.route(PORT, run.placed.at_work)
        way = self.ways.between(None, run.placed)
        into = [("global_buffer", "read", 1.0), ("input_buffer", "write", way.tiles)]
        op = self._transfer(held.name, way, into, "fetch")
        uses: list[Use | None] = []
        seen = 0
        for need in needs:
            bits = (need - seen) * held.bits
            seen = max(seen, need)
            busy = max(storage_ps(self.chip, "global_buffer", bits), route.unloaded_ps(bits)) if bits > 0 else 0
            uses.append(Use(self.storage["global_buffer"], op, bits, busy) if bits > 0 else None)
        return uses

    def _feed(self, label: str, edge: EdgeRun, sizes: Sequence[int], storage: str) -> None:
        op = self.engine.operation("feed", edge.name, "bit", [(storage, "read", 1.0)])
        cursor = self.engine.cursor(f"feed {label}")
        self.feeders.append(Feeder(cursor, edge, self.storage[storage], op, self._accesses(edge, sizes, storage)))

    def _keep(self, run: StageRun, edge: Edge) -> None:
        """Keep a stream of a layer for a later round."""
        bits = part_bits(edge.bits_per_pixel, run.placed.span)
        if not bits:
            return
        storage = self.here.storage
        route = self.net.route(run.placed.tiles[0], [PORT])
        name = f"{run.label} ({edge.node}) -> {storage}"
        sent = self._bursts(run.placed, edge.node, edge.pixels)
        op = self._transfer(name, self.ways.between(run.placed, None), [(storage, "write", 1.0)])
        kept = self._edge(name, edge.pixels, bits, DOUBLE_BUFFER * max(sent), route, op)
        self._send(run, kept, edge.node, sent)
        self.stores.append(
            Store(
                cursor=self.engine.cursor(f"keep {run.label}"),
                edge=kept,
                station=self.storage[storage],
                op=op,
                bursts=[(n, ps) for n, _, ps in self._accesses(kept, [n for n in sent if n], storage)],
                passes=Level(self.engine, 1, "input"),
            )
        )

    def _read_scores(self) -> None:
        """Read back the scores that earlier rounds have made of a last layer that is cut."""
        edge = self.here.output_edge()
        stored = self.here.stored_bits(edge, WHOLE) if self.here.last and edge.producer else 0
        if stored:
            route = self.net.route(PORT, [PORT])
            storage = self.here.storage
            op = self.engine.operation("feed", OUTPUT, "bit", [(storage, "read", 1.0)])
            scores = self._edge(f"{storage} -> {OUTPUT}", 1, stored, 1, route, op)
            cursor = self.engine.cursor(f"feed {OUTPUT}")
            plan = [(n, 0, ps) for n, _, ps in self._accesses(scores, [1], storage)]  # the stream counts the bits
            self.feeders.append(Feeder(cursor, scores, self.storage[storage], op, plan))
            self.scores.append(scores)

    def _accesses(self, edge: EdgeRun, sizes: Sequence[int], storage: str) -> list[tuple[int, int, int]]:
        """Return pixels, bits and time of the accesses of a pass; the first one waits for a memory's latency."""
        return [
            (n, n * edge.bits, storage_ps(self.chip, storage, n * edge.bits, first=i == 0)) for i, n in enumerate(sizes)
        ]

    def _transfer(self, name: str, way: Way, ends: list[tuple[str, str, float]], what: str = "transfer") -> Operation:
        """Return the operation of moving a bit over a way, with what happens at its ends."""
        return self.engine.operation(
            what, name, "bit", [("wire", "transfer", way.pitches), ("router", "hop", way.routers), *ends]
        )

    def _bursts(self, placed: Placed, node: str, pixels: int | None = None) -> list[int]:
        """Return the pixels of a node that each chunk of its sweep completes; of `pixels` in all, if given."""
        stage = placed.stage
        made = stage.produced[node]
        scaled = made if pixels is None else made * pixels // int(made[-1])
        return bursts(scaled, chunk_ends(stage, self.grain, stage.sweep_of[node]))

    def _edge(self, name: str, pixels: int, bits: int, capacity: int, route: Route, op: Operation) -> EdgeRun:
        edge = EdgeRun(self.engine, name, pixels, bits, capacity, route, op)
        self.edges.append(edge)
        return edge

    def _send(self, run: StageRun, edge: EdgeRun, node: str, sent: Sequence[int]) -> None:
        sweep = run.sweeps[run.placed.stage.sweep_of[node]]
        for sends, pixels in zip(sweep.sends, sent, strict=True):
            if pixels:
                sends.append((edge, pixels))

    def _check_held(self) -> None:
        """Refuse held maps that do not fit the global buffer beside an image."""
        held = sum(e.capacity * e.bits for e in self._held)
        if self.layer_by_layer:
            held = max((self._alive(run) for run in self.stages), default=0)
        image = image_bits(self.here.mapping)
        capacity = self.chip.arch.global_buffer.capacity
        if self._held and held + image > capacity:
            why = "layer by layer" if self.layer_by_layer else "for residuals and layers with several readers"
            names = ", ".join(e.name for e in self._held)
            raise MappingError(
                f"{why}, {held} bits of maps ({names}) and an image of {image} bits are kept, the global buffer holds"
                f" {capacity} (global_buffer.capacity)"
            )

    def _alive(self, run: StageRun) -> int:
        """Return the bits of the held maps that exist while a layer works."""
        order = {r.placed.name: i for i, r in enumerate(self.stages)}
        at = order[run.placed.name]
        total = 0
        for reader in self.stages:
            for inlet in (*reader.inlets, *reader.residuals):
                makers = [i for i, r in enumerate(self.stages) if any(e is inlet.edge for e, _ in r.sends)]
                if makers and makers[0] <= at <= order[reader.placed.name]:
                    total += inlet.edge.capacity * inlet.edge.bits
        return total


def window(placed: Placed) -> int:
    """Return the pixels of its input that a layer's part of the input buffer holds."""
    return placed.buffer_bits // stored_bits(placed.stage)


def _name(edge: Edge, run: StageRun, stored: bool = False) -> str:
    """Return a name for a stream: from the layer it leaves (and the node, for a residual) to the one it enters."""
    node = "" if edge is run.placed.stage.inputs else f" ({edge.node})"
    kept = " (stored)" if stored and edge.producer else ""
    return f"{edge.producer or INPUT}{node}{kept} -> {run.label}"
