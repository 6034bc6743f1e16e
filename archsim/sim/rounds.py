"""One filling of a chip that is reprogrammed while it runs: what it keeps for later rounds, and reads from earlier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from archsim.errors import MappingError
from archsim.mapping.activity import kept_bits
from archsim.mapping.plan import Mapping, Placed
from archsim.mapping.stages import Edge
from archsim.mapping.values import REAL_BITS

OUTPUT = "output"
Span = tuple[Fraction, Fraction]
WHOLE: Span = (Fraction(0), Fraction(1))


def part_bits(bits: int, span: Span, within: Span = WHOLE) -> int:
    """Return the bits of a pixel that fall on a part of its channels; parts add up to the whole."""
    low, high = max(span[0], within[0]), min(span[1], within[1])
    return int(bits * high) - int(bits * low) if high > low else 0


@dataclass(frozen=True, eq=False)
class Round:
    """A round of a mapping. `storage`: the component that keeps maps between rounds."""

    mapping: Mapping
    index: int
    storage: str

    @property
    def placed(self) -> tuple[Placed, ...]:
        """What is on the chip."""
        return self.mapping.rounds[self.index]

    @property
    def first(self) -> bool:
        """Whether images are loaded in this round."""
        return self.index == 0

    @property
    def last(self) -> bool:
        """Whether passes are averaged in this round."""
        return self.index == len(self.mapping.rounds) - 1

    def producer(self, edge: Edge) -> Placed | None:
        """Return where a stream starts, if that is on the chip now."""
        return next((p for p in self.placed if p.name == edge.producer), None)

    def stored_bits(self, edge: Edge, span: Span) -> int:
        """Return the bits of a pixel that this round reads from memory, of a part of a stream's channels."""
        if edge.producer is None:
            return part_bits(edge.bits_per_pixel, span)
        earlier = [p for r in self.mapping.rounds[: self.index] for p in r if p.name == edge.producer]
        return sum(part_bits(edge.bits_per_pixel, p.span, span) for p in earlier)

    def kept(self, placed: Placed) -> Iterator[Edge]:
        """Yield the streams of a layer that a later round reads, each node once."""
        return kept_after(self.mapping, placed, self.index)

    def output_edge(self) -> Edge:
        """Return the scores as a stream of one pixel."""
        return output_edge(self.mapping)


def output_edge(mapping: Mapping) -> Edge:
    """Return the scores of a network as a stream of one pixel."""
    output = mapping.trace.output
    owner = next((s.name for s in mapping.graph.stages if output.name in s.produced), None)
    return Edge(owner, OUTPUT, output.name, 1, prod(output.shape) * REAL_BITS)


def kept_after(mapping: Mapping, placed: Placed, index: int) -> Iterator[Edge]:
    """Yield the streams of a layer that are still read after a round, each node once."""
    later = {p.name: p for r in mapping.rounds[index + 1 :] for p in r}
    edges = [e for p in later.values() for e in p.stage.edges if e.producer == placed.name]
    scores = output_edge(mapping)
    if scores.producer == placed.name and later:
        edges.append(scores)
    yield from {e.node: e for e in edges}.values()


def rounds_of(mapping: Mapping, passes: int) -> list[Round]:
    """Return the rounds of a mapping, each knowing where maps wait in between.

    The maps of all passes stay in the global buffer if they fit beside the image, else in the off-chip memory. Raises
    `MappingError` if they do not fit and there is none.
    """
    storage = "global_buffer"
    peak = passes * peak_bits(mapping)
    capacity = mapping.chip.arch.global_buffer.capacity - image_bits(mapping)
    if peak > max(capacity, 0):
        if mapping.chip.arch.memory is None:
            raise MappingError(
                f"between two rounds of programming, the maps of {passes} passes take {peak} bits, beside the image the"
                f" global buffer holds {capacity}, and there is no off-chip memory (global_buffer.capacity, memory)"
            )
        storage = "memory"
    return [Round(mapping, i, storage) for i in range(len(mapping.rounds))]


def peak_bits(mapping: Mapping) -> int:
    """Return the most bits of a pass that wait between two rounds: maps, and random numbers of layers that are cut."""
    peak = 0
    for index in range(len(mapping.rounds) - 1):
        done = [p for r in mapping.rounds[: index + 1] for p in r]
        later = {p.name for r in mapping.rounds[index + 1 :] for p in r}
        bits = sum(e.pixels * part_bits(e.bits_per_pixel, p.span) for p in done for e in kept_after(mapping, p, index))
        cut = {node for p in done if p.name in later for node in p.stage.stochastic}
        peak = max(peak, bits + sum(kept_bits(node) for node in cut))
    return peak


def image_bits(mapping: Mapping) -> int:
    """Return what an image takes in the global buffer, after preprocessing."""
    edges = {e.node: e for e in mapping.graph.edges_from(None)}
    return sum(e.pixels * e.bits_per_pixel for e in edges.values())
