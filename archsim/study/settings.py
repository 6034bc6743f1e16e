"""What a design point sets, read: settings of the run with their types, all others as text for `--set`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from archsim.comparison import KINDS
from archsim.config.yaml_file import load_text, plain_scalar
from archsim.errors import ConfigError, nearest
from archsim.metrics.adaptive import StoppingRule
from archsim.sim.run import GRAINS, SCHEDULES

NONE = ("none", "", None)
ONE_PLATFORM = ("modelled", "record")
_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._+/%^*-]| (?=[A-Za-z0-9]))*")
"""Text that YAML reads as one plain scalar whatever it stands beside."""


def run_setting(name: str, value: Any, where: str) -> Any:
    """Return a setting of the run as a `Task` holds it; `ConfigError`, naming the place, for what is none."""
    try:
        return _READERS[name](value)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def text_of(value: Any, where: str) -> str:
    """Return a value as text that `archsim.config` reads back as the same; `ConfigError` where there is none."""
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and plain_scalar(value) == value and isinstance(plain_scalar(value), str):
            return value
    elif isinstance(value, float) and math.isfinite(value):
        return repr(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        same = load_text(text, where) == value
    except (TypeError, ValueError, ConfigError):
        same = False
    if not same:
        raise ConfigError(f"{where}: {str(value)[:60]!r} cannot be written as a setting")
    return text


def _count(least: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ConfigError(f"expected a whole number of at least {least}, got {value!r}")
        return value

    return read


def _one_of(known: tuple[str, ...]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in known:
            raise ConfigError(f"'{value}' is not one of {', '.join(known)}{nearest(str(value), known)}")
        return str(value)

    return read


def _or_none(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else read(value)


def _stopping(value: Any) -> str:
    if value in NONE:
        return ""
    if not isinstance(value, str):
        raise ConfigError(f"expected a rule such as 'margin 0.9', or 'none', got {value!r}")
    return StoppingRule.parse(value).name


def _baseline(value: Any) -> str:
    """Return a baseline of one platform; whether it exists is asked when its file is read."""
    if value in NONE:
        return ""
    kind, colon, name = str(value).partition(":")
    if kind not in KINDS:
        raise ConfigError(f"unknown kind of baseline '{kind}'{nearest(kind, ONE_PLATFORM)}")
    if kind == "measured":
        raise ConfigError(
            f"'{value}' would be measured anew at every point; measure once (archsim measure), then name record:NAME"
        )
    if kind not in ONE_PLATFORM or not colon or not name:
        raise ConfigError(f"'{value}' is not one platform; name modelled:DEVICE or record:NAME")
    return str(value)


_READERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "passes": _or_none(_count(1)),
        "images": _or_none(_count(1)),
        "seed": _count(0),
        "chip": _count(0),
        "schedule": _or_none(_one_of(SCHEDULES)),
        "grain": _or_none(_one_of(GRAINS)),
        "stopping": _stopping,
        "baseline": _baseline,
    }
)
