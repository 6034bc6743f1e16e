"""From a torch model to a `Trace`: the graph, the weights, and the stochastic elements; nothing is skipped silently."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from archsim import nn as bnn
from archsim.errors import TraceError
from archsim.workload.trace import INPUT, Trace
from archsim.workload.tracer import chance, digital, layers
from archsim.workload.tracer.builder import PLACEMENTS, Builder, Quantization, Site
from archsim.workload.tracer.capture import capture, sample, untouched

__all__ = ["PLACEMENTS", "Quantization", "trace_model"]

RULES = (
    *digital.RULES,
    (layers.linear, (), (bnn.BinaryLinear, bnn.BayesianLinear, nn.Linear), (), ()),
    (
        layers.conv,
        (),
        (bnn.BinaryConv1d, bnn.BinaryConv2d, bnn.BayesianConv1d, bnn.BayesianConv2d, nn.Conv1d, nn.Conv2d),
        (),
        (),
    ),
    (layers.own_quantize, (), (bnn.Quantize,), (), ()),
    (
        chance.dropout,
        ("p", "maps"),
        (bnn.SpinDrop, bnn.SpatialSpinDrop, nn.Dropout, nn.Dropout1d, nn.Dropout2d),
        (F.dropout, F.dropout1d, F.dropout2d),
        (),
    ),
    (chance.scale_dropout, (), (bnn.ScaleDropout,), (), ()),
    (chance.affine_dropout, (), (bnn.AffineDropout,), (), ()),
    (chance.gaussian_scale, (), (bnn.GaussianScale,), (), ()),
    (chance.normalise, (), (bnn.Normalise,), (), ()),
)
MODULES = {kind: (rule, params) for rule, params, kinds, _, _ in RULES for kind in kinds}
FUNCTIONS = {function: (rule, params) for rule, params, _, functions, _ in RULES for function in functions}
METHODS = {method: (rule, params) for rule, params, _, _, methods in RULES for method in methods}


def trace_model(
    model: nn.Module,
    example: Tensor | npt.NDArray[Any],
    *,
    name: str | None = None,
    quantization: Quantization | None = None,
    calibration: Tensor | npt.NDArray[Any] | None = None,
) -> Trace:
    """Return a torch model as data: what is computed, with which weights, and where chance enters.

    `example`: a batch of inputs of the right shape (its values do not matter), such as zeros of (1, 1, 28, 28).
    `quantization`: how layers of `torch.nn` become multi-bit; archsim's binary layers need none. `calibration`:
    typical inputs, (N, ...), from which the scales of inserted quantisers are chosen.
    `trace.meta["report"]` lists for each module and function where it went (`PLACEMENTS`) and as what. The model is
    left as it was: modes, weights, hooks, and torch's random state.

    Raises `TraceError`, naming the module or function, for whatever cannot be put on the hardware.
    """
    with untouched(model):
        captured = capture(model, _like(model, example))
        build = Builder(captured, quantization)
        output = _convert(build)
        if build.to_calibrate:
            _calibrate(build, None if calibration is None else _like(model, calibration))
        nodes = build.live_nodes(output)
    _note_unused(build, model)
    report = [{"name": n, "placement": p, "detail": d} for n, (p, d) in build.report.items()]
    meta = {"model": f"{type(model).__module__}.{type(model).__qualname__}", "report": report}
    return Trace(name or type(model).__name__, build.shape(INPUT), nodes, meta)


def _convert(build: Builder) -> str:
    """Turn each torch node into trace nodes; return the edge of the output."""
    for node in build.captured.graph.nodes:
        if node.op == "placeholder":
            build.edges[node], build.sources[INPUT] = INPUT, node
        elif node.op == "output":
            return _output(build, node)
        elif node in build.captured.shapes:
            site, rule = _site(build, node)
            edge = rule(build, site)
            build.edges[node] = edge
            build.sources.setdefault(edge, node)
    raise TraceError("the model returns nothing")


def _site(build: Builder, node: fx.Node) -> tuple[Site, digital.Rule]:
    """Find the rule for a call and gather its parameters."""
    captured = build.captured
    module = captured.modules[str(node.target)] if node.op == "call_module" else None
    if module is not None:
        label, entry, known = f"module '{node.target}' ({type(module).__name__})", MODULES.get(type(module)), MODULES
        if entry is None and isinstance(module, bnn.Stochastic):
            entry = (chance.own, ())
    elif node.op == "get_attr":
        raise TraceError(f"parameter '{node.target}' is used directly in forward; use a module for it")
    elif node.op == "call_function":
        label, entry, known = f"function '{_title(node)}'", FUNCTIONS.get(node.target), FUNCTIONS
    else:
        label, entry, known = f"method '.{node.target}()'", METHODS.get(str(node.target)), METHODS
    if entry is None:
        names = sorted({getattr(k, "__name__", str(k)) for k in known})
        hint = " (torch.sign(0) is 0; use archsim.nn.Sign)" if _title(node) == "sign" else ""
        raise TraceError(f"{label} cannot be traced{hint}; supported: {', '.join(names)}")
    rule, params = entry
    first = node.args[0] if node.args else node.kwargs.get("input")
    if not isinstance(first, fx.Node) or first not in build.edges:
        raise TraceError(f"{label}: its first argument must be a value that depends on the input")
    if module is not None:
        values = {p: getattr(module, p) for p in params if hasattr(module, p)}
    else:
        values = dict(zip(params, node.args[1:], strict=False)) | dict(node.kwargs)
    edge = build.edges[first]
    site = Site(node, captured.names[node], label, values, module, edge, build.shape(edge), captured.shapes[node])
    return site, rule


def _title(node: fx.Node) -> str:
    return node.target if isinstance(node.target, str) else node.target.__name__


def _output(build: Builder, node: fx.Node) -> str:
    result = node.args[0]
    if not isinstance(result, fx.Node) or result not in build.edges:
        raise TraceError("the model must return one tensor, the class scores")
    return build.edges[result]


def _calibrate(build: Builder, data: Tensor | None) -> None:
    if data is None:
        raise TraceError(
            f"inputs of {', '.join(repr(n) for n in build.to_calibrate)} need scales: give calibration= some typical"
            " inputs of shape (N, ...)"
        )
    seen = sample(build.captured, data, set(build.to_calibrate.values()))
    assert build.quantization is not None
    for name, node in build.to_calibrate.items():
        build.set_op(name, layers.calibrated(build.quantization.input_bits, seen[node]))


def _note_unused(build: Builder, model: nn.Module) -> None:
    used = {str(n.target) for n in build.captured.graph.nodes if n.op == "call_module"}
    for name, module in model.named_modules():
        if not list(module.children()) and name and name not in used:
            build.report[name] = ("inactive", "never called by the model's forward")


def _like(model: nn.Module, data: Tensor | npt.NDArray[Any]) -> Tensor:
    """Return data as a float tensor on the model's device."""
    first = next(model.parameters(), None)
    return torch.as_tensor(data, dtype=torch.float32, device=None if first is None else first.device)
