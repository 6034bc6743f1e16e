"""How the modules of a chip draw random numbers: what differs from the network's own rates."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.workload.trace import FloatArray


@dataclass(frozen=True, eq=False)
class Chance:
    """How a chip's modules draw the numbers of one `Draw` of one node.

    `p`: float32 (modules,), the actual probability that each module's bit is 1 (for a dropout: that the element is
    dropped); element e is drawn by module e modulo modules. Elements of a map count pixel by pixel, the channels of a
    pixel in a row; all bits of an index or of a Gaussian are of one module. None: exactly the nominal probability.
    `correlation`: chance that a bit repeats the one that its module drew for it in the pass before (same image) instead
    of being drawn afresh; the share of ones stays what it is. `gaussian_bits`: bits that are summed for one Gaussian;
    None: exactly normal, whatever `p`.
    """

    p: FloatArray | None = None
    correlation: float = 0.0
    gaussian_bits: int | None = None
