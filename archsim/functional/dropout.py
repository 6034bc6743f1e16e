"""Applies Monte-Carlo dropout to values: draws the keep-bits of every sample and drops what they say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archsim.functional.randomness import keep_limit, maps_of, stream_of
from archsim.functional.values import Grid, Signs, Value, Words, layout, pack, unpack
from archsim.kernels import packing
from archsim.kernels.constants import words_for
from archsim.workload.trace import Dropout, Node

Ints = npt.NDArray[np.int64]


def drop(node: Node, value: Value, seed: int, images: Ints, passes: Ints) -> Value:
    """Drop what the bits of (seed, node, image, pass) say; `images`, `passes`: of each sample of `value`."""
    op = node.op
    assert isinstance(op, Dropout)
    kept = _draw(node, seed, images, passes)
    gain = float(np.float32(op.gain))
    if isinstance(value, Signs):
        still = kept if value.kept is None else kept & value.kept
        return Signs(value.bits, value.channels, still, value.gain * gain)
    keep = unpack(kept, node.shape[0])
    if isinstance(value, Grid):
        both = keep if value.kept is None else keep & value.kept
        return Grid(value.values * keep, value.quantizer, both, value.gain * gain)
    if op.gain == 1:
        return value * keep
    return np.where(keep, value.astype(np.float32) * np.float32(gain), np.float32(0))


def _draw(node: Node, seed: int, images: Ints, passes: Ints) -> Words:
    """Return the keep-bits of every sample as packed pixels (samples, height, width, words)."""
    op = node.op
    assert isinstance(op, Dropout)
    height, width, channels = layout(node.shape)
    by_map = op.granularity == "channel"
    maps = maps_of(node) if by_map else channels
    pixels = 1 if by_map else height * width
    words = words_for(maps)
    drawn = np.empty((len(images), pixels * (words - 1)), np.uint16)
    limits = np.full(32, keep_limit(op.p), np.uint16)
    packing.keep_bits(np.uint64(stream_of(seed, node.name)), images, passes, limits, drawn)
    kept = np.zeros((len(images), pixels, words), np.uint16)
    kept[..., :-1] = drawn.reshape(len(images), pixels, -1)
    if maps < channels:
        kept = pack(unpack(kept, maps).repeat(channels // maps, axis=-1))
    elif channels % 16:
        kept[..., -2] &= np.uint16((1 << channels % 16) - 1)
    return np.ascontiguousarray(np.broadcast_to(kept, (len(images), height * width, kept.shape[-1]))).reshape(
        len(images), height, width, -1
    )
