"""Dropout of activations in spintronic hardware: single ones, or whole feature maps."""

from __future__ import annotations

import math

from torch import Tensor

from archsim.nn.stochastic import Stochastic, bits, check_rate, spread


class SpinDrop(Stochastic):
    """Drops each activation with probability `p`, in training and at inference; a dropped one is 0, no rescaling.

    One spintronic module a neuron draws the bit (Ahmed et al., SpinDrop, JETCAS 2023); dropping holds both word
    lines of that input off (recalled of the paper, not read).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = check_rate(p)

    @property
    def active(self) -> bool:
        """Whether anything is ever dropped."""
        return self.p > 0

    def noise(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return which elements are dropped, (N, C x H x W)."""
        return (bits(x, math.prod(x.shape[1:]), self.p),)

    def perturb(self, x: Tensor, *noise: Tensor) -> Tensor:
        """Return x with 0 in place of what is dropped."""
        (dropped,) = noise
        return x.masked_fill(dropped.view(x.shape), 0.0)

    def extra_repr(self) -> str:
        """Show the rate."""
        return f"p={self.p}"


class SpatialSpinDrop(SpinDrop):
    """Drops whole feature maps with probability `p`, in training and at inference; no rescaling.

    One bit a feature map and pass (Ahmed et al., Spatial-SpinDrop, arXiv 2306.10185). In a flat input each element
    is its own map, unless `maps` says how many equal groups of consecutive elements there are (after a flatten).
    """

    def __init__(self, p: float, *, maps: int | None = None) -> None:
        super().__init__(p)
        self.maps = maps

    def noise(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return which maps are dropped, (N, maps)."""
        return (bits(x, self._groups(x), self.p),)

    def perturb(self, x: Tensor, *noise: Tensor) -> Tensor:
        """Return x with 0 in place of the maps that are dropped."""
        (dropped,) = noise
        if x.dim() == 2:
            dropped = dropped.repeat_interleave(x.shape[1] // self._groups(x), dim=1)
        return x.masked_fill(spread(dropped, x), 0.0)

    def _groups(self, x: Tensor) -> int:
        channels = x.shape[1]
        if x.dim() > 2 or self.maps is None:
            return channels
        if channels % self.maps:
            raise ValueError(f"{channels} elements cannot be split into {self.maps} equal maps")
        return self.maps
