"""What the same network takes elsewhere: on a GPU or CPU measured here, on a modelled one, in a stored record."""

from archsim.baselines.device import Device
from archsim.baselines.devices import device_names, find_device, load_device
from archsim.baselines.gpu import modelled
from archsim.baselines.model import predict
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
from archsim.baselines.records import (
    Record,
    RecordedNetwork,
    RecordSource,
    RecordWriter,
    find_record,
    load_record,
    published_rivals,
    records_at_hand,
    save_record,
)

__all__ = [
    "BOUNDARIES",
    "MODES",
    "Boundary",
    "Device",
    "Kernel",
    "Mode",
    "OperatingPoint",
    "Origin",
    "Platform",
    "Record",
    "RecordSource",
    "RecordWriter",
    "RecordedNetwork",
    "Source",
    "device_names",
    "find_device",
    "find_record",
    "kernels",
    "load_device",
    "load_record",
    "macs",
    "modelled",
    "predict",
    "published_rivals",
    "records_at_hand",
    "save_record",
    "signature",
]
