"""What runs a program: torch as it is, its compiler, a captured graph; and what is refused."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch
from torch import nn

from archsim.baselines.measured.failures import RefusedError
from archsim.baselines.measured.modes import Program, programmed
from archsim.baselines.measured.software import check_chance, run_by
from archsim.nn import SpinDrop

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), SpinDrop(0.5), nn.Linear(16, 3))


@pytest.fixture
def compiler(monkeypatch):
    """Put something in the place of torch.compile, whose real one takes seconds to load."""

    def replace(function):
        monkeypatch.setattr(torch, "compile", function)
        monkeypatch.setattr(torch.compiler, "reset", lambda: None)

    return replace


def program_of(model, mode, passes=4, images=2):
    return programmed(model, mode, images, passes, lambda scores: scores.softmax(-1))


def test_eager_is_the_program_itself(model):
    x = torch.rand(2, 6)
    with torch.inference_mode(), program_of(model, "folded") as program, run_by("eager", program, x) as query:
        torch.manual_seed(3)
        answer = query(x)
        torch.manual_seed(3)
        assert torch.equal(answer, program.whole(program.unit)(x))


@pytest.mark.parametrize("mode", ["sequential", "folded"])
def test_the_compiler_gets_one_pass_or_all_of_them_at_once(model, mode, compiler):
    compiled, calls = [], []

    def compile_(unit, **options):
        compiled.append(options)
        return lambda x: calls.append(len(x)) or unit(x)

    compiler(compile_)
    x = torch.rand(2, 6)
    with torch.inference_mode(), program_of(model, mode) as program, run_by("compile", program, x) as query:
        calls.clear()
        assert query(x).shape == (2, 3)
    assert compiled == [{"mode": None, "dynamic": False, "fullgraph": True}]
    assert calls == [2] * (4 if mode == "sequential" else 1)


def test_a_missing_compiler_is_a_reason(model, compiler):
    def compile_(*_, **__):
        raise RuntimeError("Failed to find C++ compiler. Please specify via CXX environment variable.\nmore")

    compiler(compile_)
    with (
        program_of(model, "folded") as program,
        pytest.raises(
            RefusedError, match=r"torch.compile fails: Failed to find C\+\+ compiler. Please specify.*able\.$"
        ),
        run_by("compile", program, torch.rand(2, 6)),
    ):
        pass


@pytest.mark.parametrize("text", ["CUDA error: unspecified launch failure", "CUDA out of memory"])
def test_a_device_that_fails_under_the_compiler_is_no_reason(model, compiler, text):
    def compile_(*_, **__):
        raise RuntimeError(text)

    compiler(compile_)
    with (
        program_of(model, "folded") as program,
        pytest.raises(RuntimeError, match=text),
        run_by("compile", program, torch.rand(2, 6)),
    ):
        pass


def test_identical_answers_are_refused_unless_torch_itself_gives_them(model):
    x = torch.rand(2, 6)
    answer = torch.zeros(2, 3)
    with torch.inference_mode():
        check_chance(model, model, x)
        check_chance(lambda _: answer, lambda _: answer, x)  # a rate so low that nothing ever differs
        with pytest.raises(RefusedError, match="100 answers in a row are identical"):
            check_chance(lambda _: answer, model, x)


def test_a_graph_that_writes_over_its_answer_is_seen_to_differ(model):
    held = torch.zeros(2, 3)
    with torch.inference_mode():
        check_chance(lambda x: held.copy_(model(x)), model, torch.rand(2, 6))


class FakeCuda:
    """Streams and graphs that keep the order of what is done; a graph `frozen` replays without new random numbers."""

    def __init__(self, monkeypatch, *, frozen=False, waits=False):
        self.log, self.mode, self.waits = [], 0, waits
        cuda = self

        class Stream:
            def wait_stream(self, _other):
                cuda.log.append("wait")

        class Graph:
            def replay(self):
                cuda.log.append("replay")
                if not frozen:
                    cuda.again()

        for name, value in {
            "Stream": lambda _: Stream(),
            "current_stream": lambda _: Stream(),
            "stream": lambda _: self.block("aside"),
            "CUDAGraph": Graph,
            "graph": lambda _: self.block("capture"),
            "get_sync_debug_mode": lambda: self.mode,
            "set_sync_debug_mode": self.set_mode,
        }.items():
            monkeypatch.setattr(torch.cuda, name, value)

    def set_mode(self, mode):
        self.mode = mode

    @contextmanager
    def block(self, name):
        self.log.append(name)
        yield
        self.log.append(f"end of {name}")

    def program(self, model):
        """A program of one pass that writes its answer into the same place, as a replayed graph does."""
        held, seen = torch.zeros(2, 3), []

        def unit(x):
            if self.waits and self.mode == "error":
                raise RuntimeError("called a synchronizing CUDA operation")
            seen[:] = [x]
            self.log.append("call")
            return held.copy_(model(x))

        self.again = lambda: held.copy_(model(seen[0]))
        return Program(unit, lambda unit: unit)


def test_a_graph_is_captured_after_a_warm_up_and_reads_the_images_of_each_query(model, monkeypatch):
    cuda, x, other = FakeCuda(monkeypatch), torch.rand(2, 6), torch.rand(2, 6)
    with torch.inference_mode(), run_by("cuda_graph", cuda.program(model[:2].append(nn.Linear(16, 3))), x) as query:
        assert cuda.log == [
            "call", "call", "wait", "aside", "call", "call", "call", "end of aside", "wait",
            "capture", "call", "end of capture",
        ]  # fmt: skip
        assert not torch.equal(query(x).clone(), query(other))
        assert torch.equal(query(x).clone(), query(x))
    assert cuda.log[-4:] == ["replay"] * 4
    assert cuda.mode == 0


@pytest.mark.parametrize("frozen", [False, True])
def test_a_graph_that_replays_its_random_numbers_is_refused(model, monkeypatch, frozen):
    program = FakeCuda(monkeypatch, frozen=frozen).program(model)
    x = torch.rand(2, 6)
    with torch.inference_mode(), run_by("cuda_graph", program, x) as query:
        if frozen:
            with pytest.raises(RefusedError, match="100 answers in a row are identical"):
                check_chance(query, model, x)
        else:
            check_chance(query, model, x)


def test_what_waits_for_the_device_is_refused_before_a_capture(model, monkeypatch):
    cuda = FakeCuda(monkeypatch, waits=True)
    with (
        pytest.raises(RefusedError, match="a CUDA graph cannot wait for the device midway: called a synchronizing"),
        run_by("cuda_graph", cuda.program(model), torch.rand(2, 6)),
    ):
        pass
    assert "capture" not in cuda.log
    assert cuda.mode == 0


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["sequential", "folded"])
def test_torch_compile_draws_new_masks(model, mode):
    x = torch.rand(2, 6)
    with torch.inference_mode(), program_of(model, mode) as program, run_by("compile", program, x) as query:
        check_chance(query, program.whole(program.unit), x)
        mean = torch.stack([query(x) for _ in range(300)]).mean(0)
        wanted = torch.stack([program.whole(program.unit)(x) for _ in range(300)]).mean(0)
    assert torch.allclose(mean, wanted, atol=0.05)


@needs_gpu
def test_a_captured_graph_draws_new_masks_and_reads_new_images(model):
    model, x = model.cuda(), torch.rand(2, 6, device="cuda")
    with torch.inference_mode(), program_of(model, "folded") as program, run_by("cuda_graph", program, x) as query:
        check_chance(query, program.whole(program.unit), x)
        other = torch.rand(2, 6, device="cuda")
        mean = torch.stack([query(other).clone() for _ in range(300)]).mean(0)
        wanted = torch.stack([program.whole(program.unit)(other) for _ in range(300)]).mean(0)
    assert torch.allclose(mean, wanted, atol=0.05)


@needs_gpu
def test_what_waits_for_the_device_is_not_captured_and_does_no_harm():
    class Waits(nn.Module):
        def forward(self, x):
            return x * x.sum().item()

    x = torch.rand(2, 6, device="cuda")
    with (
        torch.inference_mode(),
        program_of(Waits(), "folded") as program,
        pytest.raises(RefusedError, match="cannot wait for the device midway"),
        run_by("cuda_graph", program, x),
    ):
        pass
    assert torch.rand(3, device="cuda").shape == (3,)
    assert torch.cuda.get_sync_debug_mode() == 0
