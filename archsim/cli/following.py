"""How far a study is, on stderr: one line that moves on a terminal, and else a line now and then."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from archsim.cli.console import say
from archsim.report.layout import count
from archsim.study.progress import Progress as Follow
from archsim.study.progress import Standing

EVERY_S = 10.0  # between lines where there is no terminal
WINDOW_S = 60.0  # over which the pace is taken


@contextmanager
def following() -> Iterator[Follow]:
    """Show a study's progress as long as the block lasts; gives what is to be told of it."""
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield _Lines().tell
        return
    with Progress(BarColumn(), TextColumn("{task.description}"), console=console, transient=True) as bar:
        task, pace = bar.add_task("", total=None), Pace()
        yield lambda now: bar.update(
            task, completed=now.counts.done, total=now.counts.points, description=pace.line(now)
        )


class _Lines:
    def __init__(self) -> None:
        self._pace, self._last = Pace(), time.monotonic()

    def tell(self, now: Standing) -> None:
        line = self._pace.line(now)
        if time.monotonic() - self._last > EVERY_S:
            self._last = time.monotonic()
            say(line)


class Pace:
    """Points a minute over the last minute, and how long the rest takes at that pace."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def line(self, now: Standing, at: float | None = None) -> str:
        """Return what is said of a standing at a time, in seconds: by default, now."""
        at, counts = time.monotonic() if at is None else at, now.counts
        self._seen.append((at, counts.done))
        while at - self._seen[0][0] > WINDOW_S:
            self._seen.popleft()
        parts = [f"{count(counts.done)} of {count(counts.points)} points"]
        start, done = self._seen[0]
        if counts.done > done:
            pace = (counts.done - done) / (at - start)
            parts += [f"{count(60 * pace)} a minute", f"{duration(counts.left / pace)} left"]
        if counts.failed:
            parts.append(f"{count(counts.failed)} failed")
        if counts.shared:
            parts.append(f"{count(counts.shared)} with answers of others")
        if not now.workers:
            parts.append("no worker yet")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a time as a person would say it."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.1f} days"
