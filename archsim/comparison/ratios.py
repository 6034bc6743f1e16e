"""What a chip gains over another platform: ratios with intervals, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from archsim.baselines.platform import BOUNDARIES, Boundary, OperatingPoint, Platform
from archsim.comparison.figures import Terms, What, figure
from archsim.comparison.headline import Headline, candidates, of_batch
from archsim.metrics.intervals import Estimate

Role = Literal["headline", "naive"]


@dataclass(frozen=True)
class Ratio:
    """What another platform takes over what the chip takes: more than 1 means that the chip is better.

    `what`: latency of a call; time between images in a long run ("throughput"); energy an image while busy; energy an
    image at a rate. `role`: whether that is the platform's best point or its naive one; `point`: its index. `estimate`:
    None where the comparison is refused, and `refused` says why. `boundaries`: of the chip's energy and the other's.
    """

    platform: str
    what: What
    role: Role
    point: int | None
    estimate: Estimate | None
    refused: str | None
    boundaries: tuple[Boundary | None, Boundary | None]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        ends = {end: getattr(self.estimate, end, None) for end in ("value", "low", "high")}
        return {
            "platform": self.platform,
            "what": self.what,
            "role": self.role,
            "point": self.point,
            **ends,
            "refused": self.refused,
            "boundaries": list(self.boundaries),
        }


def ratios(chip: Platform, other: Platform, best: Headline, terms: Terms) -> Iterator[Ratio]:
    """Yield the ratios of a platform's best points, then those of its naive one where that is another.

    `chip` has a point for as many images of a call as `terms` say.
    """
    for what in terms.whats:
        yield _ratio(chip, other, what, "headline", best.of(what), terms)
    for what in terms.whats:
        if best.naive(what) not in (None, best.of(what)):
            yield _ratio(chip, other, what, "naive", best.naive(what), terms)


def quotient(other: Estimate, chip: Estimate) -> Estimate:
    """Return other / chip, with the interval of all values that the two intervals allow."""
    return Estimate(
        _over(other.value, chip.value),
        _over(other.low, chip.high),
        _over(other.high, chip.low),
        "both sides at the ends of their ranges that are farthest apart",
    )


def _over(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.inf


def _ratio(chip: Platform, other: Platform, what: What, role: Role, index: int | None, terms: Terms) -> Ratio:
    here = chip.at(batch=terms.batch)[0]
    mine = figure(here, what, terms.rate)
    its = None if index is None else figure(other.points[index], what, terms.rate)
    refused = (
        _other_network(chip, other, terms)
        or _other_passes(other, terms)
        or (_unknown(other, index, what, terms) if its is None else None)
        or ("for the chip: " + _unknown_of(chip, [here], terms, what) if mine is None else None)
        or _other_boundary(chip, other, what, terms)
    )
    estimate = None if refused or its is None or mine is None else quotient(its, mine)
    return Ratio(other.name, what, role, index, estimate, refused, (chip.boundary, other.boundary))


def _other_network(chip: Platform, other: Platform, terms: Terms) -> str | None:
    if "network" in terms.allowed or (other.signature is not None and other.signature == chip.signature):
        return None
    return f"it runs another network, {other.network}; refused unless 'network' is allowed"


def _other_passes(other: Platform, terms: Terms) -> str | None:
    if not other.points:
        return f"nothing is known of it: {other.no_energy or 'it states no figure'}"
    served = candidates(other, terms)
    if not served:
        stated = sorted({p.passes for p in other.points if p.passes})
        return f"it has T = {', '.join(map(str, stated))}, not {terms.passes}"
    if "network" not in terms.allowed and all(other.points[i].passes is None for i in served):
        return "it does not say how many passes it takes; refused unless 'network' is allowed"
    return None


def _unknown(other: Platform, index: int | None, what: What, terms: Terms) -> str:
    """Return why a figure of a platform is not known, of one of its points or of all that could serve."""
    if index is not None:
        return _unknown_of(other, [other.points[index]], terms, what)
    served = candidates(other, terms)
    points = [other.points[i] for i in (served if what == "throughput" else of_batch(other, served, terms))]
    if not points:
        batches = sorted({other.points[i].batch for i in served})
        return f"it has no point of {terms.batch} images a call, but of {', '.join(map(str, batches))}"
    return _unknown_of(other, points, terms, what)


def _unknown_of(platform: Platform, points: Sequence[OperatingPoint], terms: Terms, what: What) -> str:
    """Return why none of some points has a figure."""
    if what in ("latency", "throughput"):
        return "it does not say how long it takes"
    if not any(p.energy_j for p in points):
        return f"it has no energy: {platform.no_energy or 'none is stated'}"
    if not any(p.dynamic_j and p.idle_w for p in points):
        return "it does not say what it takes when idle"
    most = max((1 / p.seconds_per_image for p in points if p.seconds_per_image), default=0.0)
    return f"it cannot keep up with {terms.rate:g} images/s, {most:.4g} at most"


def _other_boundary(chip: Platform, other: Platform, what: What, terms: Terms) -> str | None:
    if what in ("latency", "throughput") or chip.boundary == other.boundary or "boundary" in terms.allowed:
        return None
    return (
        f"its energy is that of {_within(other)}, the chip's that of {_within(chip)}; refused unless 'boundary' is"
        " allowed"
    )


def _within(platform: Platform) -> str:
    """Return a boundary in words."""
    boundary = platform.boundary or "unstated"
    return f"'{boundary}' ({BOUNDARIES[boundary]})"
