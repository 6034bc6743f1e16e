"""Did a number move? Times are compared exactly, energies and qualities to 1e-9."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent
spec = importlib.util.spec_from_file_location("regenerate", HERE / "regenerate.py")
assert spec is not None
assert spec.loader is not None
regenerate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(regenerate)
GOLDEN = json.loads((HERE / "results.json").read_text())


def flat(data: dict[str, object], path: str = "") -> dict[str, float]:
    out: dict[str, float] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            out |= flat(value, f"{path}{key}.")
        else:
            out[path + key] = value  # type: ignore[assignment]
    return out


@pytest.mark.parametrize("name", regenerate.POINTS)
def test_no_number_has_moved(name: str) -> None:
    now, then = flat(regenerate.numbers(name)), flat(GOLDEN[name])
    assert now.keys() == then.keys()
    moved = {
        key: (then[key], now[key])
        for key in now
        if (now[key] != then[key] if key.endswith("_ps") else now[key] != pytest.approx(then[key], rel=1e-9, abs=0))
    }
    assert not moved, "key: (then, now); if this is meant, run tests/golden/regenerate.py and say why in the commit"


def test_the_file_says_where_it_comes_from() -> None:
    assert {"archsim", "date", "python", "command"} <= GOLDEN["_meta"].keys()
    assert set(GOLDEN) == {"_meta", *regenerate.POINTS}
