"""The timeline file: what a trace viewer needs, exact times, nothing half-written."""

import json
import os
from decimal import Decimal

import numpy as np
import pytest

from archsim.errors import ConfigError, DataError
from archsim.report.timeline.check import TrackSummary, check_timeline
from archsim.report.timeline.writer import TimelineWriter


def events(path, phase):
    return [e for e in json.loads(path.read_text(), parse_float=str)["traceEvents"] if e["ph"] == phase]


def imported(path):
    """Slices as Perfetto's JSON importer keeps them: start and duration rounded to ns one by one, overlaps dropped."""
    kept, open_until = [], {}
    for e in json.loads(path.read_text())["traceEvents"]:
        if e["ph"] != "X":
            continue
        start, duration = round(e["ts"] * 1000.0), round(e["dur"] * 1000.0)
        end = open_until.get(e["tid"], 0)
        if start < end < start + duration:
            continue
        open_until[e["tid"]] = max(end, start + duration)
        kept.append((e["tid"], start, duration))
    return kept


def test_a_small_timeline_as_the_viewer_reads_it(tmp_path):
    path = tmp_path / "t.json"
    with TimelineWriter(path, about={"chip": "stt"}) as t:
        adc, buffer = t.track("tile 3", "adc 0"), t.track("buffers", "input")
        t.counter(buffer, 0, 0)
        t.slice(adc, "convert", 1_500, 2_750, {"layer": "conv1", "pass": 2})
        t.counter(buffer, 4_000, 1024)
        t.mark(adc, "image done", 4_250)
    data = json.loads(path.read_text(), parse_float=str)
    assert data["displayTimeUnit"] == "ns"
    assert data["otherData"] == {"chip": "stt"}
    (s,) = events(path, "X")
    assert (s["name"], s["ts"], s["dur"]) == ("convert", "0.002", "0.002")
    assert s["args"] == {"start_ps": 1500, "duration_ps": 2750, "layer": "conv1", "pass": 2}
    assert [(c["name"], c["ts"], c["args"]) for c in events(path, "C")] == [
        ("input", "0.000", {"bits": 0}),
        ("input", "0.004", {"bits": 1024}),
    ]
    (mark,) = events(path, "i")
    assert (mark["s"], mark["name"], mark["args"]) == ("t", "image done", {"time_ps": 4250})
    assert check_timeline(path) == {
        ("tile 3", "adc 0"): TrackSummary(slices=1, busy_ps=2750, end_ps=4250, marks=1),
        ("buffers", "input"): TrackSummary(samples=2, peak=1024.0),
    }


def test_names_and_order_of_groups_and_tracks(tmp_path):
    path = tmp_path / "t.json"
    with TimelineWriter(path) as t:
        order = [("z", "b"), ("a", "b"), ("z", "a")]
        for group, name in order:
            t.slice(t.track(group, name), "x", 0, 1000)
        assert t.track("z", "b") is t.track("z", "b")
        t.counter(t.track("a", "only counted"), 0, 3)
    meta = events(path, "M")
    process = {e["pid"]: e["args"]["name"] for e in meta if e["name"] == "process_name"}
    thread = {(e["pid"], e["tid"]): e["args"]["name"] for e in meta if e["name"] == "thread_name"}
    assert list(process.values()) == ["z", "a"]
    assert [(process[pid], name) for (pid, _), name in thread.items()] == order
    ids = list(process) + [tid for _, tid in thread]
    assert len(set(ids)) == len(ids), "a thread with its process's id would be shown as its main thread"
    for kind in ("process_sort_index", "thread_sort_index"):
        indices = [e["args"]["sort_index"] for e in meta if e["name"] == kind]
        assert indices == sorted(set(indices))


def test_times_are_exact_where_a_float_is_not(tmp_path):
    path = tmp_path / "t.json"
    start = 9_007_199_254_740_993_001  # 104 days; neither it in us nor in ps is a double
    with TimelineWriter(path) as t:
        t.slice(t.track("a", "b"), "x", start, 1)
    (s,) = events(path, "X")
    assert Decimal(s["ts"]) == Decimal("9007199254740.993")
    assert check_timeline(path)[("a", "b")] == TrackSummary(slices=1, busy_ps=1, end_ps=start + 1)


