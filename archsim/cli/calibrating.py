"""`archsim calibration`: the GPU model beside what others measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from archsim.baselines.calibration.overview import overview
from archsim.cli.console import print_all, print_json
from archsim.report.calibration import calibration_data, calibration_markdown, calibration_report


def calibration(files: Sequence[Path], *, as_json: bool, as_markdown: bool) -> None:
    """Fit the model to measurements and print what fits and how far off it is."""
    found = overview(files)
    if as_json:
        print_json(calibration_data(found))
    elif as_markdown:
        typer.echo(calibration_markdown(found))
    else:
        print_all(calibration_report(found))
