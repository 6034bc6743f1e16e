"""Small studies on the digits, run by the real command in processes of their own."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
from pandas.testing import assert_frame_equal

import archsim
from archsim.config import yaml_text

ROOT = Path(__file__).parents[1]
CHIP = ROOT / "arch_configs" / "spatial_spindrop_sot.yaml"
NETWORK = ROOT / "workloads" / "lenet5_digits.yaml"
COMMAND = "from archsim.cli import main\nif __name__ == '__main__':\n    main()\n"
AXES = {"crossbar.rows": [64, 128], "converter.bits": [5, 6], "clock": ["250 MHz", "500 MHz", "1 GHz"]}
LONG = 120.0  # seconds after which something hangs


def study(folder: Path, **more: Any) -> Path:
    """Write a study of 12 points and 4 functions, LeNet-5 on 10 digits with 2 passes; `more`: other keys, or others."""
    content: Mapping[str, Any] = {
        "schema": "archsim/study@1",
        "name": "small",
        "arch": str(CHIP),
        "workload": str(NETWORK),
        "images": 10,
        "passes": 2,
        "overrides": {"converter.lsb_cells": None},
        "axes": AXES,
        "derive": {"crossbar.parallel_rows": "crossbar.rows"},
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "study.yaml"
    file.write_text(yaml_text({**content, **more}))
    return file


@contextmanager
def started(folder: Path, *arguments: object, command: str = "sweep") -> Iterator[subprocess.Popen[str]]:
    """Start `archsim sweep`, or another command, in a session of its own; see at the end that nothing of it is left."""
    script = folder / "archsim"
    script.write_text(COMMAND)
    process = subprocess.Popen(
        [sys.executable, str(script), command, *map(str, arguments), "--no-page"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
        process.wait(LONG)
    except BaseException:
        kill_all(process)
        raise
    finally:
        left = of_session(process.pid)
        until(lambda: not any(lives(p) for p in left) and not of_session(process.pid), left)


def swept(folder: Path, *arguments: object, command: str = "sweep") -> subprocess.CompletedProcess[str]:
    """Run `archsim sweep`, or another command, to its end."""
    with started(folder, *arguments, command=command) as process:
        out, err = process.communicate(timeout=LONG)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def of_session(session: int) -> list[psutil.Process]:
    """Return the processes of a session, those that are dead but not yet waited for aside."""
    return [p for p in psutil.process_iter() if _session(p.pid) == session and lives(p)]


def lives(process: psutil.Process) -> bool:
    """Tell whether a process runs."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill_all(process: subprocess.Popen[str]) -> None:
    """Kill a command with all its workers, as a machine that goes down does."""
    for each in of_session(process.pid):
        each.send_signal(signal.SIGKILL)
    process.wait(LONG)


def until(condition: Any, about: object = "") -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline, about
        time.sleep(0.02)


def frame(folder: Path) -> pd.DataFrame:
    """Return what a study found."""
    return archsim.load_study(folder)


def assert_same(folder: Path, other: Path) -> None:
    """Check that two folders hold the same points with the same outcomes, to the last bit."""
    assert_frame_equal(frame(folder), frame(other), check_exact=True)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def done_in(folder: Path) -> int:
    """Return how many outcomes a store holds by now; 0 if there is none."""
    return _count(folder, "SELECT count(*) FROM outcomes")


def functions_in(folder: Path) -> int:
    return _count(folder, "SELECT count(*) FROM functions")


def _count(folder: Path, query: str) -> int:
    path = folder / "study.sqlite"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as store:
        try:
            return store.execute(query).fetchone()[0]
        except sqlite3.OperationalError:  # has no tables yet
            return 0


def workers_of(process) -> list[psutil.Process]:
    """Return the processes that compute for a command."""
    return [p for p in of_session(process.pid) if p.pid != process.pid and _works(p)]


def _works(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False
