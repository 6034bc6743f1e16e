"""Torch modules of binary and spintronic Bayesian networks, trainable with ordinary torch code."""

from archsim.nn.binary import BinaryConv1d, BinaryConv2d, BinaryLinear, Sign, sign
from archsim.nn.quantize import Quantize, Scale
from archsim.nn.stochastic import SpatialSpinDrop, SpinDrop, masks, monte_carlo

__all__ = [
    "BinaryConv1d",
    "BinaryConv2d",
    "BinaryLinear",
    "Quantize",
    "Scale",
    "Sign",
    "SpatialSpinDrop",
    "SpinDrop",
    "masks",
    "monte_carlo",
    "sign",
]
