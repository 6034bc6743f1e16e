"""How far sampled chips of one design differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from matplotlib.axes import Axes

from archsim.report.plots.data import Interval, Plot, Shown
from archsim.report.plots.marks import name_rows, whisker
from archsim.report.plots.quantities import name_figure, scale_of
from archsim.report.plots.style import INK, panels

FIGURES = ("accuracy", "nll", "ece", "mutual_information", "rmse", "crps", "coverage_90", "model_deviation")
Values = Mapping[str, Sequence[float]]
GOLDEN = 0.618033988749895  # multiples of it, less their whole part, fill a row evenly


def chips(results: Sequence[Shown]) -> Plot | None:
    """Show the quality of a run on each sampled chip."""
    return _spread("chips", [(r, _of_run(r)) for r in results])


def evaluated_chips(results: Sequence[Shown]) -> Plot | None:
    """Show the same of an evaluation, on the test set."""
    return _spread("evaluated_chips", [(r, _of_evaluation(r)) for r in results])


def _spread(name: str, found: Sequence[tuple[Shown, Values]]) -> Plot | None:
    """Draw a panel for each figure, and in it a row for each result that has several chips."""
    sampled = [(shown, values) for shown, values in found if values]
    names = [n for n in FIGURES if any(n in values for _, values in sampled)]
    if not names:
        return None
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    figure, axes = panels(0.2 + rows * (0.7 + 0.35 * len(sampled)), rows, columns, sharey=True)
    for each, quality in zip(axes, names, strict=False):
        for row, (shown, values) in enumerate(sampled):
            if quality in values:
                _row(each, row, shown, [v * scale_of(quality).factor for v in values[quality]])
        name_rows(each, [shown.label for shown, _ in sampled] if len(sampled) > 1 else [""])
        name_figure(each, "x", quality)
        each.locator_params(axis="x", nbins=5)
    for empty in axes[len(names) :]:
        empty.remove()
    many = " and ".join(sorted({str(len(values[names[0]])) for _, values in sampled}))
    caption = (
        f"Quality on {many} sampled chips of the design, a point each; the tick is their mean, the whisker the standard"
        " deviation between chips."
    )
    return Plot(name, "Spread over chips", caption, figure)


def _of_run(shown: Shown) -> Values:
    """Return figures chip by chip; empty for one chip."""
    spreads = shown.data.get("chips") or {}
    return {n: spreads[n]["values"] for n in FIGURES if n in spreads and None not in spreads[n]["values"]}


def _of_evaluation(shown: Shown) -> Values:
    tests = [sets[0] for sets in shown.data.get("per_chip", ())]
    return {n: [t[n]["value"] for t in tests] for n in FIGURES if tests and all(t.get(n) for t in tests)}


def _row(axes: Axes, row: int, shown: Shown, values: Sequence[float]) -> None:
    places = [row + 0.4 * ((i * GOLDEN) % 1 - 0.5) for i in range(len(values))]
    axes.plot(values, places, linestyle="", marker=shown.marker, color=shown.colour, alpha=0.6, markersize=4)
    middle = mean(values)
    spread = stdev(values) if len(values) > 1 else 0.0
    whisker(axes, Interval(middle, middle - spread, middle + spread), row + 0.34, vertical=False)
    axes.plot([middle], [row + 0.34], "|", color=INK, markersize=8)
