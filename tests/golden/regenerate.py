"""Writes `results.json`, the numbers that `test_golden.py` holds archsim to: `python tests/golden/regenerate.py`.

Run it only when a number is meant to move, and say why in the commit.
"""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from archsim.pipeline import evaluate

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_name("results.json")
COSTS = {"images": 3, "passes": 10, "function": False}
POINTS = {
    "lenet5 on spatial stt": ("spatial_spindrop_stt", "lenet5_digits", {"images": 50, "passes": 5}),
    "lenet5 on sot": ("spatial_spindrop_sot", "lenet5_digits", {"images": 50, "passes": 5}),
    "mlp on spindrop stt": ("spindrop_stt", "mlp_digits", {"images": 50, "passes": 5}),
    "4-bit cnn on isaac": ("isaac_like", "cnn_digits_4bit", {"images": 20, "passes": 3}),
    "lenet5 read digitally": ("digital_read_stt", "lenet5_digits", {"images": 20, "passes": 3}),
    "vgg costs on sot": (
        "spatial_spindrop_sot_8x8", "vgg_small_cifar10", {"images": 3, "passes": 10, "function": False},
    ),
    "lenet5 with one module": ("scale_dropout_sot", "lenet5_digits_scale", COSTS),
    "lenet5 with statistics": ("inverted_norm_sot", "lenet5_digits_affine", COSTS),
    "lenet5 with gaussians": ("subset_vi_sot", "lenet5_digits_subset", COSTS),
    "lenet5 with an arbiter": ("spinbayes_sot", "lenet5_digits_spinbayes", COSTS),
    "lenet5 layer by layer": (
        "ideal", "lenet5_digits", {"images": 3, "passes": 4, "function": False, "schedule": "layer_by_layer"},
    ),
}  # fmt: skip
TIMES = ("latency_ps", "first_pass_ps", "pass_interval_ps", "image_interval_ps", "total_ps")


def numbers(name: str) -> dict[str, Any]:
    """Return what is compared: times exactly, energy and quality as numbers."""
    arch, workload, options = POINTS[name]
    result = evaluate(ROOT / "arch_configs" / f"{arch}.yaml", ROOT / "workloads" / f"{workload}.yaml", **options)
    out: dict[str, Any] = {key: getattr(result.log, key) for key in TIMES}
    data = result.to_dict()
    out["energy_j"] = {key: data["energy_j_per_image"][key] for key in ("value", "low", "high")}
    out["area_m2"] = data["area_m2"]["value"]
    out["memory_bits"] = data["memory_bits"]["total"]
    for key in ("accuracy", "nll", "ece", "mutual_information"):
        if key in data:
            out[key] = data[key]["value"]
    return out


def main() -> None:
    """Compute every point and write the file."""
    meta = {
        "archsim": version("archsim"),
        "date": datetime.now(tz=UTC).date().isoformat(),
        "python": platform.python_version(),
        "command": "python tests/golden/regenerate.py",
    }
    FILE.write_text(json.dumps({"_meta": meta, **{name: numbers(name) for name in POINTS}}, indent=1) + "\n")


if __name__ == "__main__":
    main()
