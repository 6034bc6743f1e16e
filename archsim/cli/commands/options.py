"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Arch = Annotated[Path, typer.Argument(metavar="ARCH.yaml", help="The chip.")]
Network = Annotated[Path, typer.Argument(metavar="WORKLOAD", help="A workload file (.yaml) or a trace file.")]
WorkloadFile = Annotated[Path, typer.Argument(metavar="WORKLOAD.yaml", help="The workload file.")]
FileSettings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=C", help="Override one value of the YAML file; may be repeated."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="A.B=C",
        help="Override one value of the architecture, of the workload (workload.A.B=C), or of the component library"
        " (library.A.B=C, within the range that it states); may be repeated.",
    ),
]
Chip = Annotated[int, typer.Option(min=0, metavar="K", help="Which sampled chip of an imperfect design.")]
Schedule = Annotated[
    str | None, typer.Option(help="layer_by_layer, pipelined_layers or pipelined_passes [the architecture's].")
]
Grain = Annotated[str | None, typer.Option(help="What one event carries: position, row or map [the architecture's].")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, in SI units, and nothing else.")]
