"""The columns of a study's table as people read them: what each is, and how its values are written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from archsim.report.layout import count, percent, square_millimetres
from archsim.units import DIMENSIONS, show

SHARE, RATE, FACTOR = "%", "images/s", "x"
FIGURES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "latency_s_per_image": ("Latency of an image", "s"),
        "first_pass_s": ("Latency of the first pass", "s"),
        "pass_interval_s": ("Time from pass to pass", "s"),
        "image_interval_s": ("Time from image to image", "s"),
        "throughput_images_per_s": ("Throughput", RATE),
        "programming_s": ("Time to write the weights", "s"),
        "energy_j_per_image": ("Energy of an image", "J"),
        "leakage_j_per_image": ("Leakage during an image", "J"),
        "energy_on_chip_j_per_image": ("Energy of an image on the chip", "J"),
        "power_w": ("Power", "W"),
        "area_m2": ("Area", "m^2"),
        "memory_bits": ("Memory", "bit"),
        "crossbars": ("Crossbars", ""),
        "bottleneck_utilisation": ("Busiest resource", SHARE),
        "events": ("Events simulated", ""),
        "accuracy": ("Accuracy", SHARE),
        "nll": ("NLL", "nat"),
        "brier": ("Brier score", ""),
        "ece": ("ECE", SHARE),
        "adaptive_ece": ("Adaptive ECE", SHARE),
        "entropy": ("Entropy", "nat"),
        "expected_entropy": ("Expected entropy", "nat"),
        "mutual_information": ("Mutual information", "nat"),
        "rmse": ("RMSE", "target sd"),
        "crps": ("CRPS", "target sd"),
        "coverage_50": ("Inside 50 % intervals", SHARE),
        "coverage_90": ("Inside 90 % intervals", SHARE),
        "deviation": ("Predictive deviation", "target sd"),
        "model_deviation": ("Deviation between passes", "target sd"),
        "mean_passes": ("Passes of an image", ""),
        "latency_gain": ("Gain in latency", FACTOR),
        "throughput_gain": ("Gain in throughput", FACTOR),
        "energy_gain": ("Gain in energy", FACTOR),
        "baseline_latency_s": ("Latency of the baseline", "s"),
        "baseline_energy_j": ("Energy of the baseline", "J"),
    }
)
FAMILIES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"energy_j_per_image": ("Energy of {}", "J"), "area_m2": ("Area of {}", "m^2"), "auroc": ("AUROC of {}", "")}
)
"""Figures that there are several of, by what stands before the dot."""
QUALITY = (
    "accuracy", "nll", "brier", "ece", "adaptive_ece", "rmse", "crps", "coverage_50", "coverage_90",
)  # fmt: skip
FILE = ".yaml"
MACRO = 1e-9  # m^2, from which on an area is in square millimetres
DIGITS: Mapping[str, int] = MappingProxyType({"bit": 9})  # memories are told apart by a single KiB
WIDE = 20.0  # the largest over the smallest value, from which on an axis is logarithmic


@dataclass(frozen=True)
class Column:
    """A column: its name in the table, what it is in words, and its unit.

    `unit`: as `units.show` takes it, or "%" of shares, "images/s", "x" of ratios, "" of plain numbers and words.
    """

    name: str
    words: str
    unit: str = ""

    def say(self, value: Any) -> str:
        """Return a value as the terminal shows it: `1.58 uJ`, `98.4 %`, `true`; "-" where there is none."""
        value = value.item() if hasattr(value, "item") else value
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, int | float):
            return Path(value).stem if str(value).endswith(FILE) else str(value)
        if math.isnan(value):
            return "-"
        if self.unit == SHARE:
            return percent(value)
        if self.unit == "m^2" and (value == 0 or abs(value) >= MACRO):
            return square_millimetres(value)
        if self.unit in (RATE, FACTOR):
            return f"{_number(value)} {self.unit}"
        if self.unit in ("", "nat", "target sd"):
            return _number(value)
        return show(value, self.unit, DIGITS.get(self.unit, 3))

    @property
    def is_quality(self) -> bool:
        """Tell whether it says how good answers are, so that its interval is one of chance."""
        return self.name in QUALITY or self.name.startswith("auroc.")


def figure_column(name: str) -> Column:
    """Return the column of a result; one that is not known by name is shown under it, as a plain number."""
    if name in FIGURES:
        return Column(name, *FIGURES[name])
    family, dot, member = name.partition(".")
    if dot and family in FAMILIES:
        words, unit = FAMILIES[family]
        return Column(name, words.format(member.replace("_", " ")), unit)
    return Column(name, name.replace("_", " "))


def axis_column(name: str, path: str) -> Column:
    """Return the column of an axis: `name` is its path as written, or that with the unit of its values added."""
    added = name.removeprefix(path).removeprefix("_")
    return Column(name, path, _UNITS.get(added, "") if name != path else "")


def wide(values: Iterable[float]) -> bool:
    """Tell whether numbers need a logarithmic axis: all positive, and far apart."""
    known = [v for v in values if math.isfinite(v)]
    return bool(known) and min(known) > 0 and max(known) / min(known) >= WIDE


def _number(value: float) -> str:
    if value == round(value) and abs(value) < 1e15:
        return f"{value:.0f}" if abs(value) < 1e4 else count(value)
    return count(value) if abs(value) >= 1e4 else f"{value:.4g}"


def _slug(unit: str) -> str:
    return unit.lower().replace("/", "_per_").replace("^", "").replace("*", "_")


_UNITS = MappingProxyType({_slug(d.unit): d.unit for d in DIMENSIONS.values() if d.unit})
