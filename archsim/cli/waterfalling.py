"""`archsim waterfall`: what each kind of imperfection costs."""

from __future__ import annotations

from pathlib import Path

from archsim.cli.console import print_all, print_json, progress_bar
from archsim.pipeline import waterfall
from archsim.report.chips import waterfall_table


def run(
    arch: Path,
    workload: Path,
    chips: int,
    passes: int | None,
    images: int | None,
    seed: int,
    settings: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Evaluate a network with more and more imperfections and print what is left."""
    with progress_bar() as note:
        found = waterfall(
            arch, workload, chips, passes=passes, images=images, seed=seed, overrides=settings, progress=note
        )
    if as_json:
        print_json(found.to_dict())
    else:
        print_all(waterfall_table(found))
