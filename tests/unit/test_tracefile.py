"""Trace files: what is written comes back, and whatever else lies in a file is refused in one sentence."""

import json
import os
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import safetensors.numpy

from archsim.errors import TraceError
from archsim.workload import tracefile
from archsim.workload.trace import (
    Activation,
    Add,
    Affine,
    AffineDropout,
    Conv,
    Dropout,
    Flatten,
    GaussianScale,
    Linear,
    Node,
    Normalise,
    Pool,
    Quantize,
    ScaleDropout,
    Sign,
    Softmax,
    Stochastic,
    Threshold,
    Trace,
    Weights,
)
from archsim.workload.tracefile import load_trace, save_trace

RNG = np.random.default_rng(0)


def binary(*shape: int) -> Weights:
    return Weights(RNG.choice(np.array([-1, 1], np.int8), shape), 1, np.ones(1, np.float32))


def three() -> np.ndarray:
    return RNG.random(3, np.float32)


def level2() -> Weights:
    return Weights(RNG.choice(np.array([-3, -1, 1, 3], np.int8), (4, 3)), 2, np.full(1, 0.5, np.float32))


def every_operation() -> Trace:
    """A trace that holds each kind of operation once."""
    nibbles = Weights((RNG.integers(-8, 8, (3, 36)) * 2 + 1).astype(np.int8), 4, RNG.random(3, np.float32))
    level = np.array([-np.inf, np.inf, 0.5, -3], np.float32)
    nodes = (
        Node("q", Quantize(4, False, 0.1), ("input",), (1, 8, 8)),
        Node("conv", Conv(binary(4, 1, 3, 3), (1, 1), (1, 1), (1, 1)), ("q",), (4, 8, 8)),
        Node("bn", Affine(np.ones(4, np.float32), np.zeros(4, np.float32)), ("conv",), (4, 8, 8)),
        Node("sum", Add(), ("bn", "conv"), (4, 8, 8)),
        Node("act", Activation("relu"), ("sum",), (4, 8, 8)),
        Node("t", Threshold(level, np.array([1, 1, -1, 1], np.int8)), ("act",), (4, 8, 8)),
        Node("pool", Pool("max", (2, 2), (2, 2), (0, 0)), ("t",), (4, 4, 4)),
        Node("drop", Dropout(0.1, "channel", 1 / 0.9, maps=4), ("pool",), (4, 4, 4)),
        Node("pool2", Pool("avg", (2, 2), (1, 1), (0, 0)), ("drop",), (4, 3, 3)),
        Node("sign", Sign(), ("pool2",), (4, 3, 3)),
        Node("flat", Flatten(), ("sign",), (36,)),
        Node("fc", Linear(nibbles, np.array([0.1, -1, 2], np.float32)), ("flat",), (3,)),
        Node("scale", ScaleDropout(three(), 0.2), ("fc",), (3,)),
        Node("affine", AffineDropout(three(), three(), 0.3, 0.1), ("scale",), (3,)),
        Node("norm", Normalise("layer", 1e-6), ("affine",), (3,)),
        Node("gauss", GaussianScale(three(), three()), ("norm",), (3,)),
        Node("q2", Quantize(2, True, 0.5), ("gauss",), (3,)),
        Node("copies", Linear(level2(), None, (level2(), level2(), level2())), ("q2",), (4,)),
        Node("soft", Softmax(), ("copies",), (4,)),
    )
    return Trace("all", (1, 8, 8), nodes, {"report": [{"name": "q"}], "accuracy": 0.5})


def test_every_operation_comes_back(tmp_path):
    trace = every_operation()
    back = load_trace(save_trace(trace, tmp_path / "deep" / "t.safetensors"))
    assert back.content_hash() == trace.content_hash()
    assert back.meta == trace.meta
    assert [n.op.kind for n in back.nodes] == [n.op.kind for n in trace.nodes]
    assert back["drop"].op == back["drop"].op
    assert vars(back["drop"].op) == vars(trace["drop"].op)
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "t.safetensors"]


def test_binary_weights_take_one_bit_each(tmp_path):
    node = Node("fc", Linear(binary(512, 1000)), ("s",), (512,))
    trace = Trace("big", (1000,), (Node("s", Sign(), ("input",), (1000,)), node))
    path = save_trace(trace, tmp_path / "t")
    assert path.stat().st_size < 512 * 1000 / 8 + 2000


def test_copies_of_two_bits_take_two_bits_each(tmp_path):
    def copy() -> Weights:
        return Weights(RNG.choice(np.array([-3, -1, 1, 3], np.int8), (100, 200)), 2, np.ones(1, np.float32))

    node = Node("fc", Linear(copy(), None, (copy(), copy(), copy())), ("s",), (100,))
    trace = Trace("copies", (200,), (Node("s", Sign(), ("input",), (200,)), node))
    path = save_trace(trace, tmp_path / "t")
    assert path.stat().st_size < 4 * 100 * 200 / 4 + 3000
    assert load_trace(path).content_hash() == trace.content_hash()


