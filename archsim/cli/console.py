"""Where the command line writes: results on stdout, everything else (progress, warnings) on stderr."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

NARROW, WIDE = 80, 100
Note = Callable[[str, int, int], None]


def print_all(renderables: Iterable[RenderableType]) -> None:
    """Print tables and lines on stdout, 80 to 100 columns wide, in colour only on a terminal."""
    width = min(WIDE, max(NARROW, shutil.get_terminal_size((WIDE, 24)).columns))
    console = Console(file=sys.stdout, width=width, highlight=False, markup=False)
    for renderable in renderables:
        console.print(renderable)


def print_json(data: Any) -> None:
    """Print one JSON object on stdout; there is no NaN in it, for JSON has none."""
    typer.echo(json.dumps(data, indent=2, allow_nan=False))


def say(what: str) -> None:
    """Say on stderr what is going on."""
    typer.echo(what, err=True)


def warn(messages: Iterable[str]) -> None:
    """Print warnings on stderr."""
    for message in messages:
        typer.echo(f"warning: {message}", err=True)


@contextmanager
def progress_bar() -> Iterator[Note]:
    """Show a bar on stderr, if that is a terminal; yields what is to be called with (what, done, of how many)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def note(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done, total=of)

        yield note
