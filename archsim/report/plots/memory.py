"""What is stored on the chip."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from matplotlib.axes import Axes

from archsim.report.plots.data import Interval, Plot, Shown, largest
from archsim.report.plots.marks import Bars, grouped_bars, height_of, swatches
from archsim.report.plots.style import key, name_axis, panels, quantity, scale_for

KINDS = ("weight_cells", "weights", "parameters", "buffers", "accumulators", "random_units")


def memory(results: Sequence[Shown]) -> Plot | None:
    """Show the bits of each kind, and how full each buffer became."""
    stored = [_kinds(r) for r in results]
    if not any(any(kinds) for kinds in stored):
        return None
    peaks = [(r.data.get("memory_bits") or {}).get("buffers", {}) for r in results]
    buffers = largest(peaks)
    heights = [height_of(len(KINDS), len(results)), height_of(len(buffers), len(results))]
    figure, axes = panels(sum(heights), 2, ratios=heights) if buffers else panels(heights[0])
    _bars(axes[0], "Footprint", [kind.replace("_", " ") for kind in KINDS], results, stored, [[] for _ in results])
    caption = (
        "Memory of the network on the chip. Weight cells hold the weights with their complements, replicas and copies."
        " Buffers are at their peaks."
    )
    if buffers:
        rows = [name.replace(" -> ", " → ") for name in buffers]
        held = [[table.get(name, 0) for name in buffers] for table in peaks]
        _bars(axes[1], "Buffers", rows, results, held, [_granted(r, buffers) for r in results])
        caption += " Below: the fullest buffers (filled), and what each may hold (outlined)."
    key(figure, swatches(results))
    return Plot("memory", "Memory", caption, figure)


def _bars(
    axes: Axes,
    title: str,
    rows: Sequence[str],
    results: Sequence[Shown],
    stored: Sequence[Sequence[float]],
    granted: Sequence[Sequence[float]],
) -> None:
    """Draw bits, one bar a result, with what is granted as an outline, and as text where there is one result."""
    scale = scale_for(max(b for bits in (*stored, *granted) for b in bits), "bit")
    groups = []
    for shown, bits, most in zip(results, stored, granted, strict=True):
        texts = [_text(b, m) for b, m in zip_longest(bits, most)] if len(results) == 1 else []
        groups.append(Bars(shown.colour, [Interval(b, b, b) for b in bits], beside=texts, outlined=most))
    grouped_bars(axes, rows, groups, scale)
    axes.set_title(title)
    name_axis(axes, "x", "Memory", scale)


def _text(bits: float, granted: float | None) -> str:
    return quantity(bits, "bit") + (f" of {quantity(granted, 'bit')}" if granted else "")


def _kinds(shown: Shown) -> list[int]:
    bits = shown.data.get("memory_bits")
    return [sum(bits[k].values()) if k == "buffers" else bits[k] for k in KINDS] if bits else [0 for _ in KINDS]


def _granted(shown: Shown, names: Sequence[str]) -> list[float]:
    granted = {buffer["name"]: buffer["granted_bits"] for buffer in shown.data.get("buffers", ())}
    return [granted.get(name, 0.0) for name in names]
