"""All plots of some stored results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from archsim.report.plots import (
    adaptive,
    calibration,
    chips,
    cost,
    gains,
    latency,
    memory,
    occupancy,
    platforms,
    roofline,
    shift,
)
from archsim.report.plots.data import Plot, Shown
from archsim.report.plots.style import styled

Maker = Callable[[Sequence[Shown]], Plot | None]

MAKERS: Mapping[str, tuple[Maker, ...]] = MappingProxyType(
    {
        "archsim/result": (
            cost.energy_by_part,
            cost.energy_by_layer,
            cost.area_by_part,
            latency.latency,
            latency.critical_path,
            occupancy.utilisation,
            occupancy.stalls,
            memory.memory,
            roofline.roofline,
            chips.chips,
        ),
        "archsim/uncertainty": (
            calibration.reliability,
            shift.ood,
            shift.rotation,
            shift.corruptions,
            calibration.risk_coverage,
            adaptive.adaptive,
            chips.evaluated_chips,
        ),
    }
)
COMPARISON = "archsim/comparison"
OF_COMPARISON: tuple[Callable[[Shown], Plot | None], ...] = (
    *(partial(platforms.platforms, what=what) for what in platforms.WHATS),
    gains.gains,
)


def plots_of(results: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[Plot]:
    """Yield the plots of some results side by side: costs, quality, and each comparison with other platforms.

    `results`: label and plain data, as `Result.to_dict()`, `Uncertainty.to_dict()` and `Comparison.to_dict()` make them
    and as result.json holds them; other data make no plots. The same label has the same colour everywhere. Of a
    comparison, the platforms are shown; its chip and its uncertainty are results of their own. Where data lack
    something, there are fewer plots. Names are unique.
    """
    labels = list(dict.fromkeys(label for label, _ in results))
    shown = [Shown(label, data, labels.index(label)) for label, data in results]
    for kind, makers in MAKERS.items():
        of_kind = [s for s in shown if s.kind == kind]
        for make in makers if of_kind else ():
            yield from _made(partial(make, of_kind), kind)
    compared = [s for s in shown if s.kind == COMPARISON]
    for number, one in enumerate(compared, start=1):
        for make_one in OF_COMPARISON:
            for plot in _made(partial(make_one, one), COMPARISON):
                yield plot if len(compared) == 1 else _numbered(plot, one, number)


def _made(make: Callable[[], Plot | None], kind: str) -> Iterator[Plot]:
    """Yield a plot if there is something to show. The look is set for its making alone, not while others hold it."""
    with styled():
        plot = make()
    if plot:
        yield replace(plot, kind=kind)


def _numbered(plot: Plot, of: Shown, number: int) -> Plot:
    return replace(plot, name=f"{plot.name}_{number}", title=f"{plot.title}: {of.label}")
