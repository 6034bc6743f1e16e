"""Reader of one-dimensional signals: the heartbeats of ECG5000."""

from __future__ import annotations

import numpy as np

from archsim.errors import DataError
from archsim.workload.data.files import data_file
from archsim.workload.data.sets import Raw

BEAT_SAMPLES = 140
BEAT_CLASSES = 5

# The recorder took 250 samples a second (READ: PhysioNet's page of the BIDMC congestive heart failure database, from
# whose record chf07 the beats come). Each beat was then interpolated to 140 samples, and how long it had been is not
# kept: 250 Hz if it was not stretched at all, 140 Hz if it lasted one second (60 beats a minute). DERIVED.
BEAT_RATE_HZ = (140.0, 250.0)

# Beats come with zero mean and unit variance each, and reach from -6.0 to 4.4. Of all ranges, plus or minus four loses
# least on a 4-bit two's complement grid: 16.6 dB of signal to rounding and clipping, against 14.9 dB for five and
# 13.0 dB for six; 0.8 % of the samples are clipped (RERUN on the 500 training beats).
BEAT_RANGE = 4.0


def read_ecg5000(split: str, count: int | None) -> Raw:
    """Return ECG5000 (UCR archive) from its text files: a class from 1 to 5, then 140 samples, on each line.

    The files are sorted by class, which would make the first hundred beats all normal; so they are shuffled once. The
    classes stay as unbalanced as they are: of 500 training beats 292, 177, 10, 19 and 2.
    """
    del count  # the file is small and is shuffled as a whole
    path = data_file("ecg5000", f"ECG5000/ECG5000_{split.upper()}.txt")
    try:
        table = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: damaged file ({error})") from error
    if table.shape[1] != 1 + BEAT_SAMPLES:
        raise DataError(f"{path}: {table.shape[1]} numbers on a line, expected a class and {BEAT_SAMPLES} samples")
    classes = table[:, 0]
    if not np.isin(classes, np.arange(1, BEAT_CLASSES + 1)).all():
        raise DataError(f"{path}: classes must be 1 to {BEAT_CLASSES}")
    table = table[np.random.default_rng(0).permutation(len(table))]
    return Raw(table[:, 1:], table[:, 0] - 1)
