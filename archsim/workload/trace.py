"""A network as data: a graph of operations with their weights, free of torch and of hardware.

Tensors have the channel axis first: (C, H, W), (C, L) or (F,), without a batch axis.
Every edge carries one of three kinds of number, known from the operation that produces it:

* *binary*: -1 or +1 (from `Threshold` or `Sign`), or 0 where a `Dropout` has dropped it;
* *integer*: a grid of `bits` bits times a scale (from `Quantize`);
* *real*: everything else, computed in float32.

A `Linear` or `Conv` takes binary or integer inputs; that is what can be put on a crossbar.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from archsim.errors import TraceError
from archsim.workload.ops import (
    CROSSBAR_OPS,
    OPS,
    Activation,
    Add,
    Affine,
    AffineDropout,
    Conv,
    Draw,
    Dropout,
    Flatten,
    FloatArray,
    GaussianScale,
    IntArray,
    Linear,
    Noise,
    Normalise,
    Op,
    Pool,
    Quantize,
    ScaleDropout,
    Sign,
    Softmax,
    Stochastic,
    Threshold,
    Weighted,
    Weights,
)

__all__ = [
    "CROSSBAR_OPS", "INPUT", "OPS", "Activation", "Add", "Affine", "AffineDropout", "Conv", "Draw", "Dropout",
    "Flatten", "FloatArray", "GaussianScale", "IntArray", "Linear", "Node", "Noise", "Normalise", "Op", "Pool",
    "Quantize", "ScaleDropout", "Sign", "Softmax", "Stochastic", "Threshold", "Trace", "Weighted", "Weights", "check",
    "number_kind", "quantizer_of",
]  # fmt: skip

INPUT = "input"


@dataclass(frozen=True, eq=False)
class Node:
    """One operation of a network: its name (the torch module path), its inputs by name, its output shape."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    shape: tuple[int, ...]

    def draws(self) -> tuple[Draw, ...]:
        """Return the random numbers that one evaluation needs."""
        return self.op.draws(self.shape)


@dataclass(frozen=True, eq=False)
class Trace:
    """A network: nodes in execution order. The last node is the output (class scores before softmax).

    `meta` holds plain JSON data about where the trace comes from; it does not enter `content_hash`.
    """

    name: str
    input_shape: tuple[int, ...]
    nodes: tuple[Node, ...]
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self)

    def __getitem__(self, name: str) -> Node:
        """Return the node of that name."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    @property
    def output(self) -> Node:
        """The node whose value is the network's answer."""
        return self.nodes[-1]

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Return the output shape of a node, or of the network's input."""
        return self.input_shape if name == INPUT else self[name].shape

    def crossbar_nodes(self) -> Iterator[Node]:
        """Yield the nodes whose weights go on crossbars."""
        return (n for n in self.nodes if isinstance(n.op, CROSSBAR_OPS))

    def stochastic_nodes(self) -> Iterator[Node]:
        """Yield the nodes that draw random numbers: dropouts, layers with an arbiter, stochastic digital operations."""
        return (n for n in self.nodes if n.draws())

    def varying(self, noisy: Collection[str] = ()) -> frozenset[str]:
        """Return the names of the nodes whose value differs from pass to pass; `noisy`: with noise of their own."""
        out: set[str] = set()
        for node in self.nodes:
            if node.draws() or node.name in noisy or any(i in out for i in node.inputs):
                out.add(node.name)
        return frozenset(out)

    def consumers(self, name: str) -> tuple[Node, ...]:
        """Return the nodes that read a node's output (or the network's input)."""
        return tuple(n for n in self.nodes if name in n.inputs)

    def content_hash(self) -> str:
        """Return a hash of everything that affects an answer: shapes, graph, weights."""
        digest = hashlib.sha256(repr((self.name, self.input_shape)).encode())
        for node in self.nodes:
            digest.update(repr((node.name, node.op.kind, node.inputs, node.shape)).encode())
            for part in _leaves(node.op):
                digest.update(part)
        return digest.hexdigest()


