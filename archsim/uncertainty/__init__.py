"""How far a network's uncertainty on a chip can be trusted: on its test set, shifted images, and images of nothing."""

from __future__ import annotations

from archsim.uncertainty.evaluation import evaluate_uncertainty
from archsim.uncertainty.findings import Adaptive, SetFindings, Uncertainty
from archsim.uncertainty.sets import EvaluationSet, choose_sets

__all__ = ["Adaptive", "EvaluationSet", "SetFindings", "Uncertainty", "choose_sets", "evaluate_uncertainty"]
