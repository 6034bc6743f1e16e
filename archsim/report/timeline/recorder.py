"""Writes what the simulator does into a timeline while it does it."""

from __future__ import annotations

from typing import Any

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
        self._engine: Engine | None = None
        self._conversions: Conversions | None = None
        self._end = 0

    def begin(self, mapping: Mapping, engine: Engine) -> None:
        """Lay out the tracks of a run, or of the next round of a chip that is reprogrammed."""
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

    def use(self, served: Served) -> None:
        """Draw one use of a station; one that takes no time is left out."""
        op = served.op
        self._end = max(self._end, served.end_ps)
        if served.end_ps > served.start_ps:
            track = self._writer.track(served.group, served.station)
            duration = served.end_ps - served.start_ps
            name = f"{op.name} {op.layer}"
            point = self._writer.slice(track, name, served.start_ps, duration, self._args(served), op.name)
            self._passes.touch(served, point)
            if op.name == "multiply" and served.units:
                self._draw_conversions(served)
        if (op.layer, op.name) == PASS:
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
        self._passes.close()
        self._draw_spending(self._end)
        total = log.images * log.passes
        text = f"end: {log.simulated_passes} of {total} passes simulated, the others are exact repeats"
        self._writer.mark(self._run, text, self._end)

    def _args(self, served: Served) -> dict[str, Any]:
        """Return what a viewer shows for a slice; units and energy stand on the station that counts them."""
        args: dict[str, Any] = {"image": served.image, "pass": served.turn}
        if served.units:
            joules = served.units * self._spending.per_unit_j(served.op)
            args |= {"units": served.units, "unit": served.op.unit, "energy_pj": _short(joules * 1e12)}
        return args

    def _draw_conversions(self, served: Served) -> None:
        assert self._engine is not None
        assert self._conversions is not None
        op = served.op
        if op.layer not in self._conversions:
            return
        counted = self._engine.ledger.operations[op.index][1]
        conversion = self._conversions.during(served, counted)
        if conversion is not None:
            track = self._writer.track(served.group, _converters(op.layer))
            start, duration, args = conversion
            self._writer.slice(track, f"convert {op.layer}", start, duration, args, DERIVED)

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
