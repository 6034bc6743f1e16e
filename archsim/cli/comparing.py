"""`archsim compare`: what a chip gains over other platforms; print it, and keep it if asked to."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from archsim.cli.console import print_all, print_json, progress_bar, warn
from archsim.comparison import DEFAULT_BASELINE, ONE_BY_ONE, Comparison, compare
from archsim.errors import DataError
from archsim.report.comparison import comparison_report, comparison_tables
from archsim.report.export import ResultFolder, assumptions, manifest
from archsim.report.html import write_report

DEFAULT = (DEFAULT_BASELINE,)
__all__ = ["DEFAULT", "ONE_BY_ONE", "Options", "run"]


@dataclass(frozen=True)
class Options:
    """What the command line says about a comparison, by the names of `compare`; None where the files decide."""

    baselines: tuple[str, ...]
    passes: int | None
    images: int | None
    seed: int
    chip_sample: int
    schedule: str | None
    grain: str | None
    overrides: tuple[str, ...]
    batches: tuple[int, ...]
    rate: float | None
    allow: tuple[str, ...]
    function: bool


def run(arch: Path, workload: Path, options: Options, *, as_json: bool, out: Path | None) -> None:
    """Compare a chip with other platforms, keep what was found if a folder is given, and print it.

    Raises `DataError` at the end where a measurement was lost midway: all that was found is printed and kept by then.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(ResultFolder(out)) if out else None
        with progress_bar() as note:
            found = compare(arch, workload, **asdict(options), uncertainty=out is not None, progress=note)
        if folder:
            _keep(folder, found, ["archsim", *sys.argv[1:]])
    if as_json:
        print_json(found.to_dict())
    else:
        print_all(comparison_report(found))
    warn(found.warnings)
    if out:
        write_report(out, plots=True)
    if found.lost:
        raise DataError("\n".join(found.lost))


def _keep(folder: ResultFolder, found: Comparison, command: list[str]) -> None:
    """Write result.json, manifest.json and the tables: those of a run, points of the platforms, ratios."""
    folder.json("result.json", found.to_dict())
    folder.json("manifest.json", manifest(found, command) | assumptions(found.result))
    folder.costs(found.result)
    for name, rows in comparison_tables(found).items():
        folder.table(name, rows)
