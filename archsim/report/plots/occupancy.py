"""How busy the chip is, and who waits for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from archsim.report.plots.data import Data, Interval, Plot, Shown, largest
from archsim.report.plots.marks import FRAME, Bars, dot, grouped_bars, height_of, name_rows, patch, place_of, swatches
from archsim.report.plots.style import COLOURS, INK, PERCENT, key, name_axis, panels, tidy

NEGLIGIBLE = 1e-3  # of the run
PROCESSES = 20
CAUSES: Mapping[str, tuple[str, str]] = {  # of waiting, as the simulator calls them: colour and hatch
    "input": (COLOURS[0], ""),
    "output space": (COLOURS[1], ""),
    "random bits": (COLOURS[2], "...."),
    "residual": (COLOURS[3], "\\\\\\\\"),
    "schedule": (COLOURS[4], "////"),
}


def utilisation(results: Sequence[Shown]) -> Plot | None:
    """Show which part of the run the busiest stations were busy, and for how long others queued for them."""
    tables = [_stations(r) for r in results]
    rows = largest([{name: s["busy"] for name, s in table.items()} for table in tables])
    if not rows:
        return None
    figure, (axes,) = panels(height_of(len(rows), len(results)))
    groups = [
        Bars(r.colour, [Interval(*[t[n]["busy"]] * 3) if n in t else None for n in rows])
        for r, t in zip(results, tables, strict=True)
    ]
    grouped_bars(axes, rows, groups, PERCENT)
    queued = _queues(axes, tables, rows)
    axes.set_xlim(0, 103 * max(1.0, queued))
    name_axis(axes, "x", "Share of the run", PERCENT)
    entries = swatches(results)
    if queued:
        entries = [
            *(entries or [("busy", patch(results[0].colour))]),
            ("others queue for it", dot(INK, "D", hollow=True)),
        ]
    key(figure, entries)
    caption = (
        "The busiest stations of the chip: the part of the run in which each serves somebody."
        " Diamonds: how long its users queue for it, added over all of them."
    )
    return Plot("utilisation", "Busiest resources", caption, figure)


def _stations(shown: Shown) -> dict[str, dict[str, float]]:
    """Return for each station which part of the run it was busy, and queued for."""
    total = shown.data["total_s"]
    return {
        s["name"]: {"busy": s["busy_s"] / total, "queued": s["queued_s"] / total}
        for s in shown.data.get("stations", ())
    }


def _queues(axes: Axes, tables: Sequence[Mapping[str, Data]], rows: Sequence[str]) -> float:
    """Mark queueing times at the bars, and return the longest as a share of the run; 0 where none is worth a mark."""
    marked = [0.0]
    for k, table in enumerate(tables):
        for row, name in enumerate(rows):
            share = table[name]["queued"] if name in table else 0.0
            if share > NEGLIGIBLE:
                place = place_of(row, k, len(tables))
                axes.plot([100 * share], [place], "D", color=INK, markerfacecolor="none", markersize=4)
                marked.append(share)
    return max(marked)


def stalls(results: Sequence[Shown]) -> Plot | None:
    """Show how long each process waited, and what for, one panel a result."""
    tables = [_waits(r) for r in results]
    waited = largest([{name: sum(causes.values()) for name, causes in table.items()} for table in tables], PROCESSES)
    order = list(dict.fromkeys(name for table in tables for name in table))
    rows = [name for name in order if name in waited]
    if not rows:
        return None
    columns = min(2, len(results))
    lines = -(-len(results) // columns)
    figure, axes = panels(lines * (0.3 + FRAME + 0.2 * len(rows)), lines, columns, sharex=True, sharey=True)
    for shown, table, each in zip(results, tables, axes, strict=False):
        _stack(each, rows, table)
        if len(results) > 1:
            each.set_title(shown.label)
    tidy(axes, len(results))
    seen = {cause for table in tables for waits in table.values() for cause in waits}
    key(figure, [(f"waits for {cause}", patch(*look)) for cause, look in CAUSES.items() if cause in seen])
    most = f"The {len(rows)} of {len(order)} processes that wait longest" if len(order) > len(rows) else "All processes"
    caption = f"{most}, in the order of the network: which part of the run each waits, and what for."
    return Plot("stalls", "What processes wait for", caption, figure)


def _stack(axes: Axes, rows: Sequence[str], table: Mapping[str, Mapping[str, float]]) -> None:
    """Draw the causes of each process's waiting one after the other."""
    for row, name in enumerate(rows):
        left = 0.0
        for cause, share in table.get(name, {}).items():
            colour, hatch = CAUSES[cause]
            axes.barh(row, 100 * share, 0.7, left=left, color=colour, hatch=hatch, edgecolor="white", linewidth=0)
            left += 100 * share
    name_rows(axes, rows)
    axes.set_xlim(0, 103)
    name_axis(axes, "x", "Share of the run", PERCENT)


def _waits(shown: Shown) -> dict[str, dict[str, float]]:
    """Return the share of the run by process and cause, what is negligible left out."""
    table: dict[str, dict[str, float]] = {}
    for stall in shown.data.get("stalls", ()):  # a process of a chip that is reprogrammed comes once a round
        waits = table.setdefault(stall["process"], {})
        waits[stall["cause"]] = waits.get(stall["cause"], 0.0) + stall["waited_s"] / shown.data["total_s"]
    return {p: kept for p, waits in table.items() if (kept := {c: w for c, w in waits.items() if w > NEGLIGIBLE})}
