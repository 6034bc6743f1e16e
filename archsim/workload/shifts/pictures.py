"""Corruptions of images (N, C, H, W) with values in [0, 1]; what leaves that range is clipped by the caller.

Each takes the images, the strength and the draws. Formulas are those of MNIST-C and CIFAR-10-C, see `levels`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archsim.workload.data import ImageSet
from archsim.workload.shifts.draws import Draws, Floats
from archsim.workload.shifts.geometry import along_both, blur_matrix, translation_matrix, within


def noise(data: ImageSet, sigma: float, draws: Draws) -> Floats:
    """Add white Gaussian noise of standard deviation `sigma`, in parts of the full range."""
    return data.images + np.float32(sigma) * draws.normal(*data.shape)


def shot_noise(data: ImageSet, photons: float, draws: Draws) -> Floats:
    """Count photons, of which a white pixel receives `photons` on average (Poisson)."""
    counted: Floats = draws.poisson(data.images * photons) / np.float32(photons)
    return counted


def salt_pepper(data: ImageSet, share: float, draws: Draws) -> Floats:
    """Turn a `share` of all values black or white, with equal chances."""
    drawn = draws.uniform(*data.shape)
    return np.where(drawn < share / 2, np.float32(0), np.where(drawn >= 1 - share / 2, np.float32(1), data.images))


def blur(data: ImageSet, sigma: float, draws: Draws) -> Floats:
    """Apply a Gaussian filter; `sigma` in parts of the side."""
    del draws
    height, width = data.shape[1:]
    return along_both(blur_matrix(height, sigma * height), data.images, blur_matrix(width, sigma * width))


def contrast(data: ImageSet, kept: float, draws: Draws) -> Floats:
    """Draw each channel towards its mean, so that `kept` of its contrast remains."""
    del draws
    means = data.images.mean(axis=(2, 3), keepdims=True)
    flatter: Floats = (data.images - means) * np.float32(kept) + means
    return flatter


def brightness(data: ImageSet, added: float, draws: Draws) -> Floats:
    """Raise the brightest channel by `added`, up to 1, and the others in proportion: the V of HSV."""
    del draws
    value = data.images.max(axis=1, keepdims=True)
    brighter = np.minimum(value + np.float32(added), 1)
    gain = np.divide(brighter, value, out=np.zeros_like(value), where=value > 0)
    colours: Floats = np.where(value > 0, data.images * gain, brighter)  # what is black has no hue, and turns grey
    return colours


def translate(data: ImageSet, distance: float, draws: Draws) -> Floats:
    """Move by `distance`, in parts of the side, in both directions with random signs; black comes in."""
    down, right = (draws.uniform(2) < 0.5).T[..., None, None, None]
    height, width = data.shape[1:]
    return along_both(_moved(height, distance, down), data.images, _moved(width, distance, right))


def _moved(size: int, distance: float, forward: npt.NDArray[np.bool_]) -> Floats:
    """Return the map of an axis that moves it forward or backward, for each image."""
    ahead, behind = (translation_matrix(size, sign * distance * size) for sign in (1, -1))
    return np.where(forward, ahead, behind)


def occlusion(data: ImageSet, side: float, draws: Draws) -> Floats:
    """Cover a random rectangle of `side` times the height and the width with black, all of it inside the image."""
    height, width = data.shape[1:]
    place = draws.uniform(2)
    covered = within(height, place[:, 0], side)[:, :, None] & within(width, place[:, 1], side)[:, None, :]
    return np.where(covered[:, None], np.float32(0), data.images)


def fog(data: ImageSet, strength: tuple[float, float], draws: Draws) -> Floats:
    """Lay fractal fog over the image: x <- (x + thickness * fog) * max / (max + thickness).

    `strength`: the thickness, and by how much each finer scale of the fog is weaker. The fractal is as large as the
    image, as in CIFAR-10-C; MNIST-C cuts its own out of one of 256 x 256, which is smoother.
    """
    thickness, decay = strength
    height, width = data.shape[1:]
    size = max(2, 1 << (max(height, width) - 1).bit_length())
    layer = plasma(draws.uniform(size * size - 1), size, decay)[:, None, :height, :width]
    brightest = data.images.max(axis=(1, 2, 3), keepdims=True)
    foggy: Floats = (data.images + np.float32(thickness) * layer) * (brightest / (brightest + np.float32(thickness)))
    return foggy


def plasma(drawn: Floats, size: int, decay: float) -> Floats:
    """Return fractal height maps (N, size, size) in [0, 1] by the diamond-square algorithm on a torus.

    `drawn`: uniform numbers, (N, size**2 - 1). `size`: a power of two. A new point is the mean of its four neighbours
    plus a random number, whose range shrinks by `decay` squared from each scale to the next.
    """
    maps = np.zeros((len(drawn), size, size), np.float32)
    deviations = 2 * drawn - 1
    used, step, reach = 0, size, np.float32(1)
    while step >= 2:
        half, cells = step // 2, size // step
        squares, first, second = (
            reach * deviations[:, used + i * cells**2 : used + (i + 1) * cells**2].reshape(-1, cells, cells)
            for i in range(3)
        )
        corners = maps[:, ::step, ::step]
        rows = corners + np.roll(corners, -1, 1)
        centres = (rows + np.roll(rows, -1, 2)) / 4 + squares
        maps[:, half::step, half::step] = centres
        maps[:, ::step, half::step] = (corners + np.roll(corners, -1, 2) + centres + np.roll(centres, 1, 1)) / 4 + first
        maps[:, half::step, ::step] = (rows + centres + np.roll(centres, 1, 2)) / 4 + second
        used, step, reach = used + 3 * cells**2, half, reach / np.float32(decay) ** 2
    maps -= maps.min(axis=(1, 2), keepdims=True)
    maps /= maps.max(axis=(1, 2), keepdims=True)
    return maps
