"""The claims table and the rivals' table, for the terminal, for a machine, and as a page of markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from archsim.claims.finding import Row
from archsim.claims.rivals import Rival
from archsim.metrics.intervals import Estimate
from archsim.metrics.result import finite, plain
from archsim.report.layout import Cell, heading, table
from archsim.units import show

STYLES = {True: "green", False: "yellow", None: "dim"}
BOUNDS = {"equal": "", "at_least": "at least ", "up_to": "up to "}


def claims_report(rows: Sequence[Row], rivals: Sequence[Rival]) -> Iterator[RenderableType]:
    """Yield what a terminal shows: a line a claim, then for each what it rests on."""
    yield heading("Published claims beside archsim")
    yield table(["claim", "published", "archsim", "its range", "verdict"], (_line(r) for r in rows), right=[1, 2])
    yield heading("What each comparison rests on")
    for row in rows:
        yield Text(f"  {row.key}: {row.claim.statement} ({row.claim.grade}, {row.claim.paper})", style="bold")
        yield Text("\n".join(f"    {line}" for line in _details(row)))
    if rivals:
        yield heading("Methods and rivals, LeNet-5 on MNIST")
        yield table(RIVAL_HEAD, (_rival(r) for r in rivals), right=range(1, len(RIVAL_HEAD)))
        yield Text("\n".join(f"  {note}" for note in _rival_notes(rivals)))


def claims_data(rows: Iterable[Row], rivals: Iterable[Rival]) -> dict[str, Any]:
    """Return plain data for JSON; SI units, null where nothing was found."""
    return {
        "claims": [finite(_record(r)) for r in rows],
        "rivals": [finite({k: plain(v) if isinstance(v, Estimate) else v for k, v in vars(r).items()}) for r in rivals],
    }


def claims_tables(data: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return flat tables of `claims_data`: an estimate becomes three columns."""
    return {
        name: [
            {
                f"{key}_{end}" if isinstance(value, dict) else key: part
                for key, value in record.items()
                for end, part in (value.items() if isinstance(value, dict) else [("", value)])
            }
            for record in records
        ]
        for name, records in data.items()
        if records
    }


def claims_markdown(rows: Sequence[Row], rivals: Sequence[Rival], command: str) -> str:
    """Return the page that is kept in docs/."""
    lines = [
        "# What the papers claim, and what archsim finds",
        "",
        f"Made by `{command}`; do not edit.",
        "",
        "One component library prices every method; no published figure enters a simulation.",
        "RECALLED claims were not seen in a source: their verdict is marked *unverified*.",
        "",
        "*agrees*: the published value lies in archsim's range, or the range reaches it where the claim is a bound.",
        "Ranges of costs are those of all components at once, about a factor of three to each side; those of quality",
        "are 95 % intervals. Below, the factor between the two nominal values stands with each claim.",
        "",
        "| claim | paper | grade | published | archsim | its range | verdict |",
        "| --- | --- | --- | ---: | ---: | --- | --- |",
    ]
    for r in rows:
        _, published, ours, span, verdict = (str(c) for c in _line(r))
        lines.append(
            f"| {r.claim.statement} | {r.claim.paper} | {r.claim.grade} | {published} | {ours} | {span} | {verdict} |"
        )
    lines += ["", "## What each comparison rests on", ""]
    for r in rows:
        lines += [f"**{r.claim.statement}** (`{r.key}`)", "", *(f"* {line}" for line in _details(r)), ""]
    if rivals:
        lines += ["## Methods and rivals", "", *_rival_notes(rivals), ""]
        lines += ["| " + " | ".join(RIVAL_HEAD) + " |", "| --- |" + " ---: |" * (len(RIVAL_HEAD) - 1)]
        lines += ["| " + " | ".join(str(c) for c in _rival(r)) + " |" for r in rivals]
        lines.append("")
    return "\n".join(lines)


def _line(row: Row) -> list[Cell]:
    claim, finding = row.claim, row.finding
    published = BOUNDS[claim.bound] + quantity(claim.value, claim.unit)
    if finding is None:
        return [row.key, published, "", row.missing, Text("not run", STYLES[None])]
    value = finding.value
    span = f"{quantity(value.low, claim.unit)} to {quantity(value.high, claim.unit)}"
    return [row.key, published, quantity(value.value, claim.unit), span, Text(row.verdict, STYLES[row.holds])]


def _details(row: Row) -> Iterator[str]:
    claim, finding = row.claim, row.finding
    yield f"compared with: {claim.compared_with}" + (
        f"; its source: {claim.baseline.source} ({claim.baseline.grade})" if claim.baseline else ""
    )
    if finding is None:
        yield f"not run: {row.missing}"
    else:
        if finding.condition:
            yield f"found with: {finding.condition}"
        if row.factor is not None:
            reach = "its range reaches it" if row.holds else "its range does not reach it"
            yield f"archsim's value is {row.factor:.3g} times the published one; {reach}"
        if finding.why:
            yield f"because: {finding.why}"
    yield f"hinges on: {claim.hinges_on}"
    yield f"source: {claim.source} ({claim.grade})"


def quantity(value: float, unit: str) -> str:
    """Return a value in the words of its unit."""
    if unit == "J":
        return show(value, "J")
    if unit == "share":
        return f"{100 * value:.2f} %"
    if unit == "op/s/W":
        return f"{value * 1e-12:.3g} TOPS/W"
    return f"{value:.4g}" + (" x" if unit == "x" else "")


def _record(row: Row) -> dict[str, Any]:
    claim, finding = row.claim, row.finding
    return {
        "key": row.key,
        **{k: v for k, v in claim.model_dump().items() if k != "baseline"},
        "baseline": claim.baseline.value if claim.baseline else None,
        "baseline_grade": claim.baseline.grade if claim.baseline else None,
        "archsim": {**plain(finding.value), "method": finding.value.method} if finding else None,
        "condition": finding.condition if finding else "",
        "why": finding.why if finding else "",
        "missing": row.missing,
        "holds": row.holds,
        "verdict": row.verdict,
        "factor": row.factor,
    }


RIVAL_HEAD = ("network", "T", "accuracy", "NLL", "ECE", "AUROC", "memory", "energy", "latency", "arrays")


def _rival(rival: Rival) -> list[Cell]:
    return [
        rival.title,
        str(rival.passes),
        f"{100 * rival.accuracy.value:.2f} %",
        f"{rival.nll.value:.3f}",
        f"{rival.ece.value:.3f}",
        f"{rival.auroc.value:.3f}",
        f"{rival.memory_bits / 8192:.3g} KiB",
        show(rival.energy_j_per_image.value, "J"),
        show(rival.latency_s_per_image, "s"),
        str(rival.crossbars),
    ]


def _rival_notes(rivals: Iterable[Rival]) -> Iterator[str]:
    yield (
        "All on the same chip, T passes. AUROC: predictive entropy, averaged over the OOD sets. Memory: weights and"
        " parameters, each once; arrays: crossbars that hold them, without replicas."
    )
    for rival in rivals:
        if rival.note:
            yield f"* {rival.title}: {rival.note}"
