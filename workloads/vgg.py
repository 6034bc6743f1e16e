"""VGG-small with binary weights and activations for CIFAR-10, Bayesian by Spatial-SpinDrop."""

from __future__ import annotations

from torch import Tensor, nn

from archsim.nn import BinaryConv2d, BinaryLinear, Quantize, Scale, Sign, SpatialSpinDrop

WIDTHS = (128, 128, 256, 256, 512, 512)


class VGGSmall(nn.Module):
    """Six 3x3 convolutions of 128-128-256-256-512-512 maps, pooled after every second one, then one linear layer.

    Each stage is binary convolution, pooling, batch norm, sign, Spatial-SpinDrop of rate `p` (none of it before the
    image, which enters bit by bit on a grid of `input_bits` bits). For RGB images (3, 32, 32) in [0, 1].
    """

    def __init__(self, p: float = 0.1, input_bits: int = 4, classes: int = 10) -> None:
        super().__init__()
        stages: list[nn.Module] = [Quantize(input_bits, scale=2.0**-input_bits)]
        channels = 3
        for index, width in enumerate(WIDTHS):
            stages.append(BinaryConv2d(channels, width, 3, padding=1))
            if index % 2:
                stages.append(nn.MaxPool2d(2))
            stages += [nn.BatchNorm2d(width), Sign(), SpatialSpinDrop(p)]
            channels = width
        self.features = nn.Sequential(*stages)
        self.flatten = nn.Flatten()
        self.classifier = BinaryLinear(channels * 4 * 4, classes)
        self.scale = Scale(classes, initial=(channels * 4 * 4) ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, 3, 32, 32) to class scores (N, classes)."""
        return self.scale(self.classifier(self.flatten(self.features(x))))  # type: ignore[no-any-return]
