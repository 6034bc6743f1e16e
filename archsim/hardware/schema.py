"""Writes the JSON Schema of architecture files for editors: `python -m archsim.hardware.schema FILE`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from archsim.config import json_schema
from archsim.hardware.arch import ArchConfig


def write_schema(path: Path) -> None:
    """Write the schema of `ArchConfig`."""
    path.write_text(json.dumps(json_schema(ArchConfig), indent=1) + "\n")


if __name__ == "__main__":
    write_schema(Path(sys.argv[1]))
