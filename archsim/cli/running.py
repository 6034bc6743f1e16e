"""`archsim run`: evaluate one design point, print it, and keep it if asked to."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from archsim.cli.console import Note, print_all, print_json, progress_bar, warn
from archsim.metrics.result import Result
from archsim.pipeline import evaluate
from archsim.report.summary import summary


@dataclass(frozen=True)
class Options:
    """What the command line says about a run; None where the files decide."""

    passes: int | None
    images: int | None
    seed: int
    schedule: str | None
    grain: str | None
    settings: tuple[str, ...]
    costs_only: bool


def run(
    arch: Path, workload: Path, options: Options, *, as_json: bool, out: Path | None, timeline: Path | None
) -> None:
    """Evaluate a network on a chip and print the result on stdout."""
    result = _evaluate(arch, workload, options, out, timeline)
    if as_json:
        print_json(result.to_dict())
    else:
        print_all(summary(result))
    warn(result.warnings)


def _evaluate(arch: Path, workload: Path, options: Options, out: Path | None, timeline: Path | None) -> Result:
    with ExitStack() as stack:
        note = stack.enter_context(progress_bar())
        return evaluate(
            arch,
            workload,
            passes=options.passes,
            images=options.images,
            seed=options.seed,
            schedule=options.schedule,
            grain=options.grain,
            overrides=options.settings,
            function=not options.costs_only,
            progress=note,
        )
