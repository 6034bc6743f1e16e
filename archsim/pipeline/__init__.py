"""One design point, from configuration to result: the whole of archsim in one function, and the pieces of it."""

from __future__ import annotations

from archsim.pipeline.chips import check_chips, evaluate_chips
from archsim.pipeline.deployment import Deployment, deploy
from archsim.pipeline.evaluation import evaluate
from archsim.pipeline.sampled import SampledChip, activities, encodings, layer_converter, sample_chip
from archsim.pipeline.steps import waterfall

__all__ = [
    "Deployment", "SampledChip", "activities", "check_chips", "deploy", "encodings", "evaluate", "evaluate_chips",
    "layer_converter", "sample_chip", "waterfall",
]  # fmt: skip
