"""The chip beside other platforms: what each takes, and what the chip gains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from matplotlib.axes import Axes

from archsim.report.plots.data import Data, Interval, Plot, Shown, interval
from archsim.report.plots.marks import beside, dot, name_rows, point, shorten
from archsim.report.plots.style import COLOURS, DASHES, INK, MARKERS, SMALL, SOFT, key, log_axis, panels

ORIGINS = ("simulated", "measured", "modelled", "record", "published")
OTHER_NETWORK = "another network"
APART = 0.2  # rows between the best point of a platform and its naive one
WHATS: Mapping[str, tuple[str, str, str]] = MappingProxyType(  # figure in the data, on the axis, unit
    {
        "latency": ("latency_s", "Latency, from the call to the answers", "s"),
        "energy": ("energy_j", "Energy of an image, while busy", "J"),
        "energy_at_rate": ("energy_at_rate_j", "Energy of an image at {rate:g} images/s, idle power included", "J"),
    }
)
RATIOS: Mapping[str, str] = MappingProxyType(
    {
        "latency": "Latency",
        "throughput": "Time from image to image in a long run",
        "energy": "Energy of an image, while busy",
        "energy_at_rate": "Energy of an image at {rate:g} images/s, idle power included",
    }
)


class Mark(NamedTuple):
    """A point of a platform on an axis."""

    platform: Data
    point: Data
    value: Interval
    role: str


def platforms(comparison: Shown, what: str) -> Plot | None:
    """Show "latency", "energy" or "energy_at_rate" of all platforms for which it is known, the best point and the naive one."""
    data = comparison.data["comparison"]
    place, words, unit = WHATS[what]
    rows = [marks for p in data["platforms"] if (marks := [*_marks(p, what, place)])]
    if len(rows) < 2:
        return None
    figure, (axes,) = panels(1.0 + 0.34 * len(rows))
    for row, marks in enumerate(rows):
        for mark in marks:
            colour, marker = _look(mark.platform)
            naive = mark.role == "naive"
            point(axes, mark.value, row + (APART if naive else 0), colour, marker, vertical=False, hollow=naive)
        beside(axes, row, _how(marks[0], what))
    log_axis(axes, "x", words.format(rate=data["rate"] or 0), unit)
    name_rows(axes, [marks[0].platform["name"] for marks in rows])
    key(figure, _legend([mark for marks in rows for mark in marks]))
    left_out = len(data["platforms"]) - len(rows)
    caption = (
        f"{words.format(rate=data['rate'] or 0)}, {data['passes']} passes of the same network, with the interval of each"
        " figure. Filled: the best way to run it; hollow: one pass after the other. Grey: another network, or as many"
        " passes as its source states; not comparable."
    )
    if what != "latency":
        caption += " Right: what the energy covers, and how the network is run."
    if left_out:
        caption += f" Not known for {left_out} more."
    return Plot(f"platforms_{what}", words.partition(",")[0].format(rate=data["rate"] or 0), caption, figure)


def _marks(platform: Data, what: str, place: str) -> Iterator[Mark]:
    """Yield the best and the naive point; of a platform that has neither on the same terms, the first that has a figure."""
    chosen = [(role, platform["headline"].get(role)) for role in (what, "naive")]
    seen: list[int] = []
    for role, index in chosen:
        if index is not None and index not in seen and (value := interval(platform["points"][index][place])):
            seen.append(index)
            yield Mark(platform, platform["points"][index], value, "naive" if role == "naive" else "headline")
    if not seen and not any(platform["headline"].values()):
        known = ((p, value) for p in platform["points"] if (value := interval(p[place])))
        yield from (Mark(platform, p, value, "headline") for p, value in [*known][:1])


def _look(platform: Data) -> tuple[str, str]:
    """Return colour and marker: by origin, grey where another network runs."""
    place = ORIGINS.index(platform["origin"])
    return COLOURS[place] if platform["same_network"] else SOFT, MARKERS[place]


def _legend(marks: Sequence[Mark]) -> list[tuple[str, Any]]:
    seen = {(mark.platform["origin"], mark.platform["same_network"]): _look(mark.platform) for mark in marks}
    entries: list[tuple[str, Any]] = [
        (origin if same else f"{origin}, {OTHER_NETWORK}", dot(*look)) for (origin, same), look in seen.items()
    ]
    return [*entries, ("naive", dot(INK, hollow=True))] if any(m.role == "naive" for m in marks) else entries


def _how(mark: Mark, what: str) -> str:
    """Return what the energy covers, and how the network is run."""
    p = mark.point
    words = [] if what == "latency" else [mark.platform["boundary"] or "no boundary"]
    if mark.platform["origin"] != "simulated":
        words += [str(w).replace("_", " ") for w in (p["mode"], p["precision"], p["power_mode"]) if w]
        words += [f"{p['batch']} images"] if p["batch"] != 1 else []
    return shorten(", ".join(words), 38)


def gains(comparison: Shown) -> Plot | None:
    """Show what other platforms take over what the chip takes, with the reason where a ratio is refused."""
    data = comparison.data["comparison"]
    valued = [r["platform"] for r in data["ratios"] if r["value"] is not None]
    rows = list(dict.fromkeys(valued))
    whats = [w for w in RATIOS if any(r["what"] == w and r["platform"] in rows for r in data["ratios"])]
    if not rows:
        return None
    figure, axes = panels(0.9 + len(whats) * (0.45 + 0.34 * len(rows)), len(whats), sharex=True)
    for each, what in zip(axes, whats, strict=True):
        for row, name in enumerate(rows):
            for ratio in data["ratios"]:
                if ratio["platform"] == name and ratio["what"] == what:
                    _gain(each, row, ratio)
        each.axvline(1, color=SOFT, linestyle=DASHES, linewidth=1.0)
        each.set_title(RATIOS[what].format(rate=data["rate"] or 0))
    log_axis(axes[-1], "x", "Theirs over the chip's: above 1 the chip is better", "×")
    for each in axes:
        name_rows(each, rows)
        each.grid(axis="x")
    key(figure, [("best way to run it", dot(COLOURS[0])), ("naive: one pass after the other", dot(COLOURS[0], hollow=True))])
    refused = list(dict.fromkeys(r["platform"] for r in data["ratios"] if r["platform"] not in rows))
    caption = (
        "What each platform takes over what the chip takes, with the interval that both sides' ranges allow. A ratio is"
        " refused where the two energies do not cover the same."
    )
    if refused:
        caption += f" No ratio at all for {', '.join(refused)}."
    return Plot("gains", "What the chip gains", caption, figure)


def _gain(axes: Axes, row: int, ratio: Data) -> None:
    value, naive = interval(ratio), ratio["role"] == "naive"
    if value is None:
        if not naive:
            reason = f"refused: {_reason(ratio)}"
            axes.text(0.01, row, reason, transform=axes.get_yaxis_transform(), va="center", fontsize=SMALL, style="italic")
        return
    place = row + (APART if naive else 0)
    point(axes, value, place, COLOURS[0], "o", vertical=False, hollow=naive)
    beside(axes, place, f"{value.value:.3g} ({value.low:.3g} to {value.high:.3g})")


def _reason(ratio: Data) -> str:
    """Return in few words why there is no ratio."""
    mine, other = ratio["boundaries"]
    if ratio["what"].startswith("energy") and other and mine != other:
        return f"energy of the {other} against that of the {mine}"
    return shorten(str(ratio["refused"]).partition(";")[0], 70)
