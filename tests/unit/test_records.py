"""Stored records: nothing is lost on disk, what was not measured is not answered, wrong files say what is wrong."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.baselines import (
    OperatingPoint,
    Record,
    RecordedNetwork,
    RecordSource,
    RecordWriter,
    find_record,
    load_record,
    published_rivals,
    save_record,
)
from archsim.baselines import records as records_module
from archsim.baselines.platform import BOUNDARIES, MODES
from archsim.baselines.written import Point
from archsim.config import read_yaml
from archsim.errors import ConfigError
from archsim.metrics.intervals import Estimate

LENET, MLP = "0123456789abcdef", "fedcba9876543210"


def point(passes: int | None = 20, batch: int = 1, mode="folded", software="eager", seconds=1.53e-3, **more):
    latency = Estimate(seconds, 0.9 * seconds, 1.1 * seconds, "two standard errors and 5 %")
    return OperatingPoint(passes, batch, mode, software, "fp32", latency_s=latency, **more)


def record(*networks: RecordedNetwork, **more) -> Record:
    """Return a record of a machine without a meter."""
    facts = {
        "name": "desk", "origin": "measured", "device": "some CPU", "no_energy": "no meter",
        "machine": {"cores": 2}, "software": {"torch": "2.13"}, "protocol": {"queries": 100},
        "sources": (RecordSource(text="measured", grade="RERUN"),),
    }  # fmt: skip
    return Record.model_validate({"schema": Record.SCHEMA, **facts, **more, "networks": networks})


def network(name="lenet", structure: str | None = LENET, points=()) -> RecordedNetwork:
    return RecordedNetwork(name=name, structure=structure, points=tuple(Point.of(p) for p in points))


# --- on disk and back

sizes = st.floats(1e-15, 1e6, allow_subnormal=False)
words = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@st.composite
def estimates(draw, signed=False):
    value = draw(sizes) * (draw(st.sampled_from([1, -1])) if signed else 1)
    low, high = value - draw(sizes), value + draw(sizes)
    ends = draw(st.sampled_from([(low, high), (value, value), (-math.inf, high), (low, math.inf)]))
    return Estimate(value, *ends, draw(words))


points = st.builds(
    OperatingPoint,
    passes=st.none() | st.integers(1, 1000),
    batch=st.integers(1, 4096),
    mode=st.sampled_from([None, *MODES]),
    software=words,
    precision=words,
    power_mode=st.none() | words,
    latency_s=st.none() | estimates(),
    interval_s=st.none() | sizes,
    energy_j=st.none() | estimates(),
    dynamic_j=st.none() | estimates(signed=True),
    idle_w=st.none() | estimates(),
    percentiles=st.dictionaries(st.sampled_from(["p50", "p90", "p99"]), sizes),
    terms=st.dictionaries(words.filter(lambda w: w != "<<"), st.floats(allow_nan=False, allow_infinity=False)),
)


@settings(max_examples=60, deadline=None)
@given(points)
def test_a_point_is_written_without_loss(before):
    assert Point.of(before).operating_point() == before


@settings(max_examples=30, deadline=None)
@given(st.lists(points, max_size=3, unique_by=lambda p: p.batch), words, st.sampled_from(list(BOUNDARIES)))
def test_loading_undoes_saving(tmp_path_factory, some, note, boundary):
    before = record(network(points=some), boundary=boundary, no_energy=None, notes=(note,), machine={"cpu": note})
    path = tmp_path_factory.mktemp("records") / "file.yaml"
    save_record(before, path)
    assert load_record(path) == before


def test_quantities_are_written_with_units(tmp_path):
    energy = Estimate(2e-3, 1e-3, math.inf, "a meter")
    some = point(energy_j=energy, idle_w=Estimate(4.5, 4, 5, "a meter"), percentiles={"p90": 1.6e-3})
    path = save_record(record(network(points=[some]), boundary="board", no_energy=None), tmp_path / "file.yaml")
    written = read_yaml(path)["networks"][0]["points"][0]
    assert written["latency"]["value"] == "1.53 ms"
    assert written["energy"] == {"value": "2 mJ", "low": "1 mJ", "high": None, "method": "a meter"}
    assert written["idle_power"]["value"] == "4.5 W"
    assert written["percentiles"] == {"p90": "1.6 ms"}
    assert "power_mode" not in written  # what says nothing is left out


# --- what a record answers for


def test_a_platform_is_found_by_structure_and_passes():
    held = record(network("lenet_scale", LENET, [point(1), point(20), point(20, 64)]), network("mlp", MLP, [point(20)]))
    found = held.platform(LENET, "lenet_of_another_name", 20)
    assert (found.name, found.origin, found.network) == ("record:desk", "record", "lenet_scale")
    assert found.signature == LENET
    assert found.points == (point(20), point(20, 64))
    assert (found.boundary, found.no_energy) == (None, "no meter")
    assert found.about["machine"] == {"cores": 2}
    assert [(s.text, s.grade) for s in found.sources] == [("measured", "RERUN")]


def test_another_network_is_refused_with_what_there_is():
    held = record(network("lenet", LENET, [point()]), network("mlp", MLP, [point()]))
    with pytest.raises(ConfigError, match="structure; it holds: lenet, mlp"):
        held.platform("0" * 16, "vgg", 20)


def test_a_network_of_the_same_name_and_another_structure_is_refused():
    with pytest.raises(ConfigError, match="its 'lenet' has another structure"):
        record(network("lenet", LENET, [point()])).platform(MLP, "lenet", 20)


def test_another_number_of_passes_is_refused_and_never_interpolated():
    held = record(network(points=[point(100), point(1), point(10)]))
    with pytest.raises(ConfigError, match="holds 'lenet' with T = 1, 10, 100, not with T = 20"):
        held.platform(LENET, "lenet", 20)


def test_a_publication_is_given_as_it_is_and_claims_no_structure():
    stated = record(network("some network", None, [point(None, mode=None)]), origin="published")
    found = stated.platform(LENET, "lenet", 20)
    assert (found.origin, found.signature, found.points[0].passes) == ("published", None, None)


# --- wrong files


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """Return a file of a good record with one text replaced."""
    path = save_record(record(network(points=[point()])), tmp_path / "file.yaml")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("record@1", "record@0", "expected 'archsim/record@1', got 'archsim/record@0' .another version"),
        ("device:", "devise:", "devise: unknown key; did you mean 'device'"),
        ("value: 1.53 ms", "value: 1.53 mJ", "latency.value: expected a quantity of time"),
        ("value: 1.53 ms", "value: 1.53", "without a unit"),
        ("value: 1.53 ms", "value: 9 ms", "the value lies outside its interval"),
        ("mode: folded", "mode: folder", "mode: unknown value 'folder'; did you mean 'folded'"),
        ("passes: 20", "passes: 0", "passes: .*greater than or equal to 1"),
        ("no_energy: no meter", "notes: []", "either 'boundary'"),
        ("no_energy: no meter", "no_energy: no meter\nboundary: board", "either 'boundary'"),
        ("    batch: 1", "    energy: {value: 1 J, low: 1 J, high: 1 J, method: x}\n    batch: 1", "has energies, so"),
        ("grade: RERUN", "grade: SEEN", "grade: unknown value 'SEEN'"),
        ("structure: 0123456789abcdef", "structure: short", "structure: .*pattern"),
        ("origin: measured", "origin: guessed", "origin: unknown value 'guessed'"),
    ],
)
def test_a_wrong_file_says_where_and_what(tmp_path, old, new, message):
    with pytest.raises(ConfigError, match=message):
        load_record(changed(tmp_path, old, new))


def test_two_points_with_the_same_settings_are_refused():
    with pytest.raises(ValueError, match="two points with the same settings: 20, 1, folded, eager, fp32, None"):
        network(points=[point(), point(seconds=1)])


def test_a_network_that_is_there_twice_is_refused():
    with pytest.raises(ValueError, match="two networks of the structure 0123456789abcdef"):
        record(network("a"), network("b"))


def test_a_point_that_takes_no_time_or_less_than_nothing_cannot_be_written():
    with pytest.raises(ConfigError, match="a time must not be zero"):
        Point.of(OperatingPoint(1, 1, "folded", "eager", "fp32", interval_s=0.0))
    with pytest.raises(ConfigError, match="energy must not be negative"):
        Point.of(point(energy_j=Estimate(-1, -2, 0, "")))
    with pytest.raises(ConfigError, match="percentiles"):
        Point.of(point(percentiles={"p50": math.nan}))


# --- names and paths


def test_a_record_is_found_by_name_here_or_beside_archsim_and_by_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = save_record(record(name="mine"), tmp_path / "arch_configs" / "records" / "mine.yaml")
    assert find_record("mine").name == "mine"
    assert find_record("vibnn").name == "vibnn"
    assert find_record(str(path)).name == "mine"
    with pytest.raises(ConfigError, match="no record 'mime'; did you mean 'mine'"):
        find_record("mime")
    with pytest.raises(ConfigError, match=r"gone\.yaml: no such file"):
        find_record("gone.yaml")


def test_a_record_here_hides_one_that_ships(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_record(record(name="own"), tmp_path / "arch_configs" / "records" / "vibnn.yaml")
    assert find_record("vibnn").name == "own"


# --- a record that grows


def begun(path: Path, **facts) -> RecordWriter:
    writer = RecordWriter(path)
    writer.begin(record(**facts))
    return writer


def test_every_point_is_on_disk_as_soon_as_it_is_added(tmp_path):
    path = tmp_path / "new" / "file.yaml"
    writer = begun(path)
    for i, passes in enumerate([1, 10, 20]):
        writer.add(network(), point(passes))
        assert load_record(path).networks[0].passes() == [1, 10, 20][: i + 1]
    writer.add(network("mlp", MLP), point(1))
    assert [n.name for n in load_record(path).networks] == ["lenet", "mlp"]
    assert not [f for f in path.parent.iterdir() if f != path]


def test_a_record_is_continued_and_a_point_measured_again_replaces_the_old(tmp_path):
    path = tmp_path / "file.yaml"
    begun(path).add(network(), point(1))
    again = begun(path)
    assert again.known(LENET) == (point(1),)
    assert again.known(MLP) == ()
    again.add(network(), point(1, seconds=2e-3))
    assert load_record(path).networks == (network(points=[point(1, seconds=2e-3)]),)


def test_a_record_that_is_continued_keeps_its_head_and_gathers_notes(tmp_path):
    path = tmp_path / "file.yaml"
    first = begun(path, name="first", state={"clock_mhz": 900})
    first.add(network(), point(1))
    first.note(network(), ["folded: not possible"])
    second = begun(path, name="second", state={"clock_mhz": 1200})
    second.note(network(), ["folded: not possible", "out of memory"])
    found = load_record(path)
    assert (found.name, found.state) == ("first", {"clock_mhz": 900})
    assert found.networks[0].notes == ("folded: not possible", "out of memory")
    assert found.networks[0].passes() == [1]


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"device": "other CPU"}, "device: 'some CPU' there, 'other CPU' here"),
        ({"machine": {"cores": 4}}, "machine.cores: '2' there, '4' here"),
        ({"machine": {"cores": 2, "gpu": "x"}}, "machine.gpu: nothing there, 'x' here"),
        ({"software": {}}, "software.torch: '2.13' there, nothing here"),
        ({"protocol": {"queries": 5}}, "protocol.queries: '100' there, '5' here"),
        ({"boundary": "board", "no_energy": None}, "boundary: nothing there, 'board' here"),
        ({"meter": "NVML"}, "meter: nothing there, 'NVML' here"),
    ],
)
def test_another_setting_is_refused_and_the_file_stays(tmp_path, facts, message):
    path = tmp_path / "file.yaml"
    begun(path).add(network(), point())
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=f"give another file: {message}"):
        begun(path, **facts)
    assert path.read_bytes() == before


def test_a_file_of_another_kind_is_not_overwritten(tmp_path):
    path = tmp_path / "chip.yaml"
    path.write_text("schema: archsim/arch@1\n")
    with pytest.raises(ConfigError, match="expected 'archsim/record@1'"):
        RecordWriter(path)
    assert path.read_text() == "schema: archsim/arch@1\n"


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "file.yaml"
    writer = begun(path)
    writer.add(network(), point(1))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ConfigError, match=r"file\.yaml: cannot be written: No space left"):
        writer.add(network(), point(10))
    assert load_record(path).networks[0].passes() == [1]


# --- what the papers name


def test_rivals_carry_grades_and_claim_no_more_than_is_known():
    rivals = {p.name.removeprefix("record:"): p for p in published_rivals()}
    assert len(rivals) >= 12
    for rival in rivals.values():
        assert rival.origin == "published"
        assert rival.signature is None
        assert rival.boundary in ("unstated", None)
        assert (rival.boundary is None) == bool(rival.no_energy)
        assert rival.sources
    unread = {name for name, p in rivals.items() if {s.grade for s in p.sources} == {"RECALLED"}}
    assert unread == {"spindrop", "spatial_spindrop", "scale_dropout", "subset_inference", "spinbayes"}


@pytest.mark.parametrize(
    ("name", "joules", "images_per_s"),
    [
        ("vibnn", 1 / 52_694.8, 321_543.4),
        ("bynqnet", 1 / 44.7e3, 131e3),
        ("malhotra_rram", 9.3e-6, None),
        ("all_spin", 0.79e-6, None),
        ("scale_dropout", 0.18e-6, None),
    ],
)
def test_figures_of_rivals_follow_from_what_was_read(name, joules, images_per_s):
    (only,) = find_record(name).platforms()
    (at,) = only.points
    assert at.energy_j.value == pytest.approx(joules, rel=1e-5, abs=0)
    rate = None if at.seconds_per_image is None else 1 / at.seconds_per_image
    assert rate == pytest.approx(images_per_s, rel=1e-4) if images_per_s else rate is None


def test_the_energy_of_bynqnet_spans_its_abstracts_two_readings():
    (at,) = find_record("bynqnet").networks[0].points
    assert at.energy.low == pytest.approx(10 / (8.99 * 52_694.8), rel=1e-5, abs=0)


def test_nothing_is_published_where_the_folder_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(records_module, "SHIPPED", tmp_path)
    assert published_rivals() == ()
