"""What a comparison found: the chip and the platforms beside it, what is gained, and how good the answers are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from archsim.baselines.platform import OperatingPoint, Platform
from archsim.comparison.figures import Terms
from archsim.comparison.headline import Headline, headline
from archsim.comparison.ratios import Ratio, ratios
from archsim.comparison.software import Software
from archsim.config import content_hash
from archsim.metrics.intervals import Estimate
from archsim.metrics.result import Result, finite, plain
from archsim.uncertainty.findings import Uncertainty

SCHEMA = "archsim/comparison@1"


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """A chip beside other platforms that answer the same images with as many passes.

    `chip`: the result as a platform, with a point for each number of images of a call. `others`: in the order they were
    asked for. `software`: the same network in torch. `lost`: a sentence for each baseline that ended midway; its points
    until then are among `others`. `asked`: the baselines as the user named them.
    """

    result: Result
    chip: Platform
    others: tuple[Platform, ...]
    terms: Terms
    software: Software
    uncertainty: Uncertainty | None
    asked: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    def __repr__(self) -> str:
        gains = [
            f"{r.estimate.value:.3g} times the {r.what} of {r.platform}"
            for r in self.ratios
            if r.role == "headline" and r.what == "latency" and r.estimate
        ]
        found = f": {', '.join(gains)}" if gains else ""
        return f"<Comparison: {self.result.workload} on {self.result.arch}, {self.terms.passes} passes{found}>"

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """The chip, then the others."""
        return (self.chip, *self.others)

    @cached_property
    def headlines(self) -> tuple[Headline, ...]:
        """The points that are compared, of each of `platforms`."""
        return tuple(headline(p, self.terms) for p in self.platforms)

    @cached_property
    def ratios(self) -> tuple[Ratio, ...]:
        """What the chip gains over each of the others."""
        pairs = zip(self.others, self.headlines[1:], strict=True)
        return tuple(r for other, best in pairs for r in ratios(self.chip, other, best, self.terms))

    @property
    def seed(self) -> int:
        """Seed of everything random."""
        return self.result.seed

    @property
    def config(self) -> Mapping[str, Any]:
        """Everything that made the comparison, as plain data; of platforms, a hash of all but those measured here."""
        known = (p for p in self.others if p.origin != "measured")
        return {
            **self.result.config,
            "baselines": list(self.asked),
            "platforms": {p.name: content_hash(finite({"points": [point_data(q) for q in p.points]})) for p in known},
            "batches": [p.batch for p in self.chip.points],
            "rate": self.terms.rate,
            "allowed": sorted(self.terms.allowed),
        }

    @property
    def config_hash(self) -> str:
        """A hash of `config`."""
        return content_hash(dict(self.config))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader should not overlook."""
        more = self.uncertainty.warnings if self.uncertainty else ()
        return tuple(dict.fromkeys((*self.result.warnings, *more)))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; SI units in the keys, null for what is not known."""
        quality = self.software.quality
        found = {
            "passes": self.terms.passes,
            "batch": self.terms.batch,
            "rate": self.terms.rate,
            "allowed": sorted(self.terms.allowed),
            "software": {name: plain(e) for name, e in quality.estimates()} if quality else None,
            "software_missing": self.software.missing or None,
            "platforms": [*self._platforms()],
            "ratios": [r.to_dict() for r in self.ratios],
            "lost": list(self.lost),
        }
        return {
            "schema": SCHEMA,
            "chip": self.result.to_dict(),
            "uncertainty": self.uncertainty.to_dict() if self.uncertainty else None,
            "comparison": finite(found),
        }

    def _platforms(self) -> Iterator[dict[str, Any]]:
        for platform, best in zip(self.platforms, self.headlines, strict=True):
            yield {
                "name": platform.name,
                "origin": platform.origin,
                "device": platform.device,
                "network": platform.network,
                "same_network": platform.signature is not None and platform.signature == self.chip.signature,
                "boundary": platform.boundary,
                "no_energy": platform.no_energy,
                "notes": list(platform.notes),
                "sources": [asdict(source) for source in platform.sources],
                "about": dict(platform.about),
                "points": [point_data(p, self.terms.rate) for p in platform.points],
                "headline": asdict(best),
            }


def point_data(point: OperatingPoint, rate: float | None = None) -> dict[str, Any]:
    """Return an operating point as plain data, with its energy at a rate where there is one."""
    seconds = point.seconds_per_image
    return {
        "passes": point.passes,
        "batch": point.batch,
        "mode": point.mode,
        "software": point.software,
        "precision": point.precision,
        "power_mode": point.power_mode,
        "latency_s": _estimate(point.latency_s),
        "images_per_s": 1 / seconds if seconds else None,
        "energy_j": _estimate(point.energy_j),
        "dynamic_j": _estimate(point.dynamic_j),
        "idle_w": _estimate(point.idle_w),
        "energy_at_rate_j": _estimate(point.energy_at(rate)) if rate is not None else None,
        "percentiles": dict(point.percentiles),
        "terms": dict(point.terms),
    }


def _estimate(estimate: Estimate | None) -> dict[str, Any] | None:
    return {**plain(estimate), "method": estimate.method} if estimate else None
