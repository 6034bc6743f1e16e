"""How commands end: the exit code for each kind of failure, and one clear line on stderr."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from archsim.errors import ArchsimError

WRONG_INPUT = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
BROKEN_PIPE = 141  # 128 + SIGPIPE


class Commands(TyperGroup):
    """The group of all commands: turns errors of the user's input into a message, and lists commands as written."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command; leave with the exit code that tells how it ended."""
        try:
            outcome = super().invoke(ctx)
            sys.stdout.flush()
        except ArchsimError as error:
            for line in str(error).splitlines():
                typer.echo(f"error: {line}", err=True)
            raise typer.Exit(WRONG_INPUT) from None
        except KeyboardInterrupt as stop:
            typer.echo(f"interrupted: {stop}" if str(stop) else "interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # what is left in the buffer must not raise again when the interpreter flushes it at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(BROKEN_PIPE) from None
        return outcome
