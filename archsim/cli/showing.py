"""`archsim show`, `archsim map`: a chip, or a network on it, without simulating."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from archsim.cli.console import print_all, print_json, warn
from archsim.pipeline import deploy
from archsim.pipeline.inputs import Inputs, Overrides
from archsim.report.description import chip_data, chip_tables
from archsim.report.plan import mapping_data, mapping_tables


def show(arch: Path, settings: Sequence[str], *, as_json: bool) -> None:
    """Print the expanded architecture."""
    chip = Inputs().chip(arch, Overrides.of(settings))
    if as_json:
        print_json(chip_data(chip))
    else:
        print_all(chip_tables(chip))
    warn(chip.warnings)


def dry_run(arch: Path, workload: Path, settings: Sequence[str], *, as_json: bool) -> None:
    """Print where a network sits on a chip."""
    mapping = deploy(arch, workload, overrides=settings).mapping
    chip = mapping.chip
    if as_json:
        print_json(mapping_data(mapping))
    else:
        print_all(mapping_tables(mapping))
    warn(chip.warnings)