@pytest.mark.parametrize("seed", range(5))
def test_slices_that_touch_are_all_kept_by_a_viewer_that_rounds(tmp_path, seed):
    """With decimals of picoseconds Perfetto drops some of them (google/perfetto issue 5012)."""
    path, r = tmp_path / "t.json", np.random.default_rng(seed)
    durations = r.integers(1, 4000, 500).tolist()
    starts = np.concatenate([[0], np.cumsum(durations)[:-1]]).tolist()
    with TimelineWriter(path) as t:
        track = t.track("a", "b")
        for start, duration in zip(starts, durations, strict=True):
            t.slice(track, "x", start, duration)
    kept = imported(path)
    assert len(kept) == 500
    assert all(abs(1000 * ns - ps) <= 500 for (_, ns, _), ps in zip(kept, starts, strict=True))
    assert sum(d for _, _, d in kept) == round(sum(durations) / 1000)
    assert check_timeline(path)[("a", "b")].busy_ps == sum(durations)

    naive = {"ph": "X", "tid": 1}
    data = [naive | {"ts": s / 1e6, "dur": d / 1e6} for s, d in zip(starts, durations, strict=True)]
    path.write_text(json.dumps({"traceEvents": data}))
    assert len(imported(path)) < 500, "the model of the importer no longer shows the trap"


def test_a_flow_touches_slices_in_order_of_time(tmp_path):
    path = tmp_path / "t.json"
    with TimelineWriter(path) as t:
        first, second = t.track("tile 0", "arrays"), t.track("chip", "averaging")
        a = t.slice(first, "a", 0, 5_000)
        c = t.slice(second, "c", 9_000, 1_000, category="average")
        b = t.slice(first, "b", 5_000, 4_000)
        t.flow("pass 1", "pass", [a, c, b])
        t.flow("pass 2", "pass", [b, c])
        t.flow("pass 3", "pass", [c])
    flows = [e for e in json.loads(path.read_text(), parse_float=str)["traceEvents"] if e["ph"] in "stf"]
    arrays, averaging = ({"pid": e["pid"], "tid": e["tid"]} for e in events(path, "X")[:2])
    of = {i: {"id": i, "cat": "pass", "name": f"pass {i}"} for i in (1, 2)}
    assert flows == [
        {"ph": "s", "ts": "0.001"} | arrays | of[1],
        {"ph": "t", "ts": "0.006"} | arrays | of[1],
        {"ph": "f", "ts": "0.009", "bp": "e"} | averaging | of[1],
        {"ph": "s", "ts": "0.006"} | arrays | of[2],
        {"ph": "f", "ts": "0.009", "bp": "e"} | averaging | of[2],
    ]
    assert events(path, "X")[1]["cat"] == "average"
    assert "cat" not in events(path, "X")[0]
    touched = {key: track.touched for key, track in check_timeline(path).items()}
    assert touched == {("tile 0", "arrays"): 3, ("chip", "averaging"): 2}


def test_a_flow_touches_nothing_that_is_too_short_to_see(tmp_path):
    with TimelineWriter(tmp_path / "t.json") as t:
        track = t.track("a", "b")
        assert t.slice(track, "rounded away", 0, 400) is None
        assert t.slice(track, "nothing", 400, 0) is None
        short, long = t.slice(track, "a nanosecond", 600, 1_000), t.slice(track, "two", 1_600, 2_000)
        assert (short.time_ns, long.time_ns) == (1, 3), "a nanosecond after the start, if that is within"
        t.flow("x", "pass", [short, long])
    assert check_timeline(tmp_path / "t.json")["a", "b"].touched == 2


@pytest.mark.parametrize("seed", range(5))
def test_viewers_bind_every_flow_to_the_slice_it_is_meant_for(tmp_path, seed):
    """Slices of all lengths that touch: Perfetto takes the last one begun, Catapult the first one not yet ended."""
    path, r = tmp_path / "t.json", np.random.default_rng(seed)
    meant = []
    with TimelineWriter(path) as t:
        tracks = [t.track("a", str(i)) for i in range(3)]
        ends = [0, 0, 0]
        for flow in range(200):
            points = []
            for i, track in enumerate(tracks):
                name = f"{flow} on {i}"
                duration = int(r.integers(0, 5_000))
                point = t.slice(track, name, ends[i], duration)
                ends[i] += duration
                if point:
                    points.append(point)
                    meant.append(name)
            if len(points) > 1:
                t.flow(str(flow), "pass", points)
            else:
                del meant[len(meant) - len(points) :]
    data = json.loads(path.read_text())["traceEvents"]
    slices = [e for e in data if e["ph"] == "X"]
    last, first = [], []
    for e in data:
        if e["ph"] in "stf":
            here = [s for s in slices if s["tid"] == e["tid"]]
            last.append([s for s in here if s["ts"] <= e["ts"]][-1]["name"])
            first.append(next(s for s in here if s["dur"] and s["ts"] + s["dur"] >= e["ts"])["name"])
            assert last[-1].split()[0] == e["name"]
    assert sorted(last) == sorted(meant)
    # one nanosecond leaves no time after its start: there, and only there, the two may differ
    nanoseconds = {s["name"] for s in slices if s["dur"] < 0.0015}
    assert all(a == b for a, b in zip(last, first, strict=True) if a not in nanoseconds)
    assert check_timeline(path)


