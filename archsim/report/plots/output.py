"""Plots as files: PNG and SVG, the same bytes for the same data."""

from __future__ import annotations

import hashlib
import re
from html import escape
from io import BytesIO, StringIO
from pathlib import Path

from matplotlib.figure import Figure

from archsim.report.plots.data import Plot
from archsim.report.plots.style import INK, styled

DPI = 180
FONTS = (
    "'DejaVu Sans', Verdana, 'Bitstream Vera Sans', Arial, sans-serif"  # no wider than the first, which was measured
)
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_LEAKING_STYLE = re.compile(r"\s*<defs>\s*<style type=\"text/css\">[^<]*</style>\s*</defs>")


def to_svg(figure: Figure, label: str = "", *, themed: bool = True) -> str:
    """Return a figure as an `<svg>` element that can stand inside a page, with text as text.

    It refers to nothing outside itself, styles nothing outside itself, and its ids begin with a hash of the figure, so
    that several fit into one page. `label`: for readers that do not see. `themed`: text and axes take the colour of
    the text around them, for light and dark pages.
    """
    drawn = StringIO()
    with styled():
        figure.savefig(drawn, format="svg", metadata=_NO_METADATA)
    svg = drawn.getvalue()
    svg = svg[svg.index("<svg") :].rstrip() + "\n"  # neither XML declaration nor DTD
    svg, found = _LEAKING_STYLE.subn("", svg)
    if found != 1:
        raise RuntimeError(f"the SVG writer of matplotlib has changed: {found} style sheets in a figure")
    if themed:
        svg = svg.replace(INK, "currentColor")
    svg = svg.replace("'DejaVu Sans'", FONTS)
    svg = _own_ids(svg)
    attributes = f'role="img" aria-label="{escape(label)}" style="stroke-linejoin: round; stroke-linecap: butt"'
    return svg.replace("<svg ", f"<svg {attributes} ", 1)


def to_png(figure: Figure, title: str = "") -> bytes:
    """Return a figure as PNG on white."""
    drawn = BytesIO()
    with styled():
        figure.savefig(drawn, format="png", dpi=DPI, facecolor="white", metadata={"Title": title, "Software": None})
    return drawn.getvalue()


def save(plot: Plot, folder: str | Path) -> list[Path]:
    """Write NAME.png and NAME.svg into a folder that exists, and return their paths; OSError where that fails."""
    png, svg = (Path(folder) / f"{plot.name}.{kind}" for kind in ("png", "svg"))
    png.write_bytes(to_png(plot.figure, plot.title))
    declared = '<?xml version="1.0" encoding="utf-8"?>\n' + to_svg(plot.figure, plot.title, themed=False)
    svg.write_text(declared, encoding="utf-8")
    return [png, svg]


def _own_ids(svg: str) -> str:
    """Put a hash of the figure before every id and every reference to one."""
    prefix = f"f{hashlib.sha256(svg.encode()).hexdigest()[:8]}-"
    svg = re.sub(r'\bid="', f'id="{prefix}', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}", svg)
    return re.sub(r'href="#', f'href="#{prefix}', svg)
