"""A result on disk: everything as JSON, the tables as Parquet and CSV, and a manifest of what made it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

from archsim.errors import ConfigError
from archsim.hardware.describe import Row
from archsim.metrics.chips import Batch
from archsim.metrics.result import Result, finite

LIBRARIES = ("numpy", "numba", "simpy", "pydantic", "pandas", "pyarrow")


class _Output(ABC):
    """What appears under its name when its `with` block ends well, and else not at all."""

    kind: ClassVar[str]

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._partial = self.path.absolute().with_name(f".{self.path.absolute().name}.{os.getpid()}.part")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._partial.rename(self.path)
        except OSError as failure:
            raise self._unwritable(failure) from failure
        finally:
            self._discard()

    @abstractmethod
    def _discard(self) -> None:
        """Remove what is left under the temporary name."""

    def _unwritable(self, error: OSError) -> ConfigError:
        return ConfigError(f"output {self.kind} '{self.path}' cannot be written: {error.strerror or error}")


class OutputFolder(_Output):
    """A folder that appears whole or not at all; use it in a `with` statement around the run.

    It is filled under a temporary name beside its place and renamed when the block ends well. A folder that is there
    already, with anything in it, is refused before anything runs, and never touched.

    Raises `ConfigError` if the folder exists or cannot be made.
    """

    kind = "folder"

    def __enter__(self) -> Self:
        try:
            if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
                raise ConfigError(f"output folder '{self.path}' exists already; remove it or choose another")
            self._partial.mkdir(parents=True)
        except OSError as error:
            raise self._unwritable(error) from error
        return self

    def bytes(self, name: str, content: bytes) -> None:
        """Write a file. This and the others raise `ConfigError` where it cannot be written."""
        try:
            (self._partial / name).write_bytes(content)
        except OSError as error:
            raise self._unwritable(error) from error

    def text(self, name: str, content: str) -> None:
        """Write a text file in UTF-8."""
        self.bytes(name, content.encode())

    def json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write plain data without NaN as JSON."""
        self.text(name, json.dumps(content, indent=1, allow_nan=False) + "\n")

    def table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows with the same keys as `name`.parquet and `name`.csv."""
        import pandas as pd  # half a second, which only a run that is kept pays

        frame = pd.DataFrame.from_records(rows)
        try:
            frame.to_csv(self._partial / f"{name}.csv", index=False, lineterminator="\n")
            frame.to_parquet(self._partial / f"{name}.parquet", index=False)
        except OSError as error:
            raise self._unwritable(error) from error

    def _discard(self) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)


class OutputFile(_Output):
    """A text file that appears whole or not at all; use it in a `with` statement around what makes its content.

    Raises `ConfigError` if there is such a file already, which is never touched, or if it cannot be written.
    """

    kind = "file"

    def __enter__(self) -> Self:
        try:
            if self.path.exists() or self.path.is_symlink():
                raise ConfigError(f"output file '{self.path}' exists already; remove it or choose another")
            self._partial.parent.mkdir(parents=True, exist_ok=True)
            self._partial.touch()
        except OSError as error:
            raise self._unwritable(error) from error
        return self

    def text(self, content: str) -> None:
        """Write the content, in UTF-8."""
        try:
            self._partial.write_text(content, encoding="utf-8")
        except OSError as error:
            raise self._unwritable(error) from error

    def _discard(self) -> None:
        self._partial.unlink(missing_ok=True)


class ResultFolder(OutputFolder):
    """A folder for the result of a run."""

    def write(self, result: Result, command: Sequence[str], batch: Batch | None = None) -> None:
        """Write result.json, layers and energy as .parquet and .csv, and manifest.json.

        `energy` has a row for each layer, part and action, over the whole run; `layers` a row for each layer. `batch`:
        many chips, whose result this is; then `chips` has a row for each of them.
        """
        self.json("result.json", batch.to_dict() if batch else result.to_dict())
        if batch:
            values = batch.values()
            self.table("chips", [{"chip": i, **{k: v[i] for k, v in values.items()}} for i in range(len(batch))])
        self.costs(result)
        self.json("manifest.json", manifest(result, command) | assumptions(result))

    def costs(self, result: Result) -> None:
        """Write the tables `layers` and `energy`."""
        self.table("layers", [asdict(row) for row in result.layers])
        self.table("energy", [_energy_row(asdict(row)) for row in result.energy])


class Made(Protocol):
    """Anything that a configuration and a seed made."""

    @property
    def seed(self) -> int:
        """Seed of everything random."""

    @property
    def config_hash(self) -> str:
        """A hash of `config`."""

    @property
    def config(self) -> Mapping[str, Any]:
        """Everything that made the result, expanded."""


def manifest(result: Made, command: Sequence[str]) -> dict[str, Any]:
    """Return what is needed to repeat a run: the whole expanded configuration, versions, command, seed, machine."""
    return {
        "command": list(command),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": result.seed,
        "config_hash": result.config_hash,
        "config": result.config,
        "versions": {
            "archsim": version("archsim"),
            "python": platform.python_version(),
            **{name: version(name) for name in LIBRARIES},
        },
        "platform": {"system": platform.platform(), "machine": platform.machine(), "byte_order": sys.byteorder},
    }


class Priced(Protocol):
    """Anything that a chip with known figures made."""

    @property
    def figures(self) -> Sequence[Row]:
        """Every number that the chip was built from."""

    @property
    def citations(self) -> Mapping[str, str]:
        """What the keys of their sources stand for."""


def assumptions(result: Priced) -> dict[str, Any]:
    """Return every number that the chip was built from, and what the keys of their sources stand for."""
    return {"figures": [finite(asdict(row)) for row in result.figures], "citations": dict(result.citations)}


def _energy_row(row: dict[str, Any]) -> dict[str, Any]:
    """Name the unit in the columns."""
    renamed = {"value": "energy_j", "low": "energy_low_j", "high": "energy_high_j"}
    return {renamed.get(key, key): value for key, value in row.items()}
