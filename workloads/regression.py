"""A small regression network with binary activations, Bayesian by any of the methods."""

from __future__ import annotations

from torch import Tensor, nn

from archsim.nn import Quantize
from workloads.methods import Method


class Regressor(nn.Module):
    """Features in [-1, 1) through layers of `widths`, each with norm, sign and the chance of a `method`, to one number.

    `inputs` features enter bit by bit in two's complement of `input_bits` bits. `p`: the method's rate.
    """

    def __init__(
        self, inputs: int, widths: list[int], method: str = "affine", p: float | None = None, input_bits: int = 6
    ) -> None:
        super().__init__()
        m = Method(method, p)
        stages: list[nn.Module] = [Quantize(input_bits, signed=True, scale=2.0 ** (1 - input_bits))]
        for width in widths:
            stages += m.stage(m.linear(inputs, width), width)
            inputs = width
        self.layers = nn.Sequential(*stages, *m.head(m.linear(inputs, 1), 1, inputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, inputs) to answers (N, 1)."""
        return self.layers(x)  # type: ignore[no-any-return]
