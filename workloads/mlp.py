"""A multi-layer perceptron with binary activations, Bayesian by any of the methods."""

from __future__ import annotations

from torch import Tensor, nn

from archsim.nn import Quantize
from workloads.methods import Method


class MLP(nn.Module):
    """Flat images in [0, 1] through layers of `widths`, each with batch norm, sign and the chance of a `method`.

    `inputs` is the number of pixels; they enter bit by bit on a grid of `input_bits` bits. `p`: the method's rate.
    """

    def __init__(
        self,
        inputs: int,
        widths: list[int],
        classes: int = 10,
        method: str = "spindrop",
        p: float | None = None,
        input_bits: int = 4,
    ) -> None:
        super().__init__()
        m = Method(method, p)
        stages: list[nn.Module] = [nn.Flatten(), Quantize(input_bits, scale=2.0**-input_bits)]
        for width in widths:
            stages += m.stage(m.linear(inputs, width), width)
            inputs = width
        self.layers = nn.Sequential(*stages, *m.head(m.linear(inputs, classes), classes, inputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, C, H, W) to class scores (N, classes)."""
        return self.layers(x)  # type: ignore[no-any-return]
