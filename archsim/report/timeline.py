"""A timeline that a trace viewer opens: ui.perfetto.dev, chrome://tracing.

The file is in the Chrome trace event format (JSON object form, "Trace Event Format", Google, phases X, C, i and M),
written event by event, so that its length does not matter.

Times in the format are microseconds. Perfetto reads them as doubles and rounds start and duration to whole
nanoseconds, each for itself; slices that touch can then overlap by one, and it drops such slices without a word
(google/perfetto issue 5012, and the importer's source: `llround(ts * 1000)`). So both ends of a slice are rounded to
nanoseconds here, which keeps slices that touch touching, and the exact picoseconds stand in its arguments, where the
viewer shows them.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from archsim.errors import ConfigError, DataError

START, DURATION = "start_ps", "duration_ps"
_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True)
class Track:
    """One line of the viewer: a station or a buffer (`name`) of a `group` such as "tile 3" or "interconnect"."""

    group: str
    name: str
    pid: int
    tid: int


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
        self._named: set[int] = set()
        self._quoted: dict[str, str] = {}

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

    def track(self, group: str, name: str) -> Track:
        """Return the track of that name in that group, made on first use."""
        known = self._tracks.get((group, name))
        if known is not None:
            return known
        pid = self._groups.get(group)
        if pid is None:
            pid = self._groups[group] = self._next_id()
            self._name("process", pid, 0, group, len(self._groups))
        track = self._tracks[group, name] = Track(group, name, pid, self._next_id())
        return track

    def slice(
        self, track: Track, name: str, start_ps: int, duration_ps: int, args: Mapping[str, Any] | None = None
    ) -> None:
        """Write that the station of a track does `name` for a while. Slices of one track come in order of time.

        `args`: plain JSON data that the viewer shows for the slice.
        """
        if start_ps < 0 or duration_ps < 0:
            raise ValueError(f"slice '{name}' on '{track.name}': start {start_ps} ps, duration {duration_ps} ps")
        self._show_as_thread(track)
        start = _ns(start_ps)
        more = "," + _json(dict(args))[1:] if args else "}"
        self._event(
            f'{{"ph":"X","pid":{track.pid},"tid":{track.tid},"name":{self._quote(name)},"ts":{_us(start)},'
            f'"dur":{_us(_ns(start_ps + duration_ps) - start)},'
            f'"args":{{"{START}":{start_ps},"{DURATION}":{duration_ps}{more}}}'
        )

    def counter(self, track: Track, time_ps: int, value: float, unit: str = "bits") -> None:
        """Write the value that a track's counter takes from a time on, such as what a buffer holds.

        `unit`: the viewer shows it after the track's name; one and the same for all values of a track.
        """
        if time_ps < 0 or not math.isfinite(value):
            raise ValueError(f"counter '{track.name}': value {value} at {time_ps} ps")
        self._event(
            f'{{"ph":"C","pid":{track.pid},"name":{self._quote(track.name)},"ts":{_us(_ns(time_ps))},'
            f'"args":{{{self._quote(unit)}:{value}}}}}'
        )

    def mark(self, track: Track, name: str, time_ps: int) -> None:
        """Write that something happened at a time on a track, such as the end of an image."""
        if time_ps < 0:
            raise ValueError(f"mark '{name}' on '{track.name}' at {time_ps} ps")
        self._show_as_thread(track)
        self._event(
            f'{{"ph":"i","s":"t","pid":{track.pid},"tid":{track.tid},"name":{self._quote(name)},'
            f'"ts":{_us(_ns(time_ps))},"args":{{"time_ps":{time_ps}}}}}'
        )

    def _next_id(self) -> int:
        # Never twice the same: a viewer takes a thread whose id is its process's for the main thread.
        return len(self._groups) + len(self._tracks) + 1

    def _show_as_thread(self, track: Track) -> None:
        # Only on its first slice or mark: a track that holds a counter alone has no thread to show.
        if track.tid not in self._named:
            self._named.add(track.tid)
            self._name("thread", track.pid, track.tid, track.name, track.tid)

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


@dataclass
class TrackSummary:
    """What a timeline holds for one track: how many slices, how long they are in sum, when the last one ends.

    `samples`: how often its counter was written; `peak`: the largest value of it.
    """

    slices: int = 0
    busy_ps: int = 0
    end_ps: int = 0
    marks: int = 0
    samples: int = 0
    peak: float = -math.inf


REQUIRED = {
    "X": {"pid", "tid", "name", "ts", "dur", "args"},
    "C": {"pid", "name", "ts", "args"},
    "i": {"pid", "tid", "name", "ts", "s"},
    "M": {"pid", "tid", "name", "args"},
}


def check_timeline(path: str | Path) -> dict[tuple[str, str], TrackSummary]:
    """Read a timeline back and return a summary for each (group, track).

    Raises `DataError`, naming the event, where the file is not JSON, an event lacks a key of its phase, a track has no
    name, slices of a track overlap or go back in time (in picoseconds, or as rounded for the viewer), or the rounded
    times are not those of the exact ones.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise DataError(f"timeline '{path}' cannot be read: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("traceEvents"), list):
        raise DataError(f"timeline '{path}': no list 'traceEvents'")
    reader = _Reader()
    for number, event in enumerate(data["traceEvents"]):
        try:
            reader.read(event)
        except ValueError as error:
            raise DataError(f"timeline '{path}', event {number}: {error}") from error
        except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
            raise DataError(f"timeline '{path}', event {number}: malformed, {error!r}") from error
    return reader.tracks


class _Reader:
    """Follows the events of a timeline as a viewer does."""

    def __init__(self) -> None:
        self.tracks: dict[tuple[str, str], TrackSummary] = {}
        self._groups: dict[int, str] = {}
        self._names: dict[tuple[int, int], str] = {}
        self._shown_end: dict[tuple[str, str], Decimal] = {}
        self._last_sample: dict[tuple[str, str], Decimal] = {}

    def read(self, event: dict[str, Any]) -> None:
        """Take one event; raise `ValueError` saying what is wrong with it."""
        phase = event.get("ph")
        missing = REQUIRED[phase] - event.keys() if phase in REQUIRED else {"ph"}
        if missing:
            raise ValueError(f"phase {phase!r} lacks {sorted(missing)}")
        {"X": self._slice, "C": self._counter, "i": self._mark, "M": self._metadata}[str(phase)](event)

    def _metadata(self, event: dict[str, Any]) -> None:
        if event["name"] == "process_name":
            self._groups[event["pid"]] = event["args"]["name"]
        elif event["name"] == "thread_name":
            self._names[event["pid"], event["tid"]] = event["args"]["name"]

    def _key(self, pid: int, name: str | None) -> tuple[str, str]:
        if pid not in self._groups or name is None:
            raise ValueError("its track has no name")
        return self._groups[pid], name

    def _slice(self, event: dict[str, Any]) -> None:
        key = self._key(event["pid"], self._names.get((event["pid"], event["tid"])))
        start, duration = event["args"][START], event["args"][DURATION]
        shown, end = Decimal(event["ts"]), Decimal(event["ts"]) + Decimal(event["dur"])
        half_ns = Decimal("0.0005")
        exact = Decimal(start).scaleb(-6), Decimal(start + duration).scaleb(-6)
        if abs(shown - exact[0]) > half_ns or abs(end - exact[1]) > half_ns:
            raise ValueError(f"shown as {shown} to {end} us, but is {exact[0]} to {exact[1]} us")
        track = self.tracks.setdefault(key, TrackSummary())
        if start < track.end_ps or shown < self._shown_end.get(key, Decimal(0)) or duration < 0:
            raise ValueError(f"slice '{event['name']}' of {key} starts at {start} ps, before {track.end_ps} ps")
        track.slices += 1
        track.busy_ps += duration
        track.end_ps = start + duration
        self._shown_end[key] = end

    def _counter(self, event: dict[str, Any]) -> None:
        key = self._key(event["pid"], event["name"])
        if event["ts"] < self._last_sample.get(key, Decimal(0)):
            raise ValueError(f"counter {key} goes back in time")
        self._last_sample[key] = event["ts"]
        track = self.tracks.setdefault(key, TrackSummary())
        track.samples += 1
        track.peak = max(track.peak, *map(float, event["args"].values()))

    def _mark(self, event: dict[str, Any]) -> None:
        key = self._key(event["pid"], self._names.get((event["pid"], event["tid"])))
        self.tracks.setdefault(key, TrackSummary()).marks += 1
