"""The critical path: what an image waits for, one thing after the other, on an otherwise idle chip."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from archsim.mapping.plan import Mapping
from archsim.sim.run import simulate
from archsim.sim.station import Engine, Served
from archsim.workload.trace import INPUT

TRANSIT = "in transit"


@dataclass(frozen=True)
class Step:
    """A part of the latency of one pass: an operation of a layer, and the seconds it adds."""

    layer: str
    operation: str
    seconds: float


@dataclass(frozen=True)
class _Use:
    layer: str
    operation: str
    start: int
    end: int
    rank: float


@dataclass
class _Recorder:
    """Keeps every use of a station."""

    ranks: dict[str, float]
    uses: list[_Use] = field(default_factory=list)

    def begin(self, mapping: Mapping, engine: Engine) -> None:
        """All that is asked of the mapping is known."""

    def use(self, served: Served) -> None:
        op = served.op
        self.uses.append(_Use(op.layer, op.name, served.start_ps, served.end_ps, self._rank(op.layer)))

    def level(self, name: str, time_ps: int, bits: int) -> None:
        """Buffers do not take time."""

    def skip(self, time_ps: int, images: int, passes: int) -> None:
        """Of one pass, none is skipped."""

    def _rank(self, layer: str) -> float:
        """Return how far down the network something happens; a transfer lies before the layer it goes to."""
        target = layer.split(" -> ")[-1]
        place = self.ranks.get(target, float(len(self.ranks)))
        return place - 0.5 if " -> " in layer else place


def critical_path(mapping: Mapping, schedule: str, grain: str) -> tuple[Step, ...]:
    """Return the steps of the first pass of an image that follow each other without slack, the longest first.

    From the end of the pass backwards: what ended last before this began, at the same place in the network or further
    up? What nothing was busy for is transit and settling. The steps add up to the latency of one image with one pass.
    Empty for a chip that is reprogrammed while it runs.
    """
    if mapping.reprogrammed:
        return ()
    names = [INPUT, *(p.name for p in mapping.placed())]
    recorder = _Recorder({name: float(i) for i, name in enumerate(names)})
    log = simulate(mapping, images=1, passes=1, schedule=schedule, grain=grain, recorder=recorder)
    spent: dict[tuple[str, str], int] = defaultdict(int)
    now, rank = log.total_ps, float(len(names))
    uses = sorted((u for u in recorder.uses if u.end > u.start), key=lambda u: (u.end, u.rank))
    for use in reversed(uses):
        if use.end > now or use.rank > rank:
            continue
        if use.end < now:
            spent[("interconnect and arrays", TRANSIT)] += now - use.end
        spent[(use.layer, use.operation)] += use.end - use.start
        now, rank = use.start, use.rank
    if now:
        spent[("interconnect and arrays", TRANSIT)] += now
    steps = (Step(layer, operation, ps * 1e-12) for (layer, operation), ps in spent.items())
    return tuple(sorted(steps, key=lambda s: -s.seconds))
