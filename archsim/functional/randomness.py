"""The random bits of a chip: a pure function of (seed, node, use, image, pass, bit).

A bit is 1 where its 16-bit uniform is at least its limit, round((1 - p) x 2**16): p has a resolution of 2**-16, and 0
and 1 are exact. Bits come in rows, each of which starts a new 16-bit word.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from archsim.functional.values import Words, pack
from archsim.kernels.constants import LANE

Ints = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.floating]


def stream_of(seed: int, name: str, use: str = "") -> int:
    """Return the 64-bit key of a node's random stream; `use` (up to 16 bytes): what it is for, if there are several."""
    text = f"{seed}/{name}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8, person=use.encode()).digest(), "little")


def limits_of(p: npt.ArrayLike) -> Ints:
    """Return how many of the 2**16 uniforms make a bit 0 if it is 1 with probability `p`: none only if p is 1."""
    chance = np.asarray(p, np.float64)
    return np.where(chance >= 1, 0, np.maximum(np.rint((1 - chance) * 2**16), 1)).astype(np.int64)


def mask_tail(words: Words, live: int) -> None:
    """Clear, in place, what lies beyond the first `live` bits in the last word of each row."""
    if live % LANE:
        words[..., -1] &= np.uint16((1 << live % LANE) - 1)


@dataclass(frozen=True, eq=False)
class BitSource:
    """What draws the bits of a node for one use: `rows` of `live` bits for each image and pass.

    `p`: the probability that a bit is 1, shape (rows, live), or (1, 1) for all alike. `correlation`: the chance that a
    bit repeats the one of the pass before (same image) instead of being drawn afresh; the first pass draws all afresh.
    """

    seed: int
    name: str
    use: str
    rows: int
    live: int
    p: Probabilities
    correlation: float = 0.0

    def bits(self, images: Ints, passes: Ints) -> Words:
        """Return the packed bits of each sample (samples, rows, words), 0 beyond the last; `images`, `passes`: of each.

        A bit that repeats is followed back to the pass in which it was drawn.
        """
        bits = self._fresh(images, passes)
        if self.correlation == 0:
            return bits
        repeats = BitSource(self.seed, self.name, f"repeat {self.use}", self.rows, self.live,
                            np.array([[self.correlation]]))  # fmt: skip
        samples, at, stale = np.arange(len(images)), passes, repeats.bits(images, passes)
        while True:
            stale[at == 0] = 0
            left = stale.any(axis=(1, 2))
            if not left.any():
                return bits
            samples, at, stale = samples[left], at[left] - 1, stale[left]
            bits[samples] = bits[samples] & ~stale | self._fresh(images[samples], at) & stale
            stale &= repeats.bits(images[samples], at)

    @property
    def _words(self) -> int:
        return -(-self.live // LANE)

    @cached_property
    def _limits(self) -> Ints:
        return limits_of(self.p)

    @cached_property
    def _highest_zeros(self) -> Words:
        """The largest uniform that makes each bit 0, as the kernel wants it: for a multiple of 32 bits, repeated."""
        highest = np.maximum(self._limits, 1) - 1
        if highest.size == 1:
            return np.full(2 * LANE, highest[0, 0], np.uint16)
        table = np.zeros((self.rows, self._words * LANE), np.uint16)
        table[:, : self.live] = highest
        return np.pad(table.ravel(), (0, table.size % (2 * LANE)))

    def _fresh(self, images: Ints, passes: Ints) -> Words:
        from archsim.kernels import packing  # loads numba

        out = np.empty((len(images), self.rows * self._words), np.uint16)
        key = np.uint64(stream_of(self.seed, self.name, self.use))
        packing.keep_bits(key, images, passes, self._highest_zeros, out)
        np.invert(out, out=out)
        bits = out.reshape(len(images), self.rows, self._words)
        if not self._limits.all():
            bits |= pack(np.broadcast_to(self._limits == 0, (self.rows, self.live)))[:, :-1]
        mask_tail(bits, self.live)
        return bits
