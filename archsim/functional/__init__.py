"""The functional pass: what a network answers when its layers are computed on the arrays of a chip."""

from __future__ import annotations

from archsim.functional.activity import FunctionalRun, LayerActivity
from archsim.functional.chance import Chance
from archsim.functional.compute import compute
from archsim.functional.encoding import LOSSLESS, Converter, LayerEncoding, ReadModel, ideal_encodings
from archsim.functional.noise import Chances, dropout_mask, node_noise

__all__ = [
    "LOSSLESS", "Chance", "Chances", "Converter", "FunctionalRun", "LayerActivity", "LayerEncoding", "ReadModel",
    "compute", "dropout_mask", "ideal_encodings", "node_noise",
]  # fmt: skip
