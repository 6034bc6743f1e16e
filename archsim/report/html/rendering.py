"""Sections as one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from archsim.report.html.blocks import Section


def render(title: str, lead: Sequence[str], sections: Sequence[Section]) -> str:
    """Return a page; `lead`: lines below its title."""
    page = _templates().get_template("page.html.j2")
    return page.render(title=title, lead=lead, sections=sections, version=version("archsim"))


def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("archsim.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["read"] = lambda name: Markup(made.loader.get_source(made, name)[0])  # type: ignore[union-attr]
    return made
