"""The commands, their arguments and their help texts. What they do stands in the modules beside this one.

Nothing heavy is imported here, so that `archsim --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from archsim.cli.group import INTERRUPTED, Commands

EXIT_CODES = "Exit codes: 0 fine, 2 wrong input or usage (one clear error on stderr), 130 interrupted."

app = typer.Typer(
    cls=Commands,
    help="What does this Bayesian network cost on this spintronic chip, and how good is its uncertainty there?",
    epilog=EXIT_CODES,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Arch = Annotated[Path, typer.Argument(metavar="ARCH.yaml", help="The chip.")]
Network = Annotated[Path, typer.Argument(metavar="WORKLOAD", help="A workload file (.yaml) or a trace file.")]
WorkloadFile = Annotated[Path, typer.Argument(metavar="WORKLOAD.yaml", help="The workload file.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=C", help="Override one value of the YAML file; may be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, in SI units, and nothing else.")]


class Kind(StrEnum):
    """The kinds of file that have a schema."""

    ARCH = "arch"
    WORKLOAD = "workload"
    COMPONENTS = "components"
    RECORD = "record"
    GPU = "gpu"
    GPU_FAMILY = "gpu_family"
    MEASUREMENTS = "measurements"


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"archsim {version('archsim')}")
        raise typer.Exit


@app.callback()
def archsim(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the options that belong to no command."""


@app.command()
def run(
    arch: Arch,
    workload: Network,
    passes: Annotated[int | None, typer.Option(help="Monte-Carlo passes of each image [the workload's].")] = None,
    images: Annotated[int | None, typer.Option(help="Test images [the workload's].")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    chips: Annotated[
        int | None, typer.Option(metavar="N", help="Compute answers on N sampled chips; report how they differ.")
    ] = None,
    chip: Annotated[int, typer.Option(min=0, metavar="K", help="Which sampled chip, where --chips is not given.")] = 0,
    schedule: Annotated[
        str | None, typer.Option(help="layer_by_layer, pipelined_layers or pipelined_passes [the architecture's].")
    ] = None,
    grain: Annotated[
        str | None, typer.Option(help="What one event carries: position, row or map [the architecture's].")
    ] = None,
    settings: Settings = None,
    costs_only: Annotated[bool, typer.Option("--costs-only", help="Costs alone; no images are computed.")] = False,
    as_json: Json = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="New folder for result, tables (Parquet, CSV) and manifest."),
    ] = None,
    timeline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Trace of all stations and buffers, for ui.perfetto.dev.")
    ] = None,
) -> None:
    """Simulate a network on a chip: latency, energy, area, memory, accuracy and uncertainty."""
    from archsim.cli import running

    running.run(
        arch,
        workload,
        running.Options(passes, images, seed, chips, chip, schedule, grain, tuple(settings or ()), costs_only),
        as_json=as_json,
        out=out,
        timeline=timeline,
    )


@app.command()
def evaluate(
    arch: Arch,
    workload: Network,
    ood: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SET",
            help="Images to be told from known ones: a data set or a shift (uniform_noise, rotation:90), or 'none';"
            " may be repeated [noise and the other data sets at hand].",
        ),
    ] = None,
    corruptions: Annotated[
        list[str] | None,
        typer.Option(
            "--corruption", metavar="NAME", help="At five severities; may be repeated; 'none' for none [all that fit]."
        ),
    ] = None,
    rotation_step: Annotated[
        float | None,
        typer.Option("--rotation", metavar="DEGREES", help="Step of the curve from 0 to 180; 0 for none [15]."),
    ] = None,
    adaptive: Annotated[
        bool, typer.Option("--adaptive", help="Also stop images when certain, by several rules.")
    ] = False,
    passes: Annotated[int | None, typer.Option(help="Monte-Carlo passes of each image [the workload's].")] = None,
    images: Annotated[int | None, typer.Option(help="Test images [the workload's].")] = None,
    chips: Annotated[int | None, typer.Option(metavar="N", help="Evaluate N sampled chips, all in turn.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    settings: Settings = None,
    as_json: Json = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="New folder for findings, tables (Parquet, CSV) and manifest."),
    ] = None,
) -> None:
    """Judge a network's uncertainty on a chip: calibration, unknown and corrupted images, refusal, stopping early."""
    from archsim.cli import evaluating

    evaluating.evaluate(
        arch,
        workload,
        evaluating.Options(
            passes,
            images,
            chips,
            seed,
            tuple(settings or ()),
            tuple(ood) if ood else None,
            tuple(corruptions) if corruptions else None,
            rotation_step,
            adaptive,
        ),
        as_json=as_json,
        out=out,
    )


