"""What an evaluation of uncertainty finds: one record for each set of images, all figures with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from archsim.hardware.describe import Row
from archsim.metrics.adaptive import AdaptiveQuality, Comparison
from archsim.metrics.calibration import ReliabilityBin
from archsim.metrics.intervals import Estimate
from archsim.metrics.ood import Detection, PercentileRule
from archsim.metrics.result import finite, plain
from archsim.metrics.selective import POINTS, RiskCoverage
from archsim.workload.data import Task

SCHEMA = "archsim/uncertainty@1"
DETECTED = ("auroc", "aupr_out", "aupr_in", "fpr95", "detected", "false_alarms")


@dataclass(frozen=True)
class SetFindings:
    """What one set of images shows.

    `name`, `severity`: of the shift, degrees for a rotation. `figures`: those of `Quality` or `RegressionQuality` where
    the images have right answers, else the mean uncertainties. `detection`: by score, how well it tells these images
    from the test set's; empty for that itself. `flagged`: share called unknown by the papers' percentile rule; None
    with one pass, or in regression.
    """

    name: str
    severity: float | None
    images: int
    figures: Mapping[str, Estimate]
    detection: Mapping[str, Detection]
    flagged: Estimate | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "set": self.name,
            "severity": self.severity,
            "images": self.images,
            **{name: plain(e) for name, e in self.figures.items()},
            "flagged_by_percentile_rule": plain(self.flagged) if self.flagged else None,
            "detection": {
                score: {name: plain(getattr(d, name)) for name in DETECTED} | {"threshold": d.threshold}
                for score, d in self.detection.items()
            },
        }


@dataclass(frozen=True)
class Effort:
    """What an image costs on average, and what it buys: seconds from load to answer, joules with leakage.

    `auroc`: by OOD set, how well the predictive entropy after so many passes tells its images from the test set's.
    """

    passes: float
    latency_s: float
    energy_j: Estimate
    auroc: Mapping[str, Estimate]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "passes": self.passes,
            "latency_s_per_image": self.latency_s,
            "energy_j_per_image": plain(self.energy_j),
            "auroc_of_entropy": {name: plain(area) for name, area in self.auroc.items()},
        }


@dataclass(frozen=True, eq=False)
class Adaptive:
    """One stopping rule on the test set: its quality, and its cost beside those of fixed numbers of passes.

    `full`: all passes. `fixed`: as many as the rule takes on average, rounded up. `enough`: the fewest that are not
    shown to be worse than all (`fewest_passes`). `in_flight`: passes that the chip has begun when the last one needed
    ends, which are paid for and thrown away.
    """

    quality: AdaptiveQuality
    effort: Effort
    full: Effort
    fixed: Effort
    enough: Effort
    in_flight: int

    @property
    def latency_share(self) -> float:
        """Latency as a share of that of all passes."""
        return self.effort.latency_s / self.full.latency_s

    @property
    def energy_share(self) -> float:
        """Energy as a share of that of all passes."""
        return self.effort.energy_j.value / self.full.energy_j.value

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        q = self.quality
        return {
            "rule": q.rule.name,
            "least_passes": q.rule.least,
            "mean_passes": plain(q.mean_passes),
            "passes_taken": {str(t): share for t, share in q.histogram().items()},
            "accuracy": plain(q.accuracy),
            "nll": plain(q.nll),
            "entropy": plain(q.entropy),
            **self.effort.to_dict(),
            "passes_in_flight": self.in_flight,
            "minus_all_passes": _comparison(q.to_full) | self.full.to_dict(),
            "minus_fixed_passes": _comparison(q.to_fixed) | self.fixed.to_dict(),
            "worse_than_all_passes": q.to_full.is_worse,
            "fewest_passes_not_worse": self.enough.to_dict(),
        }


def _comparison(c: Comparison) -> dict[str, Any]:
    return {"accuracy": plain(c.accuracy), "nll": plain(c.nll), "same_class": plain(c.same_class)}


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """How good a network's answers and its uncertainty are on a chip.

    `test`: the network's own test set. `ood`: images of nothing it knows. `rotation`: by angle. `corruptions`: by name
    and severity. `reliability`, `adaptive_reliability`: bars of the diagrams behind ECE and adaptive ECE. `selective`:
    risk-coverage curve by score. `adaptive`: by stopping rule. `noise_std`: the noise that a regression states, in
    standard deviations of the target; None for classification. `per_chip`: one evaluation for each sampled chip where
    there are several; then the sets of this one hold means over them with the range from the least to the largest,
    while reliability, selective and adaptive are those of the first. `figures`, `citations`: as in `Result`.
    """

    arch: str
    workload: str
    task: Task
    seed: int
    images: int
    passes: int
    rule: PercentileRule
    test: SetFindings
    ood: tuple[SetFindings, ...]
    rotation: tuple[SetFindings, ...]
    corruptions: tuple[SetFindings, ...]
    reliability: tuple[ReliabilityBin, ...]
    adaptive_reliability: tuple[ReliabilityBin, ...]
    selective: Mapping[str, RiskCoverage]
    adaptive: tuple[Adaptive, ...]
    noise_std: float | None
    warnings: tuple[str, ...]
    config: Mapping[str, Any]
    config_hash: str
    per_chip: tuple[Uncertainty, ...] = ()
    figures: tuple[Row, ...] = ()
    citations: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        chips = f", {len(self.per_chip)} chips" if self.per_chip else ""
        return (
            f"<Uncertainty: {self.workload} on {self.arch}, {self.images} images x {self.passes} passes,"
            f" {len(self.sets())} sets{chips}>"
        )

    def sets(self) -> tuple[SetFindings, ...]:
        """Return the findings of all sets, the test set first."""
        return (self.test, *self.ood, *self.rotation, *self.corruptions)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON: entropies and NLL in nats, units of other figures in their names."""
        out: dict[str, Any] = {
            "schema": SCHEMA,
            "arch": self.arch,
            "workload": self.workload,
            "task": self.task,
            "seed": self.seed,
            "config_hash": self.config_hash,
            "images": self.images,
            "passes": self.passes,
            "chips": max(1, len(self.per_chip)),
            "intervals": "least to largest over the chips" if self.per_chip else "95 %",
            "percentile_rule": asdict(self.rule),
            "target_noise_std": self.noise_std,
            "test": self.test.to_dict(),
            "ood": [s.to_dict() for s in self.ood],
            "rotation_degrees": [s.to_dict() for s in self.rotation],
            "corruptions": [s.to_dict() for s in self.corruptions],
            "reliability": [_bar(b) for b in self.reliability],
            "adaptive_reliability": [_bar(b) for b in self.adaptive_reliability],
            "risk_coverage": {score: _curve(curve) for score, curve in self.selective.items()},
            "adaptive": [a.to_dict() for a in self.adaptive],
            "warnings": list(self.warnings),
            "per_chip": [[s.to_dict() for s in chip.sets()] for chip in self.per_chip],
        }
        return {key: finite(value) for key, value in out.items()}


