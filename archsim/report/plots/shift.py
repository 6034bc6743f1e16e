"""What a network does with images that it does not know: unknown ones, rotated ones, corrupted ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes

from archsim.report.plots.data import Data, Interval, Plot, Shown, interval
from archsim.report.plots.marks import curve, dots, name_rows, place_of, point
from archsim.report.plots.quantities import UNCERTAINTIES, name_figure, scale_of
from archsim.report.plots.scores import BESIDE_EACH_OTHER, SCORES, look_of_score, score_key
from archsim.report.plots.style import COLOURS, DASHES, MARKERS, PERCENT, SHARE, SOFT, key, name_axis, panels, tidy

TEST = "test set"
CHANCE = 0.5  # AUROC of a score that knows nothing


class Series(NamedTuple):
    """What is drawn in one colour: a score of a result."""

    shown: Shown
    score: str
    colour: str
    marker: str


def ood(results: Sequence[Shown]) -> Plot | None:
    """Show how well scores tell unknown images from the test set, and what they call unknown at a threshold."""
    drawn = [r for r in results if any(s["detection"] for s in r.data.get("ood", ()))]
    if not drawn:
        return None
    lines = [list(series) for series in _series(drawn)]
    sets = list(dict.fromkeys(s["set"] for r in drawn for s in r.data["ood"]))
    height = 0.75 + (len(sets) + 1) * (0.13 + 0.11 * len(lines[0]))
    figure, axes = panels(0.3 + len(lines) * height, len(lines), 2, sharex="col", sharey=True)
    for k, series in enumerate(lines):
        _areas(axes[2 * k], sets, series)
        _called(axes[2 * k + 1], sets, series)
        if len(drawn) > 1:
            axes[2 * k].set_title(f"By {SCORES[series[0].score]}")
    key(figure, dots(drawn) if len(drawn) > 1 else score_key([s.score for s in lines[0]]))
    caption = (
        "Unknown images, told from the test set by scores of uncertainty. Left: area under the ROC curve; dashed:"
        " chance. Right: images called unknown at the threshold that calls at most 5 % of the test set so; of the test"
        " set itself, these are false alarms."
    )
    return Plot("ood", "Unknown images", caption + _ends(drawn), figure)


def _series(drawn: Sequence[Shown]) -> Iterator[Iterator[Series]]:
    """Yield what each line of panels shows: all scores of one result, or one score of all results."""
    known = [s for s in SCORES if any(s in found["detection"] for r in drawn for found in r.data["ood"])]
    if len(drawn) == 1:
        yield (Series(drawn[0], s, *look_of_score(s)) for s in known)
        return
    for score in [s for s in BESIDE_EACH_OTHER if s in known]:
        yield (Series(r, score, r.colour, r.marker) for r in drawn)


def _areas(axes: Axes, sets: Sequence[str], series: Sequence[Series]) -> None:
    lowest = CHANCE
    for row, k, found in _found(sets, series):
        area = interval(found["auroc"])
        if area is not None:
            point(axes, area, place_of(row, k, len(series)), series[k].colour, series[k].marker, vertical=False)
            lowest = min(lowest, area.low)
    axes.axvline(CHANCE, color=SOFT, linestyle=DASHES, linewidth=1.0)
    name_rows(axes, [*(name.replace("_", " ") for name in sets), TEST])
    axes.set_xlim(lowest - 0.02, 1.01)
    name_axis(axes, "x", "AUROC", SHARE)


def _called(axes: Axes, sets: Sequence[str], series: Sequence[Series]) -> None:
    alarms: dict[int, Interval] = {}
    for row, k, found in _found(sets, series):
        detected, false = interval(found["detected"]), interval(found["false_alarms"])
        if detected is not None:
            place = place_of(row, k, len(series))
            point(axes, detected.times(100), place, series[k].colour, series[k].marker, vertical=False)
        if false is not None:
            alarms[k] = false
    for k, false in alarms.items():
        place = place_of(len(sets), k, len(series))
        point(axes, false.times(100), place, series[k].colour, series[k].marker, vertical=False, hollow=True)
    name_rows(axes, [*(name.replace("_", " ") for name in sets), TEST])
    axes.axhline(len(sets) - 0.5, color=SOFT, linewidth=0.5)
    axes.set_xlim(-2, 102)
    name_axis(axes, "x", "Called unknown", PERCENT)


def _found(sets: Sequence[str], series: Sequence[Series]) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield row, series and detection wherever a series has it."""
    for k, each in enumerate(series):
        for found in each.shown.data["ood"]:
            if each.score in found["detection"]:
                yield sets.index(found["set"]), k, found["detection"][each.score]


