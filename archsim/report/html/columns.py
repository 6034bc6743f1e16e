"""The columns of a report: each is one network on one chip, with all that was stored about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archsim.errors import ConfigError
from archsim.report.html.formats import Assumption, Compared, ComparisonFile, ResultFile, UncertaintyFile
from archsim.report.html.stored import Stored


@dataclass(eq=False)
class Column:
    """One network on one chip: at most one stored result of each kind, by schema, all of the same settings."""

    label: str
    stored: dict[str, Stored] = field(default_factory=dict)

    @property
    def first(self) -> Stored:
        """Return what names the column."""
        return next(iter(self.stored.values()))

    @property
    def result(self) -> ResultFile | None:
        """Return what a run found: of a folder of its own, else of the comparison."""
        return next((c for c in self._contents("chip") if isinstance(c, ResultFile)), None)

    @property
    def uncertainty(self) -> UncertaintyFile | None:
        """Return what an evaluation found: of a folder of its own, else of the comparison."""
        return next((c for c in self._contents("uncertainty") if isinstance(c, UncertaintyFile)), None)

    @property
    def compared(self) -> Compared | None:
        """Return the comparison."""
        return next((s.content.comparison for s in self._of(ComparisonFile)), None)  # type: ignore[union-attr]

    def data(self) -> Collection[Mapping[str, Any]]:
        """Return the same as plain data, for plots: one of each schema, from its own folder where there is one."""
        found: dict[str, Mapping[str, Any]] = {}
        for one in self._of(ComparisonFile):
            found |= {d["schema"]: d for d in (one.data["chip"], one.data["uncertainty"]) if d is not None}
        return (found | {schema: one.data for schema, one in self.stored.items()}).values()

    @property
    def arch(self) -> str:
        """Return the name of the chip."""
        return self._named.arch

    @property
    def workload(self) -> str:
        """Return the name of the network."""
        return self._named.workload

    @property
    def figures(self) -> Sequence[Assumption]:
        """Return every number that the chip was built from."""
        return next((s.manifest.figures for s in self.stored.values() if s.manifest.figures), [])

    @property
    def citations(self) -> Mapping[str, str]:
        """Return what the keys of sources stand for."""
        return next((s.manifest.citations for s in self.stored.values() if s.manifest.citations), {})

    @property
    def warnings(self) -> list[str]:
        """Return what not to overlook, each once."""
        found = [w for one in (self.result, self.uncertainty) if one for w in one.warnings]
        return list(dict.fromkeys(found))

    def takes(self, one: Stored) -> bool:
        """Tell whether a stored result belongs here: of a kind that is not here yet, and of the same settings."""
        return one.content.SCHEMA not in self.stored and all(_agree(one, other) for other in self.stored.values())

    @property
    def _named(self) -> ResultFile | UncertaintyFile:
        named = self.result or self.uncertainty
        assert named is not None, "a column holds something, and a comparison holds a result"
        return named

    def _of(self, kind: type) -> Iterator[Stored]:
        return (s for s in self.stored.values() if isinstance(s.content, kind))

    def _contents(self, inside: str) -> Iterator[Any]:
        yield from (s.content for s in self.stored.values())
        yield from (getattr(s.content, inside) for s in self._of(ComparisonFile))


def columns_of(stored: Sequence[Stored]) -> list[Column]:
    """Return the columns of a report, in the order in which they were named.

    A run, an evaluation and a comparison share a column if all settings that two of them both state are the same; two
    of one kind never do. Raises `ConfigError` for none, and for a folder that is named twice.
    """
    if not stored:
        raise ConfigError("report: no results; name folders that were made with --out")
    columns: list[Column] = []
    seen: set[Path] = set()
    for one in stored:
        place = Path(one.name).resolve()
        if place in seen:
            raise ConfigError(f"report: '{one.name}' is named twice")
        seen.add(place)
        home = next((c for c in columns if c.takes(one)), None)
        if home is None:
            columns.append(home := Column(""))
        home.stored[one.content.SCHEMA] = one
    _name(columns)
    return columns


def _agree(one: Stored, other: Stored) -> bool:
    mine, yours = one.manifest.config, other.manifest.config
    return all(mine[key] == yours[key] for key in mine.keys() & yours.keys())


def _name(columns: Sequence[Column]) -> None:
    """Label each column by what tells it from the others: chip, network, both, or its folder."""
    ways = [
        [c.arch for c in columns],
        [c.workload for c in columns],
        [f"{c.workload} on {c.arch}" for c in columns],
        [Path(c.first.name).name for c in columns],
        [c.first.name for c in columns],
    ]
    if len(columns) == 1:
        ways = ways[2:]
    labels = next((way for way in ways if max(Counter(way).values()) == 1), ways[-1])
    for column, label in zip(columns, labels, strict=True):
        column.label = label
