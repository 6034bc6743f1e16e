"""What is about files and networks: the arguments of the commands and their help texts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from archsim.cli.commands.options import Arch, FileSettings, Json, Network, Settings, WorkloadFile


class Kind(StrEnum):
    """The kinds of file that have a schema."""

    ARCH = "arch"
    WORKLOAD = "workload"
    COMPONENTS = "components"
    RECORD = "record"
    GPU = "gpu"
    GPU_FAMILY = "gpu_family"
    STUDY = "study"
    MEASUREMENTS = "measurements"


def check(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Architectures, workloads, libraries, traces.")
    ],
) -> None:
    """Check files of every kind: all problems of all of them at once."""
    from archsim.cli import checking

    checking.check(files)


def show(arch: Arch, settings: Settings = None, as_json: Json = False) -> None:
    """Print a chip in full: each number with its range, grade and source; area, leakage and peak power."""
    from archsim.cli import showing

    showing.show(arch, settings or (), as_json=as_json)


def dry_run(arch: Arch, workload: Network, settings: Settings = None, as_json: Json = False) -> None:
    """Print where a network sits on a chip, without simulating: tiles, crossbars, copies, buffers, time a vector."""
    from archsim.cli import showing

    showing.dry_run(arch, workload, settings or (), as_json=as_json)


def trace(
    workload: WorkloadFile,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Trace file to write (.safetensors).")],
) -> None:
    """Capture a PyTorch network to a trace file, which `run` accepts in place of the workload."""
    from archsim.cli import tracing

    tracing.trace(workload, out)


def verify(
    workload: WorkloadFile,
    arch: Annotated[Path | None, typer.Option(metavar="ARCH.yaml", help="This chip instead of ideal hardware.")] = None,
    images: Annotated[int | None, typer.Option(help="Test images; the workload's number by default.")] = None,
    passes: Annotated[int | None, typer.Option(help="Passes of each image; the workload's number by default.")] = None,
    seed: Annotated[int, typer.Option(help="Of the random bits.")] = 0,
    as_json: Json = False,
) -> None:
    """Run a network in torch under the very masks that the hardware draws, and compare every score."""
    from archsim.cli import verifying

    verifying.verify(workload, arch, images, passes, seed, as_json=as_json)


def train(
    workload: WorkloadFile,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the workload's.")] = None,
    settings: FileSettings = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Train a workload's network on the CPU and write its checkpoint."""
    from archsim.cli import tracing

    tracing.train(workload, epochs, settings or (), quiet=quiet)


def schema(
    kind: Annotated[
        Kind, typer.Argument(metavar="KIND", help=f"Kind of file: {', '.join(kind.value for kind in Kind)}.")
    ],
) -> None:
    """Print the JSON Schema of a kind of file, for editors."""
    from archsim.cli import catalogue

    catalogue.print_schema(kind.value)


def catalogue_of_files() -> None:
    """List the chips and workloads at hand, and the kinds of parts."""
    from archsim.cli import catalogue

    catalogue.print_catalogue()
