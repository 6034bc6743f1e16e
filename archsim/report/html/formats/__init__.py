"""What a report reads of the files that `--out` writes: the same data, checked, with null for what JSON cannot hold.

Keys that are not named here are left alone, so that a file may say more than a report shows.
"""

from __future__ import annotations

from archsim.report.html.formats.base import Judged, Part, Range
from archsim.report.html.formats.comparison import Cited, Compared, ComparisonFile, PlatformRow, Point, Ratio
from archsim.report.html.formats.manifest import Assumption, Manifest
from archsim.report.html.formats.result import (
    Area,
    Bottleneck,
    Check,
    Endurance,
    Energy,
    Imperfection,
    Layer,
    Memory,
    ResultFile,
    Stall,
    Station,
    Step,
)
from archsim.report.html.formats.uncertainty import (
    Curve,
    Detected,
    Difference,
    Effort,
    PercentileRule,
    Rule,
    SetOfImages,
    UncertaintyFile,
)

__all__ = [
    "Area",
    "Assumption",
    "Bottleneck",
    "Check",
    "Cited",
    "Compared",
    "ComparisonFile",
    "Curve",
    "Detected",
    "Difference",
    "Effort",
    "Endurance",
    "Energy",
    "Imperfection",
    "Judged",
    "Layer",
    "Manifest",
    "Memory",
    "Part",
    "PercentileRule",
    "PlatformRow",
    "Point",
    "Range",
    "Ratio",
    "ResultFile",
    "Rule",
    "SetOfImages",
    "Stall",
    "Station",
    "Step",
    "UncertaintyFile",
]
