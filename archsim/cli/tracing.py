"""`archsim trace`, `archsim train`: the two commands that need torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from archsim.cli.console import print_all
from archsim.config import dump
from archsim.report.plan import trace_tables
from archsim.workload.cache import trace_of
from archsim.workload.spec import Workload, load_workload
from archsim.workload.trace import Trace
from archsim.workload.tracefile import save_trace


def trace(workload: Path, out: Path) -> None:
    """Capture a workload's network to a trace file that `run` accepts in its place, and say what became of it."""
    source = load_workload(workload)
    captured = with_evaluation(trace_of(source), source)
    save_trace(captured, out)
    print_all([*trace_tables(captured), f"\nwritten to {out}"])


def with_evaluation(captured: Trace, source: Workload) -> Trace:
    """Return a trace that also says on which images and with how many passes it is to be evaluated."""
    config = dump(source.config)
    return replace(captured, meta={**captured.meta, **{key: config[key] for key in ("dataset", "passes", "images")}})


def train(workload: Path, epochs: int | None, settings: Sequence[str], *, quiet: bool) -> None:
    """Train a workload's network, or each of its ensemble, write checkpoints and print what was measured."""
    overrides = [*settings, *([f"training.epochs={epochs}"] if epochs is not None else [])]
    source = load_workload(workload, tuple(overrides))
    from archsim.injection import injector  # these load torch; a wrong file should be told at once
    from archsim.workload.training import train as fit

    for member in source.ensemble():
        done, path = (result := fit(member, quiet=quiet, cells=injector(member))).trained, result.checkpoint
        found = f"accuracy {100 * done.accuracy:.2f} %" if done.accuracy is not None else f"error {done.error:.4f}"
        print_all(
            [
                f"{source.config.name}: {done.epochs} epochs in {done.seconds:.1f} s",
                f"{found} on {done.images} test images, {done.passes} passes",
                f"checkpoint {path}",
            ]
        )
