"""Figures of quality: what they are called on an axis, and in which unit."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from matplotlib.axes import Axes

from archsim.report.plots.style import DEVIATIONS, NATS, PERCENT, SHARE, Scale, name_axis

_FIGURES: Mapping[str, tuple[str, Scale]] = MappingProxyType(
    {
        "accuracy": ("Accuracy", PERCENT),
        "nll": ("NLL", NATS),
        "brier": ("Brier score", SHARE),
        "ece": ("ECE", PERCENT),
        "adaptive_ece": ("Adaptive ECE", PERCENT),
        "entropy": ("Entropy", NATS),
        "expected_entropy": ("Expected entropy", NATS),
        "mutual_information": ("Mutual information", NATS),
        "rmse": ("RMSE", DEVIATIONS),
        "crps": ("CRPS", DEVIATIONS),
        "coverage_50": ("Inside 50 % intervals", PERCENT),
        "coverage_90": ("Inside 90 % intervals", PERCENT),
        "deviation": ("Predictive deviation", DEVIATIONS),
        "model_deviation": ("Deviation between passes", DEVIATIONS),
    }
)
UNCERTAINTIES = ("entropy", "expected_entropy", "mutual_information", "deviation", "model_deviation")


def scale_of(name: str) -> Scale:
    """Return the scale of a figure."""
    return _FIGURES[name][1]


def name_figure(axes: Axes, which: str, name: str, what: str | None = None) -> None:
    """Label an axis with a figure and its unit; `what`: other words, where several of that unit share it."""
    words, scale = _FIGURES[name]
    name_axis(axes, which, what or words, scale)
