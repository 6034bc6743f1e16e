"""The slow, obvious NumPy twin of every kernel: the oracle of the tests, and the definition to read first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from archsim.kernels.constants import GAMMA, MIX_1, MIX_2, words_for

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint16]


def windows(
    x: npt.NDArray[Any], kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int],
    dilation: tuple[int, int],
) -> npt.NDArray[Any]:  # fmt: skip
    """Return the inputs of every output position in canonical row order, 0 where padded.

    `x`: (images, channels, height, width) -> (images, out height, out width, channels x kernel positions).
    """
    images, channels, height, width = x.shape
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = [(n + 2 * p - r) // s + 1 for n, p, r, s in zip((height, width), padding, reach, stride, strict=True)]
    out = np.zeros((images, *size, channels, *kernel), x.dtype)
    for oy, ox, ky, kx in np.ndindex(*size, *kernel):
        y = oy * stride[0] - padding[0] + ky * dilation[0]
        z = ox * stride[1] - padding[1] + kx * dilation[1]
        if 0 <= y < height and 0 <= z < width:
            out[:, oy, ox, :, ky, kx] = x[:, :, y, z]
    return out.reshape(images, *size, -1)


def convert(distance: Ints, bits: int | None, lsb_log2: int) -> Ints:
    """Return what the converter makes of d = matches - floor(driven / 2), in units of one cell."""
    if bits is None:
        return distance
    half = (1 << lsb_log2) >> 1
    code = np.clip((distance + half) >> lsb_log2, 1 - 2 ** (bits - 1), 2 ** (bits - 1))
    return np.asarray(code << lsb_log2)


def multiply(x: Ints, driven: Bools, weights: Ints, groups: Sequence[Ints], bits: int | None, lsb_log2: int) -> Ints:
    """Return the sums that binary inputs give on weights of one cell, converted group by group.

    `x`, `driven`: (vectors, rows), x = +1 or -1 where a row is driven. `weights`: (slices of a cell, out, rows),
    +1 or -1, slice i worth 2**i. `groups`: the rows of each group. Returns (vectors, out).
    """
    total = np.zeros((len(x), weights.shape[1]), np.int64)
    for rows in groups:
        n = driven[:, rows].sum(axis=1)[:, None]
        distance = np.zeros_like(total)
        for i, slice_weights in enumerate(weights):
            same = x[:, None, rows] == slice_weights[None, :, rows]
            matches = (same & driven[:, None, rows]).sum(axis=2)
            distance += (matches - n // 2) << i
        peak = 2 ** len(weights) - 1
        total += 2 * convert(distance, bits, lsb_log2) - peak * (n & 1)
    return total


def weight_slices(values: Ints, bits: int) -> Ints:
    """Return the +-1 slices of odd integers, shape (bits, *values.shape): values = sum of slice i times 2**i."""
    digits = (values + 2**bits - 1) >> 1
    return np.stack([(digits >> i & 1) * 2 - 1 for i in range(bits)])


def bit_serial(
    x: Ints, input_bits: int, signed: bool, weights: Ints, weight_bits: int, groups: Sequence[Ints],
    bits: int | None, lsb_log2: int, slices_per_cell: int = 1,
) -> Ints:  # fmt: skip
    """Return the sums of integer inputs (vectors, rows) and odd integer weights (out, rows), bit by bit."""
    slices = weight_slices(weights, weight_bits)
    total = np.zeros((len(x), len(weights)), np.int64)
    for plane in range(input_bits):
        driven = (x >> plane & 1) == 1
        sign = -1 if signed and plane == input_bits - 1 else 1
        for low in range(0, weight_bits, slices_per_cell):
            cell = slices[low : low + slices_per_cell]
            part = multiply(np.ones_like(x), driven, cell, groups, bits, lsb_log2)
            total += sign * part << plane + low
    return total


def pack(bits: Bools) -> Words:
    """Pack (..., channels) into (..., words), spare word included."""
    out = np.zeros((*bits.shape[:-1], words_for(bits.shape[-1])), np.uint16)
    for c in range(bits.shape[-1]):
        out[..., c // 16] |= bits[..., c].astype(np.uint16) << np.uint16(c % 16)
    return out


def unpack(words: Words, channels: int) -> Bools:
    """Undo `pack`."""
    place = np.arange(channels)
    return (words[..., place // 16] >> (place % 16).astype(np.uint16) & 1).astype(np.bool_)


def mix(z: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return the output function of SplitMix64."""
    z = (z ^ z >> np.uint64(30)) * np.uint64(MIX_1)
    z = (z ^ z >> np.uint64(27)) * np.uint64(MIX_2)
    return z ^ z >> np.uint64(31)


def fold(key: npt.NDArray[np.uint64], number: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """Return a new key for each (key, number)."""
    return mix(key ^ mix(number.astype(np.uint64) + np.uint64(GAMMA)))


def uniforms(key: npt.NDArray[np.uint64], count: int) -> Words:
    """Return the first `count` 16-bit uniforms of each key's stream: shape (*key.shape, count)."""
    blocks = np.arange(1, -(-count // 4) + 1, dtype=np.uint64)
    z = mix(key[..., None] + blocks * np.uint64(GAMMA))
    parts = [(z >> np.uint64(16 * i)).astype(np.uint16) for i in range(4)]
    return np.stack(parts, axis=-1).reshape(*key.shape, -1)[..., :count]


def keep_bits(stream: int, image: npt.NDArray[Any], pass_index: npt.NDArray[Any], limits: Words) -> Bools:
    """Return the keep-bits of each sample, one for each limit: shape (samples, len(limits))."""
    key = fold(fold(np.full(image.shape, stream, np.uint64), image), pass_index)
    return uniforms(key, len(limits)) <= limits
