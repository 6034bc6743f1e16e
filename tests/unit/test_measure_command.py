"""`archsim measure`: what was measured is never lost, never mixed with another machine's, and never measured twice."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archsim.baselines import OperatingPoint, Platform, load_record, signature
from archsim.baselines import measured as measured_package
from archsim.baselines.platform import Source
from archsim.cli.app import app
from archsim.errors import DeviceLostError
from archsim.metrics.intervals import Estimate
from archsim.workload.cache import trace_of
from archsim.workload.spec import load_workload

WORKLOADS = Path(__file__).parents[2] / "workloads"
LENET, MLP = WORKLOADS / "lenet5_digits.yaml", WORKLOADS / "mlp_digits.yaml"
ABOUT = {"machine": {"cores": 2}, "state": {}, "software": {"torch": "2"}, "protocol": {"name": "full"}}


class Machine:
    """Takes the place of the measurement: a millisecond a pass, folded; may end after some points."""

    def __init__(self) -> None:
        self.platform = Platform(
            "measured:cpu", "measured", "some CPU", "", None, (), no_energy="no meter at hand", about=ABOUT,
            sources=(Source("measured", "RERUN"),), notes=("a note",),
        )  # fmt: skip
        self.asked: list[tuple[str, int, int]] = []
        self.ends_after, self.ending = 1000, KeyboardInterrupt()

    def measure(self, workload, _, *, passes, batches, skip, on_start, on_point, **__) -> Platform:
        on_start(self.platform)
        for count in passes:
            for batch in batches:
                if (count, batch, "folded", "eager") in {tuple(s) for s in skip}:
                    continue
                if len(self.asked) == self.ends_after:
                    raise self.ending
                self.asked.append((workload.config.name, count, batch))
                on_point(self.point(count, batch))
        return self.platform

    def point(self, passes: int, batch: int) -> OperatingPoint:
        seconds = 1e-3 * passes * batch
        latency = Estimate(seconds, 0.9 * seconds, 1.1 * seconds, "mean of 7 queries")
        percentiles = dict.fromkeys(("p50", "p90", "p99"), seconds)
        point = OperatingPoint(passes, batch, "folded", "eager", "fp32", latency_s=latency, percentiles=percentiles)
        if self.platform.boundary is None:
            return point
        joules = Estimate(2 * seconds, seconds, 3 * seconds, "NVML")
        return replace(point, energy_j=joules, dynamic_j=joules, idle_w=Estimate(5, 4, 6, "NVML"))


@pytest.fixture
def machine(monkeypatch):
    it = Machine()
    monkeypatch.setattr(measured_package, "measure", it.measure)
    return it


def call(*arguments: object):
    return CliRunner().invoke(app, ["measure", *map(str, arguments)], catch_exceptions=False)


def test_networks_are_measured_kept_and_printed(machine, tmp_path):
    out = tmp_path / "desk.yaml"
    done = call(LENET, MLP, "-o", out, "--passes", "1,20", "--batch", "1,64", "--description", "a desk")
    assert done.exit_code == 0, done.stderr
    record = load_record(out)
    assert (record.name, record.description, record.device) == ("desk", "a desk", "some CPU")
    assert record.machine == {"cores": 2}
    assert [n.name for n in record.networks] == ["lenet5_digits", "mlp_digits"]
    lenet = record.networks[0]
    assert lenet.structure == signature(trace_of(load_workload(LENET)))
    assert len(lenet.checkpoint) == 16
    assert lenet.notes == ("a note",)
    assert [(p.passes, p.batch) for p in lenet.points] == [(1, 1), (1, 64), (20, 1), (20, 64)]
    assert record.platform(lenet.structure, "lenet", 20).at(batch=1) == [machine.point(20, 1)]
    assert "no meter at hand" in done.stdout
    row = next(line for line in done.stdout.splitlines() if line.split()[:2] == ["20", "64"])
    assert row.split() == ["20", "64", "folded", "eager", "1.28", "s", "1.28", "s", "1.28", "s"]
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_energy_is_shown_with_its_boundary(machine, tmp_path):
    machine.platform = replace(machine.platform, boundary="board", no_energy=None)
    done = call(LENET, "-o", tmp_path / "gpu.yaml", "--passes", "10")
    assert "board, the board" in done.stdout
    row = next(line for line in done.stdout.splitlines() if line.split()[:2] == ["10", "1"])
    assert row.split()[-4:] == ["20", "mJ", "20", "mJ"]


def test_json_is_in_si_units(machine, tmp_path):
    done = call(LENET, "-o", tmp_path / "desk.yaml", "--passes", "10", "--json")
    data = json.loads(done.stdout)
    assert data["schema"] == "archsim/record@1"
    (point,) = data["networks"][0]["points"]
    assert point["latency_s"]["value"] == 1e-2
    assert point["energy_j"] is None


@pytest.mark.parametrize("ending", [DeviceLostError("cuda was lost after 3 points", 3), KeyboardInterrupt()])
def test_what_ends_midway_loses_nothing_and_is_taken_up_again(machine, tmp_path, ending):
    out = tmp_path / "desk.yaml"
    command = (LENET, MLP, "-o", out, "--passes", "1,10,20,100")
    machine.ends_after, machine.ending = 6, ending
    done = call(*command)
    assert done.exit_code == (130 if isinstance(ending, KeyboardInterrupt) else 2)
    assert f"all that was measured is in {out}; the same command goes on from there" in done.stderr
    assert ("error: cuda was lost" in done.stderr) == isinstance(ending, DeviceLostError)
    assert "lenet5_digits" in done.stdout
    assert [n.passes() for n in load_record(out).networks] == [[1, 10, 20, 100], [1, 10]]

    machine.ends_after, machine.asked = 1000, []
    assert call(*command).exit_code == 0
    assert machine.asked == [("mlp_digits", 20, 1), ("mlp_digits", 100, 1)]
    assert [n.passes() for n in load_record(out).networks] == [[1, 10, 20, 100]] * 2


def test_the_same_network_under_another_name_is_measured_once(machine, tmp_path):
    twin = tmp_path / "twin.yaml"
    twin.write_text(f"schema: archsim/workload@1\nbase: {LENET}\nname: twin\n")
    assert call(LENET, twin, "-o", tmp_path / "desk.yaml", "--passes", "1").exit_code == 0
    assert machine.asked == [("lenet5_digits", 1, 1)]


def test_a_record_of_another_machine_is_refused_and_kept(machine, tmp_path):
    out = tmp_path / "desk.yaml"
    call(LENET, "-o", out, "--passes", "1")
    before = out.read_bytes()
    machine.platform = replace(machine.platform, device="other CPU")
    done = call(LENET, "-o", out, "--passes", "10")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr == (
        f"error: {out}: was measured otherwise, give another file: device: 'some CPU' there, 'other CPU' here\n"
    )
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--passes", "0"], "--passes 0: expected numbers from 1"),
        (["--passes", "1,ten"], "got 'ten'"),
        (["--passes", "1,,2"], "got ''"),
        (["--batch", "-3"], "got '-3'"),
        (["--batch", "9999999"], "got '9999999'"),
        (["--limit", "nan"], "--limit nan: expected a number of seconds"),
        (["--limit", "0"], "--limit 0.0: expected"),
        (["--name", "a b"], "--name: name: .*pattern"),
        (["--on", "tpu"], "'tpu' is nothing to measure on"),
        (["--on", "cuda:77"], "cuda:77: "),
    ],
)
def test_wrong_options_are_one_clear_error(machine, tmp_path, arguments, message):
    done = call(LENET, "-o", tmp_path / "desk.yaml", *arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert re.search(message, line)
    assert not machine.asked
    assert not (tmp_path / "desk.yaml").exists()


def test_a_trace_cannot_be_measured(machine, tmp_path):
    done = call(tmp_path / "net.safetensors", "-o", tmp_path / "desk.yaml")
    assert done.exit_code == 2
    assert "a trace holds no torch module to measure; give the workload's file" in done.stderr


def test_unknown_ways_are_refused_with_the_nearest(tmp_path):
    out = tmp_path / "desk.yaml"
    assert "did you mean 'folded'" in call(LENET, "-o", out, "--mode", "foldet").stderr
    assert "did you mean 'eager'" in call(LENET, "-o", out, "--software", "eagre").stderr
    assert not out.exists()


def test_a_real_measurement_becomes_a_record_that_answers(tmp_path, monkeypatch):
    loads = iter((98.0, 99.0))
    monkeypatch.setattr("archsim.baselines.measured.machine.load", lambda: next(loads))
    out = tmp_path / "here.yaml"
    quick = ("--quick", "--limit", "0.02", "--software", "eager", "--mode", "folded")
    done = call(MLP, "-o", out, "--passes", "2", *quick)
    assert done.exit_code == 0, done.stderr
    platform = load_record(out).platform(signature(trace_of(load_workload(MLP))), "mlp_digits", 2)
    fastest = platform.fastest(batch=1, mode="folded")
    assert fastest.latency_s.low <= fastest.latency_s.value <= fastest.latency_s.high
    assert fastest.percentiles["p50"] <= fastest.percentiles["p99"]
    assert platform.about["software"]["torch"]
    before = out.read_bytes()
    assert call(MLP, "-o", out, "--passes", "2", *quick).exit_code == 0
    assert out.read_bytes() == before
