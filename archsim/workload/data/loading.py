"""The data sets by name, and how one is loaded."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from archsim.errors import DataError, nearest
from archsim.workload.data.images import read_cifar10, read_digits, read_mnist
from archsim.workload.data.sets import ImageSet, InputStatistics, Labels, Raw, Source
from archsim.workload.data.signals import BEAT_CLASSES, BEAT_RANGE, BEAT_RATE_HZ, BEAT_SAMPLES, read_ecg5000
from archsim.workload.data.tables import DIABETES_RANGE, GAP_INPUT_SIGMA, GAP_TESTED, read_diabetes, read_gap

SPLITS = ("train", "test")

# Means and standard deviations are those of the training splits, in [0, 1]; a test computes them again.
DATASETS = MappingProxyType(
    {
        "digits": Source((1, 8, 8), 10, 0, 16, (0.30545,), (0.37604,), read_digits),
        "mnist": Source((1, 28, 28), 10, 0, 255, (0.13066,), (0.30811,), read_mnist),
        "cifar10": Source(
            (3, 32, 32), 10, 0, 255, (0.49125, 0.48209, 0.44652), (0.24523, 0.24278, 0.26063), read_cifar10
        ),
        "ecg5000": Source(
            (1, BEAT_SAMPLES),
            BEAT_CLASSES,
            -BEAT_RANGE,
            BEAT_RANGE,
            (0.50038,),
            (0.12289,),
            read_ecg5000,
            BEAT_RATE_HZ,
        ),
        "diabetes": Source((10,), 0, -DIABETES_RANGE, DIABETES_RANGE, (0.5,), (0.5 / DIABETES_RANGE,), read_diabetes),
        "gap": Source((1,), 0, -GAP_TESTED, GAP_TESTED, (0.5,), (GAP_INPUT_SIGMA / (2 * GAP_TESTED),), read_gap),
    }
)


def load_dataset(
    name: str, split: str = "test", *, count: int | None = None, centred: bool = False, exact: bool = True
) -> ImageSet:
    """Return the first `count` samples of a split (all by default), scaled to [0, 1], or to [-1, 1] if `centred`.

    `exact` = False takes as many as there are, where there are fewer.

    Raises `DataError` for an unknown data set or split, for missing or damaged files, and when `count` samples
    do not exist.
    """
    if name not in DATASETS:
        raise DataError(f"unknown data set '{name}'{nearest(name, DATASETS)}")
    if split not in SPLITS:
        raise DataError(f"data set '{name}' has no split '{split}'{nearest(split, SPLITS)}")
    if count is not None and count < 1:
        raise DataError(f"data set '{name}': at least one image is needed, got {count}")
    source = DATASETS[name]
    raw = source.read(split, count)
    if count is not None and len(raw.answers) < count and exact:
        raise DataError(f"data set '{name}' has {len(raw.answers)} {split} images, {count} were asked for")
    inputs = (raw.inputs[:count].astype(np.float32) - np.float32(source.low)) / np.float32(source.high - source.low)
    inputs = inputs.clip(0, 1).reshape(-1, *source.shape)
    statistics = InputStatistics(0, 1, source.mean, source.sigma)
    if centred:
        inputs, statistics = inputs * 2 - 1, statistics.rescaled(-1, 1)
    return ImageSet(name, inputs, _answers(raw, count), source.classes, statistics, raw.target, source.rate_hz)


def _answers(raw: Raw, count: int | None) -> Labels:
    answers = raw.answers[:count]
    if raw.target is None:
        return answers.astype(np.int64)
    return ((answers - raw.target.mean) / raw.target.sigma).astype(np.float32)
