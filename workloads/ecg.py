"""A small 1-D convolutional network with binary activations for heartbeats, Bayesian by any of the methods."""

from __future__ import annotations

from torch import Tensor, nn

from archsim.nn import Quantize
from workloads.methods import Method

STAGES = ((16, 7, 2), (32, 5, 2), (32, 5, 5))  # maps, kernel, pooling


class HeartNet(nn.Module):
    """Three convolutions of 16-32-32 maps, pooled to a twentieth of the signal, then 64 neurons and the classes.

    For signals (1, `samples`) in [-1, 1), which enter bit by bit in two's complement of `input_bits` bits. Each stage
    is layer, pooling, batch norm, sign, with the chance of the `method` (of rate `p`).
    """

    def __init__(
        self,
        samples: int = 140,
        classes: int = 5,
        method: str = "spatial",
        p: float | None = None,
        input_bits: int = 4,
    ) -> None:
        super().__init__()
        m = Method(method, p)
        stages: list[nn.Module] = [Quantize(input_bits, signed=True, scale=2.0 ** (1 - input_bits))]
        channels = 1
        for maps, kernel, window in STAGES:
            layer = m.conv1d(channels, maps, kernel, padding=kernel // 2)
            stages += m.stage(layer, maps, 1, nn.MaxPool1d(window))
            channels, samples = maps, samples // window
        self.features = nn.Sequential(*stages, nn.Flatten())
        self.hidden = nn.Sequential(*m.stage(m.linear(channels * samples, 64), 64))
        self.head = nn.Sequential(*m.head(m.linear(64, classes), classes, 64))

    def forward(self, x: Tensor) -> Tensor:
        """Map signals (N, 1, samples) to class scores (N, classes)."""
        return self.head(self.hidden(self.features(x)))  # type: ignore[no-any-return]
