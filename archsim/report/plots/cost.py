"""Where energy and area go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archsim.report.plots.data import OTHERS, Data, Interval, Plot, Shown, intervals, largest, with_others
from archsim.report.plots.marks import Bars, grouped_bars, height_of, patch, swatches
from archsim.report.plots.style import SQUARE_MILLIMETRES, Scale, key, name_axis, panels, quantity, scale_for

LEAKAGE = "leakage"
WHOLE_CHIP = "(whole chip)"
RANGES = "Whiskers: all parts at the low, and all at the high end of their published ranges."
Tables = Sequence[Mapping[str, Interval]]


def energy_by_part(results: Sequence[Shown]) -> Plot | None:
    """Show what each part takes of the energy of an image, leakage hatched."""
    tables = [intervals(_energy(r).get("by_part", {})) for r in results]
    leaked = [
        {part: _value(_energy(r).get("by_action", {}).get(f"{part}.{LEAKAGE}")) for part in table}
        for r, table in zip(results, tables, strict=True)
    ]
    caption = f"Energy of an image by part of the chip; hatched: leakage. {RANGES}"
    return _ranking("energy_by_part", "Energy by part", caption, results, tables, leaked, "Energy of an image", None)


def energy_by_layer(results: Sequence[Shown]) -> Plot | None:
    """Show what each layer and each transfer takes of the energy of an image, beside the leakage of the chip."""
    named = [intervals(_energy(r).get("by_layer", {})) for r in results]
    tables = [{_layer(name): value for name, value in table.items()} for table in named]
    leaked = [{_layer(WHOLE_CHIP): t[WHOLE_CHIP].value} if WHOLE_CHIP in t else {} for t in named]
    caption = (
        "Energy of an image by layer, and by the transfers between layers; hatched: leakage, which no layer causes. "
        + RANGES
    )
    return _ranking("energy_by_layer", "Energy by layer", caption, results, tables, leaked, "Energy of an image", None)


def area_by_part(results: Sequence[Shown]) -> Plot | None:
    """Show what each part takes of the area of the chip."""
    tables = [intervals(r.data.get("area_m2", {}).get("by_part", {})) for r in results]
    caption = f"Area of the chip by part. {RANGES}"
    return _ranking("area_by_part", "Area by part", caption, results, tables, [], "Area", SQUARE_MILLIMETRES)


def _ranking(
    name: str,
    title: str,
    caption: str,
    results: Sequence[Shown],
    tables: Tables,
    leaked: Sequence[Mapping[str, float]],
    what: str,
    scale: Scale | None,
) -> Plot | None:
    """Draw the largest entries of some tables, one bar a result, with shares beside them where there is one result."""
    names = largest([{n: v.value for n, v in table.items()} for table in tables])
    if not names:
        return None
    columns = [with_others(table, names) for table in tables]
    rows = [*names, OTHERS] if any(len(column) > len(names) for column in columns) else names
    scale = scale or scale_for(max(v.high for column in columns for v in column if v), "J")
    groups = []
    for i, (shown, table, column) in enumerate(zip(results, tables, columns, strict=True)):
        values = [*column, *[None] * (len(rows) - len(column))]
        hatched = _hatched(leaked[i], names, len(rows)) if leaked else []
        whole = sum(value.value for value in table.values())
        texts = [_share(v, whole, scale) for v in values] if len(results) == 1 else []
        groups.append(Bars(shown.colour, values, hatched, texts))
    figure, (axes,) = panels(height_of(len(rows), len(groups)))
    grouped_bars(axes, rows, groups, scale)
    name_axis(axes, "x", what, scale)
    key(figure, swatches(results))
    others = len({n for table in tables for n, v in table.items() if v.value}) - len(names)
    note = f" {OTHERS.capitalize()}: {others} more, added up." if len(rows) > len(names) else ""
    return Plot(name, title, caption + note, figure)


def _hatched(leaked: Mapping[str, float], names: Sequence[str], rows: int) -> list[float]:
    rest = sum(value for name, value in leaked.items() if name not in names)
    return [*(leaked.get(name, 0.0) for name in names), *([rest] if rows > len(names) else [])]


def _share(value: Interval | None, whole: float, scale: Scale) -> str:
    if value is None:
        return ""
    shown = quantity(value.value, "J") if scale is not SQUARE_MILLIMETRES else f"{value.value * 1e6:.3g} mm²"
    return f"{shown}, {value.value / whole:.1%}".replace("%", " %")


def _energy(shown: Shown) -> Data:
    return shown.data.get("energy_j_per_image") or {}


def _value(data: Data | None) -> float:
    return float(data["value"]) if data and data.get("value") is not None else 0.0


def _layer(name: str) -> str:
    return "leakage of the chip" if name == WHOLE_CHIP else name.replace(" -> ", " → ")
