"""Passes on their way through the network: which slices an arrow touches."""

from __future__ import annotations

from collections import defaultdict

from archsim.report.timeline.writer import Point, TimelineWriter
from archsim.sim.station import Served

STEPS = {"load", "preprocess", "store", "feed", "multiply", "digital", "normalise", "average"}
CATEGORY = "pass"
Pass = tuple[int, int]  # image, pass of it


class Passes:
    """Collects where each pass first touches a layer, and draws its flow when it is done.

    The flow of an image's first pass begins where the image is loaded. A pass that a skip cuts ends, or begins, there.
    """

    def __init__(self, writer: TimelineWriter) -> None:
        self._writer = writer
        self._begun: dict[Pass, dict[tuple[str, str], Point]] = defaultdict(dict)
        self._done: Pass = (0, 0)

    def touch(self, served: Served, point: Point | None) -> None:
        """Hear of a slice, and where a flow can touch it."""
        op, this = served.op, (served.image, max(served.turn, 1))
        # positions that nobody waits for may be computed when their pass is done
        if point is not None and op.name in STEPS and this > self._done and served.image:
            self._begun[this].setdefault((op.name, op.layer), point)

    def finish(self, done: Pass) -> None:
        """Draw the flow of a pass that is done; passes are done in order."""
        self._done = max(self._done, done)
        points = self._begun.pop(done, {})
        self._writer.flow(f"image {done[0]}, pass {done[1]}", CATEGORY, list(points.values()))

    def close(self) -> None:
        """Draw the flows of passes whose ends are not in the timeline."""
        for unfinished in sorted(self._begun):
            self.finish(unfinished)
