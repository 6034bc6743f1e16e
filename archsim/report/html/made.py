"""How it was made: the command to make it again, what differs between columns, versions, the configuration."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from archsim.report.html import words
from archsim.report.html.blocks import Block, Cell, Code, Folded, Heading, Section, Table, Text, beside
from archsim.report.html.columns import Column
from archsim.report.html.formats import ResultFile
from archsim.report.html.stored import Stored
from archsim.report.layout import count

MANY = 40  # settings that differ; more than these say that the chips have little in common
HASH = 12  # characters of a hash that are shown; the rest is in the configuration
BULKY = ("costs",)  # follow from the architecture and the library, and stand among the sources


def made(columns: Sequence[Column]) -> Iterator[Section]:
    """Yield the section on how the results were made."""
    blocks: list[Block] = [Text("Each command makes its result again, with the same numbers for the same versions.")]
    for column in columns:
        for stored in column.stored.values():
            who = f"{column.label}: " if len(columns) > 1 else ""
            blocks.append(Code(words.led(who, f"{stored.word} of {day(stored)}"), shlex.join(stored.manifest.command)))
    if len(columns) > 1:
        blocks += [Heading("What differs"), _differences(columns)]
    blocks += [Heading("Where and with what"), _versions(columns), *_configurations(columns)]
    yield Section("made", "How it was made", blocks)


def day(stored: Stored) -> str:
    """Return when a result was made, as people write it."""
    return stored.manifest.date.replace("T", " ").removesuffix("+00:00") + " UTC"


def _versions(columns: Sequence[Column]) -> Table:
    cells = []
    for column in columns:
        manifest, result = column.first.manifest, column.result
        hashes = {s.manifest.config_hash: s for s in column.stored.values()}
        cells.append(
            {
                "folder": Cell(", ".join(s.name for s in column.stored.values())),
                "seed": Cell(str(manifest.seed)),
                **(_simulated(result) if result else {}),
                "configuration": Cell(", ".join(h[:HASH] for h in hashes), "first characters of its SHA-256"),
                **{name: Cell(number) for name, number in manifest.versions.items()},
                **{name.replace("_", " "): Cell(text) for name, text in manifest.platform.items()},
            }
        )
    return beside("Versions, seed and machine", "", [c.label for c in columns], cells, words=True)


def _simulated(result: ResultFile) -> dict[str, Cell]:
    skipped = f"{count(result.skipped_passes)} exact repeats of them" if result.skipped_passes else ""
    return {
        "schedule": Cell(result.schedule.replace("_", " "), f"grain: {result.grain}"),
        "passes simulated": Cell(count(result.simulated_passes), skipped),
        "events": Cell(count(result.events)),
    }


def _configurations(columns: Sequence[Column]) -> Iterator[Block]:
    for column in columns:
        config = {k: v for k, v in column.first.manifest.config.items() if k not in BULKY}
        who = f"{column.label}: " if len(columns) > 1 else ""
        text = json.dumps(config, indent=1, ensure_ascii=False)
        code = Code("Everything but the prices of the parts, which stand below", text, long=True)
        yield Folded(words.led(who, "the whole configuration, expanded"), [code])


def _differences(columns: Sequence[Column]) -> Table | Text:
    """Return the settings that are not the same in all columns."""
    flat = [_flat({k: v for k, v in c.first.manifest.config.items() if k not in BULKY}) for c in columns]
    paths = dict.fromkeys(path for settings in flat for path in settings)
    differing = [p for p in paths if len({json.dumps(s.get(p), sort_keys=True) for s in flat}) > 1]
    if not differing:
        return Text("Nothing: all settings are the same.")
    more = f", of {len(differing)} the first {MANY}" if len(differing) > MANY else ""
    cells = [{p: Cell(_written(s[p])) for p in differing if p in s} for s in flat]
    return beside(f"Settings that differ{more}", "", [c.label for c in columns], cells, differing[:MANY], words=True)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _flat(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return the leaves of nested settings by path."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        path = f"{above}.{key}" if above else key
        found |= _flat(value, path) if isinstance(value, Mapping) and value else {path: value}
    return found
