"""The command line: all commands under one name, and how it ends."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from archsim.cli.commands import COMMANDS
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


for name, command in COMMANDS.items():
    app.command(name)(command)


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
