"""From a graph of operations to stages: each layer on crossbars with the digital work that follows it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from archsim.errors import MappingError
from archsim.mapping.geometry import Counts, Window, pixels
from archsim.mapping.sweeps import Sweep, build_sweeps, produced, sweep_numbers
from archsim.mapping.values import value_bits
from archsim.workload.trace import (
    CROSSBAR_OPS,
    INPUT,
    Conv,
    Dropout,
    Flatten,
    Linear,
    Node,
    Trace,
    quantizer_of,
)


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
    `sweeps`: the digital work in order, `sweep_of`: where each node of the stage belongs. `produced`: for each of them,
    its pixels that are complete by position of its sweep.
    `residuals`: further edges into the stage's digital nodes, each with the digital node that reads it.
    """

    node: Node
    inputs: Edge
    dropout: Node | None
    digital: tuple[Node, ...]
    residuals: tuple[tuple[Edge, str], ...]
    needs: Counts
    frees: Counts
    sweeps: tuple[Sweep, ...]
    sweep_of: dict[str, int]
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
    def drawing(self) -> tuple[Node, ...]:
        """The digital nodes that draw random numbers."""
        return tuple(n for n in self.digital if n.draws())

    @property
    def stochastic(self) -> tuple[Node, ...]:
        """All that draws for the stage: the dropout of its inputs, the arbiter of its copies, its digital nodes."""
        gate = (self.dropout,) if self.dropout is not None else ()
        arbiter = (self.node,) if self.node.draws() else ()
        return (*gate, *arbiter, *self.drawing)


@dataclass(frozen=True, eq=False)
class StageGraph:
    """A network as stages in execution order, with the digital nodes that precede the first of them."""

    stages: tuple[Stage, ...]
    preprocessing: tuple[Node, ...]

    def edges_from(self, name: str | None) -> tuple[Edge, ...]:
        """Return the edges that leave a stage (None: the network's input)."""
        return tuple(e for s in self.stages for e in s.edges if e.producer == name)


def build_stages(trace: Trace) -> StageGraph:
    """Cut a network into stages.

    Raises `MappingError` for a dropout that does not stand directly before a layer on crossbars, and for any other
    operation that draws random numbers before the first of them.
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
    for node in digital[None]:
        if node.draws():
            raise MappingError(
                f"'{node.name}' draws random numbers before the first layer on crossbars, but an image is prepared once"
                " for all passes; move it behind that layer"
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
    numbers = sweep_numbers(trace, node, mine)
    sweeps = build_sweeps(trace, node, digital, numbers)
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
        sweeps=sweeps,
        sweep_of=numbers,
        produced=produced(trace, node, sweeps, numbers),
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
