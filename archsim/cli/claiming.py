"""`archsim claims`: the published claims beside what archsim finds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from archsim.claims.bench import Bench
from archsim.claims.rivals import rivals
from archsim.claims.table import claims_table
from archsim.cli.console import print_all, print_json, say, warn
from archsim.errors import DataError
from archsim.report.claims import claims_data, claims_markdown, claims_report, claims_tables
from archsim.report.export import OutputFolder, manifest


def claims(only: Sequence[str], *, images: int, seed: int, as_json: bool, out: Path | None) -> None:
    """Find a value for every claim, or for some, and print the table; keep it as markdown and JSON if asked to."""
    command = " ".join(["archsim", *sys.argv[1:]])
    with ExitStack() as stack:
        folder = stack.enter_context(OutputFolder(out)) if out else None
        bench = Bench(images=images, seed=seed, say=say)
        rows = list(claims_table(bench, only))
        beside = []
        if not only:
            try:
                beside = list(rivals(bench))
            except DataError as error:
                warn([f"the rivals are left out: {error}"])
        data = claims_data(rows, beside)
        if folder:
            folder.json("claims.json", data)
            for name, table in claims_tables(data).items():
                folder.table(name, table)
            folder.json("manifest.json", manifest(bench, ["archsim", *sys.argv[1:]]))
            folder.text("claims.md", claims_markdown(rows, beside, command))
    if as_json:
        print_json(data)
    else:
        print_all(claims_report(rows, beside))
