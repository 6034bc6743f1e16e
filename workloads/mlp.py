"""A binary multi-layer perceptron, Bayesian by SpinDrop."""

from __future__ import annotations

from torch import Tensor, nn

from archsim.nn import BinaryLinear, Quantize, Scale, Sign, SpinDrop


class MLP(nn.Module):
    """Flat images in [0, 1] through binary layers of `widths`, each with batch norm, sign and SpinDrop of rate `p`.

    `inputs` is the number of pixels; they enter bit by bit on a grid of `input_bits` bits.
    """

    def __init__(self, inputs: int, widths: list[int], classes: int = 10, p: float = 0.1, input_bits: int = 4) -> None:
        super().__init__()
        stages: list[nn.Module] = [nn.Flatten(), Quantize(input_bits, scale=2.0**-input_bits)]
        for width in widths:
            stages += [BinaryLinear(inputs, width), nn.BatchNorm1d(width), Sign(), SpinDrop(p)]
            inputs = width
        self.layers = nn.Sequential(*stages, BinaryLinear(inputs, classes), Scale(classes, initial=inputs**-0.5))

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, C, H, W) to class scores (N, classes)."""
        return self.layers(x)  # type: ignore[no-any-return]
