"""What stopping early saves, and what it does to the answers."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from archsim.report.plots.data import Data, Interval, Plot, Shown, interval
from archsim.report.plots.marks import dot, dots, label_points, point
from archsim.report.plots.style import COLOURS, DASHES, DOTS, INK, NATS, PERCENT_POINTS, SOFT, Scale, key, name_axis, panels, scale_for

FIGURES = (("accuracy", "Accuracy less that of all passes", PERCENT_POINTS), ("nll", "NLL less that of all passes", NATS))


def adaptive(results: Sequence[Shown]) -> Plot | None:
    """Show how answers change with the energy that stopping rules spend on an image."""
    drawn = [r for r in results if r.data.get("adaptive")]
    if not drawn:
        return None
    scale = scale_for(max(_energy(a["minus_all_passes"]) for r in drawn for a in r.data["adaptive"]), "J")
    figure, axes = panels(5.6, 2, sharex=True)
    for each, (name, words, unit) in zip(axes, FIGURES, strict=True):
        each.axhline(0, color=SOFT, linestyle=DASHES, linewidth=1.0)
        for shown in drawn:
            _rules(each, shown, name, unit.factor, scale.factor)
        name_axis(each, "y", words, unit)
        each.grid()
    axes[0].set_xlim(left=0)
    name_axis(axes[1], "x", "Energy of an image", scale)
    axes[1].grid()
    for each, (name, _, unit) in zip(axes, FIGURES, strict=True):
        label_points(each, [p for shown in drawn for p in _named(shown, name, unit, scale)])
    ways = [("stopping rule", dot(INK)), ("as many passes, fixed", dot(INK, hollow=True)), ("all passes", dot(INK, "*"))]
    key(figure, [*dots(drawn), *ways])
    fewest = sorted({f"{r.data['adaptive'][0]['fewest_passes_not_worse']['passes']:g}" for r in drawn})
    caption = (
        "Stopping when certain: what each rule spends on an image, and how its answers differ from those of all passes"
        " (paired 95 % intervals). Hollow: the same number of passes for every image. Dotted: the fewest passes that are"
        f" not shown to be worse than all, {' and '.join(fewest)}. The ranges of the components would move all energies"
        " together."
    )
    return Plot("adaptive", "Stopping early", caption, figure)


def _rules(axes: Axes, shown: Shown, name: str, unit: float, joules: float) -> None:
    for rule in shown.data["adaptive"]:
        to_full, to_fixed = interval(rule["minus_all_passes"][name]), interval(rule["minus_fixed_passes"][name])
        if to_full is None or to_fixed is None:
            continue
        fixed = (to_full.value - to_fixed.value) * unit
        at_fixed = _energy(rule["minus_fixed_passes"]) * joules
        point(axes, Interval(fixed, fixed, fixed), at_fixed, shown.colour, shown.marker, hollow=True)
        point(axes, to_full.times(unit), _energy(rule) * joules, shown.colour, shown.marker)
    first = shown.data["adaptive"][0]
    axes.plot([_energy(first["minus_all_passes"]) * joules], [0], "*", color=shown.colour, markersize=9)
    axes.axvline(_energy(first["fewest_passes_not_worse"]) * joules, color=shown.colour, linestyle=DOTS, linewidth=1.0)


def _named(shown: Shown, name: str, unit: Scale, scale: Scale) -> list[tuple[float, float, str]]:
    found = [(rule["rule"], interval(rule["minus_all_passes"][name]), _energy(rule)) for rule in shown.data["adaptive"]]
    return [(joules * scale.factor, value.value * unit.factor, rule) for rule, value, joules in found if value is not None]


def _energy(effort: Data) -> float:
    return float(effort["energy_j_per_image"]["value"])
