"""How a set is shifted, by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from archsim.errors import DataError, nearest
from archsim.workload.data import DATASETS, ImageSet, load_dataset
from archsim.workload.data.sets import UNLABELLED, Labels
from archsim.workload.shifts.draws import Draws, Floats
from archsim.workload.shifts.geometry import fitted
from archsim.workload.shifts.registry import SHIFTS
from archsim.workload.shifts.shift import IMAGES, checked_severity, kind_of


def shifted(name: str, data: ImageSet, rng: np.random.Generator, severity: float | None = None) -> ImageSet:
    """Return a set that networks for `data` can take, and that differs from it as `name` says.

    `name`: one of `SHIFTS`, or another image data set, of which as many test images as `data` has (or all) are brought
    to its shape. Values stay in the range of `data`. What is random in image i depends on `rng` and i alone; the same
    `rng` at another severity makes the same noise stronger. Inputs that belong to none of the classes are labelled -1
    (NaN in regression); `ImageSet.labelled` tells.

    Raises `DataError` for an unknown name, one that does not fit the inputs, and a severity that is missing,
    superfluous or outside its range.
    """
    if name in DATASETS:
        return _other_set(name, data, severity)
    if name not in SHIFTS:
        raise DataError(f"unknown shift '{name}'{nearest(name, [*SHIFTS, *DATASETS])}")
    shift, kind = SHIFTS[name], kind_of(data.shape)
    if kind not in shift.variants:
        raise DataError(f"shift '{name}' fits {' and '.join(shift.variants)}, not {kind} as in data set '{data.name}'")
    strength = checked_severity(name, shift.scale, severity)
    images = shift.variants[kind].apply(_in_unit_range(data), strength, Draws(rng, len(data)))
    label = name if severity is None else f"{name} {severity:g}"
    return replace(
        data,
        name=f"{data.name}, {label}",
        images=_in_range_of(data, np.clip(images, 0, 1)),
        labels=data.labels if shift.keeps_labels else _no_labels(data, len(data)),
    )


def shifts_for(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return the names in `SHIFTS` that fit inputs of this shape."""
    kind = kind_of(shape)
    return tuple(name for name, shift in SHIFTS.items() if kind in shift.variants)


def _in_unit_range(data: ImageSet) -> ImageSet:
    if (data.inputs.low, data.inputs.high) == (0, 1):
        return data
    images = (data.images - np.float32(data.inputs.low)) / np.float32(data.inputs.span)
    return replace(data, images=images, inputs=data.inputs.rescaled(0, 1))


def _in_range_of(data: ImageSet, unit: Floats) -> Floats:
    scaled: Floats = unit * np.float32(data.inputs.span) + np.float32(data.inputs.low)
    return scaled


def _other_set(name: str, data: ImageSet, severity: float | None) -> ImageSet:
    if severity is not None:
        raise DataError(f"data set '{name}' takes no severity, got {severity:g}")
    if name == data.name:
        raise DataError(f"data set '{name}' is what the network was made for; a shift needs another one")
    ours, theirs = kind_of(data.shape), kind_of(DATASETS[name].shape)
    if ours not in IMAGES or theirs not in IMAGES:
        raise DataError(f"data set '{name}' ({theirs}) cannot be brought to the shape of '{data.name}' ({ours})")
    other = load_dataset(name, count=len(data), exact=False)
    images = _in_range_of(data, fitted(other.images, data.shape))
    return replace(data, name=name, images=images, labels=_no_labels(data, len(images)))


def _no_labels(data: ImageSet, count: int) -> Labels:
    return np.full(count, UNLABELLED, np.int64) if data.classes else np.full(count, np.nan, np.float32)
