"""What simulates: the arguments of the commands and their help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archsim.cli.commands.options import Arch, Chip, Grain, Json, Network, Schedule, Settings


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
    schedule: Schedule = None,
    grain: Grain = None,
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
    stopping: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help="Stop images by this rule: curtailed, 'margin 0.9', 'hoeffding 0.05'; may be repeated [with"
            " --adaptive: curtailed, hoeffding 0.05, margins 0.95, 0.8, 0.5].",
        ),
    ] = None,
    passes: Annotated[int | None, typer.Option(help="Monte-Carlo passes of each image [the workload's].")] = None,
    images: Annotated[int | None, typer.Option(help="Test images [the workload's].")] = None,
    chips: Annotated[int | None, typer.Option(metavar="N", help="Evaluate N sampled chips, all in turn.")] = None,
    chip: Chip = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    schedule: Schedule = None,
    grain: Grain = None,
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
            chip,
            schedule,
            grain,
            tuple(settings or ()),
            tuple(ood) if ood else None,
            tuple(corruptions) if corruptions else None,
            rotation_step,
            adaptive or bool(stopping),
            evaluating.rules(stopping or ()),
        ),
        as_json=as_json,
        out=out,
    )


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
