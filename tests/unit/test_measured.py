"""Networks measured on this machine: what comes out, what is put back, what is refused. No time is asserted."""

from __future__ import annotations

import getpass
import json
import platform as system
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from archsim.baselines.measured import Protocol, Setup, check_target, describe, measure, measurement
from archsim.baselines.measured import device as devices
from archsim.baselines.measured.machine import host, power_mode, processor
from archsim.baselines.network import signature
from archsim.errors import ConfigError, DataError, DeviceError, TraceError
from archsim.workload.cache import trace_of
from archsim.workload.spec import load_workload

ROOT = Path(__file__).parents[2]
TINY = Protocol(
    name="tiny", warmup_s=0.0, warmup_queries=1, queries=3, least_queries=2, limit_s=0.5, window_s=0.01, updates=1,
    trials=1, pause_s=0.0, idle_s=0.05, compile=False,
)  # fmt: skip


def workload(name="lenet5_digits"):
    return load_workload(ROOT / f"workloads/{name}.yaml")


def test_a_network_is_measured_here():
    delivered, threads, state = [], torch.get_num_threads(), torch.get_rng_state()
    found = measure(workload(), "cpu", passes=[1, 4], batches=[1, 2], protocol=TINY, on_point=delivered.append)
    assert found.signature == signature(trace_of(workload()))
    assert (found.name, found.origin, found.network) == ("measured:cpu", "measured", "lenet5_digits")
    assert list(found.points) == delivered
    assert {(p.passes, p.batch, p.mode) for p in delivered} == {
        (t, b, m) for t in (1, 4) for b in (1, 2) for m in ("sequential", "folded", "shared_prefix")
    }
    assert {p.software for p in delivered} <= {"eager, 1 thread", f"eager, {threads} threads"}
    assert all(0 <= p.latency_s.low < p.latency_s.value < p.latency_s.high for p in delivered)
    assert all(p.percentiles["p50"] <= p.percentiles["p90"] <= p.percentiles["p99"] for p in delivered)
    assert (found.boundary is None) == (found.no_energy is not None)
    assert any("torch.compile was not tried" in note for note in found.notes)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.is_inference_mode_enabled()
    again = measure(
        workload(), "cpu", passes=[1, 4], batches=[1, 2], protocol=TINY,
        skip=[Setup(p.passes, p.batch, p.mode, p.software) for p in delivered[1:]],
    )  # fmt: skip
    assert [Setup(p.passes, p.batch, p.mode, p.software) for p in again.points] == [
        Setup(1, 1, "sequential", delivered[0].software)
    ]


def test_full_variational_inference_runs_pass_by_pass():
    found = measure(workload("lenet5_digits_vi"), "cpu", passes=[3], batches=[1], protocol=TINY)
    assert {p.mode for p in found.points} == {"sequential"}
    assert found.signature is None  # no crossbar can hold it
    assert any(note.startswith("the network cannot be traced") for note in found.notes)
    assert "folded: not possible: one sample of 'conv1' serves a whole batch" in found.notes


def test_regression_and_ensembles(monkeypatch):
    found = measure(workload("gap_affine"), "cpu", passes=[3], batches=[2], protocol=TINY, modes=["folded"])
    assert {p.mode for p in found.points} == {"folded"}
    ensemble = workload("lenet5_digits_deterministic")
    members = ensemble.config.model_copy(update={"members": ["one.safetensors"]})
    ensemble = type(ensemble)(members, ensemble.path)
    notes = measure(ensemble, "cpu", passes=[2], batches=[1], protocol=TINY).notes
    assert "of the deep ensemble the first network alone is measured, in every pass" in notes
    assert "shared_prefix: not possible: it draws no random numbers, so that all its passes are the same" in notes


def test_what_is_measured_on_is_plain_data_without_names_of_hosts_users_or_folders():
    title, about = describe("cpu", TINY)
    text = json.dumps(about)
    assert about == json.loads(text)
    assert about["protocol"] == TINY.to_dict()
    assert about["software"]["torch"] == torch.__version__
    assert about["machine"]["cores"] >= 1
    assert about["machine"]["processor"] in title
    for private in (system.node(), getpass.getuser(), str(Path.home()), str(ROOT)):
        assert f'"{private}"' not in text
    assert str(ROOT) not in text
    assert system.node() not in text


