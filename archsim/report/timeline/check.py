"""Reads a timeline back as a viewer does, and finds what is wrong with it."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from archsim.errors import DataError
from archsim.report.timeline.writer import DURATION, START

Key = tuple[str, str]  # group, track
Thread = tuple[int, int]
Event = dict[str, Any]

NUMBER, COUNT = (int, Decimal), (int,)
WHERE: dict[str, tuple[type, ...]] = {"pid": COUNT, "tid": COUNT, "name": (str,)}
POINT = WHERE | {"ts": NUMBER}
FLOW = POINT | {"cat": (str,), "id": COUNT}
REQUIRED: dict[str, dict[str, tuple[type, ...]]] = {
    "X": POINT | {"dur": NUMBER, "args": (dict,)},
    "C": {"pid": COUNT, "name": (str,), "ts": NUMBER, "args": (dict,)},
    "i": POINT | {"s": (str,)},
    "M": WHERE | {"args": (dict,)},
    "s": FLOW,
    "t": FLOW,
    "f": FLOW | {"bp": (str,)},
}


@dataclass
class TrackSummary:
    """What a timeline holds for one track: how many slices, how long they are in sum, when the last one ends.

    `samples`: how often its counter was written; `peak`: the largest value of it. `touched`: how often a flow does.
    """

    slices: int = 0
    busy_ps: int = 0
    end_ps: int = 0
    marks: int = 0
    samples: int = 0
    peak: float = -math.inf
    touched: int = 0


def check_timeline(path: str | Path) -> dict[Key, TrackSummary]:
    """Read a timeline back and return a summary for each (group, track).

    Raises `DataError`, naming the event, where the file is not JSON, a number is not finite, an event lacks a key of
    its phase or has it in another type, a track has no name, slices of a track overlap (in picoseconds, or as rounded
    for the viewer), the rounded times are not those of the exact ones, a counter goes back in time, or a flow does not
    begin with "s", go on with "t" and end with "f", each on a slice that lasts at that time. Slices may come in any
    order, as a viewer sorts them.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        data = json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except (OSError, ValueError) as error:
        raise DataError(f"timeline '{path}' cannot be read: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("traceEvents"), list):
        raise DataError(f"timeline '{path}': no list 'traceEvents'")
    reader, number = _Reader(), -1
    try:
        for number, event in enumerate(data["traceEvents"]):
            reader.read(number, event)
        for before, now in reader.neighbours():
            number = now.number
            before.check_end(now)
        for number, event in reader.flows:
            reader.bind(number, event)
    except ValueError as error:
        raise DataError(f"timeline '{path}', event {number}: {error}") from error
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        raise DataError(f"timeline '{path}', event {number}: malformed, {error!r}") from error
    for flow in reader.open:
        raise DataError(f"timeline '{path}': flow {flow} has no end")
    return reader.tracks


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number of JSON")


class _Slice(NamedTuple):
    start_ps: int
    number: int
    end_ps: int
    shown: Decimal
    shown_end: Decimal
    text: str

    def check_end(self, next_one: _Slice) -> None:
        if next_one.start_ps < self.end_ps or next_one.shown < self.shown_end:
            raise ValueError(f"{next_one.text} starts at {next_one.start_ps} ps, before {self.end_ps} ps")


class _Reader:
    """Follows the events of a timeline as a viewer does."""

    def __init__(self) -> None:
        self.tracks: dict[Key, TrackSummary] = {}
        self.open: dict[tuple[str, int, str], Decimal] = {}  # flows that have begun: when they were last seen
        self._flows: list[tuple[int, Event]] = []
        self._ended: set[tuple[str, int, str]] = set()
        self._groups: dict[int, str] = {}
        self._names: dict[Thread, str] = {}
        self._slices: dict[Thread, list[_Slice]] = defaultdict(list)
        self._last_sample: dict[Key, Decimal] = {}

    @property
    def flows(self) -> list[tuple[int, Event]]:
        """Return the events of flows with their numbers, in order of time and then of the file."""
        return sorted(self._flows, key=lambda item: Decimal(item[1]["ts"]))

    def read(self, number: int, event: Event) -> None:
        """Take one event; raise `ValueError` saying what is wrong with it."""
        phase = event.get("ph")
        required = REQUIRED.get(phase) if isinstance(phase, str) else None
        if required is None:
            raise ValueError(f"unknown phase {phase!r}")
        missing = sorted(required.keys() - event.keys())
        if missing:
            raise ValueError(f"phase {phase!r} lacks {missing}")
        for key, types in required.items():
            if type(event[key]) not in types:
                raise ValueError(f"phase {phase!r}: '{key}' is {event[key]!r}")
        if phase == "X":
            self._slice(number, event)
        elif phase == "C":
            self._counter(event)
        elif phase == "i":
            self.tracks.setdefault(self._track(event), TrackSummary()).marks += 1
        elif phase == "M":
            self._metadata(event)
        else:
            self._flows.append((number, event))

    def neighbours(self) -> Iterator[tuple[_Slice, _Slice]]:
        """Put the slices of each track in order of time; yield each with the one after it."""
        for slices in self._slices.values():
            slices.sort()
            yield from pairwise(slices)

    def bind(self, number: int, event: Event) -> None:
        """Bind the event of a flow to the slice that was begun last on its track; events come in order of time."""
        flow, time = (event["cat"], event["id"], event["name"]), Decimal(event["ts"])
        if (event["ph"] == "s") == (flow in self.open) or flow in self._ended:
            raise ValueError(f"flow {flow} cannot go on with phase {event['ph']!r}")
        if event.get("bp", "e") != "e":
            raise ValueError(f"flow {flow} binds to {event['bp']!r}")
        slices = self._slices[event["pid"], event["tid"]]
        begun = bisect_right(slices, time, key=lambda found: found.shown)
        found = slices[begun - 1] if begun else None
        if found is None or found.shown_end <= time or found.number > number:
            raise ValueError(f"flow {flow} touches nothing on {self._track(event)} at {time} us")
        self.tracks[self._track(event)].touched += 1
        if event["ph"] == "f":
            del self.open[flow]
            self._ended.add(flow)
        else:
            self.open[flow] = time

    def _metadata(self, event: Event) -> None:
        if event["name"] == "process_name":
            self._groups[event["pid"]] = event["args"]["name"]
        elif event["name"] == "thread_name":
            self._names[event["pid"], event["tid"]] = event["args"]["name"]

    def _track(self, event: Event) -> Key:
        return self._key(event["pid"], self._names.get((event["pid"], event["tid"])))

    def _key(self, pid: int, name: str | None) -> Key:
        if pid not in self._groups or name is None:
            raise ValueError("its track has no name")
        return self._groups[pid], name

    def _slice(self, number: int, event: Event) -> None:
        key = self._track(event)
        start, duration = event["args"][START], event["args"][DURATION]
        shown, end = Decimal(event["ts"]), Decimal(event["ts"]) + Decimal(event["dur"])
        half_ns = Decimal("0.0005")
        exact = Decimal(start).scaleb(-6), Decimal(start + duration).scaleb(-6)
        if abs(shown - exact[0]) > half_ns or abs(end - exact[1]) > half_ns:
            raise ValueError(f"shown as {shown} to {end} us, but is {exact[0]} to {exact[1]} us")
        if duration < 0:
            raise ValueError(f"slice '{event['name']}' of {key} lasts {duration} ps")
        track = self.tracks.setdefault(key, TrackSummary())
        track.slices += 1
        track.busy_ps += duration
        track.end_ps = max(track.end_ps, start + duration)
        found = _Slice(start, number, start + duration, shown, end, f"slice '{event['name']}' of {key}")
        self._slices[event["pid"], event["tid"]].append(found)

    def _counter(self, event: Event) -> None:
        key = self._key(event["pid"], event["name"])
        if event["ts"] < self._last_sample.get(key, Decimal(0)):
            raise ValueError(f"counter {key} goes back in time")
        self._last_sample[key] = event["ts"]
        track = self.tracks.setdefault(key, TrackSummary())
        track.samples += 1
        track.peak = max(track.peak, *map(float, event["args"].values()))
