"""All plots of a study that fit what it varied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from archsim.report.plots.data import Plot
from archsim.report.plots.study.convergence import converged
from archsim.report.plots.study.curves import curves
from archsim.report.plots.study.failures import failures
from archsim.report.plots.study.fronts import fronts
from archsim.report.plots.study.heatmaps import heat_maps
from archsim.report.plots.study.parallel import parallel
from archsim.report.plots.study.sensitivity import sensitivities
from archsim.report.plots.style import styled
from archsim.report.study.findings import Findings

Maker = Callable[[Findings], Iterable[Plot]]
OF_AXES: tuple[Maker, ...] = (sensitivities, failures)
ANY: tuple[Maker, ...] = (converged, fronts, curves, parallel, heat_maps, failures)


def plots_of_study(found: Findings) -> Iterator[Plot]:
    """Yield the plots of a study, each where its data make sense in it. Names are unique.

    The look is set for the making of each plot alone, not while others hold it.
    """
    for make in ANY if found.is_compromise else OF_AXES:
        with styled():
            plots = [*make(found)]
        yield from plots
