"""Runs a whole trace, node by node, in chunks of images and passes that fit a memory budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from archsim.errors import TraceError
from archsim.functional import digital
from archsim.functional.activity import FunctionalRun, LayerActivity
from archsim.functional.arbiter import run_selected
from archsim.functional.budget import chunk_sizes, with_last_uses
from archsim.functional.chance import Chance
from archsim.functional.dropout import drop
from archsim.functional.encoding import LayerEncoding
from archsim.functional.layer import Layer, compile_layer, run_layer
from archsim.functional.noise import Chances, bits_per_evaluation, chances_of, noise_of
from archsim.functional.stochastic import perturb
from archsim.functional.values import Reals, Samples, Value, as_reals, from_channels_first, repeat
from archsim.workload.trace import (
    INPUT,
    Activation,
    Add,
    Affine,
    Conv,
    Dropout,
    Flatten,
    Linear,
    Node,
    Normalise,
    Pool,
    Quantize,
    Sign,
    Softmax,
    Stochastic,
    Threshold,
    Trace,
)  # fmt: skip

Ints = npt.NDArray[np.int64]
Images = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Program:
    """A trace ready to run. `layers`: each copy of each crossbar layer. `noisy`: the layers whose reads are noisy."""

    trace: Trace
    layers: Mapping[str, tuple[Layer, ...]]
    noisy: frozenset[str]
    chances: Chances

    @cached_property
    def steady(self) -> tuple[Node, ...]:
        """The nodes whose value is the same in every pass."""
        names = self.trace.varying(self.noisy)
        return tuple(n for n in self.trace.nodes if n.name not in names)

    @cached_property
    def varying(self) -> tuple[Node, ...]:
        """The nodes whose value differs from pass to pass."""
        names = self.trace.varying(self.noisy)
        return tuple(n for n in self.trace.nodes if n.name in names)

    def chances_of(self, node: Node) -> tuple[Chance, ...]:
        """Return how the modules draw the numbers of a node."""
        return chances_of(node, self.chances)


def compile_trace(trace: Trace, encodings: Mapping[str, LayerEncoding], chances: Chances) -> Program:
    """Compile every crossbar layer; `encodings` and `chances` must have been checked."""
    if len(trace.output.shape) != 1:
        raise TraceError(f"node '{trace.output.name}': the output must be a vector of scores, not {trace.output.shape}")
    nodes = tuple(trace.crossbar_nodes())
    layers = {n.name: _compile_copies(n, encodings[n.name], trace.shape_of(n.inputs[0])) for n in nodes}
    return Program(trace, layers, frozenset(n.name for n in nodes if encodings[n.name].is_noisy), chances)


def _compile_copies(node: Node, encoding: LayerEncoding, input_shape: tuple[int, ...]) -> tuple[Layer, ...]:
    assert isinstance(node.op, Linear | Conv)
    copies = node.op.copies
    singles = (replace(node, op=replace(node.op, weights=weights, alternatives=())) for weights in copies)
    pairs = zip(singles, encoding.of_copies(len(copies)), strict=True)
    return tuple(compile_layer(single, its_encoding, input_shape) for single, its_encoding in pairs)


class Books:
    """Adds up the activity of the layers and the random bits of all nodes, chunk by chunk."""

    def __init__(self, trace: Trace) -> None:
        self.layers = {n.name: LayerActivity() for n in trace.crossbar_nodes()}
        self.bits = {n.name: 0 for n in trace.stochastic_nodes()}
        self._feeding = {name: _feeding(trace, name) for name in self.layers}

    def closed(self) -> dict[str, LayerActivity]:
        """Return the layers' activity with the bits that the dropouts before them drew."""
        return {
            name: replace(activity, bits_drawn=sum(self.bits[d] for d in self._feeding[name]))
            for name, activity in self.layers.items()
        }


def _feeding(trace: Trace, name: str) -> list[str]:
    """Return the dropouts between a layer and what computes its input."""
    found: list[str] = []
    at = trace[name].inputs[0]
    while at != INPUT and isinstance(trace[at].op, Flatten | Pool | Dropout):
        if isinstance(trace[at].op, Dropout):
            found.append(at)
        at = trace[at].inputs[0]
    return found


