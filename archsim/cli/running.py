"""`archsim run`: evaluate one design point, print it, and keep it if asked to."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from archsim.cli.console import print_all, print_json, progress_bar, warn
from archsim.metrics.result import Result
from archsim.pipeline import evaluate
from archsim.report.export import ResultFolder
from archsim.report.recorder import ABOUT_TIME, TimelineRecorder
from archsim.report.summary import summary
from archsim.report.timeline import TimelineWriter


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
    """Evaluate a network on a chip, keep the result if a folder is given, and print it on stdout."""
    with ExitStack() as stack:
        folder = stack.enter_context(ResultFolder(out)) if out else None
        result = _evaluate(arch, workload, options, timeline)
        if folder:
            folder.write(result, ["archsim", *sys.argv[1:]])
    if as_json:
        print_json(result.to_dict())
    else:
        print_all(summary(result))
    warn(result.warnings)


def _evaluate(arch: Path, workload: Path, options: Options, timeline: Path | None) -> Result:
    with ExitStack() as stack:
        note = stack.enter_context(progress_bar())
        recorder = None
        if timeline:
            about = {"arch": str(arch), "workload": str(workload), "time": ABOUT_TIME}
            recorder = TimelineRecorder(stack.enter_context(TimelineWriter(timeline, about)))
        result = evaluate(
            arch,
            workload,
            passes=options.passes,
            images=options.images,
            seed=options.seed,
            schedule=options.schedule,
            grain=options.grain,
            overrides=options.settings,
            function=not options.costs_only,
            recorder=recorder,
            progress=note,
        )
        if recorder:
            recorder.close(result.log)
        return result
