"""The folder of a study: which stores lie there, and whether they are of this study."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archsim.errors import ConfigError, StoreError
from archsim.study import schema

_SHOWN = 4  # differences


@dataclass(frozen=True)
class Kept:
    """What a store says of itself. `study`: None in one just made. `results`: whether it holds any."""

    study: Mapping[str, Any] | None
    file: str
    opened: str
    results: bool

    @staticmethod
    def of(connection: sqlite3.Connection) -> Kept:
        """Read it."""
        meta = dict(connection.execute("SELECT name, value FROM meta"))
        found = connection.execute("SELECT EXISTS (SELECT 1 FROM outcomes) OR EXISTS (SELECT 1 FROM functions)")
        study = json.loads(meta["study"]) if "study" in meta else None
        return Kept(study, meta.get("file", ""), meta.get("opened", ""), bool(found.fetchone()[0]))

    def differs(self, study: Mapping[str, Any]) -> bool:
        """Tell whether this is of another study; the order of axes counts, as it numbers the points."""
        return self.study is not None and json.dumps(self.study) != json.dumps(study)

    def refused(self, path: Path, study: Mapping[str, Any]) -> ConfigError:
        """Return the error that says what has changed."""
        before, after = _flat(self.study), _flat(study)
        changed = [
            f"{key}: {_said(before, key)} is now {_said(after, key)}"
            for key in [*dict.fromkeys([*before, *after])]
            if before.get(key, before) != after.get(key, after)
        ] or ["the order of its keys"]
        more = [f"and {len(changed) - _SHOWN} more"] if len(changed) > _SHOWN else []
        return ConfigError(
            f"{path}: holds results of this study as it was before it changed ({'; '.join(changed[:_SHOWN] + more)}); "
            "--resume keeps those that still count, or choose another folder"
        )


def stores(folder: Path) -> list[Path]:
    """Return the stores in a folder, by name, but for those just being made; StoreError where it cannot be read."""
    try:
        return sorted(path for path in folder.glob("*.sqlite") if path.is_file() and path.stat().st_size)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be read: {error.strerror or error}") from error


def check(folder: Path, study: Mapping[str, Any], *, resume: bool, but: Path) -> None:
    """Refuse a folder that holds other things than this study's stores; `but` is left to be checked by its writer."""
    try:
        used = folder.is_dir() and any(".sqlite" not in path.name for path in folder.iterdir())
        exists = folder.exists()
    except OSError as error:
        raise StoreError(f"{folder}: cannot be read: {error.strerror or error}") from error
    if exists and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file; a study needs a folder")
    there = stores(folder)
    if used and not there:
        raise ConfigError(f"{folder}: holds other things, but no study; choose another folder")
    if resume and not there:
        raise ConfigError(f"{folder}: there is nothing to resume; leave out --resume")
    for path in there:
        if path == but:
            continue
        with schema.reading(path) as connection:
            kept = Kept.of(connection)
        if kept.differs(study) and kept.results and not resume:
            raise kept.refused(path, study)


def _flat(data: Any, path: str = "") -> dict[str, Any]:
    """Return nested mappings as one, by dotted path."""
    if not isinstance(data, Mapping) or not data:
        return {path: data}
    return {k: v for key, value in data.items() for k, v in _flat(value, f"{path}.{key}" if path else key).items()}


def _said(flat: Mapping[str, Any], key: str) -> str:
    text = json.dumps(flat[key]) if key in flat else "absent"
    return text if len(text) <= 60 else text[:57] + "..."
