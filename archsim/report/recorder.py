"""Writes what the simulator does into a timeline while it does it."""

from __future__ import annotations

from archsim.report.timeline import TimelineWriter
from archsim.sim.ledger import Operation
from archsim.sim.log import RunLog
from archsim.sim.station import Engine, Station

PASS = ("output", "average")  # the operation that happens once a pass, by layer and name
IMAGE = ("output", "finish")  # and the one that happens once an image
ABOUT_TIME = (
    "Simulated time. Stretches that repeat exactly are simulated once: what was skipped is marked on the track 'passes'"
    " and takes no time here. Of a chip that is reprogrammed, one image is shown."
)


class TimelineRecorder:
    """Hears of every use of a station and every level of a buffer, and draws it: stations and buffers are tracks.

    The timeline holds the images and passes that are simulated event by event: without skipped ones, the slices of a
    station add up to its busy time in the books. Skipped passes and finished images are marks on the track "passes" of
    the group "run". Of a chip that is reprogrammed, it holds one image: all its rounds, one after the other.
    """

    def __init__(self, writer: TimelineWriter) -> None:
        self._writer = writer
        self._run = writer.track("run", "passes")
        self._engine: Engine | None = None
        self._end = 0
        self._counted: dict[tuple[str, str], tuple[int, int]] = {}  # what: index of its operation, uses seen

    def use(self, station: Station, op: Operation, start_ps: int, end_ps: int) -> None:
        """Draw one use of a station; one that takes no time is left out."""
        if station.engine is not self._engine:  # the next round of a reprogrammed chip has books of its own
            self._engine = station.engine
            self._counted.clear()
        self._notice_skip(station.engine, op, start_ps)
        self._end = max(self._end, end_ps)
        if end_ps > start_ps:
            track = self._writer.track(station.group, station.name)
            self._writer.slice(track, f"{op.name} {op.layer}", start_ps, end_ps - start_ps)
        if (op.layer, op.name) == IMAGE:
            self._writer.mark(self._run, f"image {self._counted[IMAGE][1]} done", end_ps)

    def level(self, name: str, time_ps: int, bits: int) -> None:
        """Draw what a buffer holds from a time on."""
        self._writer.counter(self._writer.track("buffers: bits held", name), time_ps, bits)

    def close(self, log: RunLog) -> None:
        """Mark the end, with how much of the run the timeline holds."""
        total = log.images * log.passes
        text = f"end: {log.simulated_passes} of {total} passes simulated, the others are exact repeats"
        self._writer.mark(self._run, text, self._end)

    def _notice_skip(self, engine: Engine, op: Operation, time_ps: int) -> None:
        """Compare the books with what was heard: whatever is more has been skipped since."""
        now = (op.layer, op.name)
        if now in (PASS, IMAGE) and now not in self._counted:
            self._counted[now] = (op.index, 0)
        skipped = {}
        for what, (index, seen) in self._counted.items():
            booked = engine.ledger.operations[index][0]
            self._counted[what] = (index, booked)
            skipped[what] = booked - seen - (what == now)
        if passes := skipped.get(PASS, 0):
            images = skipped.get(IMAGE, 0)
            of = f" ({images} images)" if images else ""
            self._writer.mark(self._run, f"skipped {passes} passes{of}", time_ps)
