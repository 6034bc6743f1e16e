"""Random numbers for many images, of which each has its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class Draws:
    """Random arrays (N, ...) whose row i is a pure function of a key and i, so that other images never change it.

    Each call draws afresh: the generator of a row is the counter-based Philox at the counter (call, i). The key is
    taken from `rng`.
    """

    def __init__(self, rng: np.random.Generator, count: int) -> None:
        self._key = rng.integers(0, 2**64, 2, dtype=np.uint64)
        self._count = count
        self._calls = 0

    def _rows(self) -> Iterator[np.random.Generator]:
        self._calls += 1
        for row in range(self._count):
            yield np.random.Generator(np.random.Philox(key=self._key, counter=[0, 0, self._calls, row]))

    def normal(self, *shape: int) -> Floats:
        """Return standard Gaussians (N, *shape)."""
        drawn = np.empty((self._count, *shape), np.float32)
        for row, generator in enumerate(self._rows()):
            drawn[row] = generator.standard_normal(shape, np.float32)
        return drawn

    def uniform(self, *shape: int) -> Floats:
        """Return uniform numbers (N, *shape) in [0, 1)."""
        drawn = np.empty((self._count, *shape), np.float32)
        for row, generator in enumerate(self._rows()):
            drawn[row] = generator.random(shape, np.float32)
        return drawn

    def signs(self, *shape: int) -> Floats:
        """Return -1 or 1 with equal chances, (N, *shape)."""
        return np.where(self.uniform(*shape) < 0.5, np.float32(-1), np.float32(1))

    def poisson(self, mean: npt.NDArray[Any]) -> Floats:
        """Return counts with the means (N, ...), of the same shape."""
        drawn = np.empty(mean.shape, np.float32)
        for row, generator in enumerate(self._rows()):
            drawn[row] = generator.poisson(mean[row])
        return drawn