@dataclass(frozen=True, eq=False)
class Mine(Stochastic):
    kind: ClassVar[str] = "mine"
    gain: np.ndarray
    p: float = 0.25

    def apply(self, x, *_):
        return x * self.gain


def test_operations_of_ones_own_come_back_when_they_are_named(tmp_path):
    nodes = (
        Node("s", Sign(), ("input",), (20,)),
        Node("fc", Linear(binary(3, 20)), ("s",), (3,)),
        Node("mine", Mine(three(), 0.5), ("fc",), (3,)),
    )
    path = save_trace(Trace("own", (20,), nodes), tmp_path / "t")
    back = load_trace(path, [Mine])
    assert isinstance(back["mine"].op, Mine)
    np.testing.assert_array_equal(back["mine"].op.gain, nodes[2].op.gain)
    assert back["mine"].op.p == 0.5
    with pytest.raises(TraceError, match=r"unknown operation 'mine'.*given to load_trace"):
        load_trace(path)

    class Clash(Mine):
        kind = "affine"

    with pytest.raises(TraceError, match=r"Clash: the kind 'affine' is taken"):
        load_trace(path, [Clash])


def rewrite(path, change) -> None:
    """Change a trace file's metadata or arrays and write it back."""
    with open(path, "rb") as file:
        head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    arrays = safetensors.numpy.load_file(path)
    graph = json.loads(head["__metadata__"]["graph"])
    metadata = {"schema": head["__metadata__"]["schema"]}
    change(SimpleNamespace(metadata=metadata, graph=graph, arrays=arrays))
    metadata.setdefault("graph", json.dumps(graph))
    safetensors.numpy.save_file(arrays, path, metadata)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda f: f.metadata.update(schema="archsim/trace@0"),
            "wanted schema 'archsim/trace@1', found 'archsim/trace@0'",
        ),
        (lambda f: f.metadata.update(graph="{"), "graph in the file is damaged"),
        (lambda f: f.graph["nodes"][0].update(kind="fft"), "unknown operation 'fft'"),
        (lambda f: f.graph["nodes"][0].update(inputs=["nowhere"]), "unknown input"),
        (lambda f: f.graph["nodes"][1]["op"].pop("stride"), "damaged.*stride"),
        (lambda f: f.graph["nodes"].clear(), "no layer that can be placed"),
        (lambda f: f.arrays.pop("conv/weights/values"), "damaged.*conv/weights/values"),
        (
            lambda f: f.arrays.update({"conv/weights/values": np.zeros(2, np.uint8)}),
            "16 weights are stored, 36 are needed",
        ),
        (lambda f: f.arrays.update({"bn/scale": np.ones(4)}), "holds float64"),
        (lambda f: f.arrays.update({"bn/scale": np.full(4, np.nan, np.float32)}), "'bn': 'scale' holds NaN"),
        (lambda f: f.arrays.update({"bn/scale": np.ones(3, np.float32)}), "damaged.*reshape"),
        (
            lambda f: f.arrays.update({"fc/weights/values": np.zeros((3, 36), np.int8)}),
            "int8, not as packed bits",
        ),
        (lambda f: f.arrays.update({"fc/weights/scale": np.full(3, np.inf, np.float32)}), "scale is not finite"),
    ],
)
def test_damaged_files_are_refused(tmp_path, change, message):
    path = save_trace(every_operation(), tmp_path / "t")
    rewrite(path, change)
    with pytest.raises(TraceError, match=message) as caught:
        load_trace(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("keep", [0, 4, 100, 3000])
def test_truncated_file_is_refused(tmp_path, keep):
    path = save_trace(every_operation(), tmp_path / "t")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(TraceError, match="truncated"):
        load_trace(path)


def test_foreign_and_missing_files_are_refused(tmp_path):
    safetensors.numpy.save_file({"x": np.ones(2)}, tmp_path / "other")
    with pytest.raises(TraceError, match="found 'none'"):
        load_trace(tmp_path / "other")
    (tmp_path / "text").write_text("not a trace at all")
    with pytest.raises(TraceError, match="not a trace file"):
        load_trace(tmp_path / "text")
    with pytest.raises(TraceError, match="no such file"):
        load_trace(tmp_path / "none")
    with pytest.raises(TraceError, match=str(tmp_path)):
        load_trace(tmp_path)


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = save_trace(every_operation(), tmp_path / "t")
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(TraceError, match="No space left"):
        save_trace(every_operation(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_reading_needs_no_torch():
    assert not hasattr(tracefile, "torch")
