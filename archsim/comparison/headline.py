"""Which points of a platform are compared: its best ones, and beside them the naive one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from archsim.baselines.platform import Platform
from archsim.comparison.figures import Terms, What, figure


@dataclass(frozen=True)
class Headline:
    """Indices of a platform's points; None where it has none that qualifies.

    The best of all modes, software and power modes, chosen for each figure on its own, for as many images of a call as
    the terms say; `throughput` for any number of them. The naive points run passes one call after the other, each
    otherwise as the best point by that figure does; `naive_latency` is that of throughput, too.
    """

    latency: int | None
    throughput: int | None
    energy: int | None
    energy_at_rate: int | None
    naive_latency: int | None
    naive_energy: int | None
    naive_energy_at_rate: int | None

    def of(self, what: What) -> int | None:
        """Return the point that is compared by a figure."""
        index: int | None = getattr(self, what)
        return index

    def naive(self, what: What) -> int | None:
        """Return the naive point that is compared by a figure."""
        index: int | None = getattr(self, f"naive_{'latency' if what == 'throughput' else what}")
        return index


def headline(platform: Platform, terms: Terms) -> Headline:
    """Return the points of a platform that are compared on these terms."""
    anyhow = candidates(platform, terms)
    now = of_batch(platform, anyhow, terms)
    best = {what: _least(platform, anyhow if what == "throughput" else now, what, terms) for what in terms.whats}
    naive = {what: None if i is None else _naive(platform, now, i) for what, i in best.items()}
    return Headline(
        latency=best["latency"],
        throughput=best["throughput"],
        energy=best["energy"],
        energy_at_rate=best.get("energy_at_rate"),
        naive_latency=naive["latency"],
        naive_energy=naive["energy"],
        naive_energy_at_rate=naive.get("energy_at_rate"),
    )


def candidates(platform: Platform, terms: Terms) -> list[int]:
    """Return the points with as many passes, and those of publications that do not say how many."""
    return [i for i, p in enumerate(platform.points) if p.passes in (terms.passes, None)]


def of_batch(platform: Platform, indices: Iterable[int], terms: Terms) -> list[int]:
    """Return those of some points that have as many images of a call as the terms say."""
    return [i for i in indices if platform.points[i].batch == terms.batch]


def _least(platform: Platform, indices: Iterable[int], what: What, terms: Terms) -> int | None:
    found = [(e.value, i) for i in indices if (e := figure(platform.points[i], what, terms.rate)) is not None]
    return min(found)[1] if found else None


def _naive(platform: Platform, indices: Iterable[int], main: int) -> int | None:
    """Return the sequential point of the same software and power mode, or else of the nearest."""
    best = platform.points[main]
    sequential = [(i, p) for i in indices if (p := platform.points[i]).mode == "sequential"]
    ranked = [
        (p.software != best.software, p.power_mode != best.power_mode, p.precision != best.precision, i)
        for i, p in sequential
    ]
    return min(ranked)[-1] if ranked else None
