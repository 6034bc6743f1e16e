"""Colours for numbers: one map that also reads in grey and for any colour blindness, and its bar."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure

from archsim.report.plots.study.rulers import Ruler

MAP = matplotlib.colormaps["viridis"]  # Smith, van der Walt (2015): lightness grows evenly, to any eye
MARKS = ListedColormap(MAP(np.linspace(0.15, 0.88, 256)), "marks")  # no end of it is lost on a page
DARK, LIGHT = "#101010", "#fefefe"  # text in a coloured cell, on any page


def norm_of(ruler: Ruler) -> Normalize:
    """Return how values become colours: by their ratios where the axis is logarithmic."""
    low, high = ruler.ends
    if low == high:
        low, high = (low / 1.01, high * 1.01) if low else (-1.0, 1.0)
    return LogNorm(low, high) if ruler.log else Normalize(low, high)


def colour_bar(figure: Figure, drawn: ScalarMappable, ruler: Ruler, **place: Any) -> None:
    """Draw the bar of a map of colours, lying down, with few ticks; `place`: as `Figure.colorbar` takes it."""
    bar = figure.colorbar(drawn, orientation="horizontal", **place)
    bar.outline.set_visible(False)
    low, high = norm_of(ruler).vmin, norm_of(ruler).vmax
    assert low is not None
    assert high is not None
    middle = (low * high) ** 0.5 if ruler.log else (low + high) / 2
    places = [low, middle, high]
    bar.set_ticks(places, labels=[ruler.name(p / ruler.scale.factor) for p in places])
    bar.ax.minorticks_off()
    bar.set_label(f"{ruler.words}, log scale" if ruler.log else ruler.words)


def ink_on(colour: tuple[float, float, float, float]) -> str:
    """Return the colour of text that can be read on another one."""
    red, green, blue, _ = colour
    return DARK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else LIGHT
