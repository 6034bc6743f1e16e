"""A traced network for people, before anything runs: what was mapped where, and what each layer takes on a chip."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from archsim.hardware.chip import Chip
from archsim.mapping.activity import bits_per_pass
from archsim.mapping.plan import Mapping, Placed, random_modules
from archsim.metrics.plausibility import macs_per_pass
from archsim.report.layout import Cell, count, heading, percent, table
from archsim.units import show
from archsim.workload.trace import Node, Trace, Weighted, Weights

PICO = 1e-12


def trace_tables(trace: Trace) -> Iterator[RenderableType]:
    """Yield what a terminal shows of a trace: its operations, and where each module of the model went."""
    weights = [w for node in trace.nodes if isinstance(node.op, Weighted) for w in node.op.copies]
    bits = sum(w.values.size * w.bits for w in weights)
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
        titles = ["layer", "vectors", "rows x columns", "tiles", "replicas", "crossbars", "tile", "a vector", "a pass"]
        yield table(titles, (_placed(p) for p in placed), right=[1, 2, 3, 4, 5, 7, 8])
        yield heading("Their inputs")
        titles = ["layer", "from", "bits", "pixels", "of", "buffer"]
        yield table(titles, (_inputs(p) for p in placed), right=[2, 3, 4, 5])
        drawing = [p for p in placed if p.stage.stochastic]
        if drawing:
            yield heading("Random numbers, once a pass")
            titles = ["layer", "drawn by", "on", "bits", "for"]
            yield table(titles, (row for p in drawing for row in _random(p, mapping.chip)), right=[3])
    yield heading("In digital units")
    yield table(["after", "operations"], _digital(mapping))


def mapping_data(mapping: Mapping) -> dict[str, Any]:
    """Return the same as plain data, times in seconds."""
    return {
        "arch": mapping.chip.arch.name,
        "workload": mapping.trace.name,
        "macs_per_pass": macs_per_pass(mapping),
        "crossbars": mapping.chip.arch.organisation.crossbars,
        "rounds": [[_placed_data(p, mapping.chip) for p in placed] for placed in mapping.rounds],
        "digital": {after or "input": [n.name for n in nodes] for after, nodes in _digital_nodes(mapping)},
    }


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _operation(trace: Trace, index: int) -> list[Cell]:
    node = trace.nodes[index]
    weights = getattr(node.op, "weights", None)
    held = f"{_shape(weights.values.shape)}, {weights.bits} bit" if isinstance(weights, Weights) else ""
    if isinstance(node.op, Weighted) and len(node.op.copies) > 1:
        held = f"{len(node.op.copies)} x {held}"
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
        f"{p.layout.copies} copies x {p.crossbars // p.layout.copies}" if p.layout.copies > 1 else str(p.crossbars),
        tiles,
        show(p.timing.vector_ps * PICO, "s"),
        show(_pass_ps(p) * PICO, "s"),
    ]


def _inputs(p: Placed) -> list[Cell]:
    edge = p.stage.inputs
    pixel = show(edge.bits_per_pixel, "bit")
    return [p.name, edge.producer or "input", str(p.stage.input_bits), count(edge.pixels), pixel,
            show(p.buffer_bits, "bit")]  # fmt: skip


def _random(p: Placed, chip: Chip) -> Iterator[list[Cell]]:
    kind = chip.arch.stochastic
    assert kind is not None, "the mapping has checked it"
    modules = f"{random_modules(p, chip)} modules of the {kind.scope}"
    for node in p.stage.stochastic:
        use = "digital units" if node in p.stage.drawing else "arrays"
        yield [p.name, node.name, modules, count(bits_per_pass(node, kind.gaussian_bits)), f"{use}, {_drawn(node)}"]


def _drawn(node: Node) -> str:
    """Return what a node draws in a pass: how many of which numbers."""
    words = {"bit": "{} of probability {:g}", "gaussian": "{} Gaussians", "index": "{} of {} copies"}
    return ", ".join(
        words[d.kind].format(count(d.count), d.choices if d.kind == "index" else d.p) for d in node.draws()
    )


def _digital(mapping: Mapping) -> Iterator[list[Cell]]:
    for after, nodes in _digital_nodes(mapping):
        text = ", ".join(f"{n.op.kind} ({count(prod(n.shape))})" for n in nodes)
        yield [after or "input", text or "-"]
    for p in mapping.placed():
        if p.held_bits:
            room = show(p.output_bits, "bit")
            yield ["", f"{p.name}: {show(p.held_bits, 'bit')} of {room} of output buffers wait for statistics"]


def _digital_nodes(mapping: Mapping) -> Iterator[tuple[str | None, tuple[Any, ...]]]:
    if mapping.graph.preprocessing:
        yield None, mapping.graph.preprocessing
    for stage in mapping.graph.stages:
        yield stage.name, stage.digital


def _pass_ps(p: Placed) -> int:
    return -(-p.stage.positions // p.replicas) * p.timing.vector_ps


def _gaussian_bits(chip: Chip) -> int:
    return chip.arch.stochastic.gaussian_bits if chip.arch.stochastic else 1


def _placed_data(p: Placed, chip: Chip) -> dict[str, Any]:
    return {
        "name": p.name,
        "kind": p.stage.node.op.kind,
        "positions": p.stage.positions,
        "rows": p.tiling.rows,
        "columns": p.columns,
        "row_tiles": len(p.tiling.row_tiles),
        "column_tiles": p.column_tiles,
        "crossbars": p.crossbars,
        "crossbars_per_copy": p.crossbars // p.layout.copies,
        "copies": p.layout.copies,
        "replicas": p.replicas,
        "tiles": list(p.tiles),
        "input_bits": p.stage.input_bits,
        "input_from": p.stage.inputs.producer,
        "input_buffer_bits": p.buffer_bits,
        "dropout": p.stage.dropout.name if p.stage.dropout else None,
        "random_bits_per_pass": {n.name: bits_per_pass(n, _gaussian_bits(chip)) for n in p.stage.stochastic},
        "held_bits": p.held_bits,
        "vector_s": p.timing.vector_ps * PICO,
        "pass_s": _pass_ps(p) * PICO,
    }
