"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Arch = Annotated[Path, typer.Argument(metavar="ARCH.yaml", help="The chip.")]
Network = Annotated[Path, typer.Argument(metavar="WORKLOAD", help="A workload file (.yaml) or a trace file.")]
WorkloadFile = Annotated[Path, typer.Argument(metavar="WORKLOAD.yaml", help="The workload file.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=C", help="Override one value of the YAML file; may be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, in SI units, and nothing else.")]
