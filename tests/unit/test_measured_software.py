"""What runs a program: torch as it is, its compiler, a captured graph; and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from archsim.baselines.measured.failures import RefusedError
from archsim.baselines.measured.modes import programmed
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
