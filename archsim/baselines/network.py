"""A network as a processor runs it: kernels of fused operations, with their work and their traffic."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from math import prod

from archsim.workload.trace import Conv, Flatten, Node, Normalise, Pool, Softmax, Trace, Weighted

AVERAGE = "average"
NORMALISING = 4  # operations a value: sum, sum of squares, subtract, multiply


@dataclass(frozen=True)
class Kernel:
    """One launch on a processor: a layer with all that is fused into it. Counts are for one image and one pass.

    `operations`: arithmetic ones, a multiply-accumulate counts two. `weights`: parameters, read once a call however
    many images and passes it has; there are `copies` sets of them, of which each pass chooses one. `inputs`,
    `outputs`: values read and written. `repeated`: whether its work differs from pass to pass; `spreads`: whether its
    outputs do, as a dropout may follow a layer that does the same work for all passes.
    """

    name: str
    operations: int
    weights: int
    inputs: int
    outputs: int
    repeated: bool
    spreads: bool
    copies: int = 1


def kernels(trace: Trace) -> tuple[Kernel, ...]:
    """Return the launches of one forward, in order, and at the end the one that averages the passes.

    As an inference engine fuses them: whatever works on single values (affine, threshold, activation, dropout with its
    random numbers drawn in place, the sum with another branch) joins the last kernel that makes an input of it.
    Layers with weights, poolings, normalisations and a softmax are kernels of their own; reshaping is none, and what is
    done to single values of the image joins whoever reads it.
    """
    varying = trace.varying()
    launches: list[Kernel] = []
    made_by: dict[str, int] = {}  # node: index of the kernel that makes its value
    for node in trace.nodes:
        producers = [made_by[name] for name in node.inputs if name in made_by]
        if isinstance(node.op, Weighted | Pool | Normalise | Softmax):
            made_by[node.name] = len(launches)
            launches.append(_kernel(trace, node, varying))
        elif producers:
            made_by[node.name] = last = max(producers)
            if not isinstance(node.op, Flatten):
                launches[last] = _with(launches[last], trace, node, varying)
    scores = prod(trace.output.shape)
    return (*launches, Kernel(AVERAGE, 2 * scores, 0, scores, scores, repeated=True, spreads=False))


def signature(trace: Trace) -> str:
    """Return a hash of what a network costs by: the graph with all its shapes, not the values of its weights."""
    digest = hashlib.sha256(repr(trace.input_shape).encode())
    for node in trace.nodes:
        weights = [w.values.shape for w in node.op.copies] if isinstance(node.op, Weighted) else []
        digest.update(repr((node.name, node.op.kind, node.inputs, node.shape, weights)).encode())
    return digest.hexdigest()[:16]


def macs(trace: Trace) -> int:
    """Return the multiply-accumulates of one pass of one image."""
    return sum(_macs(node) for node in trace.crossbar_nodes())


def _kernel(trace: Trace, node: Node, varying: Collection[str]) -> Kernel:
    inputs, outputs = sum(prod(trace.shape_of(name)) for name in node.inputs), prod(node.shape)
    spreads = node.name in varying
    if isinstance(node.op, Weighted):
        sizes = {"operations": 2 * _macs(node), "weights": node.op.weights.values.size, "copies": len(node.op.copies)}
    else:
        sizes = {"operations": NORMALISING * inputs if isinstance(node.op, Normalise) else inputs, "weights": 0}
    return Kernel(node.name, inputs=inputs, outputs=outputs, repeated=spreads, spreads=spreads, **sizes)


def _with(kernel: Kernel, trace: Trace, node: Node, varying: Collection[str]) -> Kernel:
    """Return a kernel that also does the work of a node; what others still read of its inputs is written as well."""
    source, *others = node.inputs
    kept = prod(trace.shape_of(source)) if len(trace.consumers(source)) > 1 else 0
    return replace(
        kernel,
        operations=kernel.operations + prod(node.shape),
        inputs=kernel.inputs + sum(prod(trace.shape_of(name)) for name in others),
        outputs=prod(node.shape) + kept,
        spreads=kernel.spreads or node.name in varying,
    )


def _macs(node: Node) -> int:
    """Return positions times weights of a layer."""
    assert isinstance(node.op, Weighted)
    positions = prod(node.shape[1:]) if isinstance(node.op, Conv) else 1
    return positions * int(node.op.weights.values.size)
