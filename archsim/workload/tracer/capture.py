"""What a torch model does, as a graph with shapes: torch.fx plus one run on the example. The model stays as it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from archsim.errors import TraceError
from archsim.nn.stochastic import Stochastic, always_on

SAMPLE = 2**16  # calibration values kept for each tensor


@dataclass(frozen=True)
class Captured:
    """The graph of a model. `shapes`: of each tensor-valued node, without the batch axis; `names`: unique, readable."""

    model: nn.Module
    runnable: fx.GraphModule
    modules: dict[str, nn.Module]
    shapes: dict[fx.Node, tuple[int, ...]]
    names: dict[fx.Node, str]

    @property
    def graph(self) -> fx.Graph:
        """The calls of the model's forward, in order."""
        return self.runnable.graph


class _Tracer(fx.Tracer):
    """Keeps archsim's own modules and stochastic ones whole, as fx keeps those of torch.nn."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        own = type(m).__module__.startswith("archsim.nn") and not isinstance(m, nn.Sequential)
        return own or isinstance(m, Stochastic) or super().is_leaf_module(m, module_qualified_name)


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Evaluate a model without leaving a trace in it: modes and torch's random state are put back."""
    modes = {module: module.training for module in model.modules()}
    try:
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(0)
            yield
    finally:
        for module, training in modes.items():
            module.training = training


def capture(model: nn.Module, example: Tensor) -> Captured:
    """Return the graph of a model with the shape of every value; `example` has a batch axis.

    Raises `TraceError` when the model's control flow depends on its data or its mode, or it cannot run the example.
    """
    model.train()
    in_training = _follow(model).graph
    model.eval()
    runnable = _follow(model)
    _same_in_both_modes(model, in_training, runnable.graph)
    placeholders = [n for n in runnable.graph.nodes if n.op == "placeholder"]
    if len(placeholders) != 1:
        raise TraceError(f"{type(model).__name__} takes {len(placeholders)} inputs; archsim traces models with one")
    if example.dim() < 2:
        raise TraceError(f"the example needs a batch axis first, got shape {tuple(example.shape)}")
    values = _Recorder(runnable).record(example.expand(2, *example.shape[1:]) if len(example) == 1 else example)
    shapes = {node: tuple(v.shape[1:]) for node, v in values.items() if isinstance(v, Tensor) and v.dim() > 0}
    modules = dict(model.named_modules())
    return Captured(model, runnable, modules, shapes, _names(runnable.graph))


def sample(captured: Captured, data: Tensor, wanted: set[fx.Node]) -> dict[fx.Node, Tensor]:
    """Return about `SAMPLE` values, the extremes among them, that each wanted node takes on data, all dropouts on."""
    seen: dict[fx.Node, Tensor] = {}
    with always_on():
        values = _Recorder(captured.runnable).record(data, wanted)
    for node, value in values.items():
        flat = value.detach().float().flatten().cpu()
        thin = flat[:: max(1, -(-flat.numel() // SAMPLE))]
        seen[node] = torch.cat([thin, flat.min().view(1), flat.max().view(1)])
    return seen


def _follow(model: nn.Module) -> fx.GraphModule:
    attributes = set(vars(model))
    try:
        return fx.GraphModule(model, _Tracer().trace(model))
    except Exception as error:  # fx runs the user's forward, which may raise anything
        raise TraceError(
            f"{type(model).__name__}: torch.fx cannot follow its forward ({error}); control flow must not depend"
            " on the data"
        ) from error
    finally:
        for name in set(vars(model)) - attributes:  # fx leaves tensors that forward makes on the model
            delattr(model, name)


def _same_in_both_modes(model: nn.Module, training: fx.Graph, evaluation: fx.Graph) -> None:
    def steps(graph: fx.Graph) -> list[tuple[str, Any]]:
        return [(n.op, n.target) for n in graph.nodes]

    for a, b in zip(steps(training), steps(evaluation), strict=False):
        if a != b:
            raise TraceError(
                f"{type(model).__name__}: its forward does '{a[1]}' in training but '{b[1]}' at inference;"
                " archsim traces one graph, so let it not depend on self.training"
            )
    if len(training.nodes) != len(evaluation.nodes):
        raise TraceError(f"{type(model).__name__}: its forward takes more steps in one mode than in the other")


class _Recorder(fx.Interpreter):
    """Runs a graph and keeps the value of its nodes."""

    def __init__(self, runnable: fx.GraphModule) -> None:
        super().__init__(runnable)
        self.extra_traceback = False
        self.seen: dict[fx.Node, Any] = {}
        self.keep: set[fx.Node] | None = None

    def record(self, data: Tensor, wanted: set[fx.Node] | None = None) -> dict[fx.Node, Any]:
        """Return the value of each node (or of the wanted ones) for this input."""
        self.keep = wanted
        self.run(data)
        return self.seen

    def run_node(self, n: fx.Node) -> Any:
        try:
            value = super().run_node(n)
        except Exception as error:  # a module of the user's model may raise anything
            where = f"module '{n.target}'" if n.op == "call_module" else f"'{n.name}'"
            raise TraceError(f"{where} cannot run the example: {str(error).splitlines()[0]}") from error
        if self.keep is None or n in self.keep:
            self.seen[n] = value
        return value


def _names(graph: fx.Graph) -> dict[fx.Node, str]:
    """Name nodes by module path, functions as 'F.relu'; a second use of either gets '@2'."""
    counts: Counter[str] = Counter()
    names = {}
    for node in graph.nodes:
        base = node.target if isinstance(node.target, str) else node.target.__name__
        name = base if node.op == "call_module" else f"F.{base}"
        counts[name] += 1
        names[node] = name if counts[name] == 1 else f"{name}@{counts[name]}"
    return names
