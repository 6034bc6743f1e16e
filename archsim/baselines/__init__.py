"""What the same network takes elsewhere: on a GPU or CPU measured here, on a modelled one, in a stored record."""

from archsim.baselines.network import Kernel, kernels, macs, signature
from archsim.baselines.platform import (
    BOUNDARIES,
    MODES,
    Boundary,
    Mode,
    OperatingPoint,
    Origin,
    Platform,
    Source,
)

__all__ = [
    "BOUNDARIES",
    "MODES",
    "Boundary",
    "Kernel",
    "Mode",
    "OperatingPoint",
    "Origin",
    "Platform",
    "Source",
    "kernels",
    "macs",
    "signature",
]
