"""What compares with other platforms and shows results: the arguments of the commands and their help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archsim.cli.commands.options import Arch, Chip, Grain, Json, Network, Schedule, Settings


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
    chip: Chip = 0,
    schedule: Schedule = None,
    grain: Grain = None,
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
            chip,
            schedule,
            grain,
            tuple(settings or ()),
            tuple(batch) if batch else comparing.ONE_BY_ONE,
            rate,
            tuple(allow or ()),
            not costs_only,
        ),
        as_json=as_json,
        out=out,
    )


def report(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULT...", help="Folders that were made with --out, or that of a study.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.html", help="New file for the page.")] = Path(
        "report.html"
    ),
    plots: Annotated[Path | None, typer.Option(metavar="DIR", help="New folder for each plot as PNG and SVG.")] = None,
) -> None:
    """Show stored results, several side by side, or a study, as one HTML page that needs no network."""
    from archsim.cli import reporting

    reporting.report(results, out, plots)


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
