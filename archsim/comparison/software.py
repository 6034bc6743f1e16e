"""The same network in software, on the same images with as many passes: what the chip's answers are held against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archsim.metrics.quality import Quality, evaluate_quality
from archsim.metrics.regression import RegressionQuality, evaluate_regression, noise_of
from archsim.pipeline.deployment import RESAMPLING_STREAM, Deployment
from archsim.workload.spec import Workload


@dataclass(frozen=True, eq=False)
class Software:
    """How good the answers in torch are, by the same figures as on the chip; None where `missing` says why."""

    quality: Quality | RegressionQuality | None
    missing: str = ""


def in_software(at_work: Deployment) -> Software:
    """Run a network in torch on the images of a deployment, and judge it as its chip is judged."""
    source, passes, seed = at_work.source, at_work.passes, at_work.seed
    if not isinstance(source, Workload):
        return Software(None, "a trace holds no torch module; give the workload's file instead")
    if not source.is_trained:
        return Software(None, "the network is untrained (checkpoint: null)")
    data = at_work.data
    if not data.labelled:
        return Software(None, f"data set '{data.name}' has no labels")
    from archsim.workload.software import software_scores  # torch, which a trace and costs alone do without

    scores = software_scores(source, data.images, passes, seed)
    if data.task == "classification":
        rng = np.random.default_rng([seed, RESAMPLING_STREAM])
        return Software(evaluate_quality(scores, data.labels, rng))
    if data.target is not None and data.target.noise is not None:
        return Software(evaluate_regression(scores, data.labels, data.target.noise / data.target.sigma))
    known = at_work.training_data
    noise = noise_of(software_scores(source, known.images, passes, seed), known.labels)
    return Software(evaluate_regression(scores, data.labels, noise))
