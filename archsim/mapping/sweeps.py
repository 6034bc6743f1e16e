"""Sweeps: in which order the digital units of a stage go over its maps, and what is ready when.

Most digital work is done on the layer's results as they come. A normalisation whose statistics are measured at run time
is a barrier: none of its outputs is ready before all its inputs are there. What follows it is another sweep, over a map
that has waited in the output buffers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from archsim.mapping.geometry import Counts, Window, completed, pixels
from archsim.mapping.values import value_bits
from archsim.workload.trace import Flatten, Node, Normalise, Pool, Trace


@dataclass(frozen=True, eq=False)
class Sweep:
    """A run of a stage's digital units over a map, position after position, once a pass.

    `shape`: of the map; the layer's output for the first sweep, what is normalised for the others. `nodes`: the digital
    operations. `held_bits`: of the maps that wait when it starts; `read_bits`: of those that it reads itself;
    `written_bits`: of the maps that it makes for later sweeps.
    """

    shape: tuple[int, ...]
    nodes: tuple[Node, ...]
    held_bits: int
    read_bits: int
    written_bits: int

    @property
    def positions(self) -> int:
        """Positions of the map."""
        return pixels(self.shape)

    @property
    def row_positions(self) -> int:
        """Positions in one row of the map; for a 1-D map, in a block of at most 16."""
        return self.shape[2] if len(self.shape) == 3 else min(16, self.positions)

    @property
    def barriers(self) -> tuple[Node, ...]:
        """The normalisations that start the sweep; none start the first."""
        return tuple(n for n in self.nodes if isinstance(n.op, Normalise))


def sweep_numbers(trace: Trace, layer: Node, members: Collection[str]) -> dict[str, int]:
    """Return in which sweep of a stage each of its nodes is computed, counted from 0."""
    numbers = {layer.name: 0}
    for node in trace.nodes:
        if node.name in members and node.name != layer.name:
            before = max(numbers[i] for i in node.inputs if i in numbers)
            numbers[node.name] = before + isinstance(node.op, Normalise)
    return numbers


def build_sweeps(trace: Trace, layer: Node, digital: Collection[Node], numbers: Mapping[str, int]) -> tuple[Sweep, ...]:
    """Return the sweeps of a stage."""
    members = [n for n in trace.nodes if n.name in numbers]
    waits = [(i, numbers[i], numbers[n.name]) for n in members for i in n.inputs if i in numbers]
    sweeps = []
    for at in range(max(numbers.values()) + 1):
        nodes = tuple(n for n in digital if numbers[n.name] == at)
        starts = [n for n in nodes if isinstance(n.op, Normalise)] if at else [layer]
        sweeps.append(
            Sweep(
                shape=max((n.shape for n in starts), key=pixels),
                nodes=nodes,
                held_bits=_bits(trace, {name for name, made, read in waits if made < at <= read}),
                read_bits=_bits(trace, {name for name, made, read in waits if made < at == read}),
                written_bits=_bits(trace, {name for name, made, read in waits if made == at < read}),
            )
        )
    return tuple(sweeps)


def _bits(trace: Trace, names: Collection[str]) -> int:
    return sum(prod(trace[name].shape) * value_bits(trace, name) for name in names)


def produced(trace: Trace, layer: Node, sweeps: tuple[Sweep, ...], numbers: Mapping[str, int]) -> dict[str, Counts]:
    """Return, for each node of a stage, its pixels that are complete by position of its sweep."""
    made = {layer.name: np.arange(1, pixels(layer.shape) + 1, dtype=np.int64)}
    for node in trace.nodes:
        if node.name not in numbers or node.name == layer.name:
            continue
        number = numbers[node.name]
        if isinstance(node.op, Normalise):
            positions = sweeps[number].positions
            made[node.name] = np.arange(1, positions + 1, dtype=np.int64) * pixels(node.shape) // positions
            continue
        counts = np.minimum.reduce([made[i] for i in node.inputs if numbers.get(i) == number])
        if isinstance(node.op, Pool):
            source = trace.shape_of(node.inputs[0])
            window = Window.of(source, node.shape, node.op.kernel, node.op.stride, node.op.padding)
            counts = completed(window.needs(), counts)
        elif isinstance(node.op, Flatten):
            counts = (counts == pixels(trace.shape_of(node.inputs[0]))).astype(np.int64)
        made[node.name] = counts
    return made
