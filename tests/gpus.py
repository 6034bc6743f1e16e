"""A made-up GPU with round numbers, for tests of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archsim.baselines.device import Device
from archsim.config import override, validate


def entry(value: object, unit: str | None = None) -> dict[str, Any]:
    """Return an entry without a spread."""
    return {"value": value, "range": [value, value], "grade": "ASSUMED", "source": ["test"]} | (
        {"unit": unit} if unit else {}
    )


def ratio(value: float) -> dict[str, Any]:
    return entry(value, "ratio")


def bands(floor: float, work: float, energy: float) -> dict[str, Any]:
    return {"floor": ratio(floor), "work": ratio(work), "energy": ratio(energy)}


def content() -> dict[str, Any]:
    """Return the file: 50 op/us in int8 as reached, 10 B/us, 2 us a kernel; 100 W of which 10 idle, 20 active."""
    return {
        "schema": "archsim/gpu@1",
        "name": "made_up",
        "description": "a GPU with round numbers",
        "family": "discrete",
        "limit_boundary": "board",
        "boundary": "board",
        "memory": {
            "kind": "LPDDR5",
            "capacity": entry("1 GB"),
            "bandwidth": entry("20 MB/s"),
            "energy": entry("1 nJ/B"),
            "cache": entry("100 B"),
        },
        "peak": {"int8": entry(1e8, "op/s"), "fp16": entry(5e7, "op/s")},
        "standard_mode": "full",
        "modes": {
            "full": {"limit": entry("100 W")},
            "half": {
                "limit": entry("50 W"), "clock": ratio(0.5), "units": ratio(0.5), "memory_clock": ratio(0.8),
            },
        },
        "calibration": {
            "utilisation": {"int8": ratio(0.5), "fp16": ratio(0.4)},
            "memory_share": ratio(0.5),
            "floor": entry("2 us"),
            "idle_share": ratio(0.1),
            "active_share": ratio(0.2),
        },
        "bands": {"calibrated": bands(1.5, 1.25, 2), "default": bands(2, 1.5, 3)},
        "sources": {"test": "made up for tests"},
    }  # fmt: skip


def gpu(*settings: str) -> Device:
    """Return the device with some values overridden, as `--set` does."""
    return validate(Device, override(content(), settings), "made_up.yaml")


def write(folder: Path, data: dict[str, Any], name: str = "made_up.yaml") -> Path:
    """Write data as YAML, of which JSON is a part."""
    import json

    path = folder / name
    path.write_text(json.dumps(data))
    return path
