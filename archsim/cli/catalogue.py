"""`archsim schema`, `archsim list`: what may be written, and what is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from rich.console import RenderableType
from rich.text import Text

import archsim
from archsim.baselines.calibration.measurements import Measurements
from archsim.baselines.device import Device, Family
from archsim.baselines.records import Record
from archsim.cli.console import print_all, print_json
from archsim.config import Document, json_schema, read_yaml
from archsim.hardware.arch import ArchConfig
from archsim.hardware.entry import Entry, Formula
from archsim.hardware.library import SECTIONS, LibraryFile
from archsim.report.layout import Cell, heading, table
from archsim.study import StudyConfig
from archsim.workload.spec import WorkloadConfig

FOLDERS = {
    "arch_configs": "Chips",
    "workloads": "Workloads",
    "studies": "Studies",
    "arch_configs/gpu": "Modelled GPUs",
    "arch_configs/gpu/published": "Published GPU measurements",
    "arch_configs/records": "Measurements",
    "arch_configs/records/published": "Published rivals",
}
MODELS: dict[str, type[Document]] = {
    "arch": ArchConfig, "workload": WorkloadConfig, "record": Record, "gpu": Device, "gpu_family": Family,
    "measurements": Measurements, "study": StudyConfig,
}  # fmt: skip
CHOICES = ("device", "strategy", "replication", "placement", "overflow", "schedule", "grain", "scope", "kind")


def print_schema(kind: str) -> None:
    """Print the JSON Schema of a kind of file, for editors."""
    print_json(json_schema(MODELS[kind]) if kind in MODELS else _library_schema())


def print_catalogue() -> None:
    """Print the chips, libraries and workloads that lie here or beside archsim, and the choices for their parts."""
    print_all(_catalogue())


def _library_schema() -> dict[str, Any]:
    """Return the schema of a library: its head, and sections that are trees of entries of any depth."""
    schema = json_schema(LibraryFile)
    group = {"type": "object", "additionalProperties": {"$ref": "#/$defs/Node"}}
    leaves = {"Entry": Entry.model_json_schema(), "Formula": Formula.model_json_schema()}
    schema.setdefault("$defs", {}).update(leaves)
    schema["$defs"]["Node"] = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in leaves] + [group]}
    schema["properties"] |= dict.fromkeys(SECTIONS, group)
    return schema


def _catalogue() -> Iterator[RenderableType]:
    shipped = Path(archsim.__file__).resolve().parents[1]
    for folder, title in FOLDERS.items():
        places = [p for p in dict.fromkeys([Path(folder).resolve(), shipped / folder]) if p.is_dir()]
        for place in places:
            if files := list(_files(place)):
                yield heading(f"{title} in {_near(place)}")
                yield table(["", ""], files)
    yield heading("Choices in an architecture")
    yield table(["", ""], ([path, " | ".join(words)] for path, words in _choices(ArchConfig).items()))


def _near(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _files(place: Path) -> Iterator[list[Cell]]:
    for file in sorted(place.glob("[!_]*.yaml")):  # what begins with an underscore is there for others to build on
        yield [file.name, Text(str(read_yaml(file).get("description", "")), "dim")]


def _choices(model: type[BaseModel], above: str = "") -> dict[str, list[str]]:
    """Return the words that each field of a model takes, by path."""
    found: dict[str, list[str]] = {}
    for name, field in model.model_fields.items():
        for part in _parts(field.annotation):
            path = f"{above}.{name}" if above else name
            if get_origin(part) is Literal:
                words = [w for w in get_args(part) if isinstance(w, str)]
                known = found.setdefault(path, []) if words else []
                known += [w for w in words if w not in known]
            elif isinstance(part, type) and issubclass(part, BaseModel):
                for deeper, words in _choices(part, path).items():
                    known = found.setdefault(deeper, [])
                    known += [w for w in words if w not in known]
    return {path: words for path, words in found.items() if path.rpartition(".")[2] in CHOICES}


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield the alternatives of an annotation."""
    arguments = get_args(annotation)
    if arguments and get_origin(annotation) is not Literal:
        for argument in arguments:
            yield from _parts(argument)
    else:
        yield annotation
