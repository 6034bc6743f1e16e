"""Passes run one by one, folded into the batch, or after a shared prefix: the same answers, in distribution.

Under the same random numbers they are equal (tests/unit/test_measured_modes.py); here torch draws them itself. Bounds
are 5 standard errors or p = 1e-6, seeds are fixed.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.nn import functional as F

from archsim.baselines.measured import scores
from archsim.nn import SpinDrop
from archsim.workload.checkpoint import load_model
from archsim.workload.spec import load_workload

WORKLOADS = Path(__file__).parents[2] / "workloads"
METHODS = ("spatial", "spindrop", "scale", "affine", "subset", "spinbayes")
MODES = ("sequential", "folded", "shared_prefix")
PASSES, IMAGES, SIGMAS, ALPHA = 500, 3, 5, 1e-6


class Functional(nn.Module):
    """A dropout that is called as a function, and is off at inference unless somebody keeps it on."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(64, 32), nn.Linear(32, 4)

    def forward(self, x):
        return self.second(F.dropout(self.first(x.flatten(1)), 0.3, self.training))


@cache
def model(name):
    torch.manual_seed(0)
    if name == "functional":
        return Functional()
    if name == "cnn":
        return load_model(load_workload(WORKLOADS / "cnn_digits_4bit.yaml"))
    return load_model(
        load_workload(WORKLOADS / ("lenet5_digits.yaml" if name == "spatial" else f"lenet5_digits_{name}.yaml"))
    )


@cache
def drawn(name, mode):
    """Scores of many passes in one mode: (passes, images, outputs), in parts as they fit in memory."""
    images = load_workload(WORKLOADS / "lenet5_digits.yaml").data(IMAGES).images
    torch.manual_seed(1 + MODES.index(mode))
    parts = [scores(model(name), torch.from_numpy(images), PASSES // 5, mode) for _ in range(5)]
    return torch.cat(parts).double().numpy()


CASES = [(name, mode) for name in (*METHODS, "cnn", "functional") for mode in MODES[1:]]


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_means_and_spreads_are_those_of_single_passes(name, mode):
    ours, singles = drawn(name, mode), drawn(name, "sequential")
    assert ours.shape == singles.shape == (PASSES, IMAGES, ours.shape[-1])
    assert singles.std(0).max() > 0
    centre = singles.mean(0)
    for power in (1, 2):
        a, b = (ours - centre) ** power, (singles - centre) ** power
        error = np.sqrt((a.var(0) + b.var(0)) / PASSES)
        assert (np.abs(a.mean(0) - b.mean(0)) <= SIGMAS * error + 1e-9).all()


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_each_score_has_the_distribution_of_single_passes(name, mode):
    ours, singles = drawn(name, mode), drawn(name, "sequential")
    for image in range(IMAGES):
        for output in range(ours.shape[-1]):
            pair = np.round(ours[:, image, output], 4), np.round(singles[:, image, output], 4)
            assert stats.ks_2samp(*pair).pvalue > ALPHA


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_passes_and_images_draw_numbers_of_their_own(name, mode):
    ours = drawn(name, mode)[..., drawn(name, mode).std((0, 1)).argmax()]  # the output that varies most
    ours = (ours - ours.mean(0)) / ours.std(0)
    bound = SIGMAS / np.sqrt(PASSES)
    assert np.abs((ours[1:] * ours[:-1]).mean(0)).max() < bound
    assert abs((ours[:, 0] * ours[:, 1]).mean()) < bound
    assert abs((ours[:-1, 2] * ours[1:, 0]).mean()) < bound  # neighbours in a folded batch


def test_the_comparison_sees_masks_that_passes_share():
    class Shared(SpinDrop):
        def noise(self, x):
            return tuple(n[:1].expand_as(n) for n in super().noise(x))

    layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), Shared(0.3), nn.Linear(32, 4))
    with torch.no_grad():
        torch.manual_seed(0)
        folded = layers(torch.rand(1, 64).repeat(200, 1))
    assert folded.std(0).max() < 1e-5  # the variance test above would fail