def rotation(results: Sequence[Shown]) -> Plot | None:
    """Show quality and uncertainty as the images are turned."""
    drawn = [r for r in results if r.data.get("rotation_degrees")]
    if not drawn:
        return None
    names = [n for n in ("accuracy", "rmse", "nll") if any(n in r.data["test"] for r in drawn)]
    spread = [n for n in UNCERTAINTIES if any(n in r.data["test"] for r in drawn)]
    single = len(drawn) == 1
    shown = [*([n] for n in names), *([spread] if single else ([n] for n in spread))]
    figure, axes = panels(0.4 + 1.75 * len(shown), len(shown), sharex=True)
    for each, inside in zip(axes, shown, strict=True):
        for k, name in enumerate(inside):
            for r in drawn:
                look = (COLOURS[k], MARKERS[k]) if single and len(inside) > 1 else (r.colour, r.marker)
                _by_severity(each, name, [r.data["test"], *r.data["rotation_degrees"]], look, name)
        name_figure(each, "y", inside[0], "Uncertainty" if len(inside) > 1 else None)
        if len(inside) > 1:
            each.legend(ncols=len(inside), loc="lower left", bbox_to_anchor=(0, 1), borderpad=0)
    ends = max(s["severity"] for r in drawn for s in r.data["rotation_degrees"])
    axes[-1].set_xlim(-0.02 * ends, 1.02 * ends)
    axes[-1].set_xlabel("Rotation (degrees)")
    key(figure, dots(drawn, "-"))
    caption = (
        "Test images turned by so many degrees: quality of the answers, and the uncertainty that they state."
        + _ends(drawn)
    )
    return Plot("rotation", "Rotated images", caption, figure)


def corruptions(results: Sequence[Shown]) -> Plot | None:
    """Show quality against the severity of each corruption, a panel for each."""
    drawn = [r for r in results if r.data.get("corruptions")]
    if not drawn:
        return None
    name = next(n for n in ("accuracy", "rmse") if any(n in r.data["test"] for r in drawn))
    kinds = list(dict.fromkeys(s["set"] for r in drawn for s in r.data["corruptions"]))
    columns = min(3, len(kinds))
    rows = -(-len(kinds) // columns)
    figure, axes = panels(0.8 + 1.5 * rows, rows, columns, sharex=True, sharey=True)
    for each, kind in zip(axes, kinds, strict=False):
        for r in drawn:
            found = [s for s in r.data["corruptions"] if s["set"] == kind]
            _by_severity(each, name, [r.data["test"], *found], (r.colour, r.marker))
        each.set_title(kind.replace("_", " "))
        each.grid()
        name_figure(each, "y", name)
        each.set_xlabel("Severity (level, 0: none)")
    tidy(axes, len(kinds))
    key(figure, dots(drawn, "-"))
    caption = f"Quality by kind and severity of corruption, from the test set as it is.{_ends(drawn)}"
    return Plot("corruptions", "Corrupted images", caption, figure)


def _by_severity(axes: Axes, name: str, sets: Sequence[Data], look: tuple[str, str], label: str = "") -> None:
    """Draw a figure against severity; the test set has none, which is 0."""
    scale = scale_of(name)
    found = [(s["severity"] or 0.0, interval(s.get(name))) for s in sets]
    points = [(x, value.times(scale.factor)) for x, value in sorted(found, key=lambda f: f[0]) if value is not None]
    if points:
        line = curve(axes, [x for x, _ in points], [value for _, value in points], *look)
        line.set_label(label.replace("_", " "))


def _ends(results: Sequence[Shown]) -> str:
    many = any(r.data.get("chips", 1) > 1 for r in results)
    return f" Whiskers: {'the least and the largest chip' if many else '95 % intervals'}."
