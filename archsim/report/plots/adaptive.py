"""What stopping early saves, and what it does to the answers."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from archsim.report.plots.data import Data, Interval, Plot, Shown, interval
from archsim.report.plots.marks import dot, dots, label_points, point
from archsim.report.plots.style import (
    DASHES,
    DOTS,
    INK,
    NATS,
    ONE,
    PERCENT_POINTS,
    SOFT,
    Scale,
    key,
    name_axis,
    panels,
    scale_for,
)

FIGURES = (("accuracy", "Accuracy difference", PERCENT_POINTS), ("nll", "NLL difference", NATS))


def adaptive(results: Sequence[Shown]) -> Plot | None:
    """Show how answers change with the energy that stopping rules spend on an image."""
    drawn = [r for r in results if r.data.get("adaptive")]
    if not drawn:
        return None
    scale = scale_for(max(_joules(a["minus_all_passes"], ONE) for r in drawn for a in r.data["adaptive"]), "J")
    figure, axes = panels(5.6, 2, sharex=True)
    for each, (name, words, unit) in zip(axes, FIGURES, strict=True):
        each.axhline(0, color=SOFT, linestyle=DASHES, linewidth=1.0)
        for shown in drawn:
            _rules(each, shown, name, unit, scale)
            if len(drawn) > 1:
                rules = _named(shown, name, unit, scale)
                each.plot([x for x, _, _ in rules], [y for _, y, _ in rules], color=shown.colour, linewidth=0.7)
        name_axis(each, "y", words, unit)
        each.grid()
    axes[0].set_xlim(left=0)
    name_axis(axes[1], "x", "Energy of an image", scale)
    axes[1].grid()
    for each, (name, _, unit) in zip(axes, FIGURES, strict=True):
        others = [p for r in drawn for p in _fixed(r, name, unit, scale)]
        others += [(x, y) for r in drawn[1:] for x, y, _ in _named(r, name, unit, scale)]
        label_points(each, _named(drawn[0], name, unit, scale), others)
    ways = [
        ("stopping rule", dot(INK)),
        ("as many passes, fixed", dot(INK, hollow=True)),
        ("all passes", dot(INK, "*")),
    ]
    key(figure, [*dots(drawn), *ways])
    fewest = sorted({f"{r.data['adaptive'][0]['fewest_passes_not_worse']['passes']:g}" for r in drawn})
    caption = (
        "Stopping when certain: what each rule spends on an image, and how its answers differ from those of all passes"
        " (paired 95 % intervals). Hollow: the same number of passes for every image. Dotted: the fewest passes that"
        f" are not shown to be worse than all, {' and '.join(fewest)}. The ranges of the components would move all"
        " energies together."
    )
    if len(drawn) > 1:
        caption += f" Named: the rules of {drawn[0].label}; a line joins those of each result in the same order."
    return Plot("adaptive", "Stopping early", caption, figure)


def _rules(axes: Axes, shown: Shown, name: str, unit: Scale, scale: Scale) -> None:
    for joules, change in _fixed(shown, name, unit, scale):
        point(axes, Interval(change, change, change), joules, shown.colour, shown.marker, hollow=True)
    for rule in shown.data["adaptive"]:
        if to_all := interval(rule["minus_all_passes"][name]):
            point(axes, to_all.times(unit.factor), _joules(rule, scale), shown.colour, shown.marker)
    first = shown.data["adaptive"][0]
    axes.plot([_joules(first["minus_all_passes"], scale)], [0], "*", color=shown.colour, markersize=9)
    axes.axvline(_joules(first["fewest_passes_not_worse"], scale), color=shown.colour, linestyle=DOTS, linewidth=1.0)


def _named(shown: Shown, name: str, unit: Scale, scale: Scale) -> list[tuple[float, float, str]]:
    """Return where each rule lies, and what it is called."""
    found = [(rule, interval(rule["minus_all_passes"][name])) for rule in shown.data["adaptive"]]
    return [(_joules(r, scale), change.value * unit.factor, r["rule"]) for r, change in found if change]


def _fixed(shown: Shown, name: str, unit: Scale, scale: Scale) -> list[tuple[float, float]]:
    """Return where as many passes for every image lie: the difference of the two differences that are stored."""
    places = []
    for rule in shown.data["adaptive"]:
        to_all, to_fixed = interval(rule["minus_all_passes"][name]), interval(rule["minus_fixed_passes"][name])
        if to_all and to_fixed:
            change = (to_all.value - to_fixed.value) * unit.factor
            places.append((_joules(rule["minus_fixed_passes"], scale), change))
    return places


def _joules(effort: Data, scale: Scale) -> float:
    return float(effort["energy_j_per_image"]["value"]) * scale.factor
