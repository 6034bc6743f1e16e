"""What may go wrong on a device, told apart: refused, out of memory, lost."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from archsim.baselines.measured.meters import MeterError

LOST_NVML = (15, 16)  # NVML_ERROR_GPU_IS_LOST, NVML_ERROR_RESET_REQUIRED
LOST_TORCH = ("CUDA error", "device-side assert", "HIP error", "CUDNN_STATUS_EXECUTION_FAILED", "unspecified launch")
CAPTURING = "captur"  # of a CUDA graph, whose failure leaves the device as it was
NO_HOST_MEMORY = ("not enough memory", "can't allocate memory")
NO_DEVICE_MEMORY = "out of memory"


class RefusedError(Exception):
    """A way of running a network is not possible; the text says why."""


def first_line(error: BaseException) -> str:
    """Return what an error says, without its further lines."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error of torch means that a smaller batch might do."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and any(t in text for t in (NO_DEVICE_MEMORY, *NO_HOST_MEMORY))


def is_lost(error: BaseException) -> bool:
    """Tell whether an error of torch or of NVML means that the device does not answer any more."""
    if is_out_of_memory(error):
        return False
    if isinstance(error, MeterError):
        return error.errno in LOST_NVML
    text = str(error)
    return isinstance(error, RuntimeError) and CAPTURING not in text and any(sign in text for sign in LOST_TORCH)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those during whose handling it came up."""
    while error is not None:
        yield error
        error = error.__context__
