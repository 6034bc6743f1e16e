"""The devices to measure on: this machine's processor, and its GPUs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from archsim.baselines.measured import machine
from archsim.baselines.measured.meters import Meter, Missing, facts_of, find_jetson, find_nvml, find_rapl
from archsim.errors import ConfigError, DeviceError

AMPERE = (8, 0)  # the first with TF32


@dataclass(frozen=True)
class Software:
    """What runs a network: `name` for people, `kind` as in `software.KINDS`, on how many threads of the host."""

    name: str
    kind: str
    threads: int


class Device(Protocol):
    """What networks run on. `overlaps`: whether calls return before their work is done."""

    name: str
    title: str
    where: torch.device
    precision: str
    overlaps: bool

    def synchronise(self) -> None:
        """Wait until all work is done."""

    def software(self) -> tuple[Software, ...]:
        """Return what can run a network, the simplest first."""

    def settings(self, threads: int) -> Any:
        """Return a context with the settings of torch that suit the device; its random state and they are put back."""

    def meter(self, now: Callable[[], float]) -> Meter | Missing:
        """Return where its energy can be read, or why it cannot."""

    def describe(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what is known of it as plain data: what stays the same, and how it is now."""


class Cpu:
    """The processor of this machine, with one thread or with as many as torch takes."""

    name = "cpu"
    where = torch.device("cpu")
    precision = "fp32"
    overlaps = False

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root
        self.title = f"{machine.processor(root)}, {machine.cores()} cores"

    def synchronise(self) -> None:
        """Do nothing: calls return when their work is done."""

    def software(self) -> tuple[Software, ...]:
        """Return torch and torch.compile, each on one thread and on all."""
        counts = sorted({1, torch.get_num_threads()})
        return tuple(Software(f"{kind}, {_threads(n)}", kind, n) for kind in ("eager", "compile") for n in counts)

    @contextmanager
    def settings(self, threads: int) -> Iterator[None]:
        """Run on so many threads inside the block."""
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            with torch.random.fork_rng(devices=()):
                yield
        finally:
            torch.set_num_threads(before)

    def meter(self, now: Callable[[], float]) -> Meter | Missing:
        """Return the sensors of a Jetson or the counters of the processor."""
        jetson = find_jetson(self.root, now)
        return find_rapl(self.root) if isinstance(jetson, Missing) else jetson

    def describe(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the host."""
        return machine.host(self.root), {}


class Cuda:
    """A GPU, by its index as torch counts them."""

    overlaps = True

    def __init__(self, name: str, index: int, root: Path = Path("/")) -> None:
        self.name, self.index, self.root = name, index, root
        self.where = torch.device("cuda", index)
        self.properties = torch.cuda.get_device_properties(index)
        self.title = self.properties.name
        self.precision = "tf32" if torch.cuda.get_device_capability(index) >= AMPERE else "fp32"

    @property
    def uuid(self) -> str | None:
        """The GPU's name in NVML, which counts GPUs in another order; None from a torch that does not know it."""
        found = getattr(self.properties, "uuid", None)
        if found is None:
            return None
        return str(found) if str(found).startswith(("GPU-", "MIG-")) else f"GPU-{found}"

    def synchronise(self) -> None:
        """Wait until all work is done."""
        torch.cuda.synchronize(self.where)

    def software(self) -> tuple[Software, ...]:
        """Return torch, torch.compile, and a captured graph; a capture that fails comes last."""
        host = torch.get_num_threads()
        return tuple(Software(kind, kind, host) for kind in ("eager", "compile", "cuda_graph"))

    @contextmanager
    def settings(self, threads: int) -> Iterator[None]:
        """Let cuDNN look for its fastest kernels and products use TF32, as one would for speed."""
        del threads
        cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
        before = (cudnn.benchmark, cudnn.allow_tf32, products.allow_tf32)
        cudnn.benchmark = cudnn.allow_tf32 = products.allow_tf32 = True
        try:
            with torch.random.fork_rng(devices=[self.index]), torch.cuda.device(self.index):
                yield
        finally:
            cudnn.benchmark, cudnn.allow_tf32, products.allow_tf32 = before
            torch.cuda.empty_cache()

    def meter(self, now: Callable[[], float]) -> Meter | Missing:
        """Return the sensors of a Jetson or NVML's counter."""
        jetson = find_jetson(self.root, now)
        return find_nvml(self.uuid, now) if isinstance(jetson, Missing) else jetson

    def describe(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the GPU and its host."""
        lasting, passing = facts_of(self.uuid)
        gpu = {
            "gpu": self.properties.name,
            "gpu_memory_gib": round(self.properties.total_memory / 2**30, 1),
            "multiprocessors": self.properties.multi_processor_count,
            "compute_capability": f"{self.properties.major}.{self.properties.minor}",
        }
        return machine.host(self.root) | gpu | lasting, passing


def device_of(target: str) -> Device:
    """Return the device that a target names: "cpu", "cuda" (the first GPU) or "cuda:1".

    Raises `ConfigError` for another name, `DeviceError` when there is no such GPU.
    """
    if target == "cpu":
        return Cpu()
    found = re.fullmatch(r"cuda(?::(\d+))?", target)
    if found is None:
        raise ConfigError(f"'{target}' is nothing to measure on: wanted cpu, cuda, or cuda:1 for the second GPU")
    if torch.version.cuda is None and getattr(torch.version, "hip", None) is None:
        raise DeviceError(f"{target}: this torch ({torch.__version__}) is built without CUDA; measure on cpu")
    if not torch.cuda.is_available():
        raise DeviceError(f"{target}: torch sees no GPU (no device, or no driver for CUDA {torch.version.cuda})")
    index, count = int(found.group(1) or 0), torch.cuda.device_count()
    if index >= count:
        raise DeviceError(f"{target}: there is no such GPU; torch sees {count}, cuda:0 to cuda:{count - 1}")
    return Cuda(target, index)


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"
