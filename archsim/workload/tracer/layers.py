"""Layers that go on crossbars: binary ones as they are, plain torch ones quantised to the odd grid of `Weights`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archsim import nn as bnn
from archsim.workload.trace import Conv, FloatArray, Linear, Quantize, Weights
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
    first, *others = _weights(build, site, module)
    return _place(build, site, Linear(first, _bias(module), tuple(others)))


def conv(build: Builder, site: Site) -> str:
    """Place a convolution on crossbars."""
    module: Any = site.module
    if getattr(module, "padding_mode", "zeros") != "zeros":
        raise site.refuse(f"padding mode '{module.padding_mode}' is not supported, only zeros")
    first, *others = _weights(build, site, module)
    geometry = (module.stride, _padding(site), module.dilation, module.groups)
    op = Conv(first, *geometry, _bias(module), tuple(others))
    return _place(build, site, op)


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


def _copies(site: Site, module: Any) -> tuple[Weights, ...]:
    """Return the frozen copies of a Bayesian layer; one for each setting of the arbiter."""
    if not module.frozen:
        raise site.refuse(
            "its weights are Gaussians, drawn afresh for each pass, which no crossbar can hold; freeze it to a few"
            " copies (archsim.nn.freeze, which needs bits=)"
        )
    scale = np.full(1, module.step, np.float32)
    return tuple(Weights(copy, module.bits, scale) for copy in module.copies.cpu().numpy())


def _weights(build: Builder, site: Site, module: Any) -> tuple[Weights, ...]:
    if isinstance(module, bnn.BAYESIAN):
        return _copies(site, module)
    if isinstance(module, bnn.BINARY):
        latent = module.weight
        if not torch.isfinite(latent).all():
            raise site.refuse("its weights hold NaN or infinite values")
        return (Weights(array(module.binary_weight()).astype(np.int8), 1, np.ones(1, np.float32)),)
    if build.quantization is None:
        raise site.refuse(
            "a plain torch layer is traced as a multi-bit one; give quantization=Quantization(weight_bits=4,"
            " input_bits=4), or use archsim.nn's binary layers"
        )
    real = array(module.weight)
    if not np.isfinite(real).all():
        raise site.refuse("its weights hold NaN or infinite values")
    return (odd_grid(real, build.quantization.weight_bits),)


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
    copies = f"{len(op.copies)} copies of " if op.alternatives else ""
    detail = f"{copies}{op.weights.bits}-bit weights {shape}"
    return build.add(site, op, inputs=(edge,), placement="crossbar", detail=detail)