def test_names_are_escaped(tmp_path):
    path = tmp_path / "t.json"
    name = 'say "hi"\\\n\u00b5'
    with TimelineWriter(path) as t:
        t.slice(t.track(name, name), name, 0, 1)
        t.mark(t.track(name, name), name, 5)
        t.counter(t.track(name, name), 0, 0.5, unit=name)
    assert check_timeline(path) == {(name, name): TrackSummary(1, 1, 1, 1, 1, 0.5)}
    assert events(path, "X")[0]["name"] == name


def test_slices_come_in_any_order(tmp_path):
    path = tmp_path / "t.json"
    with TimelineWriter(path) as t:
        for start in (4_000, 0, 2_000):
            t.slice(t.track("a", "b"), "x", start, 2_000)
    assert check_timeline(path) == {("a", "b"): TrackSummary(slices=3, busy_ps=6_000, end_ps=6_000)}


def test_an_empty_timeline_is_valid(tmp_path):
    path = tmp_path / "t.json"
    with TimelineWriter(path):
        pass
    assert check_timeline(path) == {}


def test_nothing_half_written(tmp_path):
    path = tmp_path / "t.json"
    path.write_text("before")

    def stop_halfway():
        with TimelineWriter(path) as t:
            t.slice(t.track("a", "b"), "x", 0, 1)
            assert path.read_text() == "before"
            raise RuntimeError("the simulation stopped")

    with pytest.raises(RuntimeError, match="the simulation stopped"):
        stop_halfway()
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["t.json"]
    with TimelineWriter(path) as t:
        t.slice(t.track("a", "b"), "x", 0, 1)
    assert check_timeline(path)
    assert os.listdir(tmp_path) == ["t.json"]


def test_a_path_that_cannot_be_written_is_a_config_error(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "no" / "t.json", tmp_path / "file" / "t.json"):
        with pytest.raises(ConfigError, match=r"timeline '.*' cannot be written: \w+"), TimelineWriter(path):
            pass
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_a_config_error(tmp_path):
    writer = TimelineWriter(tmp_path / "t.json")
    writer._partial.symlink_to("/dev/full")

    def fill():
        with writer as t:
            for i in range(10_000):
                t.slice(t.track("a", "b"), "x", i, 1)

    with pytest.raises(ConfigError, match="No space left"):
        fill()
    assert os.listdir(tmp_path) == []


def test_wrong_calls_are_refused(tmp_path):
    with TimelineWriter(tmp_path / "t.json") as t:
        track = t.track("a", "b")
        with pytest.raises(ValueError, match="start -1 ps"):
            t.slice(track, "x", -1, 5)
        with pytest.raises(ValueError, match="duration -5 ps"):
            t.slice(track, "x", 1, -5)
        with pytest.raises(ValueError, match="nan"):
            t.counter(track, 0, float("nan"))
        with pytest.raises(ValueError, match="at -1 ps"):
            t.mark(track, "x", -1)
    assert check_timeline(tmp_path / "t.json") == {}
    with pytest.raises(ValueError, match="with"):
        t.slice(track, "x", 0, 1)


def a_slice(start, duration, ts=None, dur=None, **more):
    ts, dur = (start / 1e6 if ts is None else ts), (duration / 1e6 if dur is None else dur)
    args = {"start_ps": start, "duration_ps": duration}
    return {"ph": "X", "pid": 1, "tid": 2, "name": "x", "ts": ts, "dur": dur, "args": args} | more


NAMED = [
    {"ph": "M", "pid": 1, "tid": 0, "name": "process_name", "args": {"name": "g"}},
    {"ph": "M", "pid": 1, "tid": 2, "name": "thread_name", "args": {"name": "t"}},
]


