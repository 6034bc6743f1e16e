"""`archsim evaluate`: judge the uncertainty of one design point, print it, and keep it if asked to."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from archsim.cli.console import print_all, print_json, progress_bar, warn
from archsim.metrics.adaptive import RULES, StoppingRule
from archsim.report.export import OutputFolder, assumptions, manifest
from archsim.report.uncertainty import uncertainty_report
from archsim.report.uncertainty_tables import uncertainty_tables
from archsim.uncertainty import evaluate_uncertainty


def rules(names: Sequence[str]) -> tuple[StoppingRule, ...]:
    """Return the stopping rules of these names, or the usual ones without any."""
    return tuple(StoppingRule.parse(name) for name in names) or RULES


@dataclass(frozen=True)
class Options:
    """What the command line says about an evaluation, by the names of `evaluate_uncertainty`."""

    passes: int | None
    images: int | None
    chips: int | None
    seed: int
    chip_sample: int
    schedule: str | None
    grain: str | None
    overrides: tuple[str, ...]
    ood: tuple[str, ...] | None
    corruptions: tuple[str, ...] | None
    rotation_step: float | None
    adaptive: bool
    stopping: tuple[StoppingRule, ...]


def evaluate(arch: Path, workload: Path, options: Options, *, as_json: bool, out: Path | None) -> None:
    """Evaluate the uncertainty of a network on a chip, keep the findings if a folder is given, and print them."""
    with ExitStack() as stack:
        folder = stack.enter_context(OutputFolder(out)) if out else None
        with progress_bar() as note:
            found = evaluate_uncertainty(arch, workload, **vars(options), progress=note)
        if folder:
            folder.json("result.json", found.to_dict())
            for name, rows in uncertainty_tables(found).items():
                folder.table(name, rows)
            folder.json("manifest.json", manifest(found, ["archsim", *sys.argv[1:]]) | assumptions(found))
    if as_json:
        print_json(found.to_dict())
    else:
        print_all(uncertainty_report(found))
    warn(found.warnings)
    if out:
        from archsim.report.html import write_report  # matplotlib and templates, which only a run that is kept pays

        write_report(out)
