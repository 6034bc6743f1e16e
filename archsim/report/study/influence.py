"""Which axes of a study move a figure most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from archsim.report.study.columns import Column, wide
from archsim.report.study.findings import Findings

if TYPE_CHECKING:
    from pandas import Series


def influence(found: Findings, figure: str) -> list[Column]:
    """Return the axes by the share of a figure's variance that the means over each of their values explain.

    The correlation ratio (eta squared); of logarithms where the figure is far apart. The largest comes first, equal
    ones in the order of the study's file. Axes with a value for each point explain everything, and so come last.
    """
    values = found.frame[figure]
    if wide(values):
        values = np.log(values)
    shares = {axis: _explained(values, found.frame[axis.name]) for axis in found.varied}
    return sorted(found.varied, key=lambda axis: -shares[axis])


def _explained(values: Series[float], groups: Series[float]) -> float:
    known = values.dropna()
    of = groups.loc[known.index]
    if len(known) < 2 or (of.nunique() == len(known) and len(known) > 2):
        return 0.0
    spread = float(((known - known.mean()) ** 2).sum())
    if spread <= 0:
        return 0.0
    means = known.groupby(of).transform("mean")
    return float(((means - known.mean()) ** 2).sum()) / spread
