"""How busy a layer's arrays are: the counts that energy depends on, measured by the functional pass or expected."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.mapping.stages import Stage
from archsim.mapping.values import REAL_BITS
from archsim.workload.trace import Conv, Dropout, Node


@dataclass(frozen=True)
class Activity:
    """Averages over images and passes, for one convolution group of a layer.

    `driven_rows`: rows (word-line pairs) driven for one output position, summed over the input's bit planes.
    `dropped_rows`: rows held off by dropout for one output position, summed likewise.
    `measured`: from the functional pass; otherwise expected from rates.
    """

    driven_rows: float
    dropped_rows: float
    measured: bool


def bits_per_pass(node: Node, gaussian_bits: int = 1) -> int:
    """Return how many random bits a node draws in a pass; a Gaussian is the sum of `gaussian_bits`."""
    each = {"gaussian": gaussian_bits}
    return sum(d.count * each.get(d.kind, d.bits_each) for d in node.draws())


def gaussians_per_pass(node: Node) -> int:
    """Return how many Gaussians a node draws in a pass."""
    return sum(d.count for d in node.draws() if d.kind == "gaussian")


def kept_bits(node: Node) -> int:
    """Return what the numbers that a node draws in a pass take in registers: a Gaussian is a real value there."""
    return bits_per_pass(node, REAL_BITS)


def expected_activity(stage: Stage, rows: int) -> Activity:
    """Return what to expect of a layer with `rows` inputs: padding and dropped inputs off, half of all bits set."""
    drop = stage.dropout.op.p if stage.dropout and isinstance(stage.dropout.op, Dropout) else 0.0
    inside = rows * _coverage(stage)
    planes = 1.0 if stage.input_bits == 1 else stage.input_bits / 2
    return Activity(inside * (1 - drop) * planes, inside * drop * planes, measured=False)


def _coverage(stage: Stage) -> float:
    """Return which part of all windows lies inside the input."""
    op = stage.node.op
    if not isinstance(op, Conv) or not any(op.padding):
        return 1.0
    covered = 1.0
    kernel = op.weights.values.shape[2:]
    for axis, k in enumerate(kernel):
        out = stage.node.shape[1 + axis]
        length = stage.input_shape[1 + axis]
        starts = [o * op.stride[axis] - op.padding[axis] for o in range(out)]
        inside = sum(0 <= s + i * op.dilation[axis] < length for s in starts for i in range(k))
        covered *= inside / (out * k)
    return covered
