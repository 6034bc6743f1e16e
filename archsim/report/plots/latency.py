"""What an image waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archsim.report.plots.data import ZERO, Interval, Plot, Shown, ranking
from archsim.report.plots.marks import Bars, beside, grouped_bars, height_of, name_rows, patch, swatches
from archsim.report.plots.style import CROSSES, HATCH, INK, key, name_axis, panels, quantity, scale_for

PARTS = (("first pass", ""), ("further passes", HATCH), ("averaging", CROSSES))


def latency(results: Sequence[Shown]) -> Plot | None:
    """Show the latency of an image in three parts, one bar a result."""
    parts = [_of_image(r) for r in results]
    longest = max(sum(p) for p in parts)
    scale = scale_for(longest, "s")
    figure, (axes,) = panels(1.0 + 0.3 * len(results))
    for row, (shown, seconds) in enumerate(zip(results, parts, strict=True)):
        left = 0.0
        for part, (_, hatch) in zip(seconds, PARTS, strict=True):
            width = part * scale.factor
            face = "none" if hatch else shown.colour
            axes.barh(row, width, 0.66, left=left, facecolor=face, edgecolor=shown.colour, hatch=hatch, linewidth=0.8)
            left += width
        beside(axes, row, quantity(sum(seconds), "s"))
    name_rows(axes, [r.label for r in results] if len(results) > 1 else [""])
    axes.set_xlim(0, 1.01 * longest * scale.factor)
    name_axis(axes, "x", "Latency of an image", scale)
    colour = results[0].colour if len(results) == 1 else INK
    key(figure, [(part, patch(colour, hatch, outlined=bool(hatch))) for part, hatch in PARTS])
    caption = (
        "Latency of an image, from its load to the averaged answer, with the chip otherwise idle: its first pass, the"
        " further passes that follow in the rhythm of a long run, and averaging."
    )
    return Plot("latency", "Latency", caption, figure)


def critical_path(results: Sequence[Shown]) -> Plot | None:
    """Show what one pass waits for, step by step; a chip that is reprogrammed has no such path."""
    paths = [_steps(r) for r in results]
    rows, columns = ranking(paths)
    if not rows:
        return None
    scale = scale_for(max(v.value for column in columns for v in column if v), "s")
    single = len(results) == 1
    groups = [
        Bars(shown.colour, column, beside=[_share(v, path) for v in column] if single else [])
        for shown, path, column in zip(results, paths, columns, strict=True)
    ]
    figure, (axes,) = panels(height_of(len(rows), len(results)))
    grouped_bars(axes, rows, groups, scale)
    name_axis(axes, "x", "Part of the latency of one pass", scale)
    key(figure, swatches(results))
    caption = (
        "Critical path of an image with one pass: what it waits for, one thing after the other, on an otherwise idle"
        " chip; the longest steps first."
    )
    return Plot("critical_path", "What one pass waits for", caption, figure)


def _of_image(shown: Shown) -> tuple[float, float, float]:
    """Return the seconds of the first pass, of the further ones in the rhythm of a long run, and of the rest."""
    data = shown.data
    whole, first = data["latency_s_per_image"], data["first_pass_s"]
    further = min((data["passes"] - 1) * data["pass_interval_s"], whole - first)
    return first, further, whole - first - further


def _steps(shown: Shown) -> dict[str, Interval]:
    """Return the seconds of each step of the critical path."""
    steps: dict[str, Interval] = {}
    for step in shown.data.get("critical_path") or ():
        name = f"{step['layer'].replace(' -> ', ' → ')}: {step['operation']}"
        steps[name] = steps.get(name, ZERO) + Interval(*[step["seconds"]] * 3)
    return steps


def _share(value: Interval | None, path: Mapping[str, Interval]) -> str:
    whole = sum(v.value for v in path.values())
    return f"{quantity(value.value, 's')}, {100 * value.value / whole:.1f} %" if value else ""
