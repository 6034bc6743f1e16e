"""All plots of some stored results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from archsim.report.plots import cost
from archsim.report.plots.data import Plot, Shown, of_schema
from archsim.report.plots.style import styled

Maker = Callable[[Sequence[Shown]], Plot | None]
OF_RESULTS: tuple[Maker, ...] = (cost.energy_by_part, cost.energy_by_layer, cost.area_by_part)


def plots_of(results: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[Plot]:
    """Yield the plots of some results side by side, cost first, then quality, then what else there is beside the chip.

    `results`: label and plain data, as `Result.to_dict()`, `Uncertainty.to_dict()` and comparisons have them, and as
    they lie in result.json. The same label always has the same colour. Data that lack something make fewer plots.
    """
    labels = list(dict.fromkeys(label for label, _ in results))
    shown = [Shown(label, data, labels.index(label)) for label, data in results]
    for make in OF_RESULTS:
        with styled():
            plot = make(of_schema(shown, "archsim/result"))
        if plot:
            yield plot
