"""What the digital side does between crossbars: pooling, activations, norms, reshapes, additions, softmax."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from archsim import nn as bnn
from archsim.workload.trace import Activation, Add, Affine, Flatten, Pool, Sign, Softmax
from archsim.workload.tracer.builder import Builder, Site
from archsim.workload.tracer.fold import Step, fold
from archsim.workload.tracer.layers import array

AFFINE = (nn.BatchNorm1d, nn.BatchNorm2d, bnn.Scale)
# what may stand before a folded sign
MONOTONE = (*AFFINE, nn.Hardtanh, nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Identity)
MONOTONE_FUNCTIONS = (F.hardtanh, F.relu, F.tanh, F.sigmoid, torch.relu, torch.tanh, torch.sigmoid)


def skip(build: Builder, site: Site) -> str:
    """Pass the input on: the call changes nothing at inference."""
    build.note(site, "inactive", "changes nothing at inference")
    return site.input


def reshape(build: Builder, site: Site) -> str:
    """Record a flatten, in whatever words: flatten, view, reshape, squeeze."""
    if site.out_shape == site.in_shape:
        return skip(build, site)
    if site.out_shape != (prod(site.in_shape),):
        raise site.refuse(
            f"reshapes {site.in_shape} to {site.out_shape}; only flattening all axes but the batch is supported"
        )
    return build.add(site, Flatten())


def activation(function: str) -> Callable[[Builder, Site], str]:
    """Return the rule for an element-wise function."""

    def rule(build: Builder, site: Site) -> str:
        limits = (site.params.get("min_val", -1.0), site.params.get("max_val", 1.0))
        if function == "hardtanh" and limits != (-1.0, 1.0):
            raise site.refuse(f"hardtanh between {limits[0]} and {limits[1]} is not supported, only -1 and 1")
        return build.add(site, Activation(function), detail=function)

    return rule


def sign(build: Builder, site: Site) -> str:
    """Record a sign, folding batch norms and activations before it into a threshold as exact as torch."""
    start = site.node.all_input_nodes[0]
    steps: list[Step] = []
    folded_affine = False
    while (step := _monotone_step(build, start)) is not None:
        steps.insert(0, step)
        folded_affine |= isinstance(step, AFFINE)
        build.folded[build.captured.names[start]] = site.name
        start = start.all_input_nodes[0]
    if not folded_affine:
        return build.add(site, Sign())
    shape = build.captured.shapes[start]
    threshold = fold(steps, shape[0], len(shape) - 1, build.device, site.label)
    return build.add(site, threshold, inputs=(build.edges[start],), detail="threshold (norm and sign)")


def _monotone_step(build: Builder, node: fx.Node) -> Step | None:
    """Return what a node computes, if that is monotone in each channel and the node is no input; else None."""
    if node.op == "call_module":
        module = build.captured.modules[str(node.target)]
        _check_norm(build, node, module)
        return module if type(module) in MONOTONE else None
    if node.op == "call_function" and node.target in MONOTONE_FUNCTIONS:
        return partial(_call, node)
    return None


def _call(node: fx.Node, x: Tensor) -> Tensor:
    """Run a function node on another first argument."""
    function: Any = node.target
    result: Tensor = function(x, *node.args[1:], **{k: v for k, v in node.kwargs.items() if k != "inplace"})
    return result


def norm(build: Builder, site: Site) -> str:
    """Record a batch norm with its running statistics as scale and shift."""
    module: Any = site.module
    _check_norm(build, site.node, module)
    gamma = torch.ones_like(module.running_mean) if module.weight is None else module.weight
    beta = torch.zeros_like(gamma) if module.bias is None else module.bias
    scale = gamma * (1 / torch.sqrt(module.running_var + module.eps))  # rounded as torch does
    return build.add(site, Affine(array(scale), array(beta - module.running_mean * scale)), detail="batch norm")


def scale(build: Builder, site: Site) -> str:
    """Record an `archsim.nn.Scale`."""
    module: Any = site.module
    return build.add(site, Affine(array(module.weight), array(module.bias)))


def pool(function: str) -> Callable[[Builder, Site], str]:
    """Return the rule for pooling over windows."""

    def rule(build: Builder, site: Site) -> str:
        p, rank = site.params, len(site.in_shape) - 1
        kernel = _tuple(p["kernel_size"], rank)
        stride = kernel if p.get("stride") in (None, [], ()) else _tuple(p["stride"], rank)
        padding = _tuple(p.get("padding", 0), rank)
        if p.get("ceil_mode") or p.get("return_indices") or p.get("divisor_override"):
            raise site.refuse("ceil_mode, return_indices and divisor_override are not supported")
        if _tuple(p.get("dilation", 1), rank) != (1,) * rank:
            raise site.refuse("dilated pooling is not supported")
        if function == "avg" and any(padding) and p.get("count_include_pad", True):
            raise site.refuse("average pooling that counts its padding is not supported; set count_include_pad=False")
        return build.add(site, Pool(function, kernel, stride, padding), detail=f"{function} pool")

    return rule


def adaptive_pool(function: str) -> Callable[[Builder, Site], str]:
    """Return the rule for adaptive pooling whose output size divides its input size."""

    def rule(build: Builder, site: Site) -> str:
        sizes = tuple(zip(site.in_shape[1:], site.out_shape[1:], strict=True))
        if any(i % o for i, o in sizes) or site.params.get("return_indices"):
            raise site.refuse(
                f"adaptive pooling from {site.in_shape[1:]} to {site.out_shape[1:]}: windows would overlap"
            )
        kernel = tuple(i // o for i, o in sizes)
        return build.add(site, Pool(function, kernel, kernel, (0,) * len(kernel)), detail=f"{function} pool")

    return rule


def mean(build: Builder, site: Site) -> str:
    """Record a mean over all spatial axes as an average pool, flattened unless `keepdim`."""
    rank = len(site.in_shape)
    dims = site.params.get("dim")
    axes = {d % (rank + 1) for d in ((dims,) if isinstance(dims, int) else dims or ())}
    if axes != set(range(2, rank + 1)) or not axes:
        raise site.refuse(f"a mean over axes {dims} is not supported, only over all spatial axes")
    kernel = site.in_shape[1:]
    pooled = (site.in_shape[0],) + (1,) * len(kernel)
    if site.out_shape == pooled:
        return build.add(site, Pool("avg", kernel, kernel, (0,) * len(kernel)), detail="mean")
    build.add_before(site, f"{site.name}.pool", Pool("avg", kernel, kernel, (0,) * len(kernel)), pooled)
    return build.add(site, Flatten(), inputs=(f"{site.name}.pool",), detail="mean")


def add(build: Builder, site: Site) -> str:
    """Record a residual connection, or a number added to every value."""
    other = site.params.get("other")
    if site.params.get("alpha", 1) != 1:
        raise site.refuse("alpha is not supported")
    if isinstance(other, int | float):
        return _affine(build, site, 1.0, float(other))
    if not isinstance(other, fx.Node) or other not in build.edges:
        raise site.refuse("only values that depend on the input, or numbers, can be added")
    edges = (site.input, build.edges[other])
    if {build.shape(e) for e in edges} != {site.out_shape}:
        raise site.refuse("the two sides have different shapes; broadcasting is not supported")
    return build.add(site, Add(), inputs=edges)


def times(build: Builder, site: Site) -> str:
    """Record a multiplication by a number."""
    return _affine(build, site, _number(site), 0.0)


def divide(build: Builder, site: Site) -> str:
    """Record a division by a number."""
    if (divisor := _number(site)) == 0:
        raise site.refuse("divides by zero")
    return _affine(build, site, 1.0 / divisor, 0.0)


def subtract(build: Builder, site: Site) -> str:
    """Record a number taken from every value."""
    return _affine(build, site, 1.0, -_number(site))


def softmax(build: Builder, site: Site) -> str:
    """Record a softmax; at the very end it is left out, because a trace ends with the class scores."""
    if all(user.op == "output" for user in site.node.users):
        build.note(site, "inactive", "a trace ends with the scores; the softmax is taken when passes are averaged")
        return site.input
    if "log" in site.name.lower() or isinstance(site.module, nn.LogSoftmax):
        raise site.refuse("log-softmax is only supported at the end of a network")
    if len(site.in_shape) != 1 or site.params.get("dim") not in (1, -1):
        raise site.refuse("softmax is only supported over the class axis of flat scores")
    return build.add(site, Softmax())


def _affine(build: Builder, site: Site, gain: float, shift: float) -> str:
    channels = site.in_shape[0]
    op = Affine(np.full(channels, gain, np.float32), np.full(channels, shift, np.float32))
    return build.add(site, op)


def _number(site: Site) -> float:
    other = site.params.get("other")
    if not isinstance(other, int | float):
        raise site.refuse("only plain numbers are supported on the right-hand side; use archsim.nn.Scale")
    return float(other)


def _tuple(value: Any, rank: int) -> tuple[int, ...]:
    return (value,) * rank if isinstance(value, int) else tuple(value) * (rank if len(value) == 1 else 1)


def _check_norm(build: Builder, node: fx.Node, module: nn.Module) -> None:
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.running_mean is None:
        name = build.captured.names[node]
        raise build.refuse(name, "a batch norm without running statistics depends on the batch; archsim cannot fold it")


Rule = Callable[[Builder, Site], str]
WINDOW = ("kernel_size", "stride", "padding")
MAX = (*WINDOW, "dilation", "ceil_mode", "return_indices")
AVG = (*WINDOW, "ceil_mode", "count_include_pad", "divisor_override")

# rule, parameters by torch's names in order, torch modules, functions, tensor methods
RULES: tuple[tuple[Rule, tuple[str, ...], tuple[Any, ...], tuple[Any, ...], tuple[str, ...]], ...] = (
    (skip, (), (nn.Identity,), (), ("contiguous", "clone", "detach", "float")),
    (
        reshape,
        (),
        (nn.Flatten,),
        (torch.flatten, torch.squeeze, torch.reshape),
        ("flatten", "view", "reshape", "squeeze"),
    ),
    (activation("relu"), (), (nn.ReLU,), (F.relu, torch.relu, F.relu_, torch.relu_), ("relu", "relu_")),
    (activation("hardtanh"), ("min_val", "max_val"), (nn.Hardtanh,), (F.hardtanh,), ()),
    (activation("tanh"), (), (nn.Tanh,), (F.tanh, torch.tanh), ("tanh",)),
    (activation("sigmoid"), (), (nn.Sigmoid,), (F.sigmoid, torch.sigmoid), ("sigmoid",)),
    (sign, (), (bnn.Sign,), (bnn.sign,), ()),
    (norm, (), (nn.BatchNorm1d, nn.BatchNorm2d), (), ()),
    (scale, (), (bnn.Scale,), (), ()),
    (pool("max"), MAX, (nn.MaxPool1d, nn.MaxPool2d), (F.max_pool1d, F.max_pool2d, torch.max_pool2d), ()),
    (pool("avg"), AVG, (nn.AvgPool1d, nn.AvgPool2d), (F.avg_pool1d, F.avg_pool2d), ()),
    (
        adaptive_pool("avg"),
        ("output_size",),
        (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d),
        (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d),
        (),
    ),
    (
        adaptive_pool("max"),
        ("output_size", "return_indices"),
        (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d),
        (F.adaptive_max_pool1d, F.adaptive_max_pool2d),
        (),
    ),
    (mean, ("dim", "keepdim"), (), (torch.mean,), ("mean",)),
    (add, ("other", "alpha"), (), (operator.add, operator.iadd, torch.add), ("add", "add_")),
    (subtract, ("other",), (), (operator.sub, operator.isub), ("sub", "sub_")),
    (times, ("other",), (), (operator.mul, operator.imul, torch.mul), ("mul", "mul_")),
    (divide, ("other",), (), (operator.truediv, torch.div), ("div", "div_")),
    (
        softmax,
        ("dim",),
        (nn.Softmax, nn.LogSoftmax),
        (F.softmax, F.log_softmax, torch.softmax, torch.log_softmax),
        ("softmax", "log_softmax"),
    ),
)
