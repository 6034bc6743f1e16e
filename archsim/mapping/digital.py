"""What a digital operation asks of the units of a tile, and whether they are there."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from archsim.errors import MappingError, nearest
from archsim.hardware.chip import Chip
from archsim.hardware.parts.logic import APPLIED
from archsim.workload.trace import (
    Activation,
    Add,
    Affine,
    Node,
    Normalise,
    Pool,
    Quantize,
    Sign,
    Softmax,
    Stochastic,
    Threshold,
)

APPLY = {
    Threshold: "threshold",
    Sign: "threshold",
    Affine: "affine",
    Activation: "activation",
    Quantize: "quantizer",
}
ACCUMULATE = "statistics.accumulate"
FINISH = "statistics.finish"


def node_actions(node: Node) -> Mapping[str, float]:
    """Return how often a digital node uses each unit in a pass, as {"component.action": count}.

    Raises `MappingError` for an operation that no unit does.
    """
    op, elements = node.op, prod(node.shape)
    match op:
        case Stochastic():
            return op.work(node.shape)
        case Normalise():
            return {ACCUMULATE: elements, FINISH: statistics(node), "affine.apply": elements}
        case Pool():
            pairs = elements * (prod(op.kernel) - 1)
            return {"pool.compare": pairs} if op.function == "max" else {"pool.add": pairs, "affine.apply": elements}
        case Add():
            return {"adder.add": elements * (len(node.inputs) - 1)}
        case Softmax():
            return {"softmax.apply": elements, "softmax.reciprocal": 1}
    if type(op) not in APPLY:
        raise MappingError(
            f"'{node.name}': no digital unit does the operation '{op.kind}'; one of your own is a subclass of"
            " archsim.workload.ops.Stochastic"
        )
    return {f"{APPLY[type(op)]}.apply": elements}


def statistics(node: Node) -> int:
    """Return how many means (and variances) a normalisation takes: one, or one for each channel."""
    return node.shape[0] if isinstance(node.op, Normalise) and node.op.over == "channel" else 1


def check_digital(node: Node, chip: Chip) -> None:
    """Refuse a digital operation whose units the chip does not have, naming the node and what would help.

    Raises `MappingError`; also for counts of an operation of one's own that are no counts.
    """
    if isinstance(node.op, Normalise) and chip.arch.digital.statistics is None:
        raise MappingError(
            f"'{node.name}' is normalised with statistics measured at run time, but chip '{chip.arch.name}' has no unit"
            " for them (digital.statistics: {})"
        )
    units = {unit: actions for unit, actions in APPLIED.items() if unit in chip.components}
    known = [f"{unit}.{action}" for unit, actions in units.items() for action in sorted(actions)]
    for name, count in node_actions(node).items():
        if name not in known:
            raise MappingError(
                f"'{node.name}': the operation '{node.op.kind}' works with '{name}', which is no digital unit of chip"
                f" '{chip.arch.name}'{nearest(name, known)}"
            )
        if not 0 <= count < float("inf"):
            raise MappingError(f"'{node.name}': the operation '{node.op.kind}' uses '{name}' {count} times")
