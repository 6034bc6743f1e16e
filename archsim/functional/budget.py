"""How many images and passes are computed at once, so that the values in flight fit a memory budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archsim.functional.noise import Chances, chances_of, noise_bytes
from archsim.functional.values import layout
from archsim.kernels.constants import COLUMN_BLOCK
from archsim.workload.trace import Node, Normalise, Stochastic, Trace, Weighted


def with_last_uses(nodes: Sequence[Node]) -> Iterator[tuple[Node, set[str]]]:
    """Yield each node with the names that no later one of these nodes reads."""
    for i, node in enumerate(nodes):
        later = {name for n in nodes[i + 1 :] for name in n.inputs}
        yield node, set(node.inputs) - later


def chunk_sizes(
    trace: Trace, steady: Sequence[Node], varying: Sequence[Node], chances: Chances, passes: int, max_bytes: int
) -> tuple[int, int]:
    """Return how many images and passes to compute at once, by estimate.

    `steady`, `varying`: the nodes that are computed once for each image, and once for each image and pass.
    """
    per_image = max(_peak_bytes(trace, steady, chances), 1)
    per_sample = max(_peak_bytes(trace, varying, chances), 1)
    at_once = max(1, min(passes, max_bytes // per_sample))
    return max(1, max_bytes // (per_image + per_sample * at_once)), at_once


def _peak_bytes(trace: Trace, nodes: Sequence[Node], chances: Chances) -> int:
    """Estimate the bytes that one sample needs at the worst moment: live values, and what making a new one takes."""
    live: dict[str, int] = {}
    peak = 0
    for node, dead in with_last_uses(nodes):
        for name in node.inputs:
            live.setdefault(name, _bytes_of(trace.shape_of(name)))
        live[node.name] = _bytes_of(node.shape)
        peak = max(peak, sum(live.values()) + _working_bytes(trace, node, chances))
        for name in dead:
            live.pop(name, None)
    return peak


def _working_bytes(trace: Trace, node: Node, chances: Chances) -> int:
    """Estimate what computing one sample of a node takes beside its inputs and its output."""
    own = _bytes_of(node.shape)
    noise = noise_bytes(node, chances_of(node, chances))
    if isinstance(node.op, Stochastic | Normalise):
        return 3 * own + noise
    if isinstance(node.op, Weighted) and noise:  # an arbiter parts the samples by copy
        return 2 * own + _bytes_of(trace.shape_of(node.inputs[0])) + noise
    return own + noise


def _bytes_of(shape: tuple[int, ...]) -> int:
    height, width, channels = layout(shape)
    return 4 * height * width * -(-channels // COLUMN_BLOCK) * COLUMN_BLOCK