def _leaves(value: Any) -> Iterator[bytes]:
    for f in fields(value):
        item = getattr(value, f.name)
        yield f.name.encode()
        if isinstance(item, np.ndarray):
            yield repr((item.dtype.str, item.shape)).encode() + np.ascontiguousarray(item).tobytes()
        elif isinstance(item, Weights):
            yield from _leaves(item)
        elif f.name == "alternatives":
            for copy in item:
                yield from _leaves(copy)
        else:
            yield repr(item).encode()


def check(trace: Trace) -> None:
    """Refuse a graph that no simulation could run, naming the node.

    Raises `TraceError` for an empty network, a name that repeats or is not defined, a value that is not finite,
    a layer whose input is neither binary nor integer, a dropout rate outside [0, 1).
    """
    if not any(isinstance(n.op, CROSSBAR_OPS) for n in trace.nodes):
        raise TraceError(f"network '{trace.name}' has no layer that can be placed on a crossbar")
    known = {INPUT}
    for node in trace.nodes:
        where = f"network '{trace.name}', node '{node.name}'"
        if node.name in known:
            raise TraceError(f"{where}: the name is used twice")
        missing = [i for i in node.inputs if i not in known]
        if missing or not node.inputs:
            raise TraceError(f"{where}: unknown input {missing}")
        if any(d < 1 for d in node.shape):
            raise TraceError(f"{where}: empty output, shape {node.shape}")
        known.add(node.name)
        _check_op(where, node.op)
        _check_draws(where, node)
        if isinstance(node.op, CROSSBAR_OPS) and number_kind(trace, node.inputs[0]) == "real":
            raise TraceError(
                f"{where}: its input is real-valued; a crossbar needs a binary or quantised input"
                " (put archsim.nn.Sign or archsim.nn.Quantize before it)"
            )


def _check_op(where: str, op: Op) -> None:
    for f in fields(op):
        item = getattr(op, f.name)
        scaled = [item] if isinstance(item, Weights) else item if f.name == "alternatives" else []
        arrays = [w.scale for w in scaled] or [item]
        for array in arrays:
            is_level = isinstance(op, Threshold) and f.name == "level"
            if isinstance(array, np.ndarray) and array.dtype.kind == "f":
                bad = np.isnan(array).any() if is_level else not np.isfinite(array).all()
                if bad:
                    raise TraceError(f"{where}: '{f.name}' holds NaN or infinite values")
    if isinstance(op, Dropout) and not (0 <= op.p < 1 and op.granularity in Dropout.GRANULARITIES):
        raise TraceError(f"{where}: dropout rate must be in [0, 1), granularity one of {Dropout.GRANULARITIES}")


def _check_draws(where: str, node: Node) -> None:
    """Refuse copies of a layer that differ, and random numbers that no module could draw."""
    if isinstance(node.op, Weighted):
        first = node.op.weights
        if any(w.values.shape != first.values.shape or w.bits != first.bits for w in node.op.copies):
            raise TraceError(f"{where}: all copies of its weights must have the same shape and bits")
    for draw in node.draws():
        if draw.kind not in ("bit", "gaussian", "index") or draw.count < 1 or not 0 <= draw.p <= 1:
            raise TraceError(f"{where}: cannot draw {draw}")
        if draw.kind == "index" and (draw.choices < 2 or draw.choices & (draw.choices - 1)):
            raise TraceError(
                f"{where}: an arbiter draws whole bits, so the number of copies must be a power of two, not"
                f" {draw.choices}"
            )


def number_kind(trace: Trace, name: str) -> str:
    """Return "binary", "integer" or "real": what kind of number an edge carries (see the module docstring)."""
    while name != INPUT:
        node = trace[name]
        if isinstance(node.op, Threshold | Sign):
            return "binary"
        if isinstance(node.op, Quantize):
            return "integer"
        passes_through = isinstance(node.op, Flatten | Dropout) or (
            isinstance(node.op, Pool) and node.op.function == "max"
        )
        if not passes_through:
            return "real"
        name = node.inputs[0]
    return "real"


def quantizer_of(trace: Trace, name: str) -> Quantize | None:
    """Return the `Quantize` whose grid an integer edge uses, or None for other edges."""
    while name != INPUT:
        node = trace[name]
        if isinstance(node.op, Quantize):
            return node.op
        if isinstance(node.op, Flatten | Dropout | Pool):
            name = node.inputs[0]
        else:
            return None
    return None
