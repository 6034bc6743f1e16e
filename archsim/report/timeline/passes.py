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

    def touch(self, served: Served, point: Point | None) -> None:
        """Hear of a slice, and where a flow can touch it."""
        op = served.op
        if point is not None and served.image and op.name in STEPS:
            self._begun[served.image, max(served.turn, 1)].setdefault((op.name, op.layer), point)

    def finish(self, done: Pass) -> None:
        """Draw the flow of a pass that is done."""
        points = self._begun.pop(done, {})
        self._writer.flow(f"image {done[0]}, pass {done[1]}", CATEGORY, list(points.values()))

    def close(self) -> None:
        """Draw the flows of passes whose ends are not in the timeline."""
        for unfinished in sorted(self._begun):
            self.finish(unfinished)
