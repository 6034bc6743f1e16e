"""Layers that go on crossbars: binary ones as they are, plain torch ones quantised to the odd grid of `Weights`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from archsim import nn as bnn
from archsim.workload.trace import Conv, Dropout, FloatArray, Linear, Quantize, Weights
from archsim.workload.tracer.builder import Builder, Site

CANDIDATES = np.linspace(0.3, 1.0, 29)  # fractions of the largest magnitude that are tried as the end of a grid


def array(tensor: Tensor) -> FloatArray:
    """Return a tensor as a float32 NumPy copy on the CPU."""
    return tensor.detach().cpu().float().numpy().copy()


def linear(build: Builder, site: Site) -> str:
    """Place a matrix-vector product on crossbars."""
    module: Any = site.module
    if len(site.in_shape) != 1:
        raise site.refuse(f"a linear layer needs a flat input, got shape {site.in_shape}; flatten it first")
    return _place(build, site, Linear(_weights(build, site, module), _bias(module)))


def conv(build: Builder, site: Site) -> str:
    """Place a convolution on crossbars."""
    module: Any = site.module
    if getattr(module, "padding_mode", "zeros") != "zeros":
        raise site.refuse(f"padding mode '{module.padding_mode}' is not supported, only zeros")
    weights = _weights(build, site, module)
    op = Conv(weights, module.stride, _padding(site), module.dilation, module.groups, _bias(module))
    return _place(build, site, op)


def dropout(build: Builder, site: Site) -> str:
    """Record a stochastic element; torch's own dropouts multiply what they keep by 1 / (1 - p)."""
    p = float(site.params.get("p", 0.5))
    if not 0 <= p < 1:
        raise site.refuse(f"the dropout rate must be in [0, 1), got {p}")
    if p == 0:
        build.note(site, "inactive", "dropout rate 0")
        return site.input
    own = isinstance(site.module, bnn.SpinDrop)
    whole = isinstance(site.module, bnn.SpatialSpinDrop | nn.Dropout1d | nn.Dropout2d) or site.name.startswith(
        ("F.dropout1d", "F.dropout2d")
    )
    maps = site.params.get("maps") if len(site.in_shape) == 1 else None
    op = Dropout(p, "channel" if whole else "element", gain=1.0 if own else 1 / (1 - p), maps=maps)
    return build.add(site, op, placement="stochastic", detail=f"p = {p:g}, one bit each {op.granularity}")


def own_quantize(build: Builder, site: Site) -> str:
    """Record an `archsim.nn.Quantize`."""
    module: Any = site.module
    return build.add(site, Quantize(module.bits, module.signed, float(module.scale)))


def calibrated(bits: int, values: Tensor) -> Quantize:
    """Return the quantiser with the least squared error on some values; signed if any of them is negative."""
    x = values.numpy().astype(np.float64)
    signed = bool(x.min() < 0)
    largest = np.abs(x).max() or 1.0
    grids = [
        Quantize(bits, signed, float(np.float32(c * largest / max(2 ** (bits - signed) - 1, 1)))) for c in CANDIDATES
    ]

    def error(q: Quantize) -> float:
        return float(np.square(np.clip(np.rint(x / q.scale), q.low, q.high) * q.scale - x).sum())

    return min(grids, key=error)


def odd_grid(real: FloatArray, bits: int) -> Weights:
    """Return weights on the grid of odd integers, with the scale of least squared error for each output channel."""
    flat = real.reshape(len(real), -1).astype(np.float64)
    peak = 2**bits - 1
    largest = np.abs(flat).max(1)
    largest[largest == 0] = 1.0
    best_error = np.full(len(flat), np.inf)
    best_scale = np.empty(len(flat), np.float32)
    for fraction in CANDIDATES:
        scale = (fraction * largest / peak).astype(np.float32)
        error = np.square(_odd(flat, scale, peak) * scale[:, None] - flat).sum(1)
        better = error < best_error
        best_error[better], best_scale[better] = error[better], scale[better]
    return Weights(_odd(flat, best_scale, peak).reshape(real.shape).astype(_integer(bits)), bits, best_scale)


def _odd(flat: npt.NDArray[np.float64], scale: FloatArray, peak: int) -> npt.NDArray[np.float64]:
    return np.asarray(np.clip(2 * np.floor(flat / (2 * scale[:, None])) + 1, -peak, peak))


def _integer(bits: int) -> type[np.signedinteger[Any]]:
    return np.int8 if bits <= 7 else np.int16


def _weights(build: Builder, site: Site, module: Any) -> Weights:
    if isinstance(module, bnn.BinaryLinear | bnn.BinaryConv1d | bnn.BinaryConv2d):
        latent = module.weight
        if not torch.isfinite(latent).all():
            raise site.refuse("its weights hold NaN or infinite values")
        return Weights(array(module.binary_weight()).astype(np.int8), 1, np.ones(1, np.float32))
    if build.quantization is None:
        raise site.refuse(
            "a plain torch layer is traced as a multi-bit one; give quantization=Quantization(weight_bits=4,"
            " input_bits=4), or use archsim.nn's binary layers"
        )
    real = array(module.weight)
    if not np.isfinite(real).all():
        raise site.refuse("its weights hold NaN or infinite values")
    return odd_grid(real, build.quantization.weight_bits)


def _bias(module: Any) -> FloatArray | None:
    bias = getattr(module, "bias", None)
    return None if bias is None else array(bias)


def _padding(site: Site) -> tuple[int, ...]:
    module: Any = site.module
    if module.padding == "valid":
        return (0,) * len(module.kernel_size)
    if module.padding == "same":
        total = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
        if any(t % 2 for t in total):
            raise site.refuse("'same' padding of an even kernel is lopsided; give the padding as numbers")
        return tuple(t // 2 for t in total)
    return tuple(module.padding)


def _place(build: Builder, site: Site, op: Linear | Conv) -> str:
    shape = "x".join(map(str, op.weights.values.shape))
    edge = build.quantised(site)
    return build.add(site, op, inputs=(edge,), placement="crossbar", detail=f"{op.weights.bits}-bit weights {shape}")
