"""The trace under construction: nodes in order, what each torch node became, and the report of what went where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx, nn

from archsim.errors import TraceError
from archsim.workload.trace import INPUT, Dropout, Flatten, Node, Op, Pool, Quantize, Sign, Threshold
from archsim.workload.tracer.capture import Captured

PLACEMENTS = ("crossbar", "digital", "stochastic", "folded", "inactive")


@dataclass(frozen=True)
class Quantization:
    """How layers of a plain torch model become multi-bit ones: bits of a weight, and of a layer's input.

    Scales of inputs come from calibration data, chosen for the least squared error.
    """

    weight_bits: int = 4
    input_bits: int = 4

    def __post_init__(self) -> None:
        for name in ("weight_bits", "input_bits"):
            if not 1 <= getattr(self, name) <= 8:
                raise TraceError(f"quantization: {name} must be between 1 and 8, got {getattr(self, name)}")


@dataclass(frozen=True)
class Site:
    """One call in the torch graph: where it is, for messages; its parameters by torch's names; its first input."""

    node: fx.Node
    name: str
    label: str
    params: dict[str, Any]
    module: nn.Module | None
    input: str
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]

    def refuse(self, why: str) -> TraceError:
        """Return the error that says why this call cannot be traced."""
        return TraceError(f"{self.label}: {why}")


class Builder:
    """Collects trace nodes. An *edge* is the name of a trace node, or of the network's input."""

    def __init__(self, captured: Captured, quantization: Quantization | None) -> None:
        self.captured, self.quantization = captured, quantization
        self.nodes: list[Node] = []
        self.edges: dict[fx.Node, str] = {}
        self.sources: dict[str, fx.Node] = {}
        self.to_calibrate: dict[str, fx.Node] = {}
        self.folded: dict[str, str] = {}
        self.report: dict[str, tuple[str, str]] = {}

    @property
    def device(self) -> torch.device:
        """Where the model's parameters are."""
        first = next(self.captured.model.parameters(), None)
        return torch.device("cpu") if first is None else first.device

    def find(self, edge: str) -> Node | None:
        """Return the node behind an edge, or None for the network's input."""
        return next((n for n in self.nodes if n.name == edge), None)

    def add(
        self, site: Site, op: Op, *, inputs: tuple[str, ...] = (), placement: str = "digital", detail: str = ""
    ) -> str:
        """Append the operation that a call became and return its edge."""
        self.nodes.append(Node(site.name, op, inputs or (site.input,), site.out_shape))
        self.note(site, placement, detail or op.kind)
        return site.name

    def add_before(self, site: Site, name: str, op: Op, shape: tuple[int, ...]) -> None:
        """Append an operation on the input of a call, ahead of the one that carries the call's name."""
        self.nodes.append(Node(name, op, (site.input,), shape))
        self.report[name] = ("digital", op.kind)

    def refuse(self, name: str, why: str) -> TraceError:
        """Return the error that says why a module cannot be traced."""
        return TraceError(f"module '{name}': {why}")

    def note(self, site: Site, placement: str, detail: str) -> None:
        """Record in the report where a call went."""
        self.report[site.name] = (placement, detail)

    def shape(self, edge: str) -> tuple[int, ...]:
        """Return the shape that an edge carries."""
        node = self.find(edge)
        return self.captured.shapes[self.sources[INPUT]] if node is None else node.shape

    def _origin(self, edge: str) -> tuple[str, Node | None]:
        """Follow an edge up through operations that keep the kind of number; return the edge above them and the
        uppermost of them (None if there is none)."""
        top = None
        while (node := self.find(edge)) is not None:
            max_pool = isinstance(node.op, Pool) and node.op.function == "max"
            if not (isinstance(node.op, Flatten | Dropout) or max_pool):
                break
            top, edge = node, node.inputs[0]
        return edge, top

    def quantised(self, site: Site) -> str:
        """Return an edge with a layer's input as binary or integer numbers, inserting a `Quantize` where it is real.

        It goes above pooling, flattening and dropout, so that these act on the integers that the crossbar is fed.
        """
        edge, top = self._origin(site.input)
        producer = self.find(edge)
        if self.quantization is None or (producer and isinstance(producer.op, Threshold | Sign | Quantize)):
            return site.input
        name = f"{edge}.quantize"
        if self.find(name) is None:
            place = 0 if producer is None else self.nodes.index(producer) + 1
            pending = Quantize(self.quantization.input_bits, signed=False, scale=1.0)
            self.nodes.insert(place, Node(name, pending, (edge,), self.shape(edge)))
            self.to_calibrate[name] = self.sources[edge]
            self.report[name] = ("digital", f"{self.quantization.input_bits}-bit quantize, inserted")
        if top is None:
            return name
        self.nodes[self.nodes.index(top)] = replace(top, inputs=(name,))
        return site.input

    def set_op(self, name: str, op: Op) -> None:
        """Replace the operation of a node."""
        node = self.find(name)
        assert node is not None
        self.nodes[self.nodes.index(node)] = replace(node, op=op)

    def live_nodes(self, output: str) -> tuple[Node, ...]:
        """Return the nodes that the output needs, in order, noting the others as folded or inactive."""
        wanted = {output}
        for node in reversed(self.nodes):
            if node.name in wanted:
                wanted.update(node.inputs)
        for node in self.nodes:
            if node.name not in wanted:
                into = self.folded.get(node.name)
                detail = f"into the threshold '{into}'" if into else "its value is not used"
                self.report[node.name] = ("folded" if into else "inactive", detail)
        return tuple(n for n in self.nodes if n.name in wanted)
