"""The command line: `archsim run`, `evaluate`, `check`, `show` and others.

Importing it loads none of the heavy packages; each command imports what it needs when it is called.
"""

from __future__ import annotations

from archsim.cli.app import main

__all__ = ["main"]
