"""VGG-small with binary activations for CIFAR-10, Bayesian by any of the methods."""

from __future__ import annotations

from torch import Tensor, nn

from archsim.nn import Quantize, Scale
from workloads.methods import Method

WIDTHS = (128, 128, 256, 256, 512, 512)


class VGGSmall(nn.Module):
    """Six 3x3 convolutions of 128-128-256-256-512-512 maps, pooled after every second one, then one linear layer.

    Each stage is convolution, pooling, batch norm, sign, with the chance of the `method` (of rate `p`); the image
    enters bit by bit on a grid of `input_bits` bits. For RGB images (3, 32, 32) in [0, 1].
    """

    def __init__(self, method: str = "spatial", p: float | None = None, input_bits: int = 4, classes: int = 10) -> None:
        super().__init__()
        m = Method(method, p)
        stages: list[nn.Module] = [Quantize(input_bits, scale=2.0**-input_bits)]
        channels = 3
        for index, width in enumerate(WIDTHS):
            pool = nn.MaxPool2d(2) if index % 2 else None
            stages += m.stage(m.conv2d(channels, width, 3, padding=1), width, 2, pool)
            channels = width
        self.features = nn.Sequential(*stages)
        self.flatten = nn.Flatten()
        self.classifier = m.linear(channels * 4 * 4, classes)
        self.chance = m.chance(self.classifier, normalised=False)
        self.scale = Scale(classes, initial=(channels * 4 * 4) ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, 3, 32, 32) to class scores (N, classes)."""
        return self.scale(self.chance(self.classifier(self.flatten(self.features(x)))))  # type: ignore[no-any-return]