def execute(
    program: Program, images: Images, passes: int, seed: int, first_image: int, max_bytes: int,
    progress: Progress | None,
) -> FunctionalRun:  # fmt: skip
    """Run all images and passes."""
    books = Books(program.trace)
    logits = np.empty((passes, len(images), program.trace.output.shape[0]), np.float32)
    image_step, pass_step = chunk_sizes(
        program.trace, program.steady, program.varying, program.chances, passes, max_bytes
    )
    for a in range(0, len(images), image_step):
        inputs = from_channels_first(images[a : a + image_step])
        index = first_image + np.arange(a, a + len(inputs))
        start = _run_steady(program, inputs, Samples(seed, index, np.zeros_like(index)), books)
        for t in range(0, passes, pass_step):
            index_of_pass = np.arange(t, min(t + pass_step, passes))
            out = _run_varying(program, start, seed, index, index_of_pass, books)
            logits[t : t + len(index_of_pass), a : a + len(inputs)] = out.swapaxes(0, 1)
            if progress is not None:
                progress(a * passes + len(inputs) * int(index_of_pass[-1] + 1), len(images) * passes)
    return FunctionalRun(logits, books.closed(), books.bits)


def _run_steady(program: Program, inputs: Images, samples: Samples, books: Books) -> dict[str, Value]:
    values: dict[str, Value] = {INPUT: inputs}
    needed = {i for n in program.varying for i in n.inputs} | {program.trace.output.name}
    for node, dead in with_last_uses(program.steady):
        values[node.name] = _run_node(program, node, [values[i] for i in node.inputs], samples, books)
        for name in dead - needed:
            values.pop(name, None)
    return values


def _run_varying(
    program: Program, start: Mapping[str, Value], seed: int, images: Ints, passes: Ints, books: Books
) -> npt.NDArray[np.float32]:
    """Return the logits (images, passes, classes) of a chunk; `start`: the values that do not vary."""
    samples = Samples(seed, images.repeat(len(passes)), np.tile(passes, len(images)))
    values: dict[str, Value] = {}
    for node, dead in with_last_uses(program.varying):
        inputs = [values[i] if i in values else repeat(start[i], len(passes)) for i in node.inputs]
        values[node.name] = _run_node(program, node, inputs, samples, books)
        if node.name in books.bits:
            books.bits[node.name] += len(samples.images) * bits_per_evaluation(node, program.chances_of(node))
        for name in dead:
            values.pop(name, None)
    output = program.trace.output.name
    last = values[output] if output in values else repeat(start[output], len(passes))
    return as_reals(last).astype(np.float32).reshape(len(images), len(passes), -1)


def _run_node(program: Program, node: Node, inputs: list[Value], samples: Samples, books: Books) -> Value:
    op, value = node.op, inputs[0]
    match op:
        case Linear() | Conv():
            out, activity = _run_copies(program, node, value, samples)
            books.layers[node.name] += activity
            return out
        case Dropout():
            return drop(node, value, samples, *program.chances_of(node))
        case Stochastic():
            return perturb(node, value, samples, program.chances_of(node))
        case Normalise():
            return digital.normalise(node, value)
        case Threshold() | Sign():
            return digital.threshold(op, value)
        case Quantize():
            return digital.quantize(op, value)
        case Affine():
            return digital.affine(op, value)
        case Activation():
            return digital.activation(op, value)
        case Pool():
            return digital.pool(node, value)
        case Flatten():
            return digital.flatten(value)
        case Add():
            return digital.add(inputs)
        case Softmax():
            return digital.softmax(node, value)
    raise TraceError(f"node '{node.name}': the operation '{op.kind}' cannot be computed")


def _run_copies(program: Program, node: Node, value: Value, samples: Samples) -> tuple[Reals, LayerActivity]:
    copies = program.layers[node.name]
    if len(copies) == 1:
        return run_layer(copies[0], value, samples)
    (chance,) = program.chances_of(node)
    return run_selected(copies, value, samples, noise_of(node, 0, samples, chance)[:, 0])
