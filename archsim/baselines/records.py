"""Stored records: what networks take on a machine, measured by somebody or published, as YAML files with provenance.

A record holds one machine and any number of networks, each known by the structure of its graph. It answers for what was
measured alone: nothing is interpolated, neither between networks nor between numbers of passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

import archsim
from archsim.baselines.platform import Boundary, OperatingPoint, Platform, Source
from archsim.baselines.written import Point, settings
from archsim.config import Document, Model, load, yaml_text
from archsim.errors import ConfigError, nearest
from archsim.hardware.entry import Grade
from archsim.workload.files import write_atomically

FOLDER = Path("arch_configs") / "records"
PUBLISHED = "published"  # folder in it: what papers state
SHIPPED = Path(archsim.__file__).resolve().parents[1]
ABOUT = ("machine", "state", "software", "protocol", "meter")
Facts = dict[str, JsonValue]


class RecordSource(Model):
    """Where the figures of a record come from, and how well they are known."""

    text: str
    grade: Grade


class RecordedNetwork(Model):
    """A network and all that is known of it on this machine."""

    name: str
    structure: str | None = Field(
        None, pattern="^[0-9a-f]{16}$", description="hash of its graph and shapes; null: a publication's, not archsim's"
    )
    checkpoint: str | None = Field(None, pattern="^[0-9a-f]{16}$", description="start of the SHA-256 of its weights")
    date: str | None = Field(None, pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$", description="first measured, or published")
    notes: tuple[str, ...] = ()
    points: tuple[Point, ...]

    @model_validator(mode="after")
    def _points_differ(self) -> Self:
        twice = _repeated(settings(point) for point in self.points)
        if twice:
            raise ValueError(f"two points with the same settings: {', '.join(str(v) for v in twice)}")
        return self

    def passes(self) -> list[int]:
        """Return the numbers of passes that are known, in order."""
        return sorted({p.passes for p in self.points if p.passes is not None})


class Record(Document):
    """A file of measurements of one machine, or of one publication.

    `boundary`: what the energies include; without energies it is null, and `no_energy` says why there are none.
    `machine`, `software`, `protocol`: plain data. `state`: how the machine was when it began, such as clocks.
    """

    SCHEMA: ClassVar[str] = "archsim/record@1"
    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    description: str = ""
    origin: Literal["measured", "published"]
    device: str
    boundary: Boundary | None = None
    no_energy: str | None = None
    meter: str | None = None
    machine: Facts = Field(default_factory=dict)
    state: Facts = Field(default_factory=dict)
    software: Facts = Field(default_factory=dict)
    protocol: Facts = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sources: tuple[RecordSource, ...] = Field(min_length=1)
    networks: tuple[RecordedNetwork, ...] = ()

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if (self.boundary is None) == (self.no_energy is None):
            raise ValueError("needs either 'boundary' (what its energies include) or 'no_energy' (why there are none)")
        if self.boundary is None and any(p.energy or p.dynamic_energy for n in self.networks for p in n.points):
            raise ValueError("has energies, so 'boundary' must say what they include, and 'no_energy' be left out")
        if twice := _repeated(n.structure for n in self.networks if n.structure is not None):
            raise ValueError(f"two networks of the structure {twice}")
        return self

    def platform(self, signature: str, network: str, passes: int) -> Platform:
        """Return what is recorded of the network with this `signature`, at this number of passes.

        `network`: its name, for messages. A publication whose only network has no structure is returned as it is:
        its signature is None, so that nobody takes it for the same network.

        Raises `ConfigError` where this network or this number of passes was not measured, saying which were.
        """
        found = next((n for n in self.networks if n.structure == signature), None)
        if found is None:
            if len(self.networks) == 1 and self.networks[0].structure is None:
                return self._platform(self.networks[0])
            raise ConfigError(self._unknown(network))
        if passes not in found.passes():
            known = ", ".join(str(t) for t in found.passes())
            raise ConfigError(f"record '{self.name}': holds '{found.name}' with T = {known}, not with T = {passes}")
        return self._platform(found, passes)

    def platforms(self) -> Iterator[Platform]:
        """Yield a platform for each network, with all its points."""
        yield from map(self._platform, self.networks)

    def _platform(self, network: RecordedNetwork, passes: int | None = None) -> Platform:
        points = (p.operating_point() for p in network.points)
        about: dict[str, Any] = {name: getattr(self, name) for name in ABOUT}
        about |= {"date": network.date, "checkpoint": network.checkpoint}
        return Platform(
            name=f"record:{self.name}",
            origin="published" if self.origin == "published" else "record",
            device=self.device,
            network=network.name,
            signature=network.structure,
            points=tuple(p for p in points if passes is None or p.passes == passes),
            boundary=self.boundary,
            no_energy=self.no_energy,
            sources=tuple(Source(s.text, s.grade) for s in self.sources),
            about={key: value for key, value in about.items() if value},
            notes=self.notes + network.notes,
        )

    def _unknown(self, network: str) -> str:
        held = ", ".join(n.name for n in self.networks) or "nothing yet"
        if network in (n.name for n in self.networks):
            return f"record '{self.name}': its '{network}' has another structure: layers or shapes differ"
        return (
            f"record '{self.name}': does not hold '{network}', nor another network of its structure; it holds: {held}"
        )


def load_record(path: Path | str) -> Record:
    """Return the record in a file.

    Raises `ConfigError` with every problem of the file; one of another version is refused.
    """
    return load(Record, path)


def save_record(record: Record, path: Path | str) -> Path:
    """Write a record, whole or not at all; `load_record` returns an equal one.

    Raises `ConfigError` where the file cannot be written.
    """
    text = yaml_text(record.model_dump(mode="json", by_alias=True, exclude_defaults=True))
    try:
        return write_atomically(Path(path), text.encode())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from error


def records_at_hand() -> dict[str, Path]:
    """Return the records in `arch_configs/records` here and beside archsim, by the names of their files."""
    folders = [SHIPPED / FOLDER, FOLDER]  # what lies here hides what ships
    return {file.stem: file for folder in folders for file in sorted(folder.rglob("*.yaml"))}


def find_record(name: str | Path) -> Record:
    """Return a record by its name or by the path of its file; `ConfigError` with the nearest name if there is none."""
    path, known = Path(name), records_at_hand()
    if str(name) in known and not path.is_file():
        return load_record(known[str(name)])
    if path.is_file() or path.suffix in (".yaml", ".yml"):
        return load_record(path)
    raise ConfigError(f"no record '{name}'{nearest(str(name), known)}; a path to a .yaml file is one, too")


def published_rivals() -> tuple[Platform, ...]:
    """Return the hardware that the papers compare with, and their own figures, as they state them."""
    files = sorted((SHIPPED / FOLDER / PUBLISHED).glob("*.yaml"))
    return tuple(platform for file in files for platform in load_record(file).platforms())


class RecordWriter:
    """A record on disk that grows point by point: whatever was added is in the file, whole, at any moment.

    A file that is there already is continued. `record`: what is in the file; None where there is none yet.

    Raises `ConfigError` for a file that is no record of this version.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.record = load_record(self.path) if self.path.exists() else None

    def known(self, structure: str | None) -> tuple[OperatingPoint, ...]:
        """Return the points of a network that are in the file."""
        held = self.record.networks if self.record else ()
        return tuple(p.operating_point() for n in held if n.structure == structure for p in n.points)

    def begin(self, head: Record) -> None:
        """Say what is measured on: a record without networks.

        A file that is there keeps its own head: its name, and the state of the machine in which it was begun. It must
        be of the same device, boundary, meter, machine, software and protocol; `ConfigError` names what differs.
        """
        if self.record is None:
            self.record = head
        elif differing := list(_differences(self.record, head)):
            raise ConfigError(f"{self.path}: was measured otherwise, give another file: {'; '.join(differing)}")

    def add(self, network: RecordedNetwork, point: OperatingPoint) -> None:
        """Write a point of a network; one with the same settings is replaced. `network`: what it is, without points.

        Raises `ConfigError` where the file cannot be written.
        """
        written, old = Point.of(point), self._held(network)
        kept = tuple(p for p in old.points if settings(p) != settings(written))
        self._write(old.model_copy(update={"points": (*kept, written)}))

    def note(self, network: RecordedNetwork, notes: Iterable[str]) -> None:
        """Write what a reader of a network's points should know, beside what stands there; errors as for `add`."""
        old = self._held(network)
        self._write(old.model_copy(update={"notes": tuple(dict.fromkeys((*old.notes, *notes)))}))

    def _held(self, network: RecordedNetwork) -> RecordedNetwork:
        assert self.record is not None, "begin first"
        return next((n for n in self.record.networks if n.structure == network.structure), network)

    def _write(self, network: RecordedNetwork) -> None:
        assert self.record is not None, "begin first"
        networks = {n.structure: n for n in self.record.networks} | {network.structure: network}
        self.record = self.record.model_copy(update={"networks": tuple(networks.values())})
        save_record(self.record, self.path)


def _differences(there: Record, here: Record) -> Iterator[str]:
    """Yield in which facts about the setting two records differ."""
    old, new = _setting(there), _setting(here)
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield f"{name}: {_said(old.get(name))} there, {_said(new.get(name))} here"


def _setting(record: Record) -> dict[str, Any]:
    """Return what must stay the same in one file, by name."""
    whole = {"device": record.device, "boundary": record.boundary, "meter": record.meter}
    parts = {"machine": record.machine, "software": record.software, "protocol": record.protocol}
    return whole | {f"{part}.{key}": value for part, facts in parts.items() for key, value in facts.items()}


def _said(value: Any) -> str:
    return "nothing" if value is None else f"'{value}'"


def _repeated(items: Iterable[Any]) -> Any:
    """Return the first item that comes twice, or None."""
    seen: set[Any] = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return None
