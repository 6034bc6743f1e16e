"""The base of every operation, and the random numbers that an operation may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.signedinteger[Any]]
FloatArray = npt.NDArray[np.float32]


Noise = npt.NDArray[Any]


@dataclass(frozen=True)
class Draw:
    """Random numbers of one sort that an operation needs, drawn afresh for every image and pass.

    `kind`: "bit" (True with probability `p`), "gaussian" (mean 0, deviation 1), or "index" (one of `choices`, equally
    likely; an arbiter makes it of log2(choices) fair bits). `count`: how many.
    """

    kind: Literal["bit", "gaussian", "index"]
    count: int
    p: float = 0.5
    choices: int = 2

    @property
    def bits_each(self) -> int:
        """Random bits that one such number takes; of a Gaussian the hardware decides, so it counts as one here."""
        return (self.choices - 1).bit_length() if self.kind == "index" else 1


@dataclass(frozen=True, eq=False)
class Op:
    """Base of every operation. `kind` is its name in trace files."""

    kind: ClassVar[str] = "op"

    def draws(self, shape: tuple[int, ...]) -> tuple[Draw, ...]:
        """Return the random numbers that one evaluation with output `shape` needs; none unless overridden."""
        del shape
        return ()
