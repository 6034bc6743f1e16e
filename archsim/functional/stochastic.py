"""The stochastic operations of the digital units, known only by their base class: draws their numbers, applies them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from archsim.errors import TraceError
from archsim.functional.chance import Chance
from archsim.functional.noise import noise_of
from archsim.functional.values import Samples, Value, as_reals
from archsim.workload.trace import Node, Stochastic

Float = npt.NDArray[np.float32]


def perturb(node: Node, value: Value, samples: Samples, chances: Sequence[Chance]) -> Float:
    """Apply a stochastic operation under the numbers that are drawn for each sample.

    Raises `TraceError`, naming the node, if it fails or returns anything but finite float32 of the shape that it got.
    """
    assert isinstance(node.op, Stochastic)
    x = as_reals(value).astype(np.float32)  # a copy, which the operation may change
    noise = [noise_of(node, i, samples, chance) for i, chance in enumerate(chances)]
    where = f"node '{node.name}': the operation '{node.op.kind}'"
    try:
        out = node.op.apply(x, *(numbers[:, None, None] for numbers in noise))
    except Exception as error:
        raise TraceError(f"{where} failed: {type(error).__name__}: {error}") from error
    return _checked(where, out, x.shape)


def _checked(where: str, out: object, shape: tuple[int, ...]) -> Float:
    if not isinstance(out, np.ndarray):
        raise TraceError(f"{where} must return a float32 array, not {type(out).__name__}")
    if out.dtype != np.float32 or out.shape != shape:
        raise TraceError(f"{where} must return float32 {shape}, not {out.dtype} {out.shape}")
    if not np.isfinite(out).all():
        raise TraceError(f"{where} returned NaN or infinite values")
    return out
