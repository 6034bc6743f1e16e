"""What runs a program: torch as it is, torch.compile, or a captured CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from archsim.baselines.measured.failures import RefusedError, first_line, is_lost, is_out_of_memory
from archsim.baselines.measured.modes import Call, Program

KINDS = ("eager", "compile", "cuda_graph")
REPLAYS = 100  # queries after which answers of a stochastic network must have differed
WARM_UP_CALLS = 3  # before a capture, on a stream of its own, as torch's documentation asks for


@contextmanager
def run_by(kind: str, program: Program, x: Tensor) -> Iterator[Call]:
    """Give what answers a query (N, ...) like `x`: the program, made ready by one of `KINDS`.

    Raises `RefusedError` where that is not possible, for example without a compiler.
    """
    if kind == "eager":
        yield program.whole(program.unit)
    elif kind == "compile":
        try:
            yield _or_refused("torch.compile", lambda: _compiled(program, x))
        finally:
            torch.compiler.reset()
    else:
        _check_capture(program, x)
        yield _or_refused("a CUDA graph", lambda: _captured(program, x))


def check_chance(query: Call, eager: Call, x: Tensor) -> None:
    """Refuse what gives the same answers again and again, where torch itself does not: its masks are frozen."""
    if not _differs(query, x) and _differs(eager, x):
        raise RefusedError(f"{REPLAYS} answers in a row are identical: it does not draw new random numbers")


def _differs(query: Call, x: Tensor) -> bool:
    first = query(x).clone()  # a graph writes over its last answer
    return any(not torch.equal(first, query(x)) for _ in range(REPLAYS))


def _or_refused(what: str, make: Callable[[], Call]) -> Call:
    try:
        return make()
    except Exception as error:  # compilers raise whatever they like
        if is_lost(error) or is_out_of_memory(error):
            raise
        raise RefusedError(f"{what} fails: {first_line(error)}") from error


def _compiled(program: Program, x: Tensor) -> Call:
    """Return a compiled query; breaks in its graph are refused, as each shape between them would be compiled anew."""
    mode = "reduce-overhead" if x.is_cuda else None
    query = program.whole(torch.compile(program.unit, mode=mode, dynamic=False, fullgraph=True))
    query(x)
    return query


def _check_capture(program: Program, x: Tensor) -> None:
    """Refuse a program that makes the host wait for the device; a failed capture leaves torch's generator stuck."""
    before = torch.cuda.get_sync_debug_mode()
    query = program.whole(program.unit)
    query(x)
    torch.cuda.set_sync_debug_mode("error")
    try:
        query(x)
    except RuntimeError as error:
        if is_lost(error) or is_out_of_memory(error):
            raise
        raise RefusedError(f"a CUDA graph cannot wait for the device midway: {first_line(error)}") from error
    finally:
        torch.cuda.set_sync_debug_mode(before)


def _captured(program: Program, x: Tensor) -> Call:
    """Return the replay of a graph, captured after a warm-up on a stream of its own."""
    query, held = program.whole(program.unit), x.clone()
    aside = torch.cuda.Stream(x.device)  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream(x.device))
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP_CALLS):
            query(held)
    torch.cuda.current_stream(x.device).wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        answers = query(held)

    def replay(images: Tensor) -> Tensor:
        held.copy_(images)
        graph.replay()
        return answers

    return replay
