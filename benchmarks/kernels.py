"""How fast the packed crossbar kernel is, as ratios measured side by side in one run.

    python benchmarks/kernels.py [--threads N] [--json]

* against torch float32 doing the same: one matrix product per row group, the same converter, a sum;
* against the *issue bound*: a loop of xor + popcount + add on full registers with nothing to load or store.

A MAC is one row times one column; one xor + popcount + add of 32 lanes of 16 bits does 512. The packed time is that
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

from archsim.functional import Converter, LayerEncoding  # noqa: E402
from archsim.functional.layer import compile_layer, run_layer  # noqa: E402
from archsim.functional.values import Samples, Signs, from_channels_first, pack  # noqa: E402
from archsim.workload.trace import Conv, Linear, Node, Weights  # noqa: E402

BITS, STEP = 6, 1
QUIET = Samples(0, np.empty(0, np.int64), np.empty(0, np.int64))  # a packed layer draws no random numbers
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


def converted(sums: torch.Tensor) -> torch.Tensor:
    """Apply the converter to sums of +-1 over an even number of rows."""
    code = torch.floor((sums * 0.5 + 2**STEP // 2) * 0.5**STEP).clamp_(1 - 2 ** (BITS - 1), 2 ** (BITS - 1))
    return code.mul_(2 ** (STEP + 1))


def linear_case(rng: np.random.Generator) -> tuple[Callable[[], np.ndarray], Callable[[], torch.Tensor], int]:
    """1024 x 1024 fully connected, batch 256, 256-row groups."""
    batch, inputs, outputs, rows = 256, 1024, 1024, 256
    x = rng.choice(np.array([-1, 1], np.int8), (batch, inputs))
    w = rng.choice(np.array([-1, 1], np.int8), (outputs, inputs))
    node = Node("fc", Linear(Weights(w, 1, np.ones(1, np.float32))), ("input",), (outputs,))
    groups = tuple(np.split(np.arange(inputs), inputs // rows))
    layer = compile_layer(node, LayerEncoding(groups, Converter(BITS, STEP)), (inputs,))
    value = Signs(pack(from_channels_first(x) > 0), inputs)
    xs = [torch.from_numpy(x[:, g].astype(np.float32)) for g in groups]
    ws = [torch.from_numpy(np.ascontiguousarray(w[:, g].T.astype(np.float32))) for g in groups]

    def with_torch() -> torch.Tensor:
        total = converted(xs[0] @ ws[0])
        for a, b in zip(xs[1:], ws[1:], strict=True):
            total += converted(a @ b)
        return total

    return lambda: run_layer(layer, value, QUIET)[0].reshape(batch, outputs), with_torch, batch * inputs * outputs


def conv_case(rng: np.random.Generator) -> tuple[Callable[[], np.ndarray], Callable[[], torch.Tensor], int]:
    """128 -> 128 channels, 3 x 3, padding 1, 32 x 32, batch 16, 128-row groups (one kernel position each)."""
    batch, channels, size = 16, 128, 32
    x = rng.choice(np.array([-1, 1], np.int8), (batch, channels, size, size))
    w = rng.choice(np.array([-1, 1], np.int8), (channels, channels, 3, 3))
    op = Conv(Weights(w, 1, np.ones(1, np.float32)), (1, 1), (1, 1), (1, 1))
    node = Node("conv", op, ("input",), (channels, size, size))
    groups = tuple(np.arange(channels) * 9 + p for p in range(9))
    layer = compile_layer(node, LayerEncoding(groups, Converter(BITS, STEP)), (channels, size, size))
    value = Signs(pack(from_channels_first(x) > 0), channels)
    padded = torch.nn.functional.pad(torch.from_numpy(from_channels_first(x).astype(np.float32)), (0, 0, 1, 1, 1, 1))
    ws = [torch.from_numpy(w[:, :, i, j].T.astype(np.float32)).contiguous() for i in range(3) for j in range(3)]

    def with_torch() -> torch.Tensor:
        total = torch.zeros(batch * size * size, channels)
        for p, weights in enumerate(ws):
            i, j = divmod(p, 3)
            rows = padded[:, i : i + size, j : j + size].reshape(-1, channels)
            total += converted(rows @ weights)
        return total

    return (
        lambda: run_layer(layer, value, QUIET)[0].reshape(-1, channels),
        with_torch,
        batch * size**2 * channels**2 * 9,
    )


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(options.threads)
    rounds = 400_000
    result: dict[str, object] = {"threads": options.threads, "converter_bits": BITS, "converter_step_cells": 2**STEP}
    for name, case in {"linear_1024x1024_batch256": linear_case, "conv_128_128_3x3_32x32_batch16": conv_case}.items():
        packed, with_torch, macs = case(np.random.default_rng(0))
        if not np.array_equal(packed(), with_torch().numpy()):
            raise SystemExit(f"{name}: the two sides disagree")
        times = best_of(
            {"packed": packed, "torch": with_torch, "bound": lambda: issue_loop(rounds, options.threads)},
            options.repetitions,
        )
        bound = rounds * UNROLL * 32 * 16 * options.threads / times["bound"]
        result[name] = {
            "packed_gmac_per_s": macs / times["packed"] / 1e9,
            "torch_gmac_per_s": macs / times["torch"] / 1e9,
            "issue_bound_gmac_per_s": bound / 1e9,
            "times_faster_than_torch": times["torch"] / times["packed"],
            "share_of_issue_bound": macs / times["packed"] / bound,
        }
    if options.json:
        print(json.dumps(result))
        return
    for name, figures in result.items():
        if isinstance(figures, dict):
            print(name)
            for key, value in figures.items():
                print(f"    {key:28s} {value:10.2f}")


if __name__ == "__main__":
    main()