@app.command()
def compare(
    arch: Arch,
    workload: Network,
    baselines: Annotated[
        list[str] | None,
        typer.Option(
            "--baseline",
            metavar="B",
            help="measured:cpu, measured:cuda[:N], modelled:DEVICE[@MODE], record:NAME or published; may be repeated"
            " [modelled:jetson_agx_orin].",
        ),
    ] = None,
    passes: Annotated[int | None, typer.Option(help="Monte-Carlo passes of each image [the workload's].")] = None,
    images: Annotated[int | None, typer.Option(help="Test images [the workload's].")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    batch: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="Images of a call; may be repeated, and the first is what is compared [1]."),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(metavar="R", help="Also energy where R images come a second, idle power included.")
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(help="Give ratios that are refused otherwise: boundary, network; may be repeated."),
    ] = None,
    settings: Settings = None,
    costs_only: Annotated[bool, typer.Option("--costs-only", help="Costs alone; no images are computed.")] = False,
    as_json: Json = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="New folder for result, tables, manifest and report; judges uncertainty too."),
    ] = None,
) -> None:
    """Set a chip beside GPUs, CPUs and records: latency, energy and quality, and what the chip gains."""
    from archsim.cli import comparing

    comparing.run(
        arch,
        workload,
        comparing.Options(
            tuple(baselines) if baselines else comparing.DEFAULT,
            passes,
            images,
            seed,
            tuple(settings or ()),
            tuple(batch) if batch else comparing.ONE_BY_ONE,
            rate,
            tuple(allow or ()),
            not costs_only,
        ),
        as_json=as_json,
        out=out,
    )


@app.command()
def report(
    results: Annotated[list[Path], typer.Argument(metavar="RESULT...", help="Folders that were made with --out.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.html", help="New file for the page.")] = Path(
        "report.html"
    ),
    plots: Annotated[Path | None, typer.Option(metavar="DIR", help="New folder for each plot as PNG and SVG.")] = None,
) -> None:
    """Show stored results as one HTML page that needs no network, several of them side by side."""
    from archsim.cli import reporting

    reporting.report(results, out, plots)


