"""The chip beside other platforms: what each takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from archsim.report.plots.data import Data, Interval, Plot, Shown, interval
from archsim.report.plots.marks import aside, beside, dot, in_short, name_rows, point, shorten
from archsim.report.plots.style import (
    COLOURS,
    INK,
    MARKERS,
    SOFT,
    key,
    log_axis,
    panels,
    quantity,
)

ORIGINS = ("simulated", "measured", "modelled", "record", "published")
OTHER_NETWORK = "another network"
APART = 0.34  # rows between the best point of a platform and its naive one
ROOM = 0.42  # inches for a row
WHATS: Mapping[str, tuple[str, str, str]] = MappingProxyType(  # figure in the data, on the axis, unit
    {
        "latency": ("latency_s", "Latency, from the call to the answers", "s"),
        "energy": ("energy_j", "Energy of an image, while busy", "J"),
        "energy_at_rate": ("energy_at_rate_j", "Energy of an image at {rate:g} images/s, idle power included", "J"),
    }
)


class Mark(NamedTuple):
    """A point of a platform on an axis. `role`: what it is chosen for, "naive_..." the naive way."""

    point: Data
    value: Interval
    role: str


def platforms(comparison: Shown, what: str) -> Plot | None:
    """Show "latency", "energy" or "energy_at_rate" of the platforms for which it is known: best point and naive one."""
    data = comparison.data["comparison"]
    key_of, template, unit = WHATS[what]
    words = template.format(rate=data["rate"] or 0)
    rows = [(p, [*_marks(p, what, key_of)]) for p in data["platforms"]]
    rows = [(p, marks) for p, marks in rows if marks or (p["same_network"] and unit == "J")]
    if len(rows) < 2 or not any(marks for _, marks in rows):
        return None
    figure, (axes,) = panels(1.0 + ROOM * len(rows))
    for row, (platform, marks) in enumerate(rows):
        for k, mark in enumerate(marks):
            place = row + (k - (len(marks) - 1) / 2) * APART
            point(axes, mark.value, place, *_look(platform), vertical=False, hollow=mark.role.startswith("naive"))
        if marks:
            beside(axes, row, quantity(marks[0].value.value, unit) + _covers(platform, what), _how(marks[0].point))
        else:
            aside(axes, row, _missing(platform))
    log_axis(axes, "x", words, unit)
    name_rows(axes, [platform["name"] for platform, _ in rows])
    key(figure, _legend(rows))
    caption = (
        f"{words}, for {data['passes']} passes of the same network, with the interval of each figure. Filled: the"
        " best way to run it; hollow: one pass after the other."
    )
    if any(not platform["same_network"] for platform, _ in rows):
        caption += " Grey: another network, with as many passes as its source states; not comparable."
    if what != "latency":
        caption += " In brackets: what the energy covers."
    if left_out := len(data["platforms"]) - len(rows):
        caption += f" Not known for {left_out} more."
    return Plot(f"platforms_{what}", words.partition(",")[0], caption, figure)


def _marks(platform: Data, what: str, key_of: str) -> Iterator[Mark]:
    """Yield the best and the naive point; of a platform that has none on the same terms, the first with a figure."""
    chosen = [(role, platform["headline"].get(role)) for role in (what, f"naive_{what}")]
    seen: list[int] = []
    for role, index in chosen:
        if index is not None and index not in seen and (value := interval(platform["points"][index][key_of])):
            seen.append(index)
            yield Mark(platform["points"][index], value, role)
    if all(index is None for index in platform["headline"].values()):
        known = ((p, value) for p in platform["points"] if (value := interval(p[key_of])))
        yield from (Mark(p, value, what) for p, value in [*known][:1])


def _look(platform: Data) -> tuple[str, str]:
    """Return colour and marker: by origin, grey where another network runs."""
    place = ORIGINS.index(platform["origin"])
    return COLOURS[place] if platform["same_network"] else SOFT, MARKERS[place]


def _legend(rows: Sequence[tuple[Data, Sequence[Mark]]]) -> list[tuple[str, Any]]:
    shown = {(p["origin"], p["same_network"]): _look(p) for p, marks in rows if marks}
    entries: list[tuple[str, Any]] = [
        (origin if same else f"{origin}, {OTHER_NETWORK}", dot(*look)) for (origin, same), look in shown.items()
    ]
    naive = any(mark.role.startswith("naive") for _, marks in rows for mark in marks)
    return [*entries, ("naive", dot(INK, hollow=True))] if naive else entries


def _missing(platform: Data) -> str:
    """Return why a platform has no such energy."""
    if platform["no_energy"]:
        return f"no energy: {in_short(platform['no_energy'])}"
    return "not known, or it cannot keep up with so many images"


def _covers(platform: Data, what: str) -> str:
    """Return what the energy covers."""
    return "" if what == "latency" else f" ({platform['boundary'] or 'no boundary'})"


def _how(point: Data) -> str:
    """Return how the network is run."""
    words = [str(point[k]).replace("_", " ") for k in ("mode", "precision", "power_mode") if point[k]]
    words += [f"{point['batch']} images a call"] if point["batch"] != 1 else []
    return shorten(", ".join(words), 38)
