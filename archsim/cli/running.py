"""`archsim run`: evaluate one design point, print it, and keep it if asked to."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from archsim.cli.console import print_all, print_json, progress_bar, warn
from archsim.errors import ConfigError
from archsim.metrics.chips import Batch
from archsim.metrics.result import Result
from archsim.pipeline import evaluate, evaluate_chips
from archsim.report.export import ResultFolder
from archsim.report.summary import summary
from archsim.report.timeline.recorder import ABOUT_TIME, TimelineRecorder
from archsim.report.timeline.writer import TimelineWriter


@dataclass(frozen=True)
class Options:
    """What the command line says about a run; None where the files decide."""

    passes: int | None
    images: int | None
    seed: int
    chips: int | None
    chip: int
    schedule: str | None
    grain: str | None
    settings: tuple[str, ...]
    costs_only: bool


def run(
    arch: Path, workload: Path, options: Options, *, as_json: bool, out: Path | None, timeline: Path | None
) -> None:
    """Evaluate a network on a chip, keep the result if a folder is given, and print it on stdout."""
    if options.chips is not None and options.costs_only:
        raise ConfigError("--chips: costs are those of every chip; leave out --costs-only, or --chips")
    with ExitStack() as stack:
        folder = stack.enter_context(ResultFolder(out)) if out else None
        result, batch = _evaluate(arch, workload, options, timeline)
        if folder:
            folder.write(result, ["archsim", *sys.argv[1:]], batch)
    if as_json:
        print_json(batch.to_dict() if batch else result.to_dict())
    else:
        print_all(summary(result, batch))
    warn(result.warnings)
    if out:
        from archsim.report.html import write_report  # matplotlib and templates, which only a run that is kept pays

        write_report(out)


def _evaluate(arch: Path, workload: Path, options: Options, timeline: Path | None) -> tuple[Result, Batch | None]:
    with ExitStack() as stack:
        note = stack.enter_context(progress_bar())
        recorder = None
        if timeline:
            about = {"arch": str(arch), "workload": str(workload), "time": ABOUT_TIME}
            recorder = TimelineRecorder(stack.enter_context(TimelineWriter(timeline, about)))
        o, batch = options, None
        if o.chips is not None:
            batch = evaluate_chips(
                arch, workload, o.chips, passes=o.passes, images=o.images, seed=o.seed, schedule=o.schedule,
                grain=o.grain, overrides=o.settings, recorder=recorder, progress=note,
            )  # fmt: skip
            result = batch.result
        else:
            result = evaluate(
                arch, workload, passes=o.passes, images=o.images, seed=o.seed, chip_sample=o.chip, schedule=o.schedule,
                grain=o.grain, overrides=o.settings, function=not o.costs_only, recorder=recorder, progress=note,
            )  # fmt: skip
        if recorder:
            recorder.close(result.log)
        return result, batch
