"""LeNet-5 with binary activations, Bayesian by any of the methods."""

from __future__ import annotations

from torch import Tensor, nn

from archsim.nn import Quantize, Scale, Sign
from workloads.methods import Method


class LeNet5(nn.Module):
    """6-16-120-84-10 LeNet-5 (LeCun et al., 1998) for grey images in [0, 1).

    Each stage is layer, pooling, batch norm, sign, with the chance of the `method` (of rate `p`) where it acts: on the
    sums, or as dropout on the inputs of the next crossbar. The image enters bit by bit on a grid of `input_bits` bits;
    `image_size` is 28 for MNIST (5x5 kernels) or 8 for scikit-learn's digits (3x3 kernels). Images below 16 pixels
    keep their size up to the second stage: six binary maps of 4x4 would not hold enough of a digit.
    """

    def __init__(
        self,
        image_size: int = 28,
        kernel: int = 5,
        method: str = "spatial",
        p: float | None = None,
        input_bits: int = 4,
    ) -> None:
        super().__init__()
        m = Method(method, p)
        small = image_size < 16
        inner = image_size if small else image_size // 2 - (kernel - 1)
        self.quantize = Quantize(input_bits, scale=2.0**-input_bits)
        self.conv1 = m.conv2d(1, 6, kernel, padding=kernel // 2)
        self.pool1 = nn.Identity() if small else nn.MaxPool2d(2)
        self.chance1, self.bn1, self.sign1, self.drop1 = m.chance(self.conv1), m.norm(6, 2), Sign(), m.drop()
        self.conv2 = m.conv2d(6, 16, kernel, padding=kernel // 2 if small else 0)
        self.pool2 = nn.MaxPool2d(2)
        self.chance2, self.bn2, self.sign2, self.drop2 = m.chance(self.conv2), m.norm(16, 2), Sign(), m.drop()
        self.flatten = nn.Flatten()
        self.fc1 = m.linear(16 * (inner // 2) ** 2, 120)
        self.chance3, self.bn3, self.sign3, self.drop3 = m.chance(self.fc1), m.norm(120), Sign(), m.drop()
        self.fc2 = m.linear(120, 84)
        self.chance4, self.bn4, self.sign4, self.drop4 = m.chance(self.fc2), m.norm(84), Sign(), m.drop()
        self.fc3 = m.linear(84, 10)
        self.chance5 = m.chance(self.fc3, normalised=False)
        self.scale = Scale(10, initial=84**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, 1, H, W) to class scores (N, 10)."""
        x = self.drop1(self.sign1(self.bn1(self.chance1(self.pool1(self.conv1(self.quantize(x)))))))
        x = self.drop2(self.sign2(self.bn2(self.chance2(self.pool2(self.conv2(x))))))
        x = self.drop3(self.sign3(self.bn3(self.chance3(self.fc1(self.flatten(x))))))
        x = self.drop4(self.sign4(self.bn4(self.chance4(self.fc2(x)))))
        return self.scale(self.chance5(self.fc3(x)))  # type: ignore[no-any-return]
