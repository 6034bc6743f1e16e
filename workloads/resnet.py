"""ResNet-18 with binary activations for CIFAR-10, Bayesian by any of the methods."""

from __future__ import annotations

from torch import Tensor, nn

from archsim.nn import Quantize, Sign
from workloads.methods import Method

WIDTHS = (64, 128, 256, 512)
BLOCKS = 2  # of each width


class Block(nn.Module):
    """Two 3x3 convolutions with a shortcut around them; the sum is binarised, each layer has a dropout of its own.

    The shortcut is the binary input itself, or where the shape changes a 1x1 convolution on a crossbar with a norm.
    """

    def __init__(self, m: Method, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        first, second = m.conv2d(inputs, outputs, 3, stride, padding=1), m.conv2d(outputs, outputs, 3, padding=1)
        self.first = nn.Sequential(*m.drops(), *m.sums(first, outputs, 2), Sign())
        self.second = nn.Sequential(*m.drops(), *m.sums(second, outputs, 2))
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(*m.drops(), *m.sums(m.conv2d(inputs, outputs, 1, stride), outputs, 2))
        self.sign = Sign()

    def forward(self, x: Tensor) -> Tensor:
        """Map binary maps (N, inputs, H, W) to binary maps (N, outputs, H / stride, W / stride)."""
        return self.sign(self.second(self.first(x)) + self.shortcut(x))  # type: ignore[no-any-return]


class ResNet18(nn.Module):
    """A 3x3 stem of 64 maps, four times two blocks of 64-128-256-512 maps, mean over the map, one linear layer.

    The form of He et al. (2016) for images of 32 pixels: no pooling after the stem. The mean is binarised before the
    last layer. `method`, `p`: where chance enters and how often. For RGB images (3, 32, 32) in [0, 1].
    """

    def __init__(self, method: str = "spatial", p: float | None = None, input_bits: int = 4, classes: int = 10) -> None:
        super().__init__()
        m = Method(method, p)
        quantize = Quantize(input_bits, scale=2.0**-input_bits)
        self.stem = nn.Sequential(quantize, *m.sums(m.conv2d(3, WIDTHS[0], 3, padding=1), WIDTHS[0], 2), Sign())
        blocks, channels = [], WIDTHS[0]
        for group, width in enumerate(WIDTHS):
            for index in range(BLOCKS):
                blocks.append(Block(m, channels, width, stride=2 if group and not index else 1))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.pool, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.head = nn.Sequential(Sign(), *m.drops(), *m.head(m.linear(channels, classes), classes, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, 3, 32, 32) to class scores (N, classes)."""
        return self.head(self.flatten(self.pool(self.blocks(self.stem(x)))))  # type: ignore[no-any-return]
