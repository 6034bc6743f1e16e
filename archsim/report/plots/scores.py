"""Scores of uncertainty under one name, colour and marker in all plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from archsim.report.plots.marks import dot
from archsim.report.plots.style import COLOURS, MARKERS

SCORES: Mapping[str, str] = MappingProxyType(
    {
        "entropy": "entropy",
        "max_probability": "largest probability",
        "mutual_information": "mutual information",
        "percentile": "percentile",
        "model_variance": "variance between passes",
    }
)


BESIDE_EACH_OTHER = ("entropy", "mutual_information", "model_variance")  # shown where there are several results


def look_of_score(score: str) -> tuple[str, str]:
    """Return colour and marker of a score."""
    place = list(SCORES).index(score)
    return COLOURS[place], MARKERS[place]


def score_key(scores: Sequence[str], *, line: bool = False) -> list[tuple[str, Patch | Line2D]]:
    """Return a legend of scores; one alone needs none."""
    return [(SCORES[s], dot(*look_of_score(s), style="-" if line else "")) for s in scores] if len(scores) > 1 else []
