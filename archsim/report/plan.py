"""A traced network for people, before anything runs: what was mapped where, and what each layer takes on a chip."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from archsim.mapping.plan import Mapping, Placed
from archsim.metrics.plausibility import macs_per_pass
from archsim.report.layout import Cell, count, heading, percent, table
from archsim.units import show
from archsim.workload.trace import Trace, Weights

PICO = 1e-12


def trace_tables(trace: Trace) -> Iterator[RenderableType]:
    """Yield what a terminal shows of a trace: its operations, and where each module of the model went."""
    weights = [getattr(node.op, "weights", None) for node in trace.nodes]
    bits = sum(w.values.size * w.bits for w in weights if isinstance(w, Weights))
    yield Text(f"{trace.name}: input {_shape(trace.input_shape)}, output {_shape(trace.output.shape)}", style="bold")
    yield f"{show(bits, 'bit')} of weights; content {trace.content_hash()}"
    yield heading("Operations, in order")
    yield table(["", "operation", "output", "weights", "from"], (_operation(trace, i) for i in range(len(trace.nodes))))
    report = trace.meta.get("report")
    if isinstance(report, list) and report:
        yield heading("Where each module and function of the model went")
        yield table(["", "placed", "as"], ([r["name"], r["placement"], Text(r["detail"], "dim")] for r in report))


def mapping_tables(mapping: Mapping) -> Iterator[RenderableType]:
    """Yield what a terminal shows of a network on a chip."""
    organisation = mapping.chip.arch.organisation
    most = max(sum(p.crossbars for p in placed) for placed in mapping.rounds)
    yield Text(f"{mapping.trace.name} on {mapping.chip.arch.name}", style="bold")
    yield (
        f"{most} of {organisation.crossbars} crossbars ({percent(most / organisation.crossbars)}),"
        f" {count(macs_per_pass(mapping))} multiply-accumulates a pass"
    )
    for number, placed in enumerate(mapping.rounds, start=1):
        rounds = f"Round {number} of {len(mapping.rounds)}: on crossbars" if mapping.reprogrammed else "On crossbars"
        yield heading(rounds)
        titles = ["layer", "vectors", "rows x columns", "tiles", "copies", "crossbars", "on tile", "a vector", "a pass"]
        yield table(titles, (_placed(p) for p in placed), right=[1, 2, 3, 4, 5, 7, 8])
        yield heading("Their inputs")
        titles = ["layer", "from", "bits", "pixels", "of", "buffer", "random bits"]
        yield table(titles, (_inputs(p) for p in placed), right=[2, 3, 4, 5])
    yield heading("In digital units")
    yield table(["after", "operations"], _digital(mapping))


def mapping_data(mapping: Mapping) -> dict[str, Any]:
    """Return the same as plain data, times in seconds."""
    return {
        "arch": mapping.chip.arch.name,
        "workload": mapping.trace.name,
        "macs_per_pass": macs_per_pass(mapping),
        "crossbars": mapping.chip.arch.organisation.crossbars,
        "rounds": [[_placed_data(p) for p in placed] for placed in mapping.rounds],
        "digital": {after or "input": [n.name for n in nodes] for after, nodes in _digital_nodes(mapping)},
    }


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _operation(trace: Trace, index: int) -> list[Cell]:
    node = trace.nodes[index]
    weights = getattr(node.op, "weights", None)
    held = f"{_shape(weights.values.shape)}, {weights.bits} bit" if isinstance(weights, Weights) else ""
    previous = trace.nodes[index - 1].name if index else "input"
    others = "" if node.inputs == (previous,) else ", ".join(node.inputs)
    return [node.name, node.op.kind, _shape(node.shape), held, others]


def _placed(p: Placed) -> list[Cell]:
    tiles = f"{p.tiles[0]}" if len(p.tiles) == 1 else f"{p.tiles[0]}-{p.tiles[-1]}"
    whole = "" if p.fraction == 1 else f" ({percent(p.fraction, 0)})"
    return [
        p.name + whole,
        count(p.stage.positions),
        f"{p.tiling.rows} x {p.columns}",
        f"{len(p.tiling.row_tiles)} x {p.column_tiles}",
        str(p.replicas),
        str(p.crossbars),
        tiles,
        show(p.timing.vector_ps * PICO, "s"),
        show(_pass_ps(p) * PICO, "s"),
    ]


def _inputs(p: Placed) -> list[Cell]:
    edge = p.stage.inputs
    random = p.stage.dropout
    pixel = show(edge.bits_per_pixel, "bit")
    drawn = f"{random.name}" if random else ""
    return [p.name, edge.producer or "input", str(p.stage.input_bits), count(edge.pixels), pixel,
            show(p.buffer_bits, "bit"), drawn]  # fmt: skip


def _digital(mapping: Mapping) -> Iterator[list[Cell]]:
    for after, nodes in _digital_nodes(mapping):
        text = ", ".join(f"{n.op.kind} ({count(prod(n.shape))})" for n in nodes)
        yield [after or "input", text or "-"]


def _digital_nodes(mapping: Mapping) -> Iterator[tuple[str | None, tuple[Any, ...]]]:
    if mapping.graph.preprocessing:
        yield None, mapping.graph.preprocessing
    for stage in mapping.graph.stages:
        yield stage.name, stage.digital


def _pass_ps(p: Placed) -> int:
    return -(-p.stage.positions // p.replicas) * p.timing.vector_ps


def _placed_data(p: Placed) -> dict[str, Any]:
    return {
        "name": p.name,
        "kind": p.stage.node.op.kind,
        "positions": p.stage.positions,
        "rows": p.tiling.rows,
        "columns": p.columns,
        "row_tiles": len(p.tiling.row_tiles),
        "column_tiles": p.column_tiles,
        "crossbars": p.crossbars,
        "replicas": p.replicas,
        "tiles": list(p.tiles),
        "input_bits": p.stage.input_bits,
        "input_from": p.stage.inputs.producer,
        "input_buffer_bits": p.buffer_bits,
        "dropout": p.stage.dropout.name if p.stage.dropout else None,
        "vector_s": p.timing.vector_ps * PICO,
        "pass_s": _pass_ps(p) * PICO,
    }
