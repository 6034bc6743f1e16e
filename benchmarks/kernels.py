"""How fast the crossbar kernels are, as ratios measured side by side in one run.

    python benchmarks/kernels.py [--threads N] [--json]

* ideal arrays (`packed`), arrays with read noise (`noise`), and arrays whose cells differ as well (`conductance`), each
  against torch float32 doing the same: matrix products of each row group, a normal random number for each conversion,
  the same converter, a sum;
* the packed kernel against the *issue bound*: a loop of xor + popcount + add on full registers with nothing to load or
  store.

A MAC is one row times one column; one xor + popcount + add of 32 lanes of 16 bits does 512. Our time is that
of a whole layer as the simulator runs it: padding, the kernel with its converter and sums, a new array for the result,
and the counts of driven, dropped and padded rows. The bound has none of these: it is what the arithmetic alone allows.
Torch starts from padded float32 maps and returns its sums; what it needs beyond that is not counted.

Each figure is the best of interleaved repetitions, so that a busy machine disturbs both sides alike.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--json", action="store_true", help="print one JSON object")
parser.add_argument("--repetitions", type=int, default=15)
options = parser.parse_args()
os.environ["NUMBA_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(options.threads)  # read at import

import numpy as np  # noqa: E402
import torch  # noqa: E402
from llvmlite import ir  # noqa: E402
from numba import njit, prange, types  # noqa: E402
from numba.core import cgutils  # noqa: E402
from numba.extending import intrinsic  # noqa: E402

from archsim.functional.encoding import (  # noqa: E402
    Converter,
    LayerEncoding,
    ReadModel,
    fixed_point,
    nominal_lines,
)
from archsim.functional.layer import compile_layer, run_layer  # noqa: E402
from archsim.functional.values import Samples, Signs, from_channels_first, pack  # noqa: E402
from archsim.kernels.constants import FRACTION  # noqa: E402
from archsim.workload.trace import Conv, Linear, Node, Weights  # noqa: E402

BITS, STEP = 6, 1
UNROLL = 12


@intrinsic
def spin(_context, rounds):  # noqa: ARG001 (numba reads the signature)
    """Run `rounds` x 12 of acc += popcount(w xor x) on 32 lanes of 16 bits, everything in registers."""

    def emit(_context, b, _signature, arguments):
        vector = ir.VectorType(ir.IntType(16), 32)
        name = "llvm.ctpop.v32i16"
        count = b.module.globals.get(name) or ir.Function(b.module, ir.FunctionType(vector, [vector]), name=name)

        def constant(value):
            return ir.Constant(vector, [value] * 32)

        seed = b.trunc(arguments[0], ir.IntType(16))
        start = b.insert_element(constant(3), seed, ir.Constant(ir.IntType(32), 0))
        x = cgutils.alloca_once_value(b, start)
        weights = [b.mul(start, constant(2 * i + 7)) for i in range(UNROLL)]
        acc = [cgutils.alloca_once_value(b, constant(0)) for _ in range(UNROLL)]
        with cgutils.for_range(b, arguments[0]):
            now = b.load(x)
            for w, a in zip(weights, acc, strict=True):
                b.store(b.add(b.load(a), b.call(count, [b.xor(w, now)])), a)
            b.store(b.add(now, constant(1)), x)
        total = constant(0)
        for a in acc:
            total = b.xor(total, b.load(a))
        return b.sext(b.extract_element(total, ir.Constant(ir.IntType(32), 5)), ir.IntType(64))

    return types.int64(types.int64), emit


@njit(parallel=True)
def issue_loop(rounds, threads):
    """Run `spin` once in each thread."""
    out = np.zeros(threads, np.int64)
    for i in prange(threads):
        out[i] = spin(rounds)
    return out


def best_of(functions: dict[str, Callable[[], object]], repetitions: int) -> dict[str, float]:
    """Return the shortest wall time of each function, taking turns of five calls each."""
    best = dict.fromkeys(functions, float("inf"))
    for function in functions.values():
        function()
    for _ in range(repetitions):
        for name, function in functions.items():
            for _ in range(5):
                start = time.perf_counter()
                function()
                best[name] = min(best[name], time.perf_counter() - start)
    return best


@dataclass(frozen=True, eq=False)
class Case:
    """A layer with its input, for both sides. `fetch`: for each row group, its inputs for torch: (vectors, rows)."""

    node: Node
    shape: tuple[int, ...]
    groups: tuple[np.ndarray, ...]
    value: Signs
    fetch: tuple[Callable[[], torch.Tensor], ...]
    macs: int

    def ours(self, read: ReadModel | None) -> Callable[[], np.ndarray]:
        """Return what runs the layer on the simulator's kernels."""
        layer = compile_layer(self.node, LayerEncoding(self.groups, Converter(BITS, STEP), read=read), self.shape)
        count = len(self.value.bits)
        samples = Samples(0, np.arange(count), np.zeros(count, np.int64))
        return lambda: run_layer(layer, self.value, samples)[0].reshape(-1, self.node.shape[0])

    def theirs(self, read: ReadModel | None) -> Callable[[], torch.Tensor]:
        """Return what does the same with torch: matrix products of each group, noise, the converter, a sum."""
        tables = [self._tables(rows, read) for rows in self.groups]

        def run() -> torch.Tensor:
            total = None
            for fetch, (difference, sum_) in zip(self.fetch, tables, strict=True):
                x = fetch()
                distance = x @ difference
                driven = None
                if read is not None:
                    driven = x.abs()
                    count = driven.sum(dim=1, keepdim=True)
                    distance += count / 2 if sum_ is None else driven @ sum_
                    if read.is_noisy:
                        on, off = read.sigma_on**2, read.sigma_off**2
                        deviation = (distance * (on - off) + count * off).clamp_(min=0).sqrt_()
                        distance += deviation.mul_(torch.randn_like(distance))
                    distance -= torch.floor(count / 2)
                out = converted(distance)
                total = out if total is None else total.add_(out)
            return total

        return run

    def _tables(self, rows: np.ndarray, read: ReadModel | None) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return half the difference and half the sum of the lines of each row, in cells."""
        if read is None or read.lines is None:
            w = self.node.op.weights.values.reshape(self.node.shape[0], -1)[:, rows].T
            return torch.from_numpy(w.astype(np.float32) / 2), None
        plus, minus = (read.lines[0][0][2 * rows + i].astype(np.float32) / 2 ** (FRACTION + 1) for i in (0, 1))
        return torch.from_numpy(plus - minus), torch.from_numpy(plus + minus)


def converted(distance: torch.Tensor) -> torch.Tensor:
    """Apply the converter to sums in cells from their reference, of an even number of rows."""
    code = distance.add_(2**STEP // 2 + 0.5).mul_(0.5**STEP).floor_().clamp_(1 - 2 ** (BITS - 1), 2 ** (BITS - 1))
    return code.mul_(2 ** (STEP + 1))


def linear_case(rng: np.random.Generator, rows: int) -> Case:
    """1024 x 1024 fully connected, batch 256."""
    batch, inputs, outputs = 256, 1024, 1024
    x = rng.choice(np.array([-1, 1], np.int8), (batch, inputs))
    w = rng.choice(np.array([-1, 1], np.int8), (outputs, inputs))
    groups = tuple(np.split(np.arange(inputs), inputs // rows))
    xs = [torch.from_numpy(x[:, g].astype(np.float32)) for g in groups]
    return Case(
        node=Node("fc", Linear(Weights(w, 1, np.ones(1, np.float32))), ("input",), (outputs,)),
        shape=(inputs,),
        groups=groups,
        value=Signs(pack(from_channels_first(x) > 0), inputs),
        fetch=tuple((lambda x=x: x) for x in xs),
        macs=batch * inputs * outputs,
    )


def conv_case(rng: np.random.Generator, rows: int) -> Case:
    """128 -> 128 channels, 3 x 3, padding 1, 32 x 32, batch 16, a kernel position in each group."""
    batch, channels, size = 16, rows, 32
    x = rng.choice(np.array([-1, 1], np.int8), (batch, channels, size, size))
    w = rng.choice(np.array([-1, 1], np.int8), (channels, channels, 3, 3))
    op = Conv(Weights(w, 1, np.ones(1, np.float32)), (1, 1), (1, 1), (1, 1))
    padded = torch.nn.functional.pad(torch.from_numpy(from_channels_first(x).astype(np.float32)), (0, 0, 1, 1, 1, 1))
    return Case(
        node=Node("conv", op, ("input",), (channels, size, size)),
        shape=(channels, size, size),
        groups=tuple(np.arange(channels) * 9 + p for p in range(9)),
        value=Signs(pack(from_channels_first(x) > 0), channels),
        fetch=tuple(
            (lambda i=i, j=j: padded[:, i : i + size, j : j + size].reshape(-1, channels))
            for i in range(3)
            for j in range(3)
        ),
        macs=batch * size**2 * channels**2 * 9,
    )


def read_models(node: Node, rng: np.random.Generator) -> dict[str, ReadModel | None]:
    """Return what is imperfect in each tier: nothing, fresh read noise, and spread of all cells with that noise."""
    spread = tuple(fixed_point(u * rng.normal(1, 0.1, u.shape), node.name) for u in nominal_lines(node.op.weights, 1))
    noise = {"sigma_on": 0.05, "sigma_off": 0.02}
    return {"packed": None, "noise": ReadModel(None, **noise), "conductance": ReadModel((spread,), **noise)}


def check(name: str, case: Case, read: ReadModel | None) -> None:
    """Stop if the two sides disagree: they are equal without noise, and their noise has one variance."""
    still = None if read is None else replace(read, sigma_on=0.0, sigma_off=0.0)
    ours, theirs = case.ours(still)(), case.theirs(still)().numpy()
    if not np.array_equal(ours, theirs):
        raise SystemExit(f"{name}: the two sides disagree")
    if read is not None:
        errors = [np.var(case.ours(read)() - ours), np.var(case.theirs(read)().numpy() - ours)]
        if abs(errors[0] / errors[1] - 1) > 0.03:
            raise SystemExit(f"{name}: the noise of the two sides disagrees: variances {errors}")


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(options.threads)
    rounds = 400_000
    result: dict[str, object] = {"threads": options.threads, "converter_bits": BITS, "converter_step_cells": 2**STEP}
    cases = {
        "linear_1024x1024_batch256_256_rows": (linear_case, 256),
        "linear_1024x1024_batch256_128_rows": (linear_case, 128),
        "conv_128_128_3x3_32x32_batch16_128_rows": (conv_case, 128),
    }
    for name, (make, rows) in cases.items():
        rng = np.random.default_rng(0)
        case = make(rng, rows)
        figures: dict[str, float] = {}
        for tier, read in read_models(case.node, rng).items():
            check(f"{name}, {tier}", case, read)
            sides: dict[str, Callable[[], object]] = {"ours": case.ours(read), "torch": case.theirs(read)}
            if tier == "packed":
                sides["bound"] = lambda: issue_loop(rounds, options.threads)
            times = best_of(sides, options.repetitions)
            figures[f"{tier}_gmac_per_s"] = case.macs / times["ours"] / 1e9
            figures[f"{tier}_torch_gmac_per_s"] = case.macs / times["torch"] / 1e9
            figures[f"{tier}_times_faster_than_torch"] = times["torch"] / times["ours"]
            if tier == "packed":
                bound = rounds * UNROLL * 32 * 16 * options.threads / times["bound"]
                figures["issue_bound_gmac_per_s"] = bound / 1e9
                figures["packed_share_of_issue_bound"] = case.macs / times["ours"] / bound
        result[name] = figures
    if options.json:
        print(json.dumps(result))
        return
    for name, figures in result.items():
        if isinstance(figures, dict):
            print(name)
            for key, value in figures.items():
                print(f"    {key:36s} {value:10.2f}")


if __name__ == "__main__":
    main()