def a_flow(phase, ts, **more):
    end = {"bp": "e"} if phase == "f" else {}
    return {"ph": phase, "pid": 1, "tid": 2, "cat": "pass", "name": "p", "id": 1, "ts": ts} | end | more


TEN = [a_slice(0, 10_000)]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([a_slice(0, 5000), a_slice(4000, 5000)], r"event 3: slice 'x' .* starts at 4000 ps, before 5000 ps"),
        (
            [a_slice(5000, 1000), a_slice(0, 6000)],
            r"event 2: slice 'x' of \('g', 't'\) starts at 5000 ps, before 6000 ps",
        ),
        ([a_slice(0, 1400, 0.0, 0.001), a_slice(1300, 1000, 0.001, 0.001)], "at 1300 ps, before 1400 ps"),
        ([a_slice(0, 1400, 0.0, 0.0014), a_slice(1400, 2000, 0.001, 0.002)], "event 3: slice"),
        ([a_slice(0, 5000, dur=0.006)], "shown as 0.0 to 0.006 us"),
        ([a_slice(5000, -1000)], "lasts -1000 ps"),
        ([a_slice(0, 1, tid=7)], "its track has no name"),
        ([{"ph": "X", "pid": 1, "tid": 2}], r"lacks \['args', 'dur', 'name', 'ts'\]"),
        ([{"ph": "?"}], r"unknown phase '\?'"),
        ([a_slice(0, 1) | {"args": {}}], "malformed, KeyError"),
        ([a_slice(0, 1) | {"ts": "soon"}], "phase 'X': 'ts' is 'soon'"),
        (["X"], "malformed"),
        ([a_slice(0, 1, pid="1")], "phase 'X': 'pid' is '1'"),
        ([a_slice(0, 1, tid=True)], "'tid' is True"),
        ([{"ph": "M", "pid": 1, "tid": 0, "name": "thread_name", "args": "x"}], "'args' is 'x'"),
        ([*TEN, a_flow("s", 0.0)], r"flow \('pass', 1, 'p'\) has no end"),
        ([*TEN, a_flow("f", 0.0)], "event 3: flow .* cannot go on with phase 'f'"),
        ([*TEN, a_flow("t", 0.0)], "cannot go on with phase 't'"),
        ([*TEN, a_flow("s", 0.0), a_flow("s", 0.001)], "event 4: flow .* cannot go on with phase 's'"),
        ([*TEN, a_flow("s", 0.0), a_flow("f", 0.001), a_flow("t", 0.002)], "event 5: .* phase 't'"),
        ([*TEN, a_flow("s", 0.005), a_flow("f", 0.001)], "event 4: .* phase 'f'"),
        ([*TEN, a_flow("s", 0.0), a_flow("f", 0.001, name="q")], "event 4: .* phase 'f'"),
        ([*TEN, a_flow("s", 0.010)], r"touches nothing on \('g', 't'\) at 0.01 us"),
        ([a_slice(5_000, 5_000), a_flow("s", 0.004)], "touches nothing"),
        ([a_flow("s", 0.005), *TEN], "event 2: flow .* touches nothing"),
        ([*TEN, a_flow("s", 0.0), a_flow("f", 0.001, bp="s")], "binds to 's'"),
        ([*TEN, {k: v for k, v in a_flow("s", 0.0).items() if k != "cat"}], r"phase 's' lacks \['cat'\]"),
        ([{"ph": "C", "pid": 1, "name": "c", "ts": t, "args": {"bits": 1}} for t in (2.0, 1.0)], "back in time"),
    ],
)
def test_the_validator_finds_what_is_wrong(tmp_path, bad, message):
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"traceEvents": NAMED + bad}))
    with pytest.raises(DataError, match=message):
        check_timeline(path)


@pytest.mark.parametrize("text", ["", '{"traceEvents":[', "[]", '{"events":[]}', '{"traceEvents":[{"ts":NaN}]}'])
def test_the_validator_refuses_what_is_no_timeline(tmp_path, text):
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(DataError, match="timeline"):
        check_timeline(path)


def test_many_slices_come_back(tmp_path):
    path = tmp_path / "t.json"
    with TimelineWriter(path) as t:
        tracks = [t.track(f"tile {i % 4}", f"station {i}") for i in range(16)]
        for i in range(20_000):
            t.slice(tracks[i % 16], "convert", 1700 * i, 1700)
    assert sum(s.slices for s in check_timeline(path).values()) == 20_000
