"""A timeline that a trace viewer opens: ui.perfetto.dev, chrome://tracing.

The file is in the Chrome trace event format (JSON object form, "Trace Event Format", Google, phases X, C, i, M and s,
t, f), written event by event, so that its length does not matter.

Times in the format are microseconds. Perfetto reads them as doubles and rounds start and duration to whole
nanoseconds, each for itself; slices that touch can then overlap by one, and it drops such slices without a word
(google/perfetto issue 5012, and the importer's source: `llround(ts * 1000)`). So both ends of a slice are rounded to
nanoseconds here, which keeps slices that touch touching, and the exact picoseconds stand in its arguments, where the
viewer shows them.

A flow binds to the slice that was begun last on its track when its own time comes, events of the same time being
taken in the order of the file (Perfetto's sources, `FlowTracker` and `SliceTracker`; `"bp":"e"` makes the last event do
the same). Catapult, where one slice ends when the next begins, takes the first. So the events of a flow come a
nanosecond after the start of their slice, later than it in the file, and never touch a slice that is too short to show.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TextIO

from archsim.errors import ConfigError

START, DURATION = "start_ps", "duration_ps"
_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True)
class Track:
    """One line of the viewer: a station or a buffer (`name`) of a `group` such as "tile 3" or "interconnect"."""

    group: str
    name: str
    pid: int
    tid: int


class Point(NamedTuple):
    """Where a flow can touch: a time within a slice that is long enough to be seen."""

    track: Track
    time_ns: int


class TimelineWriter:
    """Writes a timeline; use it in a `with` statement. All times are integers in picoseconds, not negative.

    The file appears under its name when the block ends well; until then, and if it fails, a file that was there before
    stays as it is. Groups and tracks are shown in the order in which they are first named. `about` is plain JSON data
    kept in the file (`otherData`): chip, network, schedule.

    Raises `ConfigError` if the file cannot be written.
    """

    def __init__(self, path: str | Path, about: Mapping[str, Any] | None = None) -> None:
        self.path = Path(path)
        self._about = dict(about or {})
        self._partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._file: TextIO | None = None
        self._separator = "\n"
        self._groups: dict[str, int] = {}
        self._tracks: dict[tuple[str, str], Track] = {}
        self._shown: set[int] = set()
        self._quoted: dict[str, str] = {}
        self._flows = 0

    def __enter__(self) -> TimelineWriter:
        try:
            if self.path.is_dir():
                raise IsADirectoryError(0, "it is a directory")
            self._file = self._partial.open("w", encoding="utf-8", newline="\n")
            self._write(f'{{"displayTimeUnit":"ns","otherData":{_json(self._about)},"traceEvents":[')
        except OSError as error:
            raise self._unwritable(error) from error
        except BaseException:  # interrupted: nothing is left behind
            self._partial.unlink(missing_ok=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        try:
            if kind is None:
                file.write("\n]}\n")
            file.close()
            if kind is None:
                self._partial.replace(self.path)
        except OSError as failure:
            raise self._unwritable(failure) from failure
        finally:
            self._partial.unlink(missing_ok=True)

    def group(self, name: str) -> int:
        """Return the number of a group, given on first use."""
        known = self._groups.get(name)
        if known is None:
            known = self._groups[name] = self._next_id()
        return known

    def track(self, group: str, name: str) -> Track:
        """Return the track of that name in that group, made on first use."""
        known = self._tracks.get((group, name))
        if known is not None:
            return known
        pid = self.group(group)
        track = self._tracks[group, name] = Track(group, name, pid, self._next_id())
        return track

    def slice(
        self,
        track: Track,
        name: str,
        start_ps: int,
        duration_ps: int,
        args: Mapping[str, Any] | None = None,
        category: str = "",
    ) -> Point | None:
        """Write that the station of a track does `name` for a while. Slices of one track may touch, and not overlap.

        `args`: plain JSON data that the viewer shows for the slice. `category`: a word by which it can be searched.
        Returns where a flow can touch the slice, nothing if it is shorter than what a viewer shows.
        """
        if start_ps < 0 or duration_ps < 0:
            raise ValueError(f"slice '{name}' on '{track.name}': start {start_ps} ps, duration {duration_ps} ps")
        self._show(track)
        start = _ns(start_ps)
        length = _ns(start_ps + duration_ps) - start
        kind = f'"cat":{self._quote(category)},' if category else ""
        more = "," + _json(dict(args))[1:] if args else "}"
        self._event(
            f'{{"ph":"X","pid":{track.pid},"tid":{track.tid},{kind}"name":{self._quote(name)},"ts":{_us(start)},'
            f'"dur":{_us(length)},"args":{{"{START}":{start_ps},"{DURATION}":{duration_ps}{more}}}'
        )
        return Point(track, start + min(1, length - 1)) if length else None

    def flow(self, name: str, category: str, points: Sequence[Point]) -> None:
        """Draw arrows from slice to slice, in order of time. A flow of less than two points is nothing to draw."""
        if len(points) < 2:
            return
        self._flows += 1
        head = f'"id":{self._flows},"cat":{self._quote(category)},"name":{_json(name)}'
        last = len(points) - 1
        for i, (track, time) in enumerate(sorted(points, key=lambda point: point.time_ns)):
            phase, end = ("s", "") if i == 0 else ("t", "") if i < last else ("f", ',"bp":"e"')
            self._event(f'{{"ph":"{phase}","pid":{track.pid},"tid":{track.tid},{head},"ts":{_us(time)}{end}}}')

    def counter(self, track: Track, time_ps: int, value: float, unit: str = "bits") -> None:
        """Write the value that a track's counter takes from a time on, such as what a buffer holds.

        `unit`: the viewer shows it after the track's name; one and the same for all values of a track.
        """
        if time_ps < 0 or not math.isfinite(value):
            raise ValueError(f"counter '{track.name}': value {value} at {time_ps} ps")
        self._show_group(track)
        self._event(
            f'{{"ph":"C","pid":{track.pid},"name":{self._quote(track.name)},"ts":{_us(_ns(time_ps))},'
            f'"args":{{{self._quote(unit)}:{value}}}}}'
        )

    def mark(self, track: Track, name: str, time_ps: int) -> None:
        """Write that something happened at a time on a track, such as the end of an image."""
        if time_ps < 0:
            raise ValueError(f"mark '{name}' on '{track.name}' at {time_ps} ps")
        self._show(track)
        self._event(
            f'{{"ph":"i","s":"t","pid":{track.pid},"tid":{track.tid},"name":{self._quote(name)},'
            f'"ts":{_us(_ns(time_ps))},"args":{{"time_ps":{time_ps}}}}}'
        )

    def _next_id(self) -> int:
        # Never twice the same: a viewer takes a thread whose id is its process's for the main thread.
        return len(self._groups) + len(self._tracks) + 1

    def _show(self, track: Track) -> None:
        # Only on its first slice or mark: a track that holds a counter alone has no thread to show.
        if track.tid not in self._shown:
            self._shown.add(track.tid)
            self._show_group(track)
            self._name("thread", track.pid, track.tid, track.name, track.tid)

    def _show_group(self, track: Track) -> None:
        if track.pid not in self._shown:
            self._shown.add(track.pid)
            self._name("process", track.pid, 0, track.group, track.pid)

    def _name(self, kind: str, pid: int, tid: int, name: str, order: int) -> None:
        head = f'{{"ph":"M","pid":{pid},"tid":{tid},"name":"{kind}_'
        self._event(f'{head}name","args":{{"name":{self._quote(name)}}}}}')
        self._event(f'{head}sort_index","args":{{"sort_index":{order}}}}}')

    def _quote(self, text: str) -> str:
        quoted = self._quoted.get(text)
        if quoted is None:
            quoted = self._quoted[text] = _json(text)
        return quoted

    def _event(self, text: str) -> None:
        self._write(self._separator + text)
        self._separator = ",\n"

    def _write(self, text: str) -> None:
        if self._file is None:
            raise ValueError("a timeline is written inside its `with` statement")
        try:
            self._file.write(text)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> ConfigError:
        return ConfigError(f"timeline '{self.path}' cannot be written: {error.strerror or error}")


def _ns(time_ps: int) -> int:
    return (time_ps + 500) // 1000


def _us(time_ns: int) -> str:
    """Return microseconds as an exact decimal, as no float prints it for every time."""
    return f"{time_ns // 1000}.{time_ns % 1000:03d}"
