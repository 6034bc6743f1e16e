"""What one run found: the one type that reports, comparisons and studies read."""

from __future__ import annotations

import math
from collections.abc import Mapping as Table
from dataclasses import asdict, dataclass, field
from typing import Any

from archsim.hardware.component import Figure
from archsim.hardware.describe import Row
from archsim.hardware.effects import Effect
from archsim.metrics.costs import PICO, Costs
from archsim.metrics.critical import Step
from archsim.metrics.endurance import Endurance
from archsim.metrics.energy import total
from archsim.metrics.intervals import Estimate
from archsim.metrics.layers import LayerRow
from archsim.metrics.memory import Memory
from archsim.metrics.plausibility import Check
from archsim.metrics.quality import Quality
from archsim.metrics.regression import RegressionQuality
from archsim.metrics.roofline import Roofline
from archsim.units import show

SCHEMA = "archsim/result@1"


@dataclass(frozen=True, eq=False, repr=False)
class Result(Costs):
    """Cost and quality of one network on one chip.

    `critical_path`: of one image with one
    pass. `quality`: None where there were no labelled images. `config`: everything that made the result, expanded;
    `config_hash`: a hash of it. `chip_sample`: which sampled chip answered. `effects`: the imperfections that are on.
    `tiers`: by layer, how it was computed ("packed": exactly, "noise": with the noise of reads, "conductance": cell by
    cell); empty without a functional pass. `figures`: every number that the chip was built from, with range, grade and
    the keys of its sources; `citations`: what those keys stand for.
    """

    arch: str
    workload: str
    seed: int
    config_hash: str
    memory: Memory
    endurance: Endurance
    plausibility: tuple[Check, ...]
    layers: tuple[LayerRow, ...]
    critical_path: tuple[Step, ...]
    roofline: Roofline
    quality: Quality | RegressionQuality | None
    warnings: tuple[str, ...]
    config: Table[str, Any]
    chip_sample: int = 0
    effects: tuple[Effect, ...] = ()
    figures: tuple[Row, ...] = ()
    citations: Table[str, str] = field(default_factory=dict)
    tiers: Table[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        best = next(self.quality.estimates(), None) if self.quality else None
        found = f", {best[0]} {best[1].value:.4f}" if best else ""
        return (
            f"<Result: {self.workload} on {self.arch}, {self.log.images} images x {self.log.passes} passes:"
            f" {show(self.latency_s_per_image, 's')} and {show(self.energy_j_per_image.value, 'J')} an image{found}>"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON: SI units in the keys, null where a number is infinite or unknown."""
        log, energy = self.log, self.energy_j_per_image
        out: dict[str, Any] = {
            "schema": SCHEMA,
            "arch": self.arch,
            "workload": self.workload,
            "seed": self.seed,
            "config_hash": self.config_hash,
            "images": log.images,
            "passes": log.passes,
            "schedule": log.schedule,
            "grain": log.grain,
            "latency_s_per_image": self.latency_s_per_image,
            "first_pass_s": log.first_pass_ps * PICO,
            "pass_interval_s": log.pass_interval_ps * PICO,
            "image_interval_s": log.image_interval_ps * PICO,
            "total_s": log.total_ps * PICO,
            "programming_s": log.programming_ps * PICO,
            "throughput_images_per_s": self.throughput_images_per_s,
            "energy_j_per_image": {
                **plain(energy),
                "on_chip": plain(self.energy_on_chip),
                "leakage": self.leakage_j_per_image.value,
                "by_part": {k: plain(v) for k, v in self.energy_by("part").items()},
                "by_layer": {k: plain(v) for k, v in self.energy_by("layer").items()},
                "by_action": {k: plain(v) for k, v in self.energy_by("action").items()},
            },
            "energy_j_total": plain(total(self.energy)),
            "power_w": self.power_w,
            "area_m2": {
                **plain(self.area),
                "by_part": {k: plain(v) for k, v in self.area_m2.items()},
            },
            "memory_bits": {"total": self.memory.total, **asdict(self.memory)},
            "buffers": [asdict(b) for b in log.buffers],
            "endurance": {**asdict(self.endurance), "lifetime_images": self.endurance.lifetime_images},
            "bottleneck": {"station": self.bottleneck.name, "utilisation": self.utilisation(self.bottleneck)},
            "stations": [
                {
                    "name": s.name,
                    "group": s.group,
                    "uses": s.uses,
                    "busy_s": s.busy_ps * PICO,
                    "queued_s": s.queued_ps * PICO,
                    "utilisation": self.utilisation(s),
                }
                for s in log.stations
                if s.uses
            ],
            "stalls": [{"process": s.process, "cause": s.cause, "waited_s": s.waited_ps * PICO} for s in log.stalls],
            "layers": [asdict(row) for row in self.layers],
            "critical_path": [asdict(step) for step in self.critical_path],
            "roofline": {
                **asdict(self.roofline),
                "points": [{**asdict(p), "intensity": p.intensity} for p in self.roofline.points],
            },
            "plausibility": [{**asdict(c), "plausible": c.plausible} for c in self.plausibility],
            "events": log.events,
            "simulated_passes": log.simulated_passes,
            "skipped_passes": log.skipped_passes,
            "chip_sample": self.chip_sample,
            "imperfections": [
                {"path": e.path, **plain(e.figure), "unit": e.unit, "drawn": e.drawn, "grade": e.figure.grade}
                for e in self.effects
            ],
            "tiers": dict(self.tiers),
            "warnings": list(self.warnings),
        }
        for name, estimate in self.quality.estimates() if self.quality else ():
            out[name] = {**plain(estimate), "method": estimate.method}
        return {key: finite(value) for key, value in out.items()}


def plain(estimate: Estimate | Figure) -> dict[str, float]:
    """Return value, low and high as plain data."""
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def finite(data: Any) -> Any:
    """Return plain data with null for every number that JSON cannot write."""
    if isinstance(data, dict):
        return {k: finite(v) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return [finite(v) for v in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data