def _bar(bar: ReliabilityBin) -> dict[str, Any]:
    return {**asdict(bar), "accuracy": plain(bar.accuracy)}


def _curve(curve: RiskCoverage) -> dict[str, Any]:
    return {
        "aurc": plain(curve.aurc),
        "excess": curve.excess,
        "risk_at_coverage": {f"{c:g}": plain(curve.at(c)) for c in POINTS},
    }


def over_chips(findings: Sequence[SetFindings]) -> SetFindings:
    """Return the means over several chips of what one set showed on each, with the least and the largest."""
    first = findings[0]
    return SetFindings(
        first.name,
        first.severity,
        first.images,
        {name: _spread(f.figures[name] for f in findings) for name in first.figures},
        {score: _detections([f.detection[score] for f in findings]) for score in first.detection},
        _spread(f.flagged for f in findings if f.flagged is not None) if first.flagged else None,
    )


def _detections(found: Sequence[Detection]) -> Detection:
    figures = {name: _spread(getattr(d, name) for d in found) for name in DETECTED}
    return Detection(**figures, threshold=sum(d.threshold for d in found) / len(found))


def _spread(estimates: Iterable[Estimate]) -> Estimate:
    values = [e.value for e in estimates]
    return Estimate(sum(values) / len(values), min(values), max(values), f"{len(values)} chips, least to largest")
