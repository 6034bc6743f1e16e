"""Results that `--out` stored, read back; refused in one sentence where they are not what this archsim writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from archsim.config import Model, validate
from archsim.errors import ConfigError, DataError, nearest
from archsim.report.html.formats import ComparisonFile, Manifest, ResultFile, UncertaintyFile

Content = ResultFile | UncertaintyFile | ComparisonFile
M = TypeVar("M", bound=Model)
RESULT, MANIFEST = "result.json", "manifest.json"
WORDS = {ResultFile.SCHEMA: "run", UncertaintyFile.SCHEMA: "evaluation", ComparisonFile.SCHEMA: "comparison"}
KINDS: Mapping[str, type[Content]] = {kind.SCHEMA: kind for kind in (ResultFile, UncertaintyFile, ComparisonFile)}


@dataclass(frozen=True, eq=False)
class Stored:
    """One stored result.

    `name`: of its folder. `data`: what `result.json` holds; `content`: the same, checked. `manifest`: what made it.
    """

    name: str
    data: Mapping[str, Any]
    content: Content
    manifest: Manifest

    @property
    def word(self) -> str:
        """What it is called by people."""
        return WORDS[self.content.SCHEMA]

    @classmethod
    def of(cls, name: str, data: Mapping[str, Any], manifest: Mapping[str, Any]) -> Stored:
        """Return what would be read back of these files; raises `DataError` as `read_stored` does."""
        kind = _kind(f"{name}/{RESULT}", data)
        return cls(
            name, data, _checked(kind, f"{name}/{RESULT}", data), _checked(Manifest, f"{name}/{MANIFEST}", manifest)
        )


def read_stored(path: Path | str) -> Stored:
    """Return what a folder holds that `run`, `evaluate` or `compare` made with `--out`.

    Raises `DataError` where the folder or a file is missing, a file is not JSON, or it is not of a kind and version
    that this archsim writes.
    """
    folder = Path(path)
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise DataError(f"result '{path}' {what}; name a folder that was made with --out")
    data, manifest = _json(folder / RESULT), _json(folder / MANIFEST)
    return Stored.of(str(path), data, manifest)


def _json(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except FileNotFoundError:
        raise DataError(f"{file}: missing; name a folder that was made with --out") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:  # ValueError: also bytes that are no text
        raise DataError(f"{file}: is not JSON ({error}); make the result again") from None
    if not isinstance(data, dict):
        raise DataError(f"{file}: holds no JSON object; make the result again")
    return data


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _kind(file: str, data: Mapping[str, Any]) -> type[Content]:
    schema = data.get("schema")
    if schema is None:
        raise DataError(f"{file}: has no schema: another archsim made it; run the command in its {MANIFEST} again")
    if schema in KINDS:
        return KINDS[schema]
    word, _, version = str(schema).partition("@")
    known = next((s for s in KINDS if s.startswith(f"{word}@")), None)
    if known is None or not version:
        raise DataError(f"{file}: schema: unknown '{schema}'{nearest(str(schema), KINDS)}")
    raise DataError(
        f"{file}: schema: '{schema}' is of another version than this archsim's '{known}';"
        f" run the command in its {MANIFEST} again, or report it with the archsim that made it"
    )


def _checked(kind: type[M], file: str, data: Mapping[str, Any]) -> M:
    try:
        return validate(kind, data, file)
    except ConfigError as error:
        first, *others = error.problems
        more = f" (and {len(others)} more)" if others else ""
        raise DataError(f"{first}{more}; the file was changed or cut off: make the result again") from None