def test_a_processor_has_the_name_that_its_system_gives(tmp_path):
    (tmp_path / "proc").mkdir()
    assert processor(tmp_path) == (system.processor() or "unknown processor")
    (tmp_path / "proc/cpuinfo").write_text("processor\t: 0\nmodel name\t: A  CPU @ 2 GHz\nmodel name\t: B\n")
    assert processor(tmp_path) == "A CPU @ 2 GHz"
    (tmp_path / "proc/device-tree").mkdir()
    (tmp_path / "proc/device-tree/model").write_text("NVIDIA Jetson Orin Nano\0")
    assert host(tmp_path)["processor"] == "NVIDIA Jetson Orin Nano"


@pytest.mark.parametrize(("said", "mode"), [("NV Power Mode: MAXN\n0", "MAXN"), ("no such thing", None)])
def test_a_jetson_tells_its_power_mode(tmp_path, monkeypatch, said, mode):
    program = tmp_path / "nvpmodel"
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert power_mode() == mode


@pytest.mark.parametrize("target", ["gpu", "cuda:-1", "cuda:x", "", "cpu:0", "CUDA"])
def test_an_unknown_target_is_refused(target):
    with pytest.raises(ConfigError, match="wanted cpu, cuda, or cuda:1"):
        check_target(target)


def test_a_torch_without_cuda_says_so(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", None, raising=False)
    with pytest.raises(DeviceError, match=r"cuda: this torch \(.*\) is built without CUDA; measure on cpu"):
        check_target("cuda")


def test_a_machine_without_a_gpu_says_so(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="torch sees no GPU"):
        measure(workload(), "cuda", passes=[1], batches=[1])


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(DeviceError, match="cuda:7: there is no such GPU; torch sees 2, cuda:0 to cuda:1"):
        check_target("cuda:7")


def test_a_gpu_is_known_to_nvml_by_its_uuid(monkeypatch):
    class Properties:
        name, uuid = "NVIDIA H100", "6d7e-1"

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: Properties)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    gpu = devices.Cuda("cuda:1", 1)
    assert (gpu.uuid, gpu.precision, gpu.title) == ("GPU-6d7e-1", "tf32", "NVIDIA H100")
    assert [s.kind for s in gpu.software()] == ["eager", "compile", "cuda_graph"]
    Properties.uuid = None
    assert gpu.uuid is None


@contextmanager
def nothing(*_, **__):
    yield


@pytest.mark.parametrize("fails", [False, True])
def test_the_settings_of_a_gpu_are_put_back(monkeypatch, fails):
    emptied = []
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(name="GPU"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    monkeypatch.setattr(torch.cuda, "device", nothing)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))
    monkeypatch.setattr(torch.random, "fork_rng", nothing)

    def flags():
        cudnn = torch.backends.cudnn
        return cudnn.benchmark, cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32

    before, gpu = flags(), devices.Cuda("cuda", 0)
    assert gpu.precision == "fp32"
    with pytest.raises(RuntimeError) if fails else nothing(), gpu.settings(1):
        assert flags() == (True, True, True)
        if fails:
            raise RuntimeError("CUDA error")
    assert flags() == before
    assert emptied == [True]


def test_a_processor_runs_on_one_thread_and_on_all(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert [s.name for s in devices.Cpu().software()] == [
        "eager, 1 thread", "eager, 8 threads", "compile, 1 thread", "compile, 8 threads",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"passes": [0]}, "passes: wanted"),
        ({"batches": []}, "batches: wanted"),
        ({"modes": ["foldet"]}, "unknown mode 'foldet'; did you mean 'folded'"),
        ({"modes": ["on_chip"]}, "unknown mode 'on_chip'"),
        ({"software": ["compiled"]}, "unknown software 'compiled'; did you mean 'compile'"),
    ],
)
def test_arguments_that_cannot_be_are_refused_before_anything_runs(wrong, message, monkeypatch):
    monkeypatch.setattr(measurement, "load_model", lambda *_: pytest.fail("too late"))
    with pytest.raises(ConfigError, match=message):
        measure(workload(), "cpu", **({"passes": [1], "batches": [1], "protocol": TINY} | wrong))


def test_a_missing_checkpoint_is_refused():
    lost = workload()
    lost = type(lost)(lost.config.model_copy(update={"checkpoint": "nowhere.safetensors"}), lost.path)
    with pytest.raises((DataError, TraceError), match="no checkpoint"):
        measure(lost, "cpu", passes=[1], batches=[1], protocol=TINY)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_network_is_measured_on_a_gpu():
    found = measure(workload(), "cuda", passes=[1, 4], batches=[1], protocol=TINY)
    assert {"eager", "cuda_graph"} <= {p.software for p in found.points}
    assert all(p.interval_s is not None and "h2d_s" in p.terms for p in found.points)
    assert (found.boundary is None) == (found.no_energy is not None)
