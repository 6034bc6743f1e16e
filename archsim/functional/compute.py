"""The door of the functional pass: checks what the user gives, then runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from archsim.errors import ConfigError, DataError
from archsim.functional.activity import FunctionalRun
from archsim.functional.encoding import LayerEncoding, check_encodings
from archsim.functional.noise import Chances, check_chances
from archsim.workload.trace import Trace


def compute(
    trace: Trace,
    encodings: Mapping[str, LayerEncoding],
    images: npt.ArrayLike,
    passes: int,
    seed: int,
    *,
    chances: Chances | None = None,
    first_image: int = 0,
    progress: Callable[[int, int], None] | None = None,
    max_bytes: int = 256 * 2**20,
) -> FunctionalRun:
    """Compute what a network answers on its arrays, for all images and Monte-Carlo passes.

    `encodings`: by crossbar layer. `images`: (N, *trace.input_shape). `seed`: of every random number.
    `chances`: how the chip's modules draw, by node, one for each of its draws; ideal where none are given.
    `first_image`: index of `images[0]` in the whole run; the random numbers depend on it and on nothing else about the
    batch. `progress`: called with (samples done, samples in all). `max_bytes`: about how much working memory to use.

    Raises `DataError` for images of the wrong shape or with NaN, `ConfigError` for no passes and for chances that
    do not fit, `MappingError` for encodings that do not fit, `TraceError` for operations that cannot be computed.
    """
    if passes < 1:
        raise ConfigError(f"passes: must be at least 1, got {passes}")
    check_encodings(trace, encodings)
    check_chances(trace, chances or {})
    checked = _checked(trace, images)
    if progress is not None:
        progress(0, len(checked) * passes)  # the very first run compiles kernels, which takes a while
    from archsim.functional.executor import compile_trace, execute  # loads numba

    program = compile_trace(trace, encodings, chances or {})
    return execute(program, checked, passes, seed, first_image, max_bytes, progress)


def _checked(trace: Trace, images: npt.ArrayLike) -> npt.NDArray[np.float32]:
    try:
        array = np.asarray(images, np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"images are not an array of numbers: {error}") from None
    if array.shape[1:] != tuple(trace.input_shape):
        raise DataError(
            f"network '{trace.name}' takes images of shape {trace.input_shape}, got an array of shape {array.shape}"
            " (the first axis counts images)"
        )
    if len(array) == 0:
        raise DataError("there is no image to compute")
    bad = ~np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    if bad.any():
        raise DataError(f"image {int(np.flatnonzero(bad)[0])} holds NaN or infinite values ({int(bad.sum())} in all)")
    return array
