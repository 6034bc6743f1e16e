"""What is measured on, as plain data: no name of a host, of a user, or of a folder."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import torch

UNKNOWN = "unknown processor"


def host(root: Path = Path("/")) -> dict[str, Any]:
    """Return the processor, its cores that this process may use, the memory, and the system; `root`: for tests."""
    release = re.match(r"\d+(\.\d+)?", platform.release())
    found: dict[str, Any] = {
        "processor": processor(root),
        "architecture": platform.machine(),
        "cores": cores(),
        "memory_gib": memory_gib(),
        "system": " ".join(filter(None, (platform.system(), release and release.group()))),
    }
    mode = power_mode()
    return found if mode is None else found | {"power_mode": mode}


def software() -> dict[str, Any]:
    """Return the versions that matter."""
    found: dict[str, Any] = {"python": platform.python_version(), "torch": torch.__version__}
    if torch.version.cuda is not None:
        found["cuda"] = torch.version.cuda
        found["cudnn"] = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return found


def processor(root: Path = Path("/")) -> str:
    """Return what the processor, or the board of a small one, calls itself."""
    board = root / "proc/device-tree/model"
    if board.is_file():
        return board.read_text().strip("\0 \n")
    names = root / "proc/cpuinfo"
    if names.is_file():
        found = re.search(r"^model name\s*:\s*(.+)$", names.read_text(), re.MULTILINE)
        if found:
            return " ".join(found.group(1).split())
    return platform.processor() or UNKNOWN


def cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_gib() -> float | None:
    """Return the size of the main memory, in GiB."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):  # not on every system
        return None


def load() -> float | None:
    """Return how many programs have wanted a core in the last minute, where the system says so."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def power_mode() -> str | None:
    """Return the power mode of a Jetson, as `nvpmodel -q` says; None elsewhere."""
    program = shutil.which("nvpmodel")
    if program is None:
        return None
    said = subprocess.run([program, "-q"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"NV Power Mode:\s*(\S+)", said)
    return found.group(1) if found else None
