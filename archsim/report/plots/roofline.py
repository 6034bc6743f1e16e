"""How fast the layers multiply, beside what arrays and links would allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from archsim.report.plots.data import Data, Plot, Shown
from archsim.report.plots.marks import dot, dots, label_points, shorten
from archsim.report.plots.style import INK, SOFT, key, log_axis, panels

ROOM = 3.0  # factor around the points
LABELLED = 12


def roofline(results: Sequence[Shown]) -> Plot | None:
    """Show throughput against arithmetic intensity for each layer, under its own ceiling and those of the chip."""
    drawn = [(r, points) for r in results if (points := _points(r))]
    if not drawn:
        return None
    figure, (axes,) = panels(4.2)
    log_axis(axes, "x", "Arithmetic intensity", "MAC/bit")
    log_axis(axes, "y", "Throughput", "MAC/s")
    xs = [p["intensity"] for _, points in drawn for p in points]
    left, right = min(xs) / ROOM, max(xs) * ROOM
    for shown, points in drawn:
        _layers(axes, shown, points)
        _ceilings(axes, shown, (left, right), SOFT if len(drawn) == 1 else shown.colour)
    heights = [p["attained"] for _, points in drawn for p in points]
    tops = [shown.data["roofline"]["arrays"] for shown, _ in drawn]
    axes.set_xlim(left, right)
    axes.set_ylim(min(heights) / ROOM, max(tops) * 2)
    label_points(axes, _names(drawn))
    ceilings = [
        ("arrays that never wait", dot(INK, "_")),
        ("all arrays", dot(INK, "", style="-")),
        ("links into all tiles", dot(INK, "", style="--")),
        ("link into one tile", dot(INK, "", style=":")),
    ]
    key(figure, [*dots(results), *ceilings])
    caption = (
        "Roofline. Points: multiply-accumulates (MAC) a second of each layer over the run, against the MACs for each"
        " bit that arrives from other layers. The tick above a point: the layer if its arrays never waited. Solid line:"
        " all crossbars of the chip at work; dashed and dotted: what the links into all tiles at work, and into one,"
        " can bring."
    )
    return Plot("roofline", "Roofline of the chip", caption, figure)


def _points(shown: Shown) -> list[dict[str, Any]]:
    """Return the layers that can be drawn: those to which something comes, and that multiply."""
    points = (shown.data.get("roofline") or {}).get("points", ())
    return [p for p in points if p["intensity"] and p["attained"]]


def _layers(axes: Axes, shown: Shown, points: Sequence[Data]) -> None:
    for p in points:
        x, attained, ceiling = p["intensity"], p["attained"], p["ceiling"]
        axes.plot([x, x], [attained, ceiling], color=shown.colour, linewidth=0.8, alpha=0.6)
        axes.plot([x], [ceiling], marker="_", markersize=9, color=shown.colour, markeredgewidth=1.2)
        axes.plot([x], [attained], marker=shown.marker, linestyle="", color=shown.colour)


def _ceilings(axes: Axes, shown: Shown, ends: tuple[float, float], colour: str) -> None:
    """Draw what the chip as a whole allows, up to where the arrays are the limit."""
    data = shown.data["roofline"]
    axes.axhline(data["arrays"], color=colour, linewidth=1.0)
    for links, style in {data["tiles"]: "--", 1: ":"}.items():
        knee = min(data["arrays"] / (links * data["link"]), ends[1])
        axes.plot(
            [ends[0], knee], [links * data["link"] * x for x in (ends[0], knee)], style, color=colour, linewidth=1.0
        )


def _names(drawn: Sequence[tuple[Shown, Sequence[Data]]]) -> list[tuple[float, float, str]]:
    """Return where to write the names of the layers with the most work; of several results, of the first."""
    points = sorted(drawn[0][1], key=lambda p: -p["macs"])[:LABELLED]
    return [(p["intensity"], p["attained"], shorten(p["layer"], 22)) for p in points]
