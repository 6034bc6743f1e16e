"""Every shift by name, and which inputs it fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from archsim.workload.data import ImageSet
from archsim.workload.shifts import levels, pictures, signals
from archsim.workload.shifts.draws import Draws, Floats
from archsim.workload.shifts.geometry import rotated
from archsim.workload.shifts.levels import Levels
from archsim.workload.shifts.shift import IMAGES, Kind, Shift, Variant

Strength = TypeVar("Strength")


def _uniform(data: ImageSet, _: float, draws: Draws) -> Floats:
    return draws.uniform(*data.shape)


def _gaussian(data: ImageSet, _: float, draws: Draws) -> Floats:
    beside = (-1,) + (1,) * (len(data.shape) - 1)
    mean, sigma = (np.asarray(v, np.float32).reshape(beside) for v in (data.inputs.mean, data.inputs.sigma))
    return mean + sigma * draws.normal(*data.shape)


def _rotation(data: ImageSet, degrees: float, _: Draws) -> Floats:
    return rotated(data.images, degrees)


def _graded(corrupt: Callable[[ImageSet, Strength, Draws], Floats], strengths: Levels[Strength]) -> Variant:
    def apply(data: ImageSet, severity: float, draws: Draws) -> Floats:
        return corrupt(data, strengths.at(int(severity)), draws)

    return Variant(apply, strengths.source)


def _images(
    corrupt: Callable[[ImageSet, Strength, Draws], Floats], grey: Levels[Strength], colour: Levels[Strength]
) -> dict[Kind, Variant]:
    return {Kind.GREY: _graded(corrupt, grey), Kind.COLOUR: _graded(corrupt, colour)}


def _signals(corrupt: Callable[[ImageSet, float, Draws], Floats], strengths: Levels[float]) -> dict[Kind, Variant]:
    return {Kind.SIGNAL: _graded(corrupt, strengths)}


def _shifts() -> dict[str, Shift]:
    pure = {
        "uniform_noise": Shift(
            "nothing but noise, uniform over the input range",
            "none",
            dict.fromkeys(Kind, Variant(_uniform, "definition")),
            keeps_labels=False,
        ),
        "gaussian_noise": Shift(
            "nothing but noise, with the mean and the spread of the training inputs",
            "none",
            dict.fromkeys(Kind, Variant(_gaussian, "definition; statistics RERUN on the training splits")),
            keeps_labels=False,
        ),
        "rotation": Shift(
            "turned counter-clockwise about the centre, black comes in",
            "degrees",
            dict.fromkeys(IMAGES, Variant(_rotation, "definition")),
        ),
    }
    stressed = {
        Kind.SIGNAL: _graded(signals.white_noise, levels.STRESS),
        Kind.FEATURES: _graded(signals.white_noise, levels.STRESS),
    }
    graded = {
        "noise": (
            "white Gaussian noise added",
            _images(pictures.noise, levels.NOISE_GREY, levels.NOISE_COLOUR) | stressed,
        ),
        "shot_noise": ("few photons", _images(pictures.shot_noise, levels.SHOT_GREY, levels.SHOT_COLOUR)),
        "salt_pepper": (
            "values turned black or white",
            _images(pictures.salt_pepper, levels.IMPULSE_GREY, levels.IMPULSE_COLOUR),
        ),
        "blur": ("out of focus (Gaussian)", _images(pictures.blur, levels.BLUR_GREY, levels.BLUR_COLOUR)),
        "contrast": ("contrast lost", _images(pictures.contrast, levels.CONTRAST_GREY, levels.CONTRAST_COLOUR)),
        "brightness": ("brighter", _images(pictures.brightness, levels.BRIGHTNESS_GREY, levels.BRIGHTNESS_COLOUR)),
        "fog": ("fractal fog", _images(pictures.fog, levels.FOG_GREY, levels.FOG_COLOUR)),
        "occlusion": ("a part covered in black", _images(pictures.occlusion, levels.OCCLUSION, levels.OCCLUSION)),
        "translate": ("moved in both directions", _images(pictures.translate, levels.TRANSLATE, levels.TRANSLATE)),
        "baseline_wander": ("a slow offset and slope", _signals(signals.baseline_wander, levels.STRESS)),
        "mains_hum": ("50 Hz from the mains", _signals(signals.mains_hum, levels.STRESS)),
        "amplitude": ("too large or too small", _signals(signals.amplitude, levels.AMPLITUDE)),
        "time_warp": ("faster and slower within a signal", _signals(signals.time_warp, levels.WARP)),
        "time_shift": ("earlier or later", _signals(signals.time_shift, levels.DELAY)),
        "missing_segment": ("contact lost for a while", _signals(signals.missing_segment, levels.MISSING_SEGMENT)),
        "missing_features": (
            "features replaced by their means",
            {Kind.FEATURES: _graded(signals.missing_features, levels.MISSING_FEATURES)},
        ),
    }
    return pure | {name: Shift(text, "level", variants) for name, (text, variants) in graded.items()}


SHIFTS: Mapping[str, Shift] = MappingProxyType(_shifts())
