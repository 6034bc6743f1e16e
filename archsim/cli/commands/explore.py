"""What runs many design points: the arguments of the commands and their help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archsim.cli.commands.options import Json, Settings

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study file.")]
Folder = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder of the study, made or continued [out/NAME].")
]
Workers = Annotated[
    int | None, typer.Option(metavar="N", help="Processes, or SLURM jobs [as many as there are processors].")
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Compute on a Dask cluster: tcp://host:port; or start one: local, slurm."),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on although the study file has changed; what still counts is kept.")
]
NoPage = Annotated[bool, typer.Option("--no-page", help="Leave out report.html, which takes seconds to draw.")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Also run again what failed before.")]


def sweep(
    study: StudyFile,
    out: Folder = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Run one of N parts, each in a store of its own in the folder.")
    ] = None,
    resume: Resume = False,
    retry_failed: RetryFailed = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the points and an estimate of the time; write nothing.")
    ] = False,
    no_page: NoPage = False,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Evaluate every point of a study; interrupted or killed, the same command goes on from there."""
    from archsim.cli import campaigning, sweeping

    options = campaigning.Options(out, workers, scheduler, shard, resume, retry_failed, not no_page)
    sweeping.sweep(study, tuple(settings or ()), options, dry_run=dry_run, as_json=as_json)


def search(
    study: StudyFile,
    out: Folder = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, max=1_000_000, metavar="N", help="Points to try [the study's]; more go on with --resume."),
    ] = None,
    resume: Resume = False,
    retry_failed: RetryFailed = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what is tried first and an estimate of the time; write nothing.")
    ] = False,
    no_page: NoPage = False,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Look for the best points of a study among more than can all be tried; goes on as `sweep` does."""
    from archsim.cli import campaigning, searching

    options = campaigning.Options(out, workers, scheduler, None, resume, retry_failed, not no_page)
    searching.search(study, tuple(settings or ()), options, trials, dry_run=dry_run, as_json=as_json)


def pareto(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a study, complete or not.")],
    objectives: Annotated[
        list[str] | None,
        typer.Option(
            "--objective", metavar="NAME=min|max", help="What is sought; may be repeated [the study's objectives]."
        ),
    ] = None,
    limits: Annotated[
        list[str] | None,
        typer.Option(
            "--limit",
            metavar="'NAME<=VALUE'",
            help="What a figure may be, such as 'latency_s_per_image<=50 us'; may be repeated [the study's limits].",
        ),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="AXIS", help="A front for each value of an axis; may be repeated [one front]."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Points of a front that are listed.")] = 15,
    as_json: Json = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="New folder for the front and all plots.")
    ] = None,
) -> None:
    """Show the best points of a study: those that no other beats, the settings and the commands that make them."""
    from archsim.cli import studying

    studying.pareto(folder, objectives or (), limits or (), by or (), top=top, as_json=as_json, out=out)
