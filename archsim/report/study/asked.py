"""What a study asked: its files, its axes with their values, how they were sampled, what is looked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from archsim.report.html.blocks import Block, Cell, Row, Table
from archsim.report.layout import count, typeset
from archsim.report.study.columns import Column
from archsim.report.study.findings import Findings
from archsim.study.spec import Limit

WRITTEN = 8  # values of an axis


def asked(found: Findings) -> Iterator[Block]:
    """Yield tables of what was varied and of what was kept the same."""
    data, config = found.data, found.data.config
    rows: list[Row] = []
    for name in data.axes:
        column = found.column(name)
        derived = config.derive.get(data.labels[name])
        remark = f"follows: {derived}" if derived else "averaged over" if name not in found.frame else ""
        rows.append([Cell(column.words, remark), _values(found, column)])
    yield Table(f"What was varied: {_sampling(found)}", ["setting", "values"], rows)
    kept: list[Row] = [["architecture", config.arch], ["workload", config.workload]]
    kept += [[path, json.dumps(value)] for path, value in config.overrides.items()]
    for name in ("passes", "images", "seed"):
        if (value := getattr(config, name)) is not None:
            kept.append([name, count(value)])
    kept.append(["answers", "computed and judged" if config.quality else "not computed: timing and energy alone"])
    kept += [["told from known images", ", ".join(config.ood)]] if config.ood else []
    yield Table("What was the same for all", ["", ""], kept)
    sought: list[Row] = [
        [t.words, "less is better" if found.objectives[t.name] == "min" else "more is better"] for t in found.targets
    ]
    sought += [[found.column(n).words, _limit(found.column(n), limit)] for n, limit in found.limits.items()]
    sought += [["only points with", text] for text in config.keep]
    sought += [["no points with", json.dumps(combination)] for combination in config.skip]
    yield Table("What was looked for", ["", ""], sought)


def _values(found: Findings, column: Column) -> str:
    """Return all values of an axis, or how many there are and between what ends."""
    values: Any = found.data.frame[column.name].dropna()
    known = list(dict.fromkeys(values.tolist()))
    if len(known) <= WRITTEN:
        return ", ".join(typeset(column.say(v)) for v in known)
    if all(isinstance(v, int | float) for v in known):
        ends = f"{typeset(column.say(min(known)))} to {typeset(column.say(max(known)))}"
        return f"{count(len(known))} values, {ends}"
    return f"{', '.join(column.say(v) for v in known[:WRITTEN])} and {len(known) - WRITTEN} more"


def _sampling(found: Findings) -> str:
    config = found.data.config
    if search := found.search:
        return f"a search of {search.trials} trials ({search.sampler}, seed {search.seed})"
    kind = config.sampling.kind.replace("_", " ")
    seed = getattr(config.sampling, "seed", None)
    return {"grid": "every combination"}.get(kind, kind + (f", seed {seed}" if seed is not None else ""))


def _limit(column: Column, limit: Limit) -> str:
    ends = (("at least", limit.at_least), ("at most", limit.at_most))
    return ", ".join(f"{words} {typeset(column.say(end))}" for words, end in ends if end is not None)
