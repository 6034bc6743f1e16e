"""Kernels of arrays compiled in turns: what one worker of a test run has compiled, the others load."""

from __future__ import annotations

import numpy as np

from archsim.functional.digital import threshold
from archsim.functional.encoding import Converter, LayerEncoding, ReadModel, fixed_point, nominal_lines
from archsim.functional.layer import compile_layer, run_layer
from archsim.functional.values import Samples, Signs, pack
from archsim.workload.trace import Linear, Node, Sign, Weights

ROWS = 200
SUMS = {1: np.int16, 8: np.int32}
"""Which sums those of weights of so many bits are; kernels are compiled for each of them."""
KERNELS = [(tier, bits) for tier in ("conductance", "noise", "packed") for bits in SUMS]


def compile_share(worker: int, workers: int) -> None:
    """Compile the kernels whose turn it is; the others are the other workers'."""
    for tier, bits in KERNELS[worker::workers]:
        multiply_once(tier, bits)


def multiply_once(tier: str, bits: int) -> None:
    """Compile or load the kernel of a tier for one of the `SUMS`, and that of the signs of these."""
    weights = Weights(np.full((16, ROWS), 2**bits - 1), bits, np.ones(1, np.float32))
    lines = (tuple(fixed_point(u, "fc") for u in nominal_lines(weights, 1)),) if tier == "conductance" else None
    encoding = LayerEncoding((np.arange(ROWS),), Converter(9), read=None if tier == "packed" else ReadModel(lines))
    assert encoding.tier == tier
    layer = compile_layer(Node("fc", Linear(weights), ("input",), (16,)), encoding, (ROWS,))
    ones = Signs(pack(np.ones((1, 1, 1, ROWS), np.bool_)), ROWS)
    sums, _ = run_layer(layer, ones, Samples(0, np.zeros(1, np.int64), np.zeros(1, np.int64)))
    assert sums.dtype == SUMS[bits]
    threshold(Sign(), sums)
