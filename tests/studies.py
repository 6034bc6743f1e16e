"""Studies made by hand, with any numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from archsim.study.spec import StudyConfig
from archsim.study.store import Counts
from archsim.study.tables import StudyData
from tests.sweeps import CHIP, NETWORK

GOALS = {"energy_j_per_image": "min", "nll": "min"}


def frame_of(rows: Sequence[Mapping[str, Any]], numbers: Sequence[int] | None = None) -> pd.DataFrame:
    """Return points as a table, numbered."""
    return pd.DataFrame(rows, index=pd.Index(range(len(rows)) if numbers is None else numbers, name="point"))


def study_of(
    frame: pd.DataFrame, labels: Mapping[str, str], failed: pd.DataFrame | None = None, waiting: int = 0, **config: Any
) -> StudyData:
    """Return a study of such points. `labels`: path of each axis by its column; `config`: keys of its file."""
    given = StudyConfig.model_validate(
        {"schema": "archsim/study@1", "name": "made", "arch": str(CHIP), "workload": str(NETWORK), **config}
    )
    lost = failed if failed is not None else pd.DataFrame({**{c: [] for c in labels}, "error": []})
    figures = tuple(c for c in frame.columns if c not in labels and pd.api.types.is_numeric_dtype(frame[c]))
    done = len(frame) + len(lost)
    counts = Counts(done + waiting, done, len(lost), 0, 3, 4)
    return StudyData(
        given, Path("/nowhere/made"), Path("/nowhere/made.yaml"), tuple(labels), dict(labels), figures, frame, lost,
        counts, 12.0,
    )  # fmt: skip


def grid(failing: bool = False, **config: Any) -> StudyData:
    """Return 4 x 3 x 2 points: energy falls with rows and grows with bits, the NLL does the opposite; some may fail.

    energy = bits / rows uJ, twice that for stt; NLL = rows / 1000 + 2^-bits, with an interval of 10 % each way.
    """
    rows, numbers, lost, bad = [], [], [], []
    for i, (r, b, kind) in enumerate(product([32, 64, 128, 256], [3, 4, 5], ["sot", "stt"])):
        axes = {"crossbar.rows": r, "converter.bits": b, "kind": kind}
        if failing and r == 256 and kind == "stt":
            lost.append({**axes, "error": f"chip.yaml: {r} rows lose {b} % of the voltage"})
            bad.append(i)
            continue
        nll = r / 1000 + 2.0**-b
        energy = 1e-6 * b / r * (2 if kind == "stt" else 1)
        found = {
            "energy_j_per_image": energy, "energy_j_per_image_low": energy / 2, "energy_j_per_image_high": energy * 2,
            "latency_s_per_image": 1e-6 * b, "nll": nll, "nll_low": 0.9 * nll, "nll_high": 1.1 * nll,
            "area_m2": 1e-6 * r, "bottleneck": "arrays",
        }  # fmt: skip
        rows.append(axes | found)
        numbers.append(i)
    labels = {c: c for c in ("crossbar.rows", "converter.bits", "kind")}
    failed = frame_of(lost, bad) if lost else None
    return study_of(frame_of(rows, numbers), labels, failed, **{"objectives": GOALS, **config})
