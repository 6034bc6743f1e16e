"""Numbers and names as a page writes them."""

from __future__ import annotations

import math
from typing import Literal

from archsim.report.html.formats import Range, Ratio
from archsim.report.layout import GAP, Say, count, percent, square_millimetres, typeset
from archsim.report.summary import QUALITY, SHARES
from archsim.report.uncertainty import VALUES
from archsim.units import show

UNKNOWN = "unknown"
MEANINGS = {"confidence": "mean probability of the answers", **VALUES, **QUALITY}
TITLES = {
    "nll": "negative log-likelihood (NLL)",
    "brier": "Brier score",
    "ece": "calibration error (ECE)",
    "adaptive_ece": "adaptive ECE",
    "rmse": "RMSE",
    "crps": "CRPS",
    "coverage_50": "coverage of 50 % intervals",
    "coverage_90": "coverage of 90 % intervals",
}


def quantity(value: float, unit: str) -> str:
    """Return a value with its unit: a micro sign, raised powers, no break between them."""
    return typeset(show(value, unit)) if math.isfinite(value) else UNKNOWN


def number(value: float) -> str:
    """Return a number of no unit: whole from ten thousand on, with its thousands apart."""
    return (count(value) if value >= 1e4 else f"{value:.4g}").replace(" ", GAP)


def joules(value: float) -> str:
    """Return an energy."""
    return quantity(value, "J")


def seconds(value: float) -> str:
    """Return a time."""
    return quantity(value, "s")


def watts(value: float) -> str:
    """Return a power."""
    return quantity(value, "W")


def area(value: float) -> str:
    """Return an area in square millimetres."""
    return typeset(square_millimetres(value))


def bits(value: float) -> str:
    """Return an amount of data."""
    return quantity(value, "bit")


def rate(value: float) -> str:
    """Return images a second."""
    return f"{number(value)}{GAP}images/s"


def share(value: float, digits: int = 1) -> str:
    """Return a share in percent."""
    return percent(value, digits).replace(" ", GAP) if math.isfinite(value) else UNKNOWN


def led(before: str, text: str) -> str:
    """Return a caption with what it is about before it, or with a capital where there is nothing."""
    return before + text if before else text[0].upper() + text[1:]


def boundaries(ratio: Ratio) -> str:
    """Return what the energies of a ratio cover, where that is not the same."""
    here, there = (*(b or "none" for b in ratio.boundaries), "none", "none")[:2]
    return f"energy of {here} here, of {there} there" if ratio.what.startswith("energy") and here != there else ""


def plain(value: float) -> str:
    """Return a number of four decimals."""
    return f"{value:.4f}" if math.isfinite(value) else UNKNOWN


def span(found: Range, say: Say) -> str:
    """Return the ends of a range; one where the other is infinite, nothing where there is no range."""
    low, high = math.isfinite(found.low), math.isfinite(found.high)
    if found.low == found.high or not (low or high):
        return ""
    if low and high:
        return f"{say(found.low)} to {say(found.high)}"
    return f"at least {say(found.low)}" if low else f"at most {say(found.high)}"


def sayer(figure: str) -> Say:
    """Return how a figure of quality is written."""
    return share if figure in SHARES or figure == "confidence" else plain


def title(figure: str) -> str:
    """Return a figure's name in words."""
    return TITLES.get(figure, figure.replace("_", " "))


GAINS = {
    "latency": "Latency",
    "throughput": "Throughput",
    "energy": "Energy",
    "energy_at_rate": "Energy at the asked rate",
}


def tone(gain: Range) -> Literal["good", "bad", ""]:
    """Return whether a gain is one, whatever the ends of its range; neither where they lie on both sides of 1."""
    return "good" if gain.low > 1 else "bad" if gain.high < 1 else ""


def factor(value: float) -> str:
    """Return a ratio, such as `35.2 ×`."""
    if not math.isfinite(value):
        return UNKNOWN
    return f"{times(value)}{GAP}\N{MULTIPLICATION SIGN}"


def times(value: float) -> str:
    """Return a ratio without its sign: three digits, whole from a thousand on."""
    return f"{value:.3g}" if value < 999.5 else number(round(value)) if value >= 1e4 else f"{value:.0f}"
