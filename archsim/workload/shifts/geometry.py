"""Where things are: blur, translation and resizing as one small matrix for each axis; rotation; colour; segments."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from archsim.workload.shifts.draws import Floats

# Luma of ITU-R Recommendation BT.601, as Pillow converts colour to grey (READ in its documentation of Image.convert).
LUMA = (0.299, 0.587, 0.114)


def along_both(rows: Floats, images: Floats, columns: Floats) -> Floats:
    """Return `rows` @ image @ `columns`.T for each plane of (N, C, H, W); the matrices may differ between images."""
    mapped: Floats = np.matmul(np.matmul(rows, images), columns.swapaxes(-1, -2))
    return mapped


def blur_matrix(size: int, sigma: float) -> Floats:
    """Return the Gaussian filter along an axis, (size, size): cut off at four sigma, edges repeated."""
    from scipy.ndimage import gaussian_filter1d  # loads in a tenth of a second, which only a blur should pay

    matrix: Floats = gaussian_filter1d(np.eye(size, dtype=np.float32), sigma, axis=0, mode="nearest", truncate=4.0)
    return matrix


def translation_matrix(size: int, offset: float) -> Floats:
    """Return the map that moves an axis by `offset` pixels, (size, size): bilinear, zeros come in."""
    wanted = np.arange(size)[:, None] - offset
    matrix: Floats = np.maximum(0, 1 - np.abs(wanted - np.arange(size))).astype(np.float32)
    return matrix


def resize_matrix(size: int, new_size: int) -> Floats:
    """Return bilinear resizing of an axis, (new_size, size), without aliasing: the triangle covers a new pixel's width.

    As Pillow's `Image.resize` with BILINEAR, which is the oracle in the tests.
    """
    step = size / new_size
    reach = max(step, 1.0)
    centres = (np.arange(new_size)[:, None] + 0.5) * step - 0.5
    weights = np.maximum(0, 1 - np.abs(np.arange(size) - centres) / reach)
    matrix: Floats = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return matrix


def rotated(images: Floats, degrees: float) -> Floats:
    """Return images (N, C, H, W) turned counter-clockwise about their centre: bilinear, zeros come in."""
    height, width = images.shape[-2:]
    angle = math.radians(degrees)
    y, x = np.mgrid[:height, :width] - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    rows = math.cos(angle) * y + math.sin(angle) * x + (height - 1) / 2
    columns = math.cos(angle) * x - math.sin(angle) * y + (width - 1) / 2
    return _sampled(images, rows, columns)


def _sampled(images: Floats, rows: npt.NDArray[np.float64], columns: npt.NDArray[np.float64]) -> Floats:
    """Return what images (N, C, H, W) show at the places (rows, columns), each (H', W'): bilinear, zero outside."""
    height, width = images.shape[-2:]
    flat = images.reshape(*images.shape[:2], height * width)
    sampled = np.zeros((*images.shape[:2], rows.size), np.float32)
    for row in (np.floor(rows), np.floor(rows) + 1):
        for column in (np.floor(columns), np.floor(columns) + 1):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            weight = inside * (1 - np.abs(rows - row)) * (1 - np.abs(columns - column))
            place = np.where(inside, row * width + column, 0).astype(np.intp)
            sampled += flat[..., place.ravel()] * weight.ravel().astype(np.float32)
    return sampled.reshape(*images.shape[:2], *rows.shape)


def fitted(images: Floats, shape: tuple[int, ...]) -> Floats:
    """Return images (N, C, H, W) resized to `shape`; colour becomes grey by its luma, grey is repeated."""
    channels, height, width = shape
    if images.shape[1] == len(LUMA) and channels == 1:
        images = np.einsum("c,nchw->nhw", np.array(LUMA, np.float32), images)[:, None]
    resized = along_both(resize_matrix(images.shape[2], height), images, resize_matrix(images.shape[3], width))
    return np.broadcast_to(resized, (len(images), *shape)).copy() if images.shape[1] == 1 else resized


def within(size: int, place: Floats, share: float) -> npt.NDArray[np.bool_]:
    """Return which of `size` samples lie in a segment of `share` of them, (N, size).

    `place`: (N,) in [0, 1), how far the segment stands from the start; a longer one covers a shorter.
    """
    start = place[:, None] * (1 - share) * size
    centre = np.arange(size) + 0.5
    inside: npt.NDArray[np.bool_] = (centre >= start) & (centre < start + share * size)
    return inside
