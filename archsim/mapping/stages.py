"""From a graph of operations to stages: each layer on crossbars with the digital work that follows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

import numpy as np

from archsim.errors import MappingError
from archsim.mapping.geometry import Counts, Window, completed, pixels
from archsim.workload.trace import (
    CROSSBAR_OPS,
    INPUT,
    Conv,
    Dropout,
    Flatten,
    Linear,
    Node,
    Pool,
    Quantize,
    Sign,
    Threshold,
    Trace,
    quantizer_of,
)

REAL_BITS = 16  # a real value between digital units travels as a 16-bit fixed-point number


@dataclass(frozen=True, eq=False)
class Edge:
    """A stream of pixels from one stage (None = the network's input) to another.

    `node`: whose value is sent. `pixels`: pixels a pass. `bits_per_pixel`: channels x bits of a value.
    """

    producer: str | None
    consumer: str
    node: str
    pixels: int
    bits_per_pixel: int


@dataclass(frozen=True, eq=False)
class Stage:
    """One layer on crossbars, its random bits, and the digital nodes that run on its results.

    `needs`, `frees`: pixels of the main input, by output position (see `geometry`).
    `produced`: for each digital node of the stage (and its own output), pixels complete by output position.
    `residuals`: further edges into the stage's digital nodes, each with the digital node that reads it.
    """

    node: Node
    inputs: Edge
    dropout: Node | None
    digital: tuple[Node, ...]
    residuals: tuple[tuple[Edge, str], ...]
    needs: Counts
    frees: Counts
    produced: dict[str, Counts]
    input_shape: tuple[int, ...]
    input_bits: int

    @property
    def name(self) -> str:
        """The name of the layer."""
        return self.node.name

    @property
    def edges(self) -> tuple[Edge, ...]:
        """All streams into the stage: the layer's input, then the residuals."""
        return (self.inputs, *(edge for edge, _ in self.residuals))

    @property
    def positions(self) -> int:
        """Output positions a pass: how many vectors the crossbars multiply."""
        return pixels(self.node.shape)

    @property
    def row_positions(self) -> int:
        """Output positions in one row of the output map; for a 1-D map, in a block of at most 16."""
        shape = self.node.shape
        return shape[2] if len(shape) == 3 else min(16, self.positions)


@dataclass(frozen=True, eq=False)
class StageGraph:
    """A network as stages in execution order, with the digital nodes that precede the first of them."""

    stages: tuple[Stage, ...]
    preprocessing: tuple[Node, ...]

    def edges_from(self, name: str | None) -> tuple[Edge, ...]:
        """Return the edges that leave a stage (None: the network's input)."""
        return tuple(e for s in self.stages for e in s.edges if e.producer == name)


def value_bits(trace: Trace, name: str) -> int:
    """Return how many bits a value of an edge takes on the chip."""
    if name != INPUT:
        op = trace[name].op
        if isinstance(op, Threshold | Sign):
            return 1
        if isinstance(op, Quantize):
            return op.bits
        if isinstance(op, Flatten | Dropout) or (isinstance(op, Pool) and op.function == "max"):
            return value_bits(trace, trace[name].inputs[0])
    return REAL_BITS


def build_stages(trace: Trace) -> StageGraph:
    """Cut a network into stages.

    Raises `MappingError` for a dropout that does not stand directly before a layer on crossbars.
    """
    gates = {n.name: _gate(trace, n) for n in trace.crossbar_nodes()}
    gating = {g.name for g in gates.values() if g is not None}
    owner: dict[str, str | None] = {INPUT: None}
    order = [n.name for n in trace.crossbar_nodes()]
    for node in trace.nodes:
        if isinstance(node.op, CROSSBAR_OPS):
            owner[node.name] = node.name
        else:
            owners = [owner[i] for i in node.inputs]
            owner[node.name] = max(owners, key=lambda o: -1 if o is None else order.index(o))
    digital = {
        name: tuple(
            n
            for n in trace.nodes
            if owner[n.name] == name and not isinstance(n.op, (*CROSSBAR_OPS, Flatten)) and n.name not in gating
        )
        for name in [None, *order]
    }
    for node in trace.nodes:
        if isinstance(node.op, Dropout) and node.name not in gating:
            raise MappingError(
                f"dropout '{node.name}' does not stand directly before one layer on crossbars, so no word lines can"
                " be held off for it; move it there (after pooling and quantisation)"
            )
    stages = tuple(_stage(trace, trace[name], gates[name], digital[name], owner) for name in order)
    return StageGraph(stages, digital[None])


def _gate(trace: Trace, node: Node) -> Node | None:
    """Return the dropout that gates a layer's word lines: the one before it with only reshapes in between."""
    name = node.inputs[0]
    while name != INPUT and len(trace.consumers(name)) == 1:
        previous = trace[name]
        if isinstance(previous.op, Dropout):
            return previous
        if not isinstance(previous.op, Flatten):
            return None
        name = previous.inputs[0]
    return None


def _strip(trace: Trace, name: str, gate: Node | None) -> str:
    """Return the node whose value travels: reshapes and the word-line dropout happen at the consumer."""
    while name != INPUT:
        node = trace[name]
        if not (isinstance(node.op, Flatten) or node is gate):
            return name
        name = node.inputs[0]
    return name


def _edge(trace: Trace, owner: dict[str, str | None], name: str, consumer: str, gate: Node | None = None) -> Edge:
    sent = _strip(trace, name, gate)
    shape = trace.shape_of(sent)
    count = pixels(shape)
    return Edge(owner[sent], consumer, sent, count, prod(shape) // count * value_bits(trace, sent))


def _stage(
    trace: Trace, node: Node, gate: Node | None, digital: tuple[Node, ...], owner: dict[str, str | None]
) -> Stage:
    main = _edge(trace, owner, node.inputs[0], node.name, gate)
    needs, frees = _window_counts(trace, node, main)
    mine = {node.name, *(n.name for n in trace.nodes if owner[n.name] == node.name)}
    residuals = tuple(
        (_edge(trace, owner, i, node.name), n.name) for n in digital for i in dict.fromkeys(n.inputs) if i not in mine
    )
    quantizer = quantizer_of(trace, node.inputs[0])
    return Stage(
        node=node,
        inputs=main,
        dropout=gate,
        digital=digital,
        residuals=residuals,
        needs=needs,
        frees=frees,
        produced=_produced(trace, node, mine),
        input_shape=trace.shape_of(node.inputs[0]),
        input_bits=quantizer.bits if quantizer else 1,
    )


def _window_counts(trace: Trace, node: Node, main: Edge) -> tuple[Counts, Counts]:
    if isinstance(node.op, Linear):
        count = np.array([main.pixels], dtype=np.int64)
        return count, count
    assert isinstance(node.op, Conv)
    kernel = node.op.weights.values.shape[2:]
    shape = trace.shape_of(node.inputs[0])
    window = Window.of(shape, node.shape, kernel, node.op.stride, node.op.padding, node.op.dilation)
    return window.needs(), window.frees()


def _produced(trace: Trace, node: Node, mine: Iterable[str]) -> dict[str, Counts]:
    produced = {node.name: np.arange(1, pixels(node.shape) + 1, dtype=np.int64)}
    members = set(mine)
    for n in trace.nodes:
        if n.name not in members or n.name == node.name:
            continue
        counts = np.minimum.reduce([produced[i] for i in n.inputs if i in produced])
        if isinstance(n.op, Pool):
            source = trace.shape_of(n.inputs[0])
            window = Window.of(source, n.shape, n.op.kernel, n.op.stride, n.op.padding)
            counts = completed(window.needs(), counts)
        elif isinstance(n.op, Flatten):
            counts = (counts == pixels(trace.shape_of(n.inputs[0]))).astype(np.int64)
        produced[n.name] = counts
    return produced
