"""How full the output buffer of a layer is, for whoever records a run."""

from __future__ import annotations

from collections.abc import Callable

from archsim.sim.station import Engine, Level


class WatchedLevel(Level):
    """A level that calls `watcher` after every change."""

    __slots__ = ("watcher",)

    watcher: Callable[[], None]

    def advance(self, by: int) -> None:
        """Let the count grow, and say so."""
        super().advance(by)
        self.watcher()


def output_buffer(engine: Engine, label: str, chunks: int, chunk_bits: int) -> tuple[Level, Level]:
    """Return two levels of a layer: chunks of results written into its output buffer, and chunks that have left it.

    `chunks`: of a pass. `chunk_bits`: what each takes. Where the run is recorded, every change is told; else the levels
    are plain ones, and cost nothing.
    """
    if engine.recorder is None:
        return Level(engine, chunks, "input"), Level(engine, chunks, "output space")
    made, left = WatchedLevel(engine, chunks, "input"), WatchedLevel(engine, chunks, "output space")

    def tell() -> None:
        engine.tell_level(f"{label} results", (made.value - left.value) * chunk_bits)

    made.watcher = left.watcher = tell
    return made, left
