"""Where energy and area go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from archsim.report.plots.data import OTHERS, Data, Interval, Plot, Shown, interval, intervals, ranking
from archsim.report.plots.marks import Bars, grouped_bars, height_of, swatches
from archsim.report.plots.style import SQUARE_MILLIMETRES, Scale, key, name_axis, panels, quantity, scale_for

LEAKAGE = "leakage"
WHOLE_CHIP = "(whole chip)"
RANGES = "Whiskers: all parts at the low, and all at the high end of their ranges."


def energy_by_part(results: Sequence[Shown]) -> Plot | None:
    """Show what each part takes of the energy of an image, leakage hatched."""
    tables = [_by_part(_energy(r)) for r in results]
    leaked = [_leakage(_energy(r)) for r in results]
    drawn = _ranking(results, tables, leaked, "Energy of an image")
    if drawn is None:
        return None
    figure, others = drawn
    caption = f"Energy of an image by part of the chip{_total(results)}; hatched: leakage. {RANGES}{others}"
    return Plot("energy_by_part", "Energy by part", caption, figure)


def energy_by_layer(results: Sequence[Shown]) -> Plot | None:
    """Show what each layer and each transfer takes of the energy of an image, beside the leakage of the chip."""
    named = [intervals(_energy(r).get("by_layer", {})) for r in results]
    tables = [{_layer(name): value for name, value in table.items()} for table in named]
    leaked = [{_layer(WHOLE_CHIP): t[WHOLE_CHIP].value} if WHOLE_CHIP in t else {} for t in named]
    drawn = _ranking(results, tables, leaked, "Energy of an image")
    if drawn is None:
        return None
    figure, others = drawn
    caption = (
        f"Energy of an image by layer and by transfer between layers{_total(results)}; hatched: leakage, which belongs"
        f" to no layer. {RANGES}{others}"
    )
    return Plot("energy_by_layer", "Energy by layer", caption, figure)


def area_by_part(results: Sequence[Shown]) -> Plot | None:
    """Show what each part takes of the area of the chip."""
    tables = [_by_part(r.data.get("area_m2") or {}) for r in results]
    drawn = _ranking(results, tables, [{} for _ in tables], "Area", SQUARE_MILLIMETRES)
    if drawn is None:
        return None
    figure, others = drawn
    return Plot("area_by_part", "Area by part", f"Area of the chip by part. {RANGES}{others}", figure)


def _ranking(
    results: Sequence[Shown],
    tables: Sequence[Mapping[str, Interval]],
    leaked: Sequence[Mapping[str, float]],
    what: str,
    scale: Scale | None = None,
) -> tuple[Figure, str] | None:
    """Draw the largest entries, one bar a result, with shares where there is one result; say what the others are."""
    rows, columns = ranking(tables)
    if not rows:
        return None
    scale = scale or scale_for(max(v.value for column in columns for v in column if v), "J")
    groups = []
    for shown, table, column, leaks in zip(results, tables, columns, leaked, strict=True):
        rest = sum(value for name, value in leaks.items() if name not in rows)
        hatched = [rest if row == OTHERS else leaks.get(row, 0.0) for row in rows]
        whole = sum(value.value for value in table.values())
        texts = [_share(v, whole, scale) for v in column] if len(results) == 1 else []
        groups.append(Bars(shown.colour, column, hatched, texts))
    figure, (axes,) = panels(height_of(len(rows), len(groups)))
    grouped_bars(axes, rows, groups, scale)
    name_axis(axes, "x", what, scale)
    key(figure, swatches(results))
    others = len({n for table in tables for n, v in table.items() if v.value} - set(rows))
    return figure, f" Others: {others} more, added up." if others else ""


def _share(value: Interval | None, whole: float, scale: Scale) -> str:
    if value is None:
        return ""
    shown = f"{value.value * 1e6:.3g} mm²" if scale is SQUARE_MILLIMETRES else quantity(value.value, "J")
    return f"{shown}, {100 * value.value / whole:.1f} %"


def _total(results: Sequence[Shown]) -> str:
    """Return the energy of an image in words, where there is one result."""
    total = interval(_energy(results[0])) if len(results) == 1 else None
    ends = f" ({quantity(total.low, 'J')} to {quantity(total.high, 'J')})" if total else ""
    return f", {quantity(total.value, 'J')}{ends} in all" if total else ""


def _energy(shown: Shown) -> Data:
    return shown.data.get("energy_j_per_image") or {}


def _by_part(data: Data) -> dict[str, Interval]:
    return {_words(part): value for part, value in intervals(data.get("by_part", {})).items()}


def _leakage(energy: Data) -> dict[str, float]:
    """Return the leakage of each part."""
    actions = {name.partition("."): value for name, value in intervals(energy.get("by_action", {})).items()}
    return {_words(part): value.value for (part, _, action), value in actions.items() if action == LEAKAGE}


def _words(name: str) -> str:
    return name.replace("_", " ")


def _layer(name: str) -> str:
    return "leakage of the chip" if name == WHOLE_CHIP else name.replace(" -> ", " → ")
