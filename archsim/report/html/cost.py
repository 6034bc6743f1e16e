"""What it cost: energy, time, waiting, memory and area, each as a plot with its numbers folded below."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from archsim.report.html import words
from archsim.report.html.blocks import Block, Cell, Folded, Heading, Row, Section, Table, Text, after, beside
from archsim.report.html.columns import Column
from archsim.report.html.formats import Layer, Memory, Range, ResultFile
from archsim.report.html.pictures import Pictures
from archsim.report.layout import Say

MEMORY = {
    "weight_cells": "non-volatile cells, complements, replicas and copies included",
    "weights": "the weights themselves, each copy once",
    "parameters": "thresholds, scales, shifts, means and deviations",
    "accumulators": "running sums of the passes",
    "random_units": "registers of random numbers and generator state",
    "buffers": "at their peaks",
}
NEGLIGIBLE = 1e-3  # of the run: waiting that need not be shown


def cost(columns: Sequence[Column], pictures: Pictures) -> Iterator[Section]:
    """Yield the section on cost, where there is a result."""
    with_costs = [(c.label, c.result) for c in columns if c.result]
    if not with_costs:
        return
    labels, results = [label for label, _ in with_costs], [r for _, r in with_costs]
    blocks: list[Block] = [Heading("Energy"), Text(_energy(results[0]) if len(results) == 1 else RANGES)]
    blocks += pictures.take("energy_by_part", _ranked("Energy of an image by part", labels, results, _by_part))
    blocks += pictures.take("energy_by_layer", _ranked("Energy of an image by layer", labels, results, _by_layer))
    blocks += [Heading("Time"), *(Text(f"{_which(labels, i)}{_latency(r)}") for i, r in enumerate(results))]
    blocks += pictures.take("latency")
    blocks += pictures.take("critical_path", _critical(labels, results))
    blocks += pictures.take("utilisation")
    blocks += pictures.take("stalls")
    blocks += [_stations(label, r) for label, r in zip(_titles(labels), results, strict=True)]
    blocks += pictures.take("roofline")
    blocks += [
        Heading("Layers"),
        *(_layers(label, r.layers) for label, r in zip(_titles(labels), results, strict=True)),
    ]
    blocks += [Heading("Area and memory")]
    blocks += pictures.take("area_by_part", _ranked("Area by part", labels, results, _area, words.area))
    blocks += pictures.take("memory", beside("Memory in use", "", labels, [_memory(r.memory_bits) for r in results]))
    blocks += [_endurance(labels, results)]
    yield Section("cost", "What it costs", [*blocks, *pictures.rest("archsim/result")])


RANGES = (
    "Every component has a plausible range. The ends shown are those with all parts at their low ends, or all at their"
    " high ends: a bound, not a standard deviation."
)


def _titles(labels: Sequence[str]) -> list[str]:
    """Return what to put before the caption of a table of one column."""
    return [f"{label}: " if len(labels) > 1 else "" for label in labels]


def _which(labels: Sequence[str], i: int) -> str:
    return _titles(labels)[i]


def _energy(r: ResultFile) -> str:
    e = r.energy_j_per_image
    text = f"An image takes {words.joules(e.value)}, of which {words.joules(e.leakage)} leak away. {RANGES}"
    if e.on_chip.value != e.value:
        text += f" Off-chip memory takes {words.joules(e.value - e.on_chip.value)} of it."
    return text


def _latency(r: ResultFile) -> str:
    parts = f"An image waits {words.seconds(r.latency_s_per_image)}: {words.seconds(r.first_pass_s)} for the first pass"
    rest = r.latency_s_per_image - r.first_pass_s
    if r.passes > 1:
        parts += f", then {words.seconds(r.pass_interval_s)} for each of {r.passes - 1} more"
        rest -= (r.passes - 1) * r.pass_interval_s
    if rest > NEGLIGIBLE * r.latency_s_per_image:
        parts += f", and {words.seconds(rest)} for averaging"
    parts += f". Images follow each other every {words.seconds(r.image_interval_s)}."
    if r.programming_s:
        parts += f" Writing weights takes {words.seconds(r.programming_s)} of the run: the network exceeds the chip."
    return parts


def _by_part(r: ResultFile) -> Mapping[str, Range]:
    return r.energy_j_per_image.by_part


def _by_layer(r: ResultFile) -> Mapping[str, Range]:
    return r.energy_j_per_image.by_layer


def _area(r: ResultFile) -> Mapping[str, Range]:
    return r.area_m2.by_part


def _ranked(
    caption: str,
    labels: Sequence[str],
    results: Sequence[ResultFile],
    parts_of: Callable[[ResultFile], Mapping[str, Range]],
    say: Say = words.joules,
) -> Table:
    """Return parts with value, share and range, the largest of the first result on top."""
    columns = []
    for r in results:
        parts = parts_of(r)
        whole = sum(p.value for p in parts.values()) or 1.0
        columns.append({name: _part(p, p.value / whole, say) for name, p in parts.items()})
    first = parts_of(results[0])
    names = sorted({n: None for r in results for n in parts_of(r)}, key=lambda n: -first[n].value if n in first else 0)
    return beside(caption, "", labels, columns, names)


def _part(found: Range, of_all: float, say: Say) -> Cell:
    ends = words.span(found, say)
    return Cell(say(found.value), f"{words.share(of_all)}{'; ' if ends else ''}{ends}", share=of_all)


def _critical(labels: Sequence[str], results: Sequence[ResultFile]) -> Table | None:
    columns = []
    for r in results:
        whole = sum(s.seconds for s in r.critical_path) or 1.0
        columns.append(
            {
                f"{s.layer}: {s.operation}": Cell(
                    words.seconds(s.seconds), words.share(s.seconds / whole), share=s.seconds / whole
                )
                for s in r.critical_path
            }
        )
    return beside("What one pass alone waits for", "", labels, columns) if any(columns) else None


def _stations(before: str, r: ResultFile) -> Block:
    waits: dict[str, list[str]] = {}
    for stall in sorted(r.stalls, key=lambda s: -s.waited_s):
        if stall.waited_s > NEGLIGIBLE * r.total_s:
            waits.setdefault(stall.process, []).append(f"{stall.cause} {words.share(stall.waited_s / r.total_s)}")
    rows: list[Row] = [
        [
            Cell(s.name, s.group),
            Cell(words.share(s.utilisation), share=s.utilisation),
            words.share(s.queued_s / r.total_s),
            ", ".join(waits.pop(s.name, [])),
        ]
        for s in sorted(r.stations, key=lambda s: -s.busy_s)
    ]
    rows += [[process, "", "", ", ".join(causes)] for process, causes in waits.items()]
    caption = words.led(before, "resources, the busiest first; shares of the run")
    table = Table(caption, ["", "busy", "queued for", "waits for"], rows, frozenset({1, 2}))
    return Folded(words.led(before, "all resources and what they wait for"), [table])


def _layers(before: str, layers: Sequence[Layer]) -> Table:
    rows: list[Row] = [
        [
            Cell(row.name, row.kind),
            f"{row.rows} \N{MULTIPLICATION SIGN} {row.columns}",
            Cell(f"{row.weight_bits} / {row.input_bits}"),
            Cell(str(row.crossbars), _copies(row)),
            f"{row.driven_rows:.1f}",
            f"{row.random_bits_per_pass:.4g}",
            words.seconds(row.array_s_per_pass),
            words.share(row.utilisation),
            words.joules(row.energy_j_per_image),
        ]
        for row in layers
    ]
    head = [
        "", "matrix", "bits of weights / inputs", "crossbars", "rows driven", "random bits a pass", "arrays a pass",
        "arrays busy", "energy an image",
    ]  # fmt: skip
    return Table(words.led(before, "layers on crossbars"), head, rows, after(1, head))


def _copies(row: Layer) -> str:
    said = [f"{n} {what}" for n, what in ((row.replicas, "replicas"), (row.copies, "copies")) if n > 1]
    return ", ".join(said)


def _memory(memory: Memory) -> dict[str, Cell]:
    amounts = {name: getattr(memory, name) for name in MEMORY if name != "buffers"}
    amounts["buffers"] = sum(memory.buffers.values())
    return {name.replace("_", " "): Cell(words.bits(n), MEMORY[name]) for name, n in amounts.items()}


def _endurance(labels: Sequence[str], results: Sequence[ResultFile]) -> Table:
    def wear(r: ResultFile) -> dict[str, Cell]:
        e = r.endurance
        writes = f"{max(e.weight_writes, e.random_writes):.3g}"
        if e.lifetime_images is None:
            return {"writes an image of the busiest junction": Cell(writes)}
        days = e.lifetime_images * r.image_interval_s / 86_400
        return {
            "writes an image of the busiest junction": Cell(writes, f"of {e.cycles:.0e} that it stands"),
            "images until it is worn out": Cell(f"{e.lifetime_images:.2g}", f"{days:.3g} days without a pause"),
        }

    return beside("Wear of the junctions", "", labels, [wear(r) for r in results])
