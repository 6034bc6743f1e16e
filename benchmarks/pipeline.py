"""What a user waits for: whole runs in processes of their own, with their processor time and peak memory.

    python benchmarks/pipeline.py

MNIST LeNet-5, 10,000 images and 20 passes, function and timing (needs the MNIST files); costs of VGG-small; `--help`.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHIPS, LOADS = ROOT / "arch_configs", ROOT / "workloads"
RUNS = {
    "help": ["--help"],
    "LeNet-5, digits, 360 x 20": ["run", CHIPS / "spatial_spindrop_stt.yaml", LOADS / "lenet5_digits.yaml", "--json"],
    "LeNet-5, MNIST, 10,000 x 20": [
        "run", CHIPS / "spatial_spindrop_stt.yaml", LOADS / "lenet5_mnist_spatial.yaml",
        "--images", "10000", "--passes", "20", "--json",
    ],
    "VGG-small, costs alone, 1 x 20": [
        "run", CHIPS / "spatial_spindrop_sot_8x8.yaml", LOADS / "vgg_small_cifar10.yaml",
        "--images", "1", "--passes", "20", "--costs-only", "--json",
    ],
}  # fmt: skip


def measure(arguments: list[object]) -> tuple[float, float, float, int]:
    """Return wall seconds, processor seconds, peak MB so far of any child, and the exit code of one archsim call."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    command = [sys.executable, "-c", "from archsim.cli import main; main()", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if done.returncode:
        sys.stderr.write(done.stderr.decode())
    return wall, cpu, after.ru_maxrss / 1024, done.returncode


def main() -> None:
    """Run everything twice (the first run traces, and compiles kernels) and print the second."""
    print(f"{'run':34s} {'wall s':>8s} {'cpu s':>8s} {'peak MB':>8s}")
    for name, arguments in RUNS.items():
        if measure(arguments)[3] == 0:
            wall, cpu, peak, _ = measure(arguments)
            print(f"{name:34s} {wall:8.2f} {cpu:8.2f} {peak:8.0f}")
        else:
            print(f"{name:34s} could not run (see above)")


if __name__ == "__main__":
    main()
