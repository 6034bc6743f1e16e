"""Layers with several copies of their weights, of which an arbiter selects one for each sample (SpinBayes)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from archsim.functional.activity import LayerActivity
from archsim.functional.layer import Layer, run_layer
from archsim.functional.values import Reals, Samples, Value, take


def run_selected(
    copies: Sequence[Layer], value: Value, samples: Samples, selected: npt.NDArray[np.int64]
) -> tuple[Reals, LayerActivity]:
    """Apply to each sample the copy that is `selected` for it: (samples,). Returns as `run_layer` does."""
    activity = LayerActivity()
    outputs: list[tuple[npt.NDArray[np.intp], Reals]] = []
    for i, layer in enumerate(copies):
        (mine,) = np.nonzero(selected == i)
        if mine.size:
            some = Samples(samples.seed, samples.images[mine], samples.passes[mine])
            out, done = run_layer(layer, take(value, mine), some)
            outputs.append((mine, out))
            activity += done
    return _merged(outputs, len(selected)), activity


def _merged(outputs: Sequence[tuple[npt.NDArray[np.intp], Reals]], samples: int) -> Reals:
    """Put the samples in order again; whole numbers stay whole if they are so in every copy."""
    kinds = {out.dtype for _, out in outputs}
    common = np.result_type(*kinds) if all(kind.kind == "i" for kind in kinds) else np.float32
    merged = np.empty((samples, *outputs[0][1].shape[1:]), common)
    for mine, out in outputs:
        merged[mine] = out
    return merged
