"""LeNet-5 with binary weights and activations, Bayesian by spintronic dropout."""

from __future__ import annotations

from torch import Tensor, nn

from archsim.nn import BinaryConv2d, BinaryLinear, Quantize, Scale, Sign, SpatialSpinDrop, SpinDrop

DROPOUTS = {"spindrop": SpinDrop, "spatial": SpatialSpinDrop}


class LeNet5(nn.Module):
    """6-16-120-84-10 LeNet-5 (LeCun et al., 1998) for grey images in [0, 1).

    Each stage is binary layer, pooling, batch norm, sign, dropout, so that dropout acts on the inputs of the next
    crossbar. The image enters bit by bit on a grid of `input_bits` bits; `image_size` is 28 for MNIST (5x5 kernels)
    or 8 for scikit-learn's digits (3x3 kernels). Images below 16 pixels keep their size up to the second stage: six
    binary maps of 4x4 would not hold enough of a digit. `dropout` is "spindrop" (one bit a neuron) or "spatial"
    (one bit a feature map) with rate `p`.
    """

    def __init__(
        self, image_size: int = 28, kernel: int = 5, dropout: str = "spatial", p: float = 0.1, input_bits: int = 4
    ) -> None:
        super().__init__()
        small = image_size < 16
        drop = DROPOUTS[dropout]
        inner = image_size if small else image_size // 2 - (kernel - 1)
        self.quantize = Quantize(input_bits, scale=2.0**-input_bits)
        self.conv1 = BinaryConv2d(1, 6, kernel, padding=kernel // 2)
        self.pool1 = nn.Identity() if small else nn.MaxPool2d(2)
        self.bn1, self.sign1, self.drop1 = nn.BatchNorm2d(6), Sign(), drop(p)
        self.conv2 = BinaryConv2d(6, 16, kernel, padding=kernel // 2 if small else 0)
        self.pool2, self.bn2, self.sign2, self.drop2 = nn.MaxPool2d(2), nn.BatchNorm2d(16), Sign(), drop(p)
        self.flatten = nn.Flatten()
        self.fc1 = BinaryLinear(16 * (inner // 2) ** 2, 120)
        self.bn3, self.sign3, self.drop3 = nn.BatchNorm1d(120), Sign(), drop(p)
        self.fc2 = BinaryLinear(120, 84)
        self.bn4, self.sign4, self.drop4 = nn.BatchNorm1d(84), Sign(), drop(p)
        self.fc3 = BinaryLinear(84, 10)
        self.scale = Scale(10, initial=84**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, 1, H, W) to class scores (N, 10)."""
        x = self.drop1(self.sign1(self.bn1(self.pool1(self.conv1(self.quantize(x))))))
        x = self.drop2(self.sign2(self.bn2(self.pool2(self.conv2(x)))))
        x = self.drop3(self.sign3(self.bn3(self.fc1(self.flatten(x)))))
        x = self.drop4(self.sign4(self.bn4(self.fc2(x))))
        return self.scale(self.fc3(x))  # type: ignore[no-any-return]
