"""Torch modules of binary and spintronic Bayesian networks, trainable with ordinary torch code."""

from archsim.nn.bayesian import BAYESIAN, BayesianConv1d, BayesianConv2d, BayesianLinear
from archsim.nn.binary import BINARY, BinaryConv1d, BinaryConv2d, BinaryLinear, Sign, sign
from archsim.nn.dropout import SpatialSpinDrop, SpinDrop
from archsim.nn.objective import freeze, kl, regulariser
from archsim.nn.quantize import Quantize, Scale
from archsim.nn.scale import AffineDropout, GaussianScale, InvertedNorm, Normalise, ScaleDropout, layer_rate
from archsim.nn.stochastic import Stochastic, masks, monte_carlo

__all__ = [
    "BAYESIAN",
    "BINARY",
    "AffineDropout",
    "BayesianConv1d",
    "BayesianConv2d",
    "BayesianLinear",
    "BinaryConv1d",
    "BinaryConv2d",
    "BinaryLinear",
    "GaussianScale",
    "InvertedNorm",
    "Normalise",
    "Quantize",
    "Scale",
    "ScaleDropout",
    "Sign",
    "SpatialSpinDrop",
    "SpinDrop",
    "Stochastic",
    "freeze",
    "kl",
    "layer_rate",
    "masks",
    "monte_carlo",
    "regulariser",
    "sign",
]
