"""Readers of regression data: scikit-learn's diabetes patients, and the noisy cubic with a gap."""

from __future__ import annotations

import math

import numpy as np

from archsim.workload.data.files import bundled_table
from archsim.workload.data.sets import Raw, TargetScale

DIABETES_TRAIN = 353  # of 442; the remaining 89 are the test split
DIABETES_RANGE = 4.0  # in standard deviations of a feature; two of all values lie beyond, and are clipped (RERUN)

# The cubic of Hernandez-Lobato and Adams, "Probabilistic Backpropagation" (ICML 2015): x**3 with noise of 3 for
# |x| < 4 (READ in torch-uncertainty's Cubic). Training inputs come in two clusters with nothing in between, after Foong
# et al., "In-Between Uncertainty in Bayesian Neural Networks" (2019); where the gap lies is our choice (ASSUMED).
GAP_INNER = 2.0
GAP_OUTER = 4.0
GAP_TESTED = 6.0
GAP_NOISE = 3.0
GAP_COUNTS = {"train": 1000, "test": 600}
# standard deviation of inputs that are uniform on both clusters: root of the mean of x**2
GAP_INPUT_SIGMA = math.sqrt((GAP_OUTER**3 - GAP_INNER**3) / (3 * (GAP_OUTER - GAP_INNER)))
# mean of x**6 on the clusters, and the noise: the variance of the targets, whose mean is 0
GAP_TARGET = TargetScale(
    0.0, math.sqrt((GAP_OUTER**7 - GAP_INNER**7) / (7 * (GAP_OUTER - GAP_INNER)) + GAP_NOISE**2), GAP_NOISE
)


def read_diabetes(split: str, count: int | None) -> Raw:
    """Return ten features of 442 patients and how their illness went on (Efron et al., Annals of Statistics, 2004).

    Shuffled once; features are standardised with the training split.
    """
    del count  # the files are small and are shuffled as a whole
    features = bundled_table("diabetes", "diabetes_data_raw.csv.gz", None)
    targets = bundled_table("diabetes", "diabetes_target.csv.gz", None)
    order = np.random.default_rng(0).permutation(len(targets))
    train, test = order[:DIABETES_TRAIN], order[DIABETES_TRAIN:]
    features = (features - features[train].mean(axis=0)) / features[train].std(axis=0)
    chosen = train if split == "train" else test
    scale = TargetScale(float(targets[train].mean()), float(targets[train].std()))
    return Raw(features[chosen], targets[chosen], scale)


def read_gap(split: str, count: int | None) -> Raw:
    """Return samples of a noisy cubic, y = x**3 + 3 g: trained on 2 < |x| < 4, tested on all of |x| < 6.

    A third of the test inputs each lies in the gap, where the training inputs lie, and outside. Made up from a fixed
    seed.
    """
    del count
    rng = np.random.default_rng([0, sorted(GAP_COUNTS).index(split)])
    number = GAP_COUNTS[split]
    if split == "train":
        inputs = rng.uniform(GAP_INNER, GAP_OUTER, number) * rng.choice([-1, 1], number)
    else:
        inputs = rng.uniform(-GAP_TESTED, GAP_TESTED, number)
    return Raw(inputs, inputs**3 + rng.normal(0, GAP_NOISE, number), GAP_TARGET)
