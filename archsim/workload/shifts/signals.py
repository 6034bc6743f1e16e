"""Corruptions of signals (N, C, L) and features (N, F) with values in [0, 1]; the caller clips what leaves that range.

They act on signals as the network gets them, that is after each was normalised: as a disturbance of the front end of a
chip in use, which nobody normalises away again. Ratios of signal to noise refer to the training signals' own variance.
"""

from __future__ import annotations

import math

import numpy as np

from archsim.errors import DataError
from archsim.workload.data import ImageSet
from archsim.workload.shifts.draws import Draws, Floats
from archsim.workload.shifts.geometry import within

MAINS_HZ = 50.0
WANDER_HZ = (0.01, 0.33)  # frequencies of baseline wander in torch_ecg's BaselineWanderAugmenter (READ)


def white_noise(data: ImageSet, ratio_db: float, draws: Draws) -> Floats:
    """Add white Gaussian noise, `ratio_db` below the signal."""
    return data.images + _amplitude(data, ratio_db) * draws.normal(*data.shape)


def baseline_wander(data: ImageSet, ratio_db: float, draws: Draws) -> Floats:
    """Add a slow sine, whose power over each signal is `ratio_db` below the signal's.

    A beat is shorter than one period, so it is seen as an offset and a slope.
    """
    frequency, rate, phase = draws.uniform(3).T
    slowest, fastest = WANDER_HZ
    sine = _sine(data, slowest + (fastest - slowest) * frequency, rate, phase)
    sine /= np.sqrt(np.mean(np.square(sine), axis=1, keepdims=True))
    return data.images + _amplitude(data, ratio_db) * sine[:, None]


def mains_hum(data: ImageSet, ratio_db: float, draws: Draws) -> Floats:
    """Add 50 Hz from the mains, `ratio_db` below the signal."""
    rate, phase = draws.uniform(2).T
    sine = _sine(data, np.full(len(data), MAINS_HZ, np.float32), rate, phase)
    return data.images + _amplitude(data, ratio_db) * np.float32(math.sqrt(2)) * sine[:, None]


def amplitude(data: ImageSet, change: float, draws: Draws) -> Floats:
    """Make each signal larger or smaller by the part `change` of its distance from the training mean."""
    gain = 1 + np.float32(change) * draws.signs(1)
    mean = _column(data.inputs.mean)
    return (data.images - mean) * gain[:, :, None] + mean


def time_warp(data: ImageSet, change: float, draws: Draws) -> Floats:
    """Let time run up to `change` faster and slower within each signal; its ends stay.

    The rate is 1 + change * cos(2 pi (t + phase)), with t from 0 to 1 along the signal.
    """
    phase = 2 * math.pi * draws.uniform(1)
    length = data.shape[-1] - 1
    time = np.arange(length + 1, dtype=np.float32)
    turned = np.sin(2 * math.pi * time / length + phase) - np.sin(phase)
    return _sampled(data.images, time + np.float32(change * length / (2 * math.pi)) * turned)


def time_shift(data: ImageSet, delay: float, draws: Draws) -> Floats:
    """Move each signal by `delay`, in parts of its length, to the left or to the right; its end is held."""
    length = data.shape[-1]
    return _sampled(data.images, np.arange(length) + np.float32(delay * length) * draws.signs(1))


def missing_segment(data: ImageSet, share: float, draws: Draws) -> Floats:
    """Replace a random segment, a `share` of each signal, by the training mean: a contact that was lost."""
    lost = within(data.shape[-1], draws.uniform(), share)[:, None, :]
    return np.where(lost, _column(data.inputs.mean), data.images)


def missing_features(data: ImageSet, share: float, draws: Draws) -> Floats:
    """Replace each feature, with the chance `share`, by its training mean."""
    mean = np.asarray(data.inputs.mean, np.float32)
    return np.where(draws.uniform(*data.shape) < share, mean, data.images)


def _amplitude(data: ImageSet, ratio_db: float) -> Floats:
    """Return the standard deviation of a disturbance, for each channel or feature."""
    sigma = np.asarray(data.inputs.sigma, np.float32) * np.float32(10 ** (-ratio_db / 20))
    return sigma if len(data.shape) == 1 else sigma[:, None]


def _column(values: tuple[float, ...]) -> Floats:
    """Return a value for each channel as it stands beside (N, C, L)."""
    return np.asarray(values, np.float32)[:, None]


def _sine(data: ImageSet, frequency_hz: Floats, rate: Floats, phase: Floats) -> Floats:
    """Return a sine for each signal, (N, L). `rate`, `phase`: in [0, 1), where in their ranges they lie."""
    if data.rate_hz is None:
        raise DataError(f"data set '{data.name}' does not say how fast its signals were sampled, so hertz mean nothing")
    slowest, fastest = data.rate_hz
    cycles = frequency_hz / (slowest + (fastest - slowest) * rate)
    turns = cycles[:, None] * np.arange(data.shape[-1], dtype=np.float32) + phase[:, None]
    sine: Floats = np.sin(2 * math.pi * turns)
    return sine


def _sampled(signals: Floats, time: Floats) -> Floats:
    """Return signals (N, C, L) at other times (N, L'), in samples: linear, ends held."""
    length = signals.shape[-1]
    time = np.clip(time, 0, length - 1)
    before = np.minimum(time.astype(np.intp), length - 2)
    part = (time - before).astype(np.float32)[:, None]
    first, second = (np.take_along_axis(signals, (before + i)[:, None], axis=-1) for i in (0, 1))
    between: Floats = first + part * (second - first)
    return between
