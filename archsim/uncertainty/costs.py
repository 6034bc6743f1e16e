"""What adaptive Monte-Carlo costs: the chip is simulated once for each number of passes that images take."""

from __future__ import annotations

from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from math import ceil, prod

import numpy as np
import numpy.typing as npt

from archsim.mapping.activity import Activity
from archsim.mapping.plan import Mapping as Placement
from archsim.metrics.energy import energy_rows, total
from archsim.metrics.intervals import Estimate
from archsim.sim.log import RunLog
from archsim.sim.run import simulate

PICO = 1e-12
OVERLAPPING = "pipelined_passes"  # the schedule whose passes follow each other
COMPARE = ("pool", "compare")  # a comparator for whole numbers, which every chip's digital units have
METHOD = "ranges of the components, averaged over the images"


@dataclass(frozen=True)
class Simulator:
    """Simulates a mapped network for any number of passes, each once. `images`, `activity`: as in `simulate`."""

    mapping: Placement
    images: int
    activity: Table[str, Activity]
    schedule: str | None = None
    grain: str | None = None
    _logs: dict[int, RunLog] = field(default_factory=dict)

    def log(self, passes: int) -> RunLog:
        """Return the log of a run in which every image takes so many passes."""
        if passes not in self._logs:
            self._logs[passes] = simulate(
                self.mapping,
                images=self.images,
                passes=passes,
                activity=self.activity,
                schedule=self.schedule,
                grain=self.grain,
            )
        return self._logs[passes]

    def latency_s(self, passes: int) -> float:
        """Return the seconds from load to answer."""
        return self.log(passes).latency_ps * PICO

    def energy_j(self, passes: int) -> Estimate:
        """Return the joules of an image, leakage included."""
        log = self.log(passes)
        return total(energy_rows(log, self.mapping.chip), 1 / log.images)

    def stopped(self, histogram: Table[int, float], passes: int) -> tuple[float, Estimate]:
        """Return seconds and joules of an image where shares of the images take different numbers of `passes` at most.

        The latency is that of the passes taken and of the decision after the last of them; earlier decisions are taken
        while the next pass runs. Passes that have begun by then are run to their end, which costs energy, not latency.
        """
        waste = passes_in_flight(self.log(passes))
        step_s, step_j = decision(self.mapping)
        latency, ends = 0.0, np.zeros(3)
        for taken, share in histogram.items():
            latency += share * (self.latency_s(taken) + step_s)
            ends += share * (_ends(self.energy_j(min(passes, taken + waste))) + taken * _ends(step_j))
        return latency, Estimate(float(ends[0]), float(ends[1]), float(ends[2]), METHOD)


def passes_in_flight(log: RunLog) -> int:
    """Return how many passes of an image have begun when an earlier one ends: those that start while one is under way.

    Where passes follow each other, one starts every `pass_interval_ps` and ends `first_pass_ps` later (a little less:
    that of the first pass includes loading the image). Other schedules start a pass when the one before has ended.
    """
    if log.schedule != OVERLAPPING:
        return 0
    return max(0, ceil(log.first_pass_ps / log.pass_interval_ps - 1e-9) - 1)


def decision(mapping: Placement) -> tuple[float, Estimate]:
    """Return seconds and joules of one decision: two comparisons for each class find the first two, one the boundary.

    One comparator does them in turn, a class after the other, as the averaging unit goes through the classes.
    """
    component, action = COMPARE
    cost = mapping.chip.components[component].actions[action]
    comparisons = 2 * prod(mapping.trace.output.shape) + 1
    joules = cost.energy
    return comparisons * cost.latency_ps * PICO, Estimate(
        comparisons * joules.value, comparisons * joules.low, comparisons * joules.high, METHOD
    )


def _ends(estimate: Estimate) -> npt.NDArray[np.float64]:
    return np.array([estimate.value, estimate.low, estimate.high])
