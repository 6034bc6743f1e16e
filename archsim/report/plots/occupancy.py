"""How busy the chip is, and who waits for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from types import MappingProxyType

from matplotlib.axes import Axes

from archsim.report.plots.data import Data, Interval, Plot, Shown, largest
from archsim.report.plots.marks import (
    FRAME,
    Bars,
    beside,
    dot,
    grouped_bars,
    height_of,
    name_rows,
    patch,
    place_of,
    swatches,
)
from archsim.report.plots.style import COLOURS, INK, PERCENT, key, name_axis, panels, tidy

NEGLIGIBLE = 1e-3  # of the run
PROCESSES = 20
TITLE = 24  # letters in a line of a panel's title
EDGE = 103.0  # %: where axes of shares end
Waits = Mapping[str, Mapping[str, float]]
CAUSES: Mapping[str, tuple[str, str]] = MappingProxyType(  # of waiting, as the simulator calls them: colour and hatch
    {
        "input": (COLOURS[0], ""),
        "output space": (COLOURS[1], ""),
        "random bits": (COLOURS[2], "...."),
        "residual": (COLOURS[3], "\\\\\\\\"),
        "schedule": (COLOURS[4], "////"),
    }
)


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
    axes.set_xlim(0, EDGE)
    entries = swatches(results)
    if _queues(axes, tables, rows):
        queue = ("others queue for it", dot(INK, "D", hollow=True))
        entries = [*(entries or [("busy", patch(results[0].colour))]), queue]
    name_axis(axes, "x", "Share of the run", PERCENT)
    key(figure, entries)
    caption = (
        "The busiest stations of the chip: the part of the run in which each serves somebody."
        " Diamonds: how long its users queue for it, added over all of them, so that it may be more than the run."
    )
    return Plot("utilisation", "Busiest resources", caption, figure)


def _stations(shown: Shown) -> dict[str, dict[str, float]]:
    """Return for each station which part of the run it was busy, and queued for."""
    total = shown.data["total_s"]
    return {
        s["name"]: {"busy": s["busy_s"] / total, "queued": s["queued_s"] / total}
        for s in shown.data.get("stations", ())
    }


def _queues(axes: Axes, tables: Sequence[Mapping[str, Data]], rows: Sequence[str]) -> bool:
    """Mark queueing times at the bars, those beyond the axes with their number; tell whether there is any to mark."""
    marked = False
    for k, table in enumerate(tables):
        for row, name in enumerate(rows):
            share = 100 * table[name]["queued"] if name in table else 0.0
            if share <= 100 * NEGLIGIBLE:
                continue
            place, marked = place_of(row, k, len(tables)), True
            axes.plot([min(share, EDGE)], [place], "D", color=INK, markerfacecolor="none", markersize=4, clip_on=False)
            if share > EDGE:
                beside(axes, place, f"{share:.0f} %")
    return marked


def stalls(results: Sequence[Shown]) -> Plot | None:
    """Show how long each process waited, and what for, one panel a result."""
    found = [(r, waits) for r in results if (waits := _waits(r))]
    if not found:
        return None
    most = PROCESSES if len(found) == 1 else PROCESSES // 2
    tables = [_longest(waits, most) for _, waits in found]
    columns = min(2, len(found))
    lines = -(-len(found) // columns)
    height = 0.4 + FRAME + 0.2 * max(map(len, tables))
    figure, axes = panels(lines * height, lines, columns, sharex=True)
    for (shown, _), table, each in zip(found, tables, axes, strict=False):
        _stack(each, table)
        if len(found) > 1:
            each.set_title(fill(shown.label, TITLE))
    tidy(axes, len(found))
    seen = {cause for table in tables for waits in table.values() for cause in waits}
    key(figure, [(f"waits for {cause}", patch(*look)) for cause, look in CAUSES.items() if cause in seen])
    every = all(len(table) == len(waits) for table, (_, waits) in zip(tables, found, strict=True))
    which = "All processes that wait" if every else f"The {most} processes that wait longest"
    caption = f"{which}, in the order of the network: for which part of the run, and what for."
    return Plot("stalls", "What processes wait for", caption, figure)


def _longest(waits: Waits, most: int) -> Waits:
    """Return those that wait longest, in the order that they have."""
    kept = largest([{name: sum(causes.values()) for name, causes in waits.items()}], most)
    return {name: causes for name, causes in waits.items() if name in kept}


def _stack(axes: Axes, waits: Waits) -> None:
    """Draw the causes of each process's waiting one after the other."""
    for row, causes in enumerate(waits.values()):
        left = 0.0
        for cause, share in causes.items():
            colour, hatch = CAUSES[cause]
            axes.barh(row, 100 * share, 0.7, left=left, color=colour, hatch=hatch, edgecolor="white", linewidth=0)
            left += 100 * share
    name_rows(axes, [*waits])
    axes.set_xlim(0, EDGE)
    name_axis(axes, "x", "Share of the run", PERCENT)


def _waits(shown: Shown) -> Waits:
    """Return the share of the run by process and cause, what is negligible left out."""
    table: dict[str, dict[str, float]] = {}
    for stall in shown.data.get("stalls", ()):  # a process of a chip that is reprogrammed comes once a round
        waits = table.setdefault(stall["process"], {})
        waits[stall["cause"]] = waits.get(stall["cause"], 0.0) + stall["waited_s"] / shown.data["total_s"]
    return {p: kept for p, waits in table.items() if (kept := {c: w for c, w in waits.items() if w > NEGLIGIBLE})}
