"""The values that flow between the nodes of a network, in one layout: (samples, height, width, channels).

A flat vector has height = width = 1, a sequence (C, L) has height 1. A *sample* is one image in one pass. Real numbers
are plain float32 arrays, or int16 and int32 arrays where they are whole (the sums of a crossbar layer).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from archsim.kernels.constants import LANE
from archsim.workload.trace import Quantize

Words = npt.NDArray[np.uint16]
Reals = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Samples:
    """Which samples a value holds, for whoever draws random numbers: the seed of the run, image and pass of each.

    `images`: index in the whole run. `passes`: 0 where a value is the same in every pass. Both int64 (samples,).
    """

    seed: int
    images: npt.NDArray[np.int64]
    passes: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Signs:
    """Binary values: `gain` x (+1 where the bit is 1, -1 where it is 0, 0 where it is not kept).

    `bits`, `kept`: uint16 (samples, height, width, words), see `kernels.packing`; `kept` = None keeps all.
    """

    bits: Words
    channels: int
    kept: Words | None = None
    gain: float = 1.0


@dataclass(frozen=True, eq=False)
class Grid:
    """Integers on a quantiser's grid times its scale and `gain`: int32 (samples, height, width, channels).

    `kept`: False where dropout made the 0 (None: nowhere).
    """

    values: npt.NDArray[np.int32]
    quantizer: Quantize
    kept: npt.NDArray[np.bool_] | None = None
    gain: float = 1.0

    @property
    def scale(self) -> np.float32:
        """The real value of one step."""
        return np.float32(self.quantizer.scale) * np.float32(self.gain)


Value: TypeAlias = Signs | Grid | Reals


def layout(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return (height, width, channels) of a shape (C, H, W), (C, L) or (F,)."""
    height, width = (1, 1, *shape[1:])[-2:]
    return height, width, shape[0]


def from_channels_first(x: Reals) -> Reals:
    """Return (N, C, H, W), (N, C, L) or (N, F) as (N, H, W, C), contiguous."""
    height, width, channels = layout(x.shape[1:])
    return np.ascontiguousarray(x.reshape(len(x), channels, height, width).transpose(0, 2, 3, 1))


def to_channels_first(x: Reals, shape: tuple[int, ...]) -> Reals:
    """Undo `from_channels_first` for samples of that shape."""
    return x.transpose(0, 3, 1, 2).reshape(len(x), *shape)


def unpack(words: Words, channels: int) -> npt.NDArray[np.bool_]:
    """Return packed bits as booleans, channels last."""
    low_first = np.ascontiguousarray(words).astype("<u2", copy=False).view(np.uint8)
    return np.unpackbits(low_first, axis=-1, count=channels, bitorder="little").view(np.bool_)


def pack(bits: npt.NDArray[np.bool_]) -> Words:
    """Return booleans, channels last, as packed bits with the spare word."""
    missing = -bits.shape[-1] % LANE + LANE
    padded = np.concatenate([bits, np.zeros((*bits.shape[:-1], missing), np.bool_)], axis=-1)
    return np.packbits(padded, axis=-1, bitorder="little").view("<u2").astype(np.uint16, copy=False)


def as_reals(value: Value) -> Reals:
    """Return any value as plain numbers: int16 where they are whole and small, else float32."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, Grid):
        return value.values.astype(np.float32) * value.scale
    signs = unpack(value.bits, value.channels).astype(np.int16) * 2 - 1
    if value.kept is not None:
        signs *= unpack(value.kept, value.channels)
    return signs if value.gain == 1 else signs.astype(np.float32) * np.float32(value.gain)


def repeat(value: Value, times: int) -> Value:
    """Return a value with every sample `times` times in a row: one for each pass."""
    if times == 1:
        return value
    if isinstance(value, np.ndarray):
        return value.repeat(times, axis=0)
    if isinstance(value, Signs):
        some = None if value.kept is None else value.kept.repeat(times, axis=0)
        return Signs(value.bits.repeat(times, axis=0), value.channels, some, value.gain)
    kept = None if value.kept is None else value.kept.repeat(times, axis=0)
    return Grid(value.values.repeat(times, axis=0), value.quantizer, kept, value.gain)


def take(value: Value, samples: npt.NDArray[np.intp]) -> Value:
    """Return some samples of a value, by index."""
    if isinstance(value, np.ndarray):
        return value[samples]
    if isinstance(value, Signs):
        some = None if value.kept is None else value.kept[samples]
        return Signs(value.bits[samples], value.channels, some, value.gain)
    kept = None if value.kept is None else value.kept[samples]
    return Grid(value.values[samples], value.quantizer, kept, value.gain)
