"""Writes what the simulator does into a timeline while it does it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from archsim.mapping.plan import Mapping
from archsim.report.timeline.conversions import Conversions
from archsim.report.timeline.energy import Spending
from archsim.report.timeline.passes import Passes
from archsim.report.timeline.writer import TimelineWriter
from archsim.sim.log import RunLog
from archsim.sim.rounds import OUTPUT
from archsim.sim.station import Engine, Served

PASS = (OUTPUT, "average")  # the operation that happens once a pass, by layer and name
IMAGE = (OUTPUT, "finish")  # and the one that happens once an image
DERIVED = "derived"
BUFFERS, ENERGY = "buffers: bits held", "dynamic energy so far"
GROUPS = ("run", "tile", "interconnect", "buffers", BUFFERS, "memory", "chip", ENERGY)
ABOUT_TIME = (
    "Simulated time. Stretches that repeat exactly are simulated once: what was skipped is marked on the track 'passes'"
    " and takes no time here. Of a chip that is reprogrammed, one image is shown."
)


_Work = tuple[int, int, int, str, str]  # image, pass, operation, group and station


class _Use(NamedTuple):
    """A use that is still to be drawn. `counted`: what the book counted of its operation when it was booked."""

    served: Served
    counted: int


class TimelineRecorder:
    """Hears of every use of a station and every level of a buffer, and draws it: stations and buffers are tracks.

    The timeline holds the images and passes that are simulated event by event: without skipped ones, the slices of a
    station add up to its busy time in the books. Skipped passes and finished images are marks on the track "passes" of
    the group "run". Flows follow each pass from layer to layer. Tracks that end in "(derived)" are no stations: they
    show when the converters convert within the time of their arrays. Of a chip that is reprogrammed, it holds one
    image: all its rounds, one after the other.
    """

    def __init__(self, writer: TimelineWriter) -> None:
        self._writer = writer
        self._run = writer.track("run", "passes")
        self._passes = Passes(writer)
        self._spending = Spending()
        self._open: dict[_Work, _Use] = {}
        self._engine: Engine | None = None
        self._conversions: Conversions | None = None
        self._end = 0

    def begin(self, mapping: Mapping, engine: Engine) -> None:
        """Lay out the tracks of a run, or of the next round of a chip that is reprogrammed."""
        self._draw_until(math.inf, math.inf)
        self._engine = engine
        self._spending.begin(mapping.chip, engine)
        self._conversions = Conversions(mapping)
        for group in sorted({BUFFERS, ENERGY, *(s.group for s in engine.stations)}, key=_place):
            self._writer.group(group)
        multiply = {f"{op.layer} arrays": op.layer for op in engine.operations if op.name == "multiply"}
        for station in engine.stations:
            self._writer.track(station.group, station.name)
            layer = multiply.get(station.name)
            if layer is not None and layer in self._conversions:
                self._writer.track(station.group, _converters(layer))
        self._draw_spending(self._end)

    def use(self, served: Served) -> None:
        """Draw one use of a station. One that takes no time goes with the same work before it, which took that time."""
        assert self._engine is not None
        op = served.op
        self._end = max(self._end, served.end_ps)
        work = served.image, served.turn, op.index, served.group, served.station
        counted, last = self._engine.ledger.operations[op.index][1], self._open.get(work)
        if served.end_ps > served.start_ps:
            if last:
                self._draw(last)
            self._open[work] = _Use(served, counted)
        elif last:
            self._open[work] = _Use(last.served._replace(units=last.served.units + served.units), counted)
        if (op.layer, op.name) == PASS:
            self._draw_until(served.image, served.turn)
            self._passes.finish((served.image, served.turn))
            self._draw_spending(served.end_ps)
        if (op.layer, op.name) == IMAGE:
            self._writer.mark(self._run, f"image {served.image} done", served.end_ps)

    def level(self, name: str, time_ps: int, bits: int) -> None:
        """Draw what a buffer holds from a time on."""
        self._writer.counter(self._writer.track(BUFFERS, name), time_ps, bits)

    def skip(self, time_ps: int, images: int, passes: int) -> None:
        """Mark what is left out."""
        of = f" ({images} images)" if images else ""
        self._writer.mark(self._run, f"skipped {passes} passes{of}", time_ps)

    def close(self, log: RunLog) -> None:
        """Draw what is open, and mark the end with how much of the run the timeline holds."""
        self._draw_until(math.inf, math.inf)
        self._passes.close()
        self._draw_spending(self._end)
        total = log.images * log.passes
        text = f"end: {log.simulated_passes} of {total} passes simulated, the others are exact repeats"
        self._writer.mark(self._run, text, self._end)

    def _draw_until(self, image: float, turn: float) -> None:
        """Draw what is still open of a pass and all before it."""
        for work in [work for work in self._open if work[:2] <= (image, turn)]:
            self._draw(self._open.pop(work))

    def _draw(self, use: _Use) -> None:
        served, op = use.served, use.served.op
        track = self._writer.track(served.group, served.station)
        duration = served.end_ps - served.start_ps
        args: dict[str, Any] = {"image": served.image, "pass": served.turn}
        if served.units:  # units and energy stand on the station that counts them
            joules = served.units * self._spending.per_unit_j(op)
            args |= {"units": served.units, "unit": op.unit, "energy_pj": _short(joules * 1e12)}
        point = self._writer.slice(track, f"{op.name} {op.layer}", served.start_ps, duration, args, op.name)
        self._passes.touch(served, point)
        if op.name == "multiply" and self._conversions and op.layer in self._conversions:
            start, length, args = self._conversions.during(served, use.counted)
            track = self._writer.track(served.group, _converters(op.layer))
            self._writer.slice(track, f"convert {op.layer}", start, length, args, DERIVED)

    def _draw_spending(self, time_ps: int) -> None:
        for part, joules in self._spending.by_part().items():
            self._writer.counter(self._writer.track(ENERGY, part), time_ps, _short(joules * 1e9), "nJ")


def _short(value: float) -> float:
    """Return a number of nine digits, which take half the room of all."""
    return float(f"{value:.9g}")


def _converters(layer: str) -> str:
    return f"{layer} converters ({DERIVED})"


def _place(group: str) -> tuple[int, int]:
    """Return where a group is shown: tiles by their numbers."""
    kind, _, number = group.partition(" ")
    if kind == "tile":
        return GROUPS.index(kind), int(number)
    return (GROUPS.index(group) if group in GROUPS else len(GROUPS)), 0
