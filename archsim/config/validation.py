"""From plain data to a checked model, with every problem found said at once; and back to data, hash and JSON Schema."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from archsim.config.model import Document, Model
from archsim.config.yaml_file import override, read_yaml
from archsim.errors import ConfigError, nearest

M = TypeVar("M", bound=Model)

_SAYS_WHAT_IT_GOT = frozenset(
    {
        "extra_forbidden",
        "literal_error",
        "missing",
        "quantity",
        "union_tag_invalid",
        "union_tag_not_found",
        "value_error",
    }
)


def load(model_type: type[M], path: Path | str, overrides: Iterable[str] = ()) -> M:
    """Return the model that a YAML file describes, its `base:` merged and `path.to.key=value` overrides applied."""
    return validate(model_type, override(read_yaml(path), overrides), str(path))


def validate(model_type: type[M], data: Mapping[str, Any], where: str) -> M:
    """Return the model that the data describe.

    Raises:
        ConfigError: all problems, one line each: `where: path.to.field: what is wrong (nearest valid name)`.
    """
    if issubclass(model_type, Document):
        _check_schema(model_type.SCHEMA, data, where)
    try:
        text = json.dumps(data)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: holds something that is not plain data: {error}") from None
    try:
        # from JSON rather than from objects: pydantic is then strict about types, but takes a list for a tuple
        return model_type.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(_problems(error, model_type, data, where)) from None


def dump(model: BaseModel) -> dict[str, Any]:
    """Return a model as plain data, quantities with their units, which `validate` reads back as the same model."""
    data: dict[str, Any] = model.model_dump(mode="json", by_alias=True)
    return data


def content_hash(content: BaseModel | Mapping[str, Any] | list[Any]) -> str:
    """Return the SHA-256 (hex) of a model or of JSON-like data; it does not depend on the order of keys."""
    data = dump(content) if isinstance(content, BaseModel) else content
    try:
        text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"cannot hash: {error}") from None
    return hashlib.sha256(text.encode()).hexdigest()


def json_schema(model_type: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a file, for editors.

    A document may have a `base:`, and any part of it may then be left to that file; so nothing is required here.
    """
    schema = _without_numeric_defaults(model_type.model_json_schema(by_alias=True))
    if issubclass(model_type, Document):
        schema = _without_required(schema)
        schema["properties"]["schema"]["const"] = model_type.SCHEMA
        schema["properties"]["base"] = {"type": "string", "description": "file that this one is laid over"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _without_required(schema: Any) -> Any:
    """Drop `required`; then `kind` no longer tells alternatives apart, so `oneOf` must become `anyOf`."""
    if isinstance(schema, list):
        return [_without_required(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {k: v for k, v in schema.items() if not (k == "required" and isinstance(v, list)) and k != "discriminator"}
    return {("anyOf" if k == "oneOf" else k): _without_required(v) for k, v in kept.items()}


def _without_numeric_defaults(schema: Any) -> Any:
    """Drop the default of quantities, which pydantic states as the SI number: in a file only text is valid."""
    if isinstance(schema, list):
        return [_without_numeric_defaults(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    wrong = schema.get("type") == "string" and isinstance(schema.get("default"), (int, float))
    return {k: _without_numeric_defaults(v) for k, v in schema.items() if not (wrong and k == "default")}


def _check_schema(expected: str, data: Mapping[str, Any], where: str) -> None:
    found = data.get("schema")
    if found == expected:
        return
    if found is None:
        raise ConfigError(f"{where}: schema: missing; the file must say 'schema: {expected}'")
    same_kind = str(found).partition("@")[0] == expected.partition("@")[0]
    hint = " (another version of the same kind of file)" if same_kind else ""
    raise ConfigError(f"{where}: schema: expected '{expected}', got '{found}'{hint}")


def _problems(error: ValidationError, model_type: type[BaseModel], data: object, where: str) -> Iterator[str]:
    """Yield one line for each place in the data; alternatives of a union at one place are joined by 'or'."""
    found: dict[str, dict[str, str]] = {}  # place -> what is wrong -> what was given there
    for problem in error.errors(include_url=False):
        path, owners = _locate(problem["loc"], model_type, data, problem["type"])
        found.setdefault(".".join(path), {})[_say(problem, owners)] = _given(problem)
    for place, words in found.items():
        given = next((g for g in words.values() if g), "")
        yield ": ".join(part for part in (where, place, " or ".join(words) + given) if part)


def _locate(
    loc: tuple[int | str, ...], model_type: type[BaseModel], data: object, kind: str
) -> tuple[list[str], list[type[BaseModel]]]:
    """Return the path as the user wrote it, and the models that may own its last key.

    Pydantic's location also names the alternative of a union that it tried; those names are no keys of the data.
    """
    path: list[str] = []
    owners: list[type[BaseModel]] = [model_type]
    for index, key in enumerate(loc):
        last = index == len(loc) - 1
        if isinstance(data, Mapping) and (key in data or (last and kind == "missing")):
            path.append(str(key))
            data = data.get(str(key))
            owners = owners if last else _models_in(owners, str(key))
        elif isinstance(data, list) and isinstance(key, int):
            path.append(str(key))
            data = data[key] if key < len(data) else None
        else:
            owners = [m for m in owners if _is_alternative(m, str(key))] or owners
    return path, owners


def _models_in(owners: list[type[BaseModel]], key: str) -> list[type[BaseModel]]:
    """Return the models that a field of one of the owners may hold, however deep in its annotation."""
    fields = [f for m in owners for n, f in m.model_fields.items() if key in (n, f.alias)]
    models = [m for field in fields for m in _models_of(field.annotation)]
    return models or owners


def _models_of(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_of(argument)


def _is_alternative(model: type[BaseModel], tag: str) -> bool:
    kind = model.model_fields.get("kind")
    return model.__name__ == tag or (kind is not None and tag in get_args(kind.annotation))


def _say(problem: Any, owners: list[type[BaseModel]]) -> str:
    """Return what is wrong, in words, with the nearest valid name where there is one."""
    kind, given, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        names = {field.alias or name for model in owners for name, field in model.model_fields.items()}
        return f"unknown key{nearest(str(problem['loc'][-1]), names)}"
    if kind == "missing":
        return "is missing"
    if kind in ("literal_error", "union_tag_invalid"):
        word = context.get("tag", given)
        if words := _expected(context):
            return f"unknown value {word!r}{nearest(str(word), words)}"
        return f"must be {context['expected']}, got {json.dumps(given)}"
    if kind == "union_tag_not_found":
        return f"needs the key {context['discriminator']}"
    text: str = problem["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return text if kind in _SAYS_WHAT_IT_GOT else f"{text[0].lower()}{text[1:]}"


def _given(problem: Any) -> str:
    given = problem["input"]
    if problem["type"] in _SAYS_WHAT_IT_GOT or isinstance(given, (dict, list)):
        return ""
    return f", got {str(given)[:60]!r}" if isinstance(given, str) else f", got {json.dumps(given)}"


def _expected(context: Mapping[str, Any]) -> list[str]:
    """Return the allowed words, which pydantic gives as `'a', 'b' or 'c'`."""
    return re.findall(r"'([^']*)'", str(context.get("expected") or context.get("expected_tags", "")))
