"""Strict YAML files: data only, YAML 1.2 scalars, one optional `base:` that is merged in, and overrides by path.

PyYAML's parser is used for its events alone. The values are built here, because its loaders follow YAML 1.1, where
`1e-12` is text, `no` is false and `1:30` is ninety, where the second of two equal keys wins silently, and where a few
aliases expand to gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from archsim.errors import ConfigError

MAX_BYTES = 4 * 2**20
MAX_DEPTH = 40
MAX_NODES = 200_000

Event = Any  # the stubs do not say what each kind of event holds

_PARSER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}|0x[0-9a-fA-F]{1,200}|0o[0-7]{1,200}")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


def read_yaml(path: Path | str) -> dict[str, Any]:
    """Return the content of a file, with the file that its `base:` names (relative to it) merged underneath.

    Mappings are merged key by key; lists and scalars replace. A mapping of another `kind`, or with a `value` of its
    own, replaces as a whole: half of one converter, or the source of another number, must not shine through.

    Raises:
        ConfigError: missing, unreadable, too large, not YAML, an unsafe tag, a duplicate key, a cycle of bases.
    """
    return _read(Path(path), ())


def origin(path: Path | str, key: str) -> Path:
    """Return the file that states a top-level key, among a readable file and its bases: names in it are relative to it.

    The file itself where none of them does.
    """
    place = Path(path)
    while True:
        data = load_text(_text_of(place), str(place))
        if key in data:
            return place
        if "base" not in data:
            return Path(path)
        place = place.parent / data["base"]


def override(data: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Return a copy with `"path.to.key=value"` settings applied; values are read as YAML, list items by their number.

    Raises:
        ConfigError: a setting without `=`, or a path that leads through a value that holds no keys.
    """
    result = dict(data)
    for setting in settings:
        path, equals, text = setting.partition("=")
        keys = path.strip().split(".")
        if not equals or not all(keys):
            raise ConfigError(f"--set {setting}: expected path.to.key=value")
        value = load_text(text, f"--set {setting}")
        result = _assign(result, keys, value, setting)
    return result


def merge(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `top` laid over it; see `read_yaml` for the rule."""
    result = dict(base)
    for key, value in top.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and not _replaces(old, value):
            result[key] = merge(old, value)
        else:
            result[key] = value
    return result


def load_text(text: str, where: str) -> Any:
    """Return the value of one YAML document; ConfigError that names `where` and the line of what is wrong."""
    builder = _Builder(where)
    try:
        return builder.document(yaml.parse(text, Loader=_PARSER))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
        raise ConfigError(f"{where}: {line}{what}") from None


def _read(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    text = _text_of(path)
    place = path.resolve()
    if place in above:
        chain = " -> ".join(p.name for p in (*above, place))
        raise ConfigError(f"{above[-1].name}: base: the files are based on each other: {chain}")
    data: Any = load_text(text, str(path))
    if not isinstance(data, dict):
        what = "it is empty" if data is None else f"found {_kind(data)}"
        raise ConfigError(f"{path}: expected keys and values at the top, {what}")
    base: Any = data.pop("base", None)
    if base is None:
        return data
    if not isinstance(base, str):
        raise ConfigError(f"{path}: base: expected the name of a file, got {base!r}")
    return merge(_read(path.parent / base, (*above, place)), data)


def _text_of(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ConfigError(f"{path}: {size} bytes are too many for a configuration (at most {MAX_BYTES})")
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a folder, expected a YAML file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not text (UTF-8), expected a YAML file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ConfigError(f"{path}: cannot be read: {error}") from None


def _replaces(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return "value" in new or ("kind" in new and new["kind"] != old.get("kind"))


def _assign(node: Any, keys: list[str], value: Any, setting: str) -> Any:
    """Return a copy of the node with the value at the path of keys, making mappings on the way."""
    if not keys:
        return value
    key, rest = keys[0], keys[1:]
    if node is None or isinstance(node, Mapping):
        old = node or {}
        return {**old, key: _assign(old.get(key), rest, value, setting)}
    if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
        return [_assign(item, rest, value, setting) if i == int(key) else item for i, item in enumerate(node)]
    what = f"a list of {len(node)} items" if isinstance(node, list) else f"the value {node!r}"
    raise ConfigError(f"--set {setting}: '{key}' does not lead into {what}")


def _kind(data: object) -> str:
    return "a list" if isinstance(data, list) else f"the value {str(data)[:60]!r}"


class _Builder:
    """Builds one document from parser events, counting what aliases expand to."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._nodes = 0
        self._anchors: dict[str, tuple[Any, int]] = {}  # value, and how many nodes it holds when written out

    def document(self, events: Iterator[Event]) -> Any:
        value: Any = None
        seen = False
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if seen:
                    self._fail(event, "a second document; expected one a file")
                seen = True
                value = self._node(next(events), events, 0)
        return value

    def _node(self, event: Event, events: Iterator[Event], depth: int) -> Any:
        before = self._nodes
        self._count(event, 1)
        if depth > MAX_DEPTH:
            self._fail(event, f"nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.tag is not None:
            self._fail(event, f"the tag '{event.tag}' is not allowed; configurations are plain data")
        if isinstance(event, yaml.ScalarEvent):
            unquoted = event.implicit[0]
            value = plain_scalar(event.value) if unquoted else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(events, depth)
        else:
            value = self._mapping(events, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._nodes - before)
        return value

    def _sequence(self, events: Iterator[Event], depth: int) -> list[Any]:
        items = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._node(event, events, depth + 1))
        return items

    def _mapping(self, events: Iterator[Event], depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._fail(event, "a key must be a plain word")
            key = event.value
            if key == "<<":
                self._fail(event, "merge keys ('<<') are not YAML 1.2; use one `base:`")
            if key in result:
                self._fail(event, f"the key '{key}' appears twice")
            self._count(event, 1)
            result[key] = self._node(next(events), events, depth + 1)
        return result

    def _alias(self, event: Event) -> Any:
        if event.anchor not in self._anchors:
            self._fail(event, f"the alias '*{event.anchor}' names nothing above it")
        value, size = self._anchors[event.anchor]
        self._count(event, size)
        return value

    def _count(self, event: Event, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            self._fail(event, f"more than {MAX_NODES} values once its aliases are written out")

    def _fail(self, event: Event, what: str) -> None:
        raise ConfigError(f"{self._where}: line {event.start_mark.line + 1}: {what}")


def plain_scalar(text: str) -> Any:
    """Return the value of an unquoted scalar by the core schema of YAML 1.2.2, section 10.3.2."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text
