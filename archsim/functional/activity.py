"""What a functional run counts: the work that time and energy are computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class LayerActivity:
    """Exact totals of one layer over all evaluations, before any tiling over columns.

    evaluations: times the layer was computed: images x passes, or images if neither it nor what is before it varies.
    vectors: input vectors applied: evaluations x output positions x input bits.
    rows_driven, rows_dropped, rows_padded, rows_idle: rows of those vectors that were driven; kept off by dropout;
        outside the map; off because the input bit is 0. Their sum is vectors x rows (x parts of a grouped convolution).
    group_reads: row groups read: vectors x groups x cells of a weight (x parts).
    bits_drawn: random bits drawn for the dropout that feeds the layer.
    """

    evaluations: int = 0
    vectors: int = 0
    rows_driven: int = 0
    rows_dropped: int = 0
    rows_padded: int = 0
    rows_idle: int = 0
    group_reads: int = 0
    bits_drawn: int = 0

    def __add__(self, other: LayerActivity) -> LayerActivity:
        return LayerActivity(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, eq=False)
class FunctionalRun:
    """What the arrays answer.

    `logits`: float32 (passes, images, classes). `activity`: by crossbar layer.
    `bits_drawn`: random bits drawn, by node that draws any.
    """

    logits: npt.NDArray[np.float32]
    activity: Mapping[str, LayerActivity]
    bits_drawn: Mapping[str, int]
