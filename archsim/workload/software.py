"""What a workload's network answers in software, without any hardware: for methods that no crossbar can hold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from archsim.nn import monte_carlo
from archsim.workload.checkpoint import load_model
from archsim.workload.spec import Workload


def software_scores(
    workload: Workload, images: npt.NDArray[np.float32], passes: int, seed: int
) -> npt.NDArray[np.float32]:
    """Return the scores of Monte-Carlo passes in torch, (passes, images, outputs).

    Layers whose weights are sampled share one sample among the images of a batch. Raises `DataError` without a
    checkpoint.
    """
    scores: npt.NDArray[np.float32] = monte_carlo(
        load_model(workload), torch.from_numpy(images), passes, seed=seed
    ).numpy()
    return scores