@app.command()
def waterfall(
    arch: Arch,
    workload: Network,
    chips: Annotated[int, typer.Option(metavar="N", help="Sampled chips of each step.")] = 5,
    passes: Annotated[int | None, typer.Option(help="Monte-Carlo passes of each image [the workload's].")] = None,
    images: Annotated[int | None, typer.Option(help="Test images [the workload's].")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Switch on a chip's imperfections one kind after the other, and print what each takes from the quality."""
    from archsim.cli import waterfalling

    waterfalling.run(arch, workload, chips, passes, images, seed, tuple(settings or ()), as_json=as_json)


@app.command()
def check(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Architectures, workloads, libraries, traces.")
    ],
) -> None:
    """Check files of every kind: all problems of all of them at once."""
    from archsim.cli import checking

    checking.check(files)


@app.command()
def show(arch: Arch, settings: Settings = None, as_json: Json = False) -> None:
    """Print a chip in full: each number with its range, grade and source; area, leakage and peak power."""
    from archsim.cli import showing

    showing.show(arch, settings or (), as_json=as_json)


@app.command("map")
def dry_run(arch: Arch, workload: Network, settings: Settings = None, as_json: Json = False) -> None:
    """Print where a network sits on a chip, without simulating: tiles, crossbars, copies, buffers, time a vector."""
    from archsim.cli import showing

    showing.dry_run(arch, workload, settings or (), as_json=as_json)


@app.command()
def trace(
    workload: WorkloadFile,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Trace file to write (.safetensors).")],
) -> None:
    """Capture a PyTorch network to a trace file, which `run` accepts in place of the workload."""
    from archsim.cli import tracing

    tracing.trace(workload, out)


@app.command()
def claims(
    only: Annotated[list[str] | None, typer.Argument(metavar="[CLAIM...]", help="Some claims alone [all].")] = None,
    images: Annotated[int, typer.Option(min=40, help="Test images on which quality is measured.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    as_json: Json = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="New folder for claims.md, claims.json, tables and manifest.")
    ] = None,
) -> None:
    """Set what the NeuSpin papers claim beside what archsim finds, with the methods' rivals; takes minutes."""
    from archsim.cli import claiming

    claiming.claims(only or (), images=images, seed=seed, as_json=as_json, out=out)


@app.command()
def calibration(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[MEASUREMENTS.yaml...]", help="Files of measurements [all that are at hand]."),
    ] = None,
    as_json: Json = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables of docs/gpu_models.md.")] = False,
) -> None:
    """Set the model of GPUs beside published measurements: what fits them, and how far off it is elsewhere."""
    from archsim.cli import calibrating

    calibrating.calibration(files or (), as_json=as_json, as_markdown=as_markdown)


@app.command()
def measure(
    workloads: Annotated[
        list[Path], typer.Argument(metavar="WORKLOAD.yaml...", help="The networks, trained or not.", show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Record to write (.yaml); one of the same machine is continued."
        ),
    ],
    on: Annotated[str, typer.Option("--on", metavar="cpu|cuda|cuda:N", help="What to measure on.")] = "cpu",
    passes: Annotated[str, typer.Option(metavar="T,T...", help="Monte-Carlo passes of an image.")] = "1,10,20,100",
    batches: Annotated[str, typer.Option("--batch", metavar="N,N...", help="Images of a call.")] = "1",
    modes: Annotated[
        list[str] | None,
        typer.Option("--mode", metavar="NAME", help="sequential, folded or shared_prefix; may be repeated [all]."),
    ] = None,
    software: Annotated[
        list[str] | None,
        typer.Option("--software", metavar="NAME", help="eager, compile or cuda_graph; may be repeated [all]."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A look: a second or two a point, no torch.compile.")] = False,
    limit: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Longest time for a point's queries, if that is a few [20; quick: 2]."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the record [the file's].")] = None,
    description: Annotated[str, typer.Option(help="One line about the record, for archsim list.")] = "",
    as_json: Json = False,
) -> None:
    """Measure networks in torch on this machine: latency, and energy where there is a meter; keep them as a record."""
    from archsim.cli import measuring

    options = measuring.Options(
        on,
        measuring.counts("--passes", passes),
        measuring.counts("--batch", batches),
        tuple(modes or ()),
        tuple(software or ()),
        quick,
        limit,
        name,
        description,
    )
    measuring.run(workloads, options, out, as_json=as_json)


@app.command()
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


@app.command()
def train(
    workload: WorkloadFile,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the workload's.")] = None,
    settings: Settings = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Train a workload's network on the CPU and write its checkpoint."""
    from archsim.cli import tracing

    tracing.train(workload, epochs, settings or (), quiet=quiet)


@app.command()
def schema(
    kind: Annotated[
        Kind, typer.Argument(metavar="arch|workload|components|record|gpu|gpu_family", help="Kind of file.")
    ],
) -> None:
    """Print the JSON Schema of a kind of file, for editors."""
    from archsim.cli import catalogue

    catalogue.print_schema(kind.value)


@app.command("list")
def catalogue_of_files() -> None:
    """List the chips and workloads at hand, and the kinds of parts."""
    from archsim.cli import catalogue

    catalogue.print_catalogue()


def main() -> None:
    """Run the command line; never returns."""
    try:
        app(prog_name="archsim")
    except SystemExit as end:
        if end.code == INTERRUPTED:
            # what was interrupted half-way, such as a compilation, cannot be torn down without noise
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(INTERRUPTED)
        raise
