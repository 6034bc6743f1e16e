"""The random bits of dropout: a pure function of (seed, node, image, pass, element).

A kept element is one whose 16-bit uniform lies below round((1 - p) x 2**16), so p has a resolution of 2**-16. Element e
of a node's shape is pixel x (channels rounded up to 16) + channel, so that 16 channels of a pixel are one word.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from archsim.errors import TraceError
from archsim.functional.values import layout, to_channels_first
from archsim.kernels import reference
from archsim.kernels.constants import LANE
from archsim.workload.trace import Dropout, Node

Limits = npt.NDArray[np.uint16]


def stream_of(seed: int, name: str) -> int:
    """Return the 64-bit key of a node's random stream."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "little")


def keep_limit(p: float) -> int:
    """Return the largest 16-bit uniform that keeps an element; at least one of 2**16 always does."""
    return max(1, round((1 - p) * 2**16)) - 1


def maps_of(node: Node) -> int:
    """Return how many feature maps a channel-wise dropout has. Raises `TraceError` if they do not divide its input."""
    assert isinstance(node.op, Dropout)
    channels = node.shape[0]
    maps = node.op.maps if node.op.maps is not None and len(node.shape) == 1 else channels
    if maps < 1 or channels % maps:
        raise TraceError(f"node '{node.name}': {channels} elements cannot be divided into {maps} equal maps")
    return maps


def bits_per_evaluation(node: Node) -> int:
    """Return the random bits that one evaluation of a dropout draws."""
    assert isinstance(node.op, Dropout)
    return int(np.prod(node.shape)) if node.op.granularity == "element" else maps_of(node)


def dropout_mask(
    node: Node, shape: tuple[int, ...], seed: int, image: int | npt.ArrayLike, pass_index: int
) -> npt.NDArray[np.bool_]:
    """Return True where the dropout `node` keeps its input: the very bits that `compute` draws.

    `shape`: shape of its input without batch axis, `node.shape`. `image`: index of an image in the whole run, or
    several, which then become the first axis of the answer. Raises `TraceError` for another node or shape.
    """
    if not isinstance(node.op, Dropout):
        raise TraceError(f"node '{node.name}' is a {node.op.kind}, not a dropout")
    if tuple(shape) != tuple(node.shape):
        raise TraceError(f"node '{node.name}' has shape {node.shape}, not {tuple(shape)}")
    images = np.atleast_1d(np.asarray(image, np.int64))
    height, width, channels = layout(shape)
    by_map = node.op.granularity == "channel"
    drawn = maps_of(node) if by_map else channels
    pitch = -(-drawn // LANE) * LANE
    limits = np.full(pitch if by_map else height * width * pitch, keep_limit(node.op.p), np.uint16)
    kept = reference.keep_bits(stream_of(seed, node.name), images, np.full(images.shape, pass_index), limits)
    kept = kept.reshape(len(images), -1, pitch)[..., :drawn].repeat(channels // drawn, axis=-1)
    kept = np.broadcast_to(kept, (len(images), height * width, channels))
    mask = to_channels_first(kept.reshape(len(images), height, width, channels), tuple(shape))
    return mask if np.ndim(image) else mask[0]
