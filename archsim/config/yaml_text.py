"""Plain data as YAML text that `read_yaml` reads back as the very same data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from archsim.config.yaml_file import plain_scalar

WIDTH = 120


def yaml_text(data: Mapping[str, Any]) -> str:
    """Return mappings, lists, text, numbers, booleans and nulls as YAML; what holds no deeper mapping is one line.

    Not for text with lone surrogates, which no file can hold, nor for keys named `<<`, which YAML 1.1 gave a meaning.
    """
    text: str = yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH, default_flow_style=None
    )
    return text


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    """Return the node of a string, in quotes where a YAML 1.2 reader would take it for something else.

    PyYAML quotes by YAML 1.1, where `1e-12` is text.
    """
    plain = value.isprintable() and plain_scalar(value) == value
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')


_FASTEST = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_Dumper: Any = type("_Dumper", (_FASTEST,), {"ignore_aliases": lambda *_: True})
_Dumper.add_representer(str, _text)
