"""Small networks and chips for tests of mapping and simulation, built without torch."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from archsim.hardware.arch import load_arch
from archsim.hardware.chip import Chip, build_chip
from archsim.hardware.library import Library, load_library
from archsim.workload.trace import (
    INPUT,
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
    Op,
    Pool,
    Quantize,
    ScaleDropout,
    Sign,
    Threshold,
    Trace,
    Weights,
)

ARCHS = Path(__file__).parents[1] / "arch_configs"


class Net:
    """Builds a trace node by node; `at` is the name of the last one."""

    def __init__(self, shape: tuple[int, ...], bits: int = 1, signed: bool = False) -> None:
        self.input_shape = self.shape = shape
        self.nodes: list[Node] = []
        self.shapes = {INPUT: shape}
        self.at = INPUT
        self.rng = np.random.default_rng(0)
        self.put("quantize", Quantize(bits, signed, 1.0), shape)

    def put(self, name: str, op: Op, shape: tuple[int, ...], inputs: tuple[str, ...] | None = None) -> Net:
        self.nodes.append(Node(name, op, inputs or (self.at,), shape))
        self.shapes[name] = self.shape = shape
        self.at = name
        return self

    def go(self, name: str) -> Net:
        self.at, self.shape = name, self.shapes[name]
        return self

    def weights(self, shape: tuple[int, ...], bits: int) -> Weights:
        values = 2 * self.rng.integers(0, 2**bits, shape) - (2**bits - 1)
        return Weights(values.astype(np.int16), bits, np.ones(1, np.float32))

    def conv(self, name, out, kernel, stride=1, padding=0, dilation=1, groups=1, bits=1, copies=1) -> Net:
        rank = len(self.shape) - 1
        k, s, p, d = ((v,) * rank if isinstance(v, int) else v for v in (kernel, stride, padding, dilation))
        size = tuple((n + 2 * p[i] - d[i] * (k[i] - 1) - 1) // s[i] + 1 for i, n in enumerate(self.shape[1:]))
        weights, *others = (self.weights((out, self.shape[0] // groups, *k), bits) for _ in range(copies))
        return self.put(name, Conv(weights, s, p, d, groups, alternatives=tuple(others)), (out, *size))

    def linear(self, name, out, bits=1, copies=1) -> Net:
        weights, *others = (self.weights((out, self.shape[0]), bits) for _ in range(copies))
        return self.put(name, Linear(weights, alternatives=tuple(others)), (out,))

    def sign(self, name) -> Net:
        return self.put(name, Sign(), self.shape)

    def threshold(self, name) -> Net:
        n = self.shape[0]
        return self.put(name, Threshold(np.zeros(n, np.float32), np.ones(n, np.int8)), self.shape)

    def quantize(self, name, bits) -> Net:
        return self.put(name, Quantize(bits, True, 1.0), self.shape)

    def affine(self, name) -> Net:
        n = self.shape[0]
        return self.put(name, Affine(np.ones(n, np.float32), np.zeros(n, np.float32)), self.shape)

    def scale_dropout(self, name, p=0.1) -> Net:
        return self.put(name, ScaleDropout(np.full(self.shape[0], 1.5, np.float32), p), self.shape)

    def affine_dropout(self, name, p=0.3) -> Net:
        n = self.shape[0]
        return self.put(name, AffineDropout(np.ones(n, np.float32), np.zeros(n, np.float32), p, p), self.shape)

    def gaussian_scale(self, name) -> Net:
        n = self.shape[0]
        return self.put(name, GaussianScale(np.ones(n, np.float32), np.full(n, 0.1, np.float32)), self.shape)

    def normalise(self, name, over="layer") -> Net:
        return self.put(name, Normalise(over), self.shape)

    def dropout(self, name, granularity="channel", p=0.25) -> Net:
        return self.put(name, Dropout(p, granularity), self.shape)

    def pool(self, name, kernel=2, stride=None, padding=0, function="max") -> Net:
        rank = len(self.shape) - 1
        stride = stride or kernel
        size = tuple((n + 2 * padding - kernel) // stride + 1 for n in self.shape[1:])
        return self.put(
            name, Pool(function, (kernel,) * rank, (stride,) * rank, (padding,) * rank), (self.shape[0], *size)
        )

    def flatten(self, name="flatten") -> Net:
        return self.put(name, Flatten(), (int(np.prod(self.shape)),))

    def add(self, name, *others: str) -> Net:
        return self.put(name, Add(), self.shape, (self.at, *others))

    def trace(self) -> Trace:
        return Trace("net", self.input_shape, tuple(self.nodes))


@cache
def library() -> Library:
    return load_library(ARCHS / "components_28nm.yaml")


def make_chip(*overrides: str, base: str = "spatial_spindrop_sot.yaml") -> Chip:
    """Return a chip of the repository with overrides, "path.to.key=value"."""
    return build_chip(load_arch(ARCHS / base, overrides), library())


METHODS = ("deterministic", "spindrop", "spatial", "scale", "affine", "subset", "spinbayes")


def method_lenet5(method: str, copies: int = 8) -> Trace:
    """LeNet-5 for 28 x 28, 6-16-120-84-10, binary (2-bit for SpinBayes), under one of the six methods."""
    net = Net((1, 28, 28))
    spinbayes = method == "spinbayes"
    more = {"bits": 2, "copies": copies} if spinbayes else {}

    def finish(name):
        if method == "scale":
            net.scale_dropout(f"{name}_scale")
        elif method == "affine":
            net.affine_dropout(f"{name}_affine").normalise(f"{name}_norm")
        elif method == "subset":
            net.gaussian_scale(f"{name}_gauss")

    def activate(name):
        net.threshold(f"{name}_sign") if method != "affine" else net.sign(f"{name}_sign")
        if method in ("spindrop", "spatial"):
            net.dropout(f"{name}_drop", "element" if method == "spindrop" else "channel")

    for name, out in (("conv1", 6), ("conv2", 16)):
        net.conv(name, out, 5, **more).pool(f"{name}_pool")
        finish(name)
        activate(name)
    net.flatten()
    for name, out in (("fc1", 120), ("fc2", 84)):
        net.linear(name, out, **more)
        finish(name)
        activate(name)
    net.linear("fc3", 10, **more)
    if method in ("scale", "subset"):
        finish("fc3")
    return net.affine("out").trace()


def lenet5() -> Trace:
    """LeNet-5 for 28 x 28, 6-16-120-84-10, binary."""
    net = Net((1, 28, 28)).conv("conv1", 6, 5, padding=0).pool("pool1").sign("s1").dropout("d1")
    net.conv("conv2", 16, 5).pool("pool2").sign("s2").dropout("d2").flatten()
    return net.linear("fc1", 120).sign("s3").linear("fc2", 84).sign("s4").linear("fc3", 10).trace()


def vgg_small() -> Trace:
    """VGG-small for CIFAR-10, 128-128-256-256-512-512, with Spatial-SpinDrop and a 4-bit image."""
    net = Net((3, 32, 32), bits=4)
    for i, width in enumerate((128, 128, 256, 256, 512, 512)):
        net.conv(f"conv{i}", width, 3, padding=1)
        if i % 2:
            net.pool(f"pool{i}")
        net.threshold(f"sign{i}").dropout(f"drop{i}", p=0.1)
    return net.flatten().linear("fc", 10).trace()


ROUND_NUMBERS = (
    "memory=null",
    "clock=500 MHz",
    "organisation={columns: 1, rows: 1, crossbars_per_core: 8}",
    "crossbar.costs={read: {latency: 3 ns}, write: {latency: 10 ns}}",
    "row_driver.costs.drive.latency=1 ns",
    "column_mux.costs.select.latency=1 ns",
    "converter={kind: adc, bits: 8, columns_per_converter: 8, sample_hold: false, costs: {convert: {latency: 5 ns}}}",
    "interconnect={kind: bus, width: 32 bit, costs: {transfer: {latency: 1 ns}}}",
    "input_buffer={capacity: 4 KiB, width: 64 bit, costs: {read: {latency: 2 ns}}}",
    "global_buffer={capacity: 64 KiB, width: 64 bit, costs: {read: {latency: 2 ns}}}",
    "shift_add={per_core: 16, costs: {apply: {latency: 2 ns}}}",
    "accumulator={per_tile: 64, costs: {add: {latency: 2 ns}}}",
    (
        "stochastic={kind: sot_mtj, scope: crossbar, count: 4, ahead: 1, costs: {draw: {latency: 7 ns}},"
        " gaussian: popcount, popcount_costs: {count: {latency: 4 ns}}}"
    ),
    "parameter_memory={capacity: 4 KiB, width: 256 bit, costs: {read: {latency: 2 ns}}}",
    (
        "digital={lanes: 16, threshold: {costs: {apply: {latency: 2 ns}}}, affine: {costs: {apply: {latency: 4 ns}}}, "
        "quantizer: {costs: {apply: {latency: 2 ns}}}, "
        "softmax: {costs: {apply: {latency: 2 ns}, reciprocal: {latency: 0 ns}}}, "
        "adder: {costs: {add: {latency: 2 ns}}}, "
        "pool: {costs: {compare: {latency: 2 ns}, add: {latency: 2 ns}}}, "
        "statistics: {costs: {accumulate: {latency: 4 ns}, finish: {latency: 30 ns}}}, "
        "averager: {costs: {accumulate: {latency: 2 ns}, finish: {latency: 2 ns}}}}"
    ),
    "mapping.replication=none",
)


def hand_chip(*overrides: str) -> Chip:
    """Return a chip of one tile whose times are easy to add up by hand.

    A vector takes 4 ns to read and 6 ns for each of the columns that share a converter (16 converters a crossbar);
    a word of a buffer 2 ns, a word on the bus 2 ns and 1 ns of wire, a digital operation 2 ns on one of 16 lanes.
    """
    return make_chip(*ROUND_NUMBERS, *overrides)
