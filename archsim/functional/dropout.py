"""Applies Monte-Carlo dropout to values: draws the bits of every sample and drops what they say."""

from __future__ import annotations

import numpy as np

from archsim.functional.chance import Chance
from archsim.functional.noise import IDEAL, maps_of, source_of
from archsim.functional.randomness import mask_tail
from archsim.functional.values import Grid, Samples, Signs, Value, Words, layout, pack, unpack
from archsim.workload.trace import Dropout, Node


def drop(node: Node, value: Value, samples: Samples, chance: Chance = IDEAL) -> Value:
    """Drop what the bits of (seed, node, image, pass) say."""
    op = node.op
    assert isinstance(op, Dropout)
    kept = _kept(node, samples, chance)
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


def _kept(node: Node, samples: Samples, chance: Chance) -> Words:
    """Return the keep-bits of every sample as packed pixels (samples, height, width, words)."""
    op = node.op
    assert isinstance(op, Dropout)
    height, width, channels = layout(node.shape)
    maps = maps_of(node) if op.granularity == "channel" else channels
    dropped = source_of(node, 0, samples.seed, chance).bits(samples.images, samples.passes)
    count, pixels, words = dropped.shape
    kept = np.zeros((count, pixels, words + 1), np.uint16)
    np.invert(dropped, out=kept[..., :-1])
    mask_tail(kept[..., :-1], maps)
    if maps < channels:
        kept = pack(unpack(kept, maps).repeat(channels // maps, axis=-1))
    everywhere = np.broadcast_to(kept, (count, height * width, kept.shape[-1]))
    return np.ascontiguousarray(everywhere).reshape(count, height, width, -1)
