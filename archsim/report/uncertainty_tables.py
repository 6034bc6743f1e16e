"""An evaluation of uncertainty as tables: long ones, a figure in each row, ready to be plotted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from archsim.metrics.intervals import Estimate
from archsim.metrics.result import plain
from archsim.uncertainty.findings import DETECTED, Adaptive, Effort, SetFindings, Uncertainty

Row = dict[str, Any]


def uncertainty_tables(found: Uncertainty) -> dict[str, list[Row]]:
    """Return the tables of an evaluation by name; those that would be empty are left out.

    * `sets`: a row for each chip, set and figure. `detection`: for each chip, set, score and figure.
    * `reliability`: a row for each bar of both diagrams. `risk_coverage`: for each score and image answered.
    * `adaptive`: a row for each stopping rule. `adaptive_detection`: for each rule, OOD set and way to choose passes.
      `passes_taken`: for each rule and number of passes.
    """
    chips = found.per_chip or (found,)
    tables = {
        "sets": [row for n, chip in enumerate(chips) for row in _figures(n, chip)],
        "detection": [row for n, chip in enumerate(chips) for row in _detection(n, chip)],
        "reliability": [*_bars(found)],
        "risk_coverage": [*_curves(found)],
        "adaptive": [_adaptive(a) for a in found.adaptive],
        "adaptive_detection": [row for a in found.adaptive for row in _told(a)],
        "passes_taken": [
            {"rule": a.quality.rule.name, "passes": t, "share": share}
            for a in found.adaptive
            for t, share in a.quality.histogram().items()
        ],
    }
    return {name: rows for name, rows in tables.items() if rows}


def _roles(found: Uncertainty) -> Iterator[tuple[str, SetFindings]]:
    yield "test", found.test
    for role, sets in (("ood", found.ood), ("rotation", found.rotation), ("corruption", found.corruptions)):
        yield from ((role, s) for s in sets)


def _of(chip: int, role: str, s: SetFindings) -> Row:
    severity = math.nan if s.severity is None else float(s.severity)  # so that the column is one of numbers
    return {"chip": chip, "role": role, "set": s.name, "severity": severity, "images": s.images}


def _figures(chip: int, found: Uncertainty) -> Iterator[Row]:
    for role, s in _roles(found):
        for name, e in s.figures.items():
            yield _of(chip, role, s) | {"figure": name} | plain(e)
        if s.flagged:
            yield _of(chip, role, s) | {"figure": "flagged_by_percentile_rule"} | plain(s.flagged)


def _detection(chip: int, found: Uncertainty) -> Iterator[Row]:
    for role, s in _roles(found):
        for score, d in s.detection.items():
            for name in DETECTED:
                yield _of(chip, role, s) | {"score": score, "figure": name} | plain(getattr(d, name))


def _bars(found: Uncertainty) -> Iterable[Row]:
    for bins, bars in (("equal width", found.reliability), ("equal mass", found.adaptive_reliability)):
        for b in bars:
            row = {"bins": bins} | asdict(b)
            row.pop("accuracy")
            yield row | {f"accuracy_{end}": value for end, value in plain(b.accuracy).items()}


def _curves(found: Uncertainty) -> Iterator[Row]:
    for score, curve in found.selective.items():
        for coverage, risk in zip(curve.coverage, curve.risk, strict=True):
            yield {"score": score, "coverage": float(coverage), "risk": float(risk)}


def _adaptive(a: Adaptive) -> Row:
    q = a.quality
    row: Row = {"rule": q.rule.name, "passes_in_flight": a.in_flight}
    row |= (
        _ends("mean_passes", q.mean_passes) | _ends("accuracy", q.accuracy) | _ends("nll", q.nll) | _costs("", a.effort)
    )
    for beside, c, costs in (("all", q.to_full, a.full), ("fixed", q.to_fixed, a.fixed)):
        row |= {f"{beside}_passes": c.passes}
        row |= _ends(f"accuracy_minus_{beside}", c.accuracy) | _ends(f"nll_minus_{beside}", c.nll)
        row |= {f"same_class_as_{beside}": c.same_class.value} | _costs(f"{beside}_", costs)
    row |= {"worse_than_all": q.to_full.is_worse, "enough_passes": a.enough.passes} | _costs("enough_", a.enough)
    return row


def _told(a: Adaptive) -> Iterator[Row]:
    for way, effort in (("rule", a.effort), ("all", a.full), ("fixed", a.fixed), ("enough", a.enough)):
        for name, area in effort.auroc.items():
            yield {"rule": a.quality.rule.name, "passes_by": way, "passes": float(effort.passes), "set": name} | plain(
                area
            )


def _costs(prefix: str, costs: Effort) -> Row:
    return {f"{prefix}latency_s": costs.latency_s} | _ends(f"{prefix}energy_j", costs.energy_j)


def _ends(name: str, e: Estimate) -> Row:
    return {name: e.value, f"{name}_low": e.low, f"{name}_high": e.high}
