"""Where the files of modelled GPUs lie: by name here or beside archsim, or by path."""

from __future__ import annotations

from pathlib import Path

import archsim
from archsim.baselines.device import Device, Family
from archsim.baselines.rates import rates
from archsim.config import load
from archsim.errors import ConfigError, nearest

FOLDER = Path("arch_configs/gpu")


def device_names() -> dict[str, Path]:
    """Return the file of each device that can be asked for by name; one here hides one that archsim brings.

    A file whose name begins with an underscore is what others are based on, no device.
    """
    shipped = Path(archsim.__file__).resolve().parents[1] / FOLDER
    files = [file for folder in (shipped, FOLDER) for file in sorted(folder.glob("[!_]*.yaml"))]
    return {file.stem: file for file in files}


def find_device(name: str) -> Device:
    """Return a device by its name ("jetson_agx_orin") or the path of its file.

    Raises:
        ConfigError: no such device (names the nearest); all that is wrong with its file.
    """
    if "/" in name or name.endswith((".yaml", ".yml")):
        return load_device(name)
    known = device_names()
    if name not in known:
        raise ConfigError(f"no modelled GPU '{name}'{nearest(name, known)}")
    return load_device(known[name])


def load_device(path: Path | str) -> Device:
    """Return the device in a YAML file; ConfigError with all that is wrong with it."""
    device = load(Device, path)
    for mode in device.modes:
        for precision in device.precisions:
            rates(device, mode, precision)
    return device


def load_family(path: Path | str) -> Family:
    """Return what devices of a family have in common, from a file that theirs are based on; errors alike."""
    return load(Family, path)
