"""Calibration: whether answers given with a confidence of 80 % are right in 80 % of the cases, bin by bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archsim.metrics.intervals import Estimate, Floats, proportion

ECE_BINS = 15
Bins = npt.NDArray[np.intp]


@dataclass(frozen=True)
class ReliabilityBin:
    """One bar of a reliability diagram.

    `low`, `high`: edges of the bin where bins are of equal width, else the least and the largest confidence in it.
    `images`: in the bin. `confidence`: their mean. `accuracy`: the share of them that is right.
    """

    low: float
    high: float
    images: int
    confidence: float
    accuracy: Estimate


def equal_width_bins(confidence: Floats, bins: int = ECE_BINS) -> Bins:
    """Return the bin of each confidence: bin m of M holds (m/M, (m+1)/M], as in Guo et al. 2017.

    A confidence within 1e-9 of an edge counts as on it: few passes that are each certain give confidences such as
    12/20 = 9/15, and rounding must not choose their bin.
    """
    return np.clip(np.ceil(confidence * bins - 1e-9).astype(np.intp) - 1, 0, bins - 1)


def equal_mass_bins(confidence: Floats, bins: int = ECE_BINS) -> Bins:
    """Return the bin of each confidence if every bin is to hold as many images (Nguyen & O'Connor 2015).

    Of N images the one of rank r, from 0, goes to bin floor(r M / N). Equal confidences (to 1e-9) share the bin of the
    first of them, so that neither the order of the images nor rounding matters; a bin may be left empty by that.
    """
    rounded = np.round(confidence, 9)
    rank = np.searchsorted(np.sort(rounded), rounded, "left")
    return (rank * bins // len(confidence)).astype(np.intp)


def reliability(
    confidence: Floats, correct: npt.NDArray[np.bool_], bins: int = ECE_BINS, *, equal_mass: bool = False
) -> tuple[ReliabilityBin, ...]:
    """Return the bars of a reliability diagram (DeGroot & Fienberg 1983), empty bins left out.

    `confidence`, `correct`: of each image, shape (N,). The bins are those of `ece`, or of `adaptive_ece` if
    `equal_mass`: either error is the sum over the bars of images / N times |confidence - accuracy|.
    """
    bin_of = (equal_mass_bins if equal_mass else equal_width_bins)(confidence, bins)
    bars = []
    for m in np.unique(bin_of):
        inside = bin_of == m
        held, images = confidence[inside], int(inside.sum())
        low, high = (float(held.min()), float(held.max())) if equal_mass else (m / bins, (m + 1) / bins)
        accuracy = proportion(int(correct[inside].sum()), images)
        bars.append(ReliabilityBin(low, high, images, float(held.mean()), accuracy))
    return tuple(bars)
