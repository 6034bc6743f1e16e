"""An HTML page as a tree, parsed strictly: what is opened is closed, in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "hr", "input"}


@dataclass
class Element:
    """An element: its tag, attributes, children and the text in it, each piece of text apart."""

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    def all(self, tag: str = "", **attributes: str) -> Iterator[Element]:
        """Yield this and all below it of a tag and with attributes of these values; `class_` for one of the classes."""
        wanted = attributes.pop("class_", None)
        fits = (not tag or self.tag == tag) and all(self.attributes.get(k) == v for k, v in attributes.items())
        if fits and (wanted is None or wanted in self.attributes.get("class", "").split()):
            yield self
        for child in self.children:
            yield from child.all(tag, **attributes, **({"class_": wanted} if wanted else {}))

    @property
    def text(self) -> str:
        """All text in it, in order, with single spaces (no-break ones included)."""
        return " ".join(" ".join(self.pieces).split())

    def row(self, head: str) -> list[str]:
        """Return the texts of the cells of the row that begins with `head`."""
        for row in self.all("tr"):
            cells = [cell.text for cell in row.children]
            if cells and cells[0].startswith(head):
                return cells
        raise AssertionError(f"no row '{head}' in: {self.text[:300]}")


class Parser(HTMLParser):
    """Builds the tree; AssertionError where a tag is left open or closed twice."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.pieces.append(data)


def parse(page: str) -> Element:
    """Return the tree of a page."""
    parser = Parser()
    parser.feed(page)
    parser.close()
    assert parser.open == [parser.root], f"left open: {[e.tag for e in parser.open[1:]]}"
    return parser.root


def table(root: Element, caption: str) -> Element:
    """Return the table whose caption begins with a text."""
    for found in root.all("table"):
        if found.children[0].text.startswith(caption):
            return found
    raise AssertionError(f"no table '{caption}' among {[t.children[0].text for t in root.all('table')]}")
