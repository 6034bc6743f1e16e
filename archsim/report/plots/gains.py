"""What the chip gains over other platforms."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from matplotlib.axes import Axes

from archsim.report.plots.data import Data, Plot, Shown, interval
from archsim.report.plots.marks import aside, beside, dot, in_short, name_rows, point
from archsim.report.plots.platforms import APART, ROOM
from archsim.report.plots.style import COLOURS, DASHES, SOFT, TIMES, factor, key, log_axis, panels

RATIOS: Mapping[str, str] = MappingProxyType(
    {
        "latency": "Latency",
        "throughput": "Time from image to image in a long run",
        "energy": "Energy of an image, while busy",
        "energy_at_rate": "Energy of an image at {rate:g} images/s, idle power included",
    }
)
ALLOWANCE = "'boundary' is allowed"  # how a ratio is refused that needs leave to cross boundaries


def gains(comparison: Shown) -> Plot | None:
    """Show what other platforms take over what the chip takes, with the reason where a ratio is refused."""
    data = comparison.data["comparison"]
    rows = list(dict.fromkeys(r["platform"] for r in data["ratios"] if r["value"] is not None))
    whats = [w for w in RATIOS if any(r["what"] == w and r["platform"] in rows for r in data["ratios"])]
    if not rows:
        return None
    figure, axes = panels(0.9 + len(whats) * (0.45 + ROOM * len(rows)), len(whats), sharex=True)
    for each, what in zip(axes, whats, strict=True):
        for ratio in data["ratios"]:
            if ratio["platform"] in rows and ratio["what"] == what:
                _gain(each, rows.index(ratio["platform"]), ratio)
        each.axvline(1, color=SOFT, linestyle=DASHES, linewidth=1.0)
        each.set_title(RATIOS[what].format(rate=data["rate"] or 0))
        name_rows(each, rows)
        each.grid(axis="x")
    log_axis(axes[-1], "x", "Theirs over the chip's: above 1 the chip is better", TIMES)
    best, naive = dot(COLOURS[0]), dot(COLOURS[0], hollow=True)
    key(figure, [("best way to run it", best), ("naive: one pass after the other", naive)])
    caption = (
        "What each platform takes over what the chip takes, with the interval that the ranges of both sides allow. An"
        " energy that covers something else than the chip's is compared only where that was asked for, and says so."
    )
    refused = list(dict.fromkeys(r["platform"] for r in data["ratios"] if r["platform"] not in rows))
    if refused:
        caption += f" No ratio for {', '.join(refused)}."
    return Plot("gains", "What the chip gains", caption, figure)


def _gain(axes: Axes, row: int, ratio: Data) -> None:
    """Draw a ratio; of the best point, also say what the energies cover, or why there is no ratio."""
    value, naive = interval(ratio), ratio["role"] == "naive"
    if value is not None:
        place = row + APART * (0.5 if naive else -0.5)
        point(axes, value, place, COLOURS[0], "o", vertical=False, hollow=naive)
        beside(axes, place, f"{factor(value.value)} ({factor(value.low)} to {factor(value.high)})")
    if not naive and (words := _reservation(ratio)):
        aside(axes, row, words)


def _reservation(ratio: Data) -> str:
    """Return in few words why there is no ratio, or that it is one across boundaries."""
    mine, other = ratio["boundaries"]
    across = f"{other} over {mine}"
    if ratio["refused"] is None:
        return across if ratio["what"].startswith("energy") and mine != other else ""
    return f"refused: {across if ALLOWANCE in ratio['refused'] else in_short(ratio['refused'])}"
