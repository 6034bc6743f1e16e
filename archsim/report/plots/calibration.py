"""Whether confidence can be trusted: reliability diagram, and errors among the answers that are kept."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from archsim.report.plots.data import Data, Interval, Plot, Shown, interval
from archsim.report.plots.marks import curve, dots, point
from archsim.report.plots.scores import SCORES, look_of_score, score_key
from archsim.report.plots.style import COUNT, DASHES, PERCENT, SMALL, SOFT, key, name_axis, panels, tidy

DODGE = 0.5  # % between curves, so that whiskers do not cover each other


def reliability(results: Sequence[Shown]) -> Plot | None:
    """Show the share of right answers against confidence, and how many images have that confidence."""
    drawn = [r for r in results if r.data.get("reliability")]
    if not drawn:
        return None
    figure, (upper, lower) = panels(5.0, 2, ratios=[3.2, 1], sharex=True)
    upper.plot([0, 100], [0, 100], linestyle=DASHES, color=SOFT, linewidth=1.0)
    for k, shown in enumerate(drawn):
        _diagram(upper, shown, alone=len(drawn) == 1)
        _histogram(lower, shown, k, len(drawn))
    for row, shown in enumerate(reversed(drawn)):
        text = _ece(shown) if len(drawn) == 1 else f"{shown.label}: {_ece(shown)}"
        upper.text(0.99, 0.03 + 0.065 * row, text, transform=upper.transAxes, ha="right", fontsize=SMALL)
    upper.set(xlim=(0, 100), ylim=(0, 103))
    name_axis(upper, "y", "Right answers", PERCENT)
    name_axis(lower, "y", "Images", COUNT)
    name_axis(lower, "x", "Confidence", PERCENT)
    key(figure, dots(drawn))
    caption = (
        "Reliability diagram: the share of right answers, with 95 % intervals (Wilson), at the mean confidence of each"
        " bin; calibrated answers lie on the dashed line. Below: how many images are in each bin. ECE: expected"
        f" calibration error.{_first_chip(drawn)}"
    )
    return Plot("reliability", "Calibration", caption, figure)


def _diagram(axes: Axes, shown: Shown, *, alone: bool) -> None:
    for each in shown.data["reliability"]:
        accuracy = interval(each["accuracy"])
        if accuracy is None:
            continue
        if alone:
            low, width = 100 * each["low"], 100 * (each["high"] - each["low"])
            axes.bar(
                low, 100 * accuracy.value, width, align="edge", color=shown.colour, alpha=0.3, edgecolor=shown.colour
            )
        point(axes, accuracy.times(100), 100 * each["confidence"], shown.colour, shown.marker)


def _histogram(axes: Axes, shown: Shown, k: int, results: int) -> None:
    for each in shown.data["reliability"]:
        width = 100 * (each["high"] - each["low"]) / results
        axes.bar(
            100 * each["low"] + k * width, each["images"], 0.94 * width, align="edge", color=shown.colour, linewidth=0
        )


def _ece(shown: Shown) -> str:
    found = interval(shown.data["test"].get("ece"))
    return f"ECE {100 * found.value:.1f} % ({100 * found.low:.1f} to {100 * found.high:.1f} %)" if found else ""


def risk_coverage(results: Sequence[Shown]) -> Plot | None:
    """Show the share of wrong answers among those kept when the least certain are refused."""
    drawn = [r for r in results if r.data.get("risk_coverage")]
    if not drawn:
        return None
    scores = [s for s in SCORES if any(s in r.data["risk_coverage"] for r in drawn)]
    single = len(drawn) == 1
    count = 1 if single else len(scores)
    columns = min(2, count)
    rows = -(-count // columns)
    figure, axes = panels(3.4 if single else 0.4 + 2.5 * rows, rows, columns, sharex=True, sharey=True)
    for i, score in enumerate(scores):
        each = axes[0 if single else i]
        for k, shown in enumerate(drawn):
            if score in shown.data["risk_coverage"]:
                look = look_of_score(score) if single else (shown.colour, shown.marker)
                aside = (i - (len(scores) - 1) / 2) if single else (k - (len(drawn) - 1) / 2)
                _risk(each, shown.data["risk_coverage"][score], aside * DODGE, *look)
        if not single:
            each.set_title(SCORES[score])
        name_axis(each, "x", "Answers kept", PERCENT)
        name_axis(each, "y", "Wrong among them", PERCENT)
    tidy(axes, count)
    key(figure, score_key(scores, line=True) if single else dots(drawn, "-"))
    caption = (
        "Risk and coverage: how many answers are wrong if only the most certain are kept, by the score that says how"
        f" certain, with 95 % intervals.{_first_chip(drawn)}"
    )
    return Plot("risk_coverage", "Refusing what is uncertain", caption, figure)


def _risk(axes: Axes, data: Data, aside: float, colour: str, marker: str) -> None:
    found = [(100 * float(c), interval(risk)) for c, risk in data["risk_at_coverage"].items()]
    points = sorted((c, risk) for c, risk in found if risk is not None)
    curve(axes, [c + aside for c, _ in points], [Interval(*risk).times(100) for _, risk in points], colour, marker)


def _first_chip(results: Sequence[Shown]) -> str:
    return " Of the first chip." if any(r.data.get("chips", 1) > 1 for r in results) else ""
