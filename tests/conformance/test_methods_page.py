"""docs/methods.md says what the workload files say, and names what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archsim import nn
from archsim.workload.ops import OPS
from archsim.workload.spec import load_workload

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "methods.md").read_text()
ROWS = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) (?:%|rms)", PAGE, re.MULTILINE))


@pytest.mark.parametrize("name", ROWS)
def test_the_table_states_what_was_measured(name: str) -> None:
    trained = load_workload(ROOT / "workloads" / f"{name}.yaml").config.trained
    assert trained is not None
    stated = float(ROWS[name])
    if trained.accuracy is None:
        assert trained.error == pytest.approx(stated, abs=0.005)
    else:
        assert 100 * trained.accuracy == pytest.approx(stated, abs=0.01)


def test_the_table_has_every_trained_network_of_the_methods() -> None:
    names = {p.stem for p in (ROOT / "workloads").glob("*.yaml") if load_workload(p).config.trained is not None}
    assert set(ROWS) == names


def test_layers_and_operations_of_the_page_exist() -> None:
    table = PAGE.partition("## SpinDrop")[0]
    layers = set(re.findall(r"`([A-Z]\w+)`", table))
    assert layers
    assert layers <= set(nn.__all__)
    operations = set(re.findall(r"\| `([a-z_]+)`(?:, `([a-z_]+)`)?[^|]*\|$", table, re.MULTILINE))
    assert {name for pair in operations for name in pair if name} <= set(OPS)
