"""From the values of an axis to a column of a table: quantities in SI with the unit in the name, words as words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archsim import units
from archsim.errors import UnitError
from archsim.study.packing import plain

if TYPE_CHECKING:
    import pandas as pd

_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Column:
    """An axis in a table. `name`: `path`, with the SI unit appended where its values are quantities (`supply_v`)."""

    path: str
    name: str
    values: pd.Series[Any]


def column(path: str, values: Sequence[Any], index: pd.Index[int], taken: Collection[str], *, names: bool) -> Column:
    """Return the column of an axis.

    `taken`: paths of all axes, which no other column may be called. `names`: the values are names, whatever they look
    like. Quantities of one kind become numbers in SI; numbers stay what they are; mappings and lists become compact
    JSON; a mixture, such as numbers and words, stays as written.
    """
    import pandas as pd

    kinds = {*map(type, values)}
    if not kinds.isdisjoint((dict, list)):
        values = [plain(value) if isinstance(value, dict | list) else value for value in values]
        kinds = {*map(type, values)}
    if kinds == {str} and not names and (found := _quantities(dict.fromkeys(values))) is not None:
        unit, known = found
        called = f"{path}_{unit}" if unit else path
        numbers = pd.Series([*map(known.__getitem__, values)], index=index, dtype="float64")
        return Column(path, path if called in taken else called, numbers)
    return Column(path, path, pd.Series(values, index=index, dtype=_dtype(kinds, values)))


def _dtype(kinds: set[type], values: Sequence[Any]) -> Any:
    if kinds == {str}:
        return "str"
    if kinds == {bool}:
        return "bool"
    if kinds == {int} and max(map(abs, values)) <= _LARGEST:
        return "int64"
    return "float64" if kinds in ({float}, {int, float}) else "object"


def _quantities(texts: Iterable[str]) -> tuple[str, dict[str, float]] | None:
    """Return the SI unit, as part of a name, and the values of texts that are all quantities of one kind; else None."""
    found: dict[str, float] = {}
    powers: set[units.Powers] = set()
    for text in texts:
        try:
            quantity = units.read(text)
        except UnitError:
            return None
        if quantity.powers == units.PURE and "%" not in text:
            return None  # a number in quotes is a word
        powers.add(quantity.powers)
        if len(powers) > 1:
            return None
        found[text] = quantity.value
    try:
        unit = units.dimension_named(units.dimension_of(units.Quantity(1.0, *powers))).unit
    except UnitError:
        return None
    return unit.replace("^", "").replace("*", "_").replace("/", "_per_").lower(), found
